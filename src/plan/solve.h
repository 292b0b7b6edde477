/* The solver: exact, deterministic, anytime. Stage by stage it maximises one term of the objective
 * under all terms before it, by branch and bound; bounds are Lagrangian: capacities and the terms
 * already won are priced into one number per item, so a bound is one sum. Prices are found with
 * floating point, which can only make a bound weaker: every decision is taken in integers. */
#ifndef PL_PLAN_SOLVE_H
#define PL_PLAN_SOLVE_H

#include "plan/engines.h"

#define PL_STAGES_MAX 24u
#define PL_RATIO_BITS 40u /* of the headroom ratios between which the best is looked for */

enum pl_stage_kind { PL_STAGE_SUM = 0, PL_STAGE_HEADROOM, PL_STAGE_ORDER };

struct pl_stage {
    enum pl_stage_kind kind;
    enum pl_term_kind term;
    int64_t *value; /* of each item; PL_STAGE_SUM, more is better */
};

struct pl_solve_limits {
    bool (*expired)(void *ctx); /* asked now and then; NULL = never */
    void *ctx;
    uint64_t pass_nodes; /* of a stage before it is split into parts; 0 = the usual. The plan is the
                            same with any number, only the way to it differs */
};

struct pl_solution {
    bool feasible;
    bool complete;               /* every stage is proved */
    uint32_t *choice;            /* item of each component */
    int64_t best[PL_STAGES_MAX]; /* of each PL_STAGE_SUM */
    uint64_t head, line;         /* the least headroom / ceiling; line 0: no pool counts */
    uint32_t open_stage;         /* where time ran out, when not complete */
    int64_t open_bound;          /* and what its term cannot exceed: a sum, or a headroom ratio in
                                    parts of 2^PL_RATIO_BITS; INT64_MAX = not known */
    uint64_t nodes;
};

/* The stages of an objective. Values live in arena. Returns their number, or -ENOMEM. */
int pl_stages_make(const struct pl_problem *p, enum pl_objective o, struct pl_arena *arena,
                   struct pl_stage out[PL_STAGES_MAX]);

/* Solves it. n_stage 0: any feasible choice. Scratch and ret->choice come from arena. 0 or -ENOMEM;
 * an infeasible problem is no error. */
int pl_solve(const struct pl_problem *p, const struct pl_active *active,
             const struct pl_stage *stage, uint32_t n_stage, const struct pl_solve_limits *limits,
             struct pl_arena *arena, struct pl_solution *ret, struct pl_err *err);

/* The least headroom / ceiling over the memory lines at this load; *ret_line 0 when none counts. */
void pl_least_headroom(const struct pl_problem *p, const uint64_t *load, uint64_t *ret_head,
                       uint64_t *ret_line);

/* a/b > c/d, exactly; b and d > 0. */
bool pl_ratio_more(uint64_t a, uint64_t b, uint64_t c, uint64_t d);

#endif
