/* The ladder of `run --fallback`: what is tried next when the command failed for want of memory. */
#ifndef PL_CLI_RUN_LADDER_H
#define PL_CLI_RUN_LADDER_H

#include "base/arena.h"
#include "base/err.h"
#include "cli/run.h"

#define PL_RUNG_SETS_MAX 8
#define PL_RUNG_CLASSES_MAX 8

/* One step down. Texts live in the ladder's arena, or are static. */
struct pl_rung {
    const char *name;           /* for people */
    const char *flags;          /* in place of the command's own; NULL = none */
    const char *model;          /* another model; NULL = the same */
    const char *const *command; /* another command, NULL-ended; NULL = the same */
    struct {
        const char *name, *expression;
    } set[PL_RUNG_SETS_MAX]; /* environment: "LAYER" = "total_layers // 2" of the rung's model */
    uint32_t n_set;
    enum pl_oom_class when[PL_RUNG_CLASSES_MAX]; /* failures it helps with; none = any of memory */
    uint32_t n_when;
};

struct pl_ladder {
    struct pl_arena arena;
    struct pl_rung rung[PL_RUN_RUNGS_MAX];
    uint32_t n;
};

/* Reads the file: {plimsoll: 1, rungs: [{name, flags, model, command, set: {NAME: EXPRESSION},
 * when: [CLASS]}]}. -EINVAL with line and column (exit 2) for what it does not know; -ENOENT,
 * -E2BIG. */
int pl_ladder_read(const char *file, struct pl_ladder *ret, struct pl_err *err);
/* The built-in one of llama.cpp: the changes of settings that help on this machine, mildest first.
 */
void pl_ladder_builtin(struct pl_running *r, struct pl_ladder *ret);
void pl_ladder_done(struct pl_ladder *l);

/* Does the rung help with this failure? */
bool pl_rung_helps(const struct pl_rung *g, const struct pl_oom *o);
/* "NAME=value" for each of the rung's variables, into text; env gets them, NULL-ended. Expressions
 * know total_layers, parameters and context of m (NULL: none). -EINVAL for one that cannot be
 * computed. */
int pl_rung_env(const struct pl_rung *g, const struct pl_model *m,
                char text[PL_RUNG_SETS_MAX][PL_RUN_TEXT_MAX], const char *env[PL_RUNG_SETS_MAX + 1],
                struct pl_err *err);

#endif
