/* A stack file named on the command line. */
#ifndef PL_CLI_STACK_H
#define PL_CLI_STACK_H

#include "base/arena.h"
#include "cli/verb.h"
#include "plan/stack.h"

/* Reads path ("-" is standard input) with the environment of --env; variables come from the
 * process. Everything lives in arena. */
int pl_cli_stack(const struct pl_cli *cli, const char *path, struct pl_arena *arena,
                 struct pl_stack **ret, struct pl_err *err);

#define PL_CLI_STACK_OPTS                                                                          \
    {                                                                                              \
        "env", 'e', PL_OPT_TEXT, "NAME", "an environment of the stack file"                        \
    }

#endif
