/* Machines kept by name: $XDG_DATA_HOME/plimsoll/machines/NAME.json is what assess --json wrote,
 * and NAME.about what was said of it when it was added. A name exists when its .json does. */
#ifndef PL_MACHINE_REGISTRY_H
#define PL_MACHINE_REGISTRY_H

#include "base/err.h"
#include "domain/machine.h"

#define PL_REGISTRY_NAME_MAX 48
#define PL_REGISTRY_MAX 256

/* What somebody said of a machine; unknown and "" when not. */
struct pl_registry_about {
    char use[128];
    char gpu[96], compute_capability[16]; /* typed: compared with the reading */
    struct pl_quantity vram;
    int64_t added_unix;
};

/* Letters, digits and _-. , not first a dot; 1 to 47 of them. */
bool pl_registry_name_ok(const char *name);

/* The file of a name, whether it is there or not. -ENOENT: no place is known; -EINVAL: no name. */
int pl_registry_path(const char *name, char out[PL_PATH_TEXT_MAX], struct pl_err *err);
/* True when the name is registered. */
bool pl_registry_has(const char *name);

/* Copies the text (a valid machine file) whole or not at all. -EEXIST unless force. */
int pl_registry_add(const char *name, const char *text, size_t len,
                    const struct pl_registry_about *about, bool force, struct pl_err *err);
/* -ENOENT when there is none of that name. */
int pl_registry_remove(const char *name, struct pl_err *err);
int pl_registry_about(const char *name, struct pl_registry_about *ret, struct pl_err *err);

/* The names in order, at most PL_REGISTRY_MAX. No folder is no machines. */
int pl_registry_list(char name[PL_REGISTRY_MAX][PL_REGISTRY_NAME_MAX], uint32_t *ret_n,
                     struct pl_err *err);

#endif
