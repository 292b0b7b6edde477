/* The processes of a stack that run on this system now. */
#ifndef PL_CLI_PLAN_FOUND_H
#define PL_CLI_PLAN_FOUND_H

#include "base/arena.h"
#include "plan/stack.h"

#include <sys/types.h>

#define PL_FOUND_MAX 64u /* processes of one stack */

/* What `plan --emit` gives to each process that it starts, to know it again. */
#define PL_STACK_VARIABLE "PLIMSOLL_STACK"
#define PL_COMPONENT_VARIABLE "PLIMSOLL_COMPONENT"

struct pl_found {
    pid_t pid;
    const char *component; /* of the stack; borrowed */
};

/* Of the processes that may be read: those that carry the stack's name and a component's in their
 * environment; and those of the same user that serve the model file of a candidate, or were started
 * with its command. Returns how many, at most PL_FOUND_MAX. */
uint32_t pl_stack_found(const struct pl_stack *stack, struct pl_arena *arena,
                        struct pl_found out[PL_FOUND_MAX]);

#endif
