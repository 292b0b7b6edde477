/* llama-server's flags, by its own names, and the rules by which it resolves "auto". Pure. */
#ifndef PL_ENGINE_LLAMACPP_SETTINGS_H
#define PL_ENGINE_LLAMACPP_SETTINGS_H

#include "base/err.h"
#include "base/str.h"
#include "domain/model.h"
#include "domain/settings.h"

#define PL_FLAG_NAMES_MAX 4

struct pl_flag {
    const char *names[PL_FLAG_NAMES_MAX]; /* "-c", "--ctx-size"; NULL-ended when shorter */
    const char *arg;                      /* value name; NULL = switch */
    const char *env;                      /* LLAMA_ARG_*, or NULL */
    const char *help;                     /* NULL: accepted and passed on, not listed */
    int (*set)(struct pl_settings *s, const struct pl_flag *flag, const char *name,
               const char *value, struct pl_err *err);
};

/* The table; ends with names[0] == NULL. */
const struct pl_flag *pl_llamacpp_flags(void);

/* llama-server's defaults. */
void pl_llamacpp_defaults(struct pl_settings *s);

/* Takes the flag at argv[0] (and its value): returns the words used, 0 when the table has no such
 * flag, or negative with err. Borrowed argv strings must outlive s. */
int pl_llamacpp_flag(struct pl_settings *s, int argc, char *const *argv, struct pl_err *err);

/* Applies LLAMA_ARG_* of the process environment; flags given later win. */
int pl_llamacpp_environment(struct pl_settings *s, struct pl_err *err);

/* Decides every "auto" for one model, as llama-server and llama_context do. -EINVAL for settings
 * the engine itself refuses (quantised V without flash attention, a context of no cells ...). */
int pl_llamacpp_resolve(const struct pl_settings *s, const struct pl_model *m,
                        struct pl_resolved *ret, struct pl_err *err);

/* The flags that reproduce s, one string, without model and port: what the ledger keeps and what a
 * user can paste. */
void pl_llamacpp_flags_text(const struct pl_settings *s, struct pl_str *out);

#endif
