/* A stack file's tree made plain: the environment merged over the file, variables filled in. */
#ifndef PL_PLAN_RESOLVE_H
#define PL_PLAN_RESOLVE_H

#include "plan/stack.h"

#define PL_STACK_ENVIRONMENTS_MAX 64u
#define PL_STACK_VARIABLES_MAX 256u

/* Sets root, environment(s) and variable(s) of s. -EINVAL: an environment that is not there or
 * inherits from itself, a variable that is neither set nor has a default. */
int pl_stack_resolve(const struct pl_ynode *root, const struct pl_stack_options *options,
                     struct pl_arena *arena, struct pl_stack *s, struct pl_err *err);

#endif
