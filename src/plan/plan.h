/* A plan from a stack, a machine and options: solve, say why, and what conflicts when nothing fits.
 * Pure: numbers and texts in, numbers and texts out. */
#ifndef PL_PLAN_PLAN_H
#define PL_PLAN_PLAN_H

#include "plan/solve.h"

struct pl_plan_options {
    bool allow_fragile; /* likely values will do */
    struct pl_solve_limits limits;
};

/* Fills ret; everything in it lives in arena, or is borrowed from stack, machine and option. An
 * infeasible stack is a plan with its conflict, not an error. -ENODATA, exit status 3: a needed
 * fact of the machine is unknown. -ETIME, exit status 3: no plan was found within the limits, nor
 * that there is none. -E2BIG, -ENOMEM. */
int pl_plan_make(const struct pl_stack *stack, const struct pl_machine *machine,
                 const struct pl_option *option, uint32_t n_option,
                 const struct pl_plan_options *options, struct pl_arena *arena, struct pl_plan *ret,
                 struct pl_err *err);

/* Adds the ladder and what the configuration cannot do to a plan that was made of these. -ENOMEM.
 */
int pl_plan_extras(const struct pl_stack *stack, const struct pl_option *option, uint32_t n_option,
                   struct pl_arena *arena, struct pl_plan *p, struct pl_err *err);

/* An irreducible conflict of an infeasible problem, with what would resolve each member. */
int pl_conflict_find(const struct pl_problem *p, const struct pl_solve_limits *limits,
                     struct pl_arena *arena, struct pl_plan *ret, struct pl_err *err);

/* Why the chosen option, and not a better one: a sentence in arena. */
const char *pl_plan_why(const struct pl_problem *p, const struct pl_active *active,
                        const uint32_t *choice, uint32_t component, struct pl_arena *arena);

#endif
