/* Combinations of flag values: "ctx=2048,8192 ctk=f16,q8_0" are four. */
#ifndef PL_CLI_COMBOS_H
#define PL_CLI_COMBOS_H

#include "base/err.h"
#include "domain/settings.h"
#include "engine/llamacpp/settings.h"

#define PL_COMBOS_AXES_MAX 8
#define PL_COMBOS_VALUES_MAX 64 /* of one axis */
#define PL_COMBOS_TEXT_MAX 4096
#define PL_COMBOS_MAX 1024 /* runs of a list: of all axes and models together */

enum pl_combos_kind { PL_COMBOS_FLAG = 0, PL_COMBOS_PROMPT, PL_COMBOS_PREDICT };

struct pl_combos_axis {
    enum pl_combos_kind kind;
    const struct pl_flag *flag; /* of PL_COMBOS_FLAG */
    const char *name;           /* "-c": as the flag is written */
    const char *value[PL_COMBOS_VALUES_MAX];
    uint32_t n;
};

struct pl_combos {
    struct pl_combos_axis axis[PL_COMBOS_AXES_MAX];
    uint32_t n_axis;
    char text[PL_COMBOS_TEXT_MAX]; /* what the values point into */
    size_t len;
};

/* What one trial sends, beside its settings. */
struct pl_combos_request {
    uint64_t prompt, predict;
};

/* Is the word "KEY=VALUES" with a KEY that pl_combos_add knows? */
bool pl_combos_is(const char *word);
/* Adds an axis. KEY: an engine flag with a value, by a short or the long name without dashes, "ctx"
 * for -c; "prompt", "predict". Every value is tried. -EINVAL or -E2BIG with exit status 2. */
int pl_combos_add(struct pl_combos *c, const char *word, struct pl_err *err);
/* How many combinations; 1 without an axis. -E2BIG (exit 2) beyond PL_COMBOS_MAX. */
int pl_combos_count(const struct pl_combos *c, uint32_t *ret, struct pl_err *err);
/* Sets the i-th, the last axis quickest. s and q hold what the axes leave alone. */
int pl_combos_apply(const struct pl_combos *c, uint32_t i, struct pl_settings *s,
                    struct pl_combos_request *q, struct pl_err *err);

#endif
