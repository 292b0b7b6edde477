/* One call of the verb plan, and its forms that look at several plans. */
#ifndef PL_CLI_PLAN_RUN_H
#define PL_CLI_PLAN_RUN_H

#include "cli/verb.h"
#include "ledger/ledger.h"
#include "plan/plan.h"

struct pl_deadline {
    uint64_t at_ns;
};

struct pl_plan_run {
    struct pl_cli *cli;
    struct pl_arena arena;
    struct pl_stack *stack;
    struct pl_ledger *ledger;
    struct pl_plan_options options;
    struct pl_deadline deadline;
};

/* The options of the stack on m, and the plan of them; m must outlive it. */
int pl_plan_solve(struct pl_plan_run *r, struct pl_machine *m, struct pl_plan *ret,
                  struct pl_err *err);

/* "ram=32GiB,gpu0=12GiB": capacities as if; what is available grows and shrinks with them. */
int pl_what_if(const char *text, struct pl_machine *m, struct pl_err *err);

int pl_plan_exit(const struct pl_cli *cli, const struct pl_plan *p);

/* Several machines, each or the smallest. Prints; the exit status is that of the worst. */
int pl_plan_fleet(struct pl_plan_run *r, struct pl_err *err);

/* What other capacities would unlock, in the order in which to see to them. Prints. */
int pl_plan_upgrade(struct pl_plan_run *r, const struct pl_machine *m, struct pl_err *err);

#endif
