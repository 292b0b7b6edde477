/* What this stack's own running processes hold now, which a plan may use again: as --holding says,
 * else of those that are found. */
#ifndef PL_CLI_PLAN_HOLDING_H
#define PL_CLI_PLAN_HOLDING_H

#include "base/arena.h"
#include "cli/verb.h"
#include "domain/machine.h"
#include "plan/stack.h"

#define PL_PLAN_HOLDING_OPT                                                                        \
    {                                                                                              \
        "holding", '\0', PL_OPT_TEXT, "POOL=SIZE|PID,...|none",                                    \
            "what the stack's own processes hold now: it may use that again (those found running)" \
    }

/* Reads the option into stack->holding: sizes by pool, and of each process its own memory and what
 * the drivers say it holds of devices. Without the option, on this system: the processes that
 * pl_stack_found finds. -EINVAL (exit 2): no such pool, no such process. Texts live in arena. */
int pl_plan_holding(const struct pl_cli *cli, const struct pl_machine *machine,
                    struct pl_arena *arena, struct pl_stack *stack, struct pl_err *err);

#endif
