/* Many trials one after another: models, and combinations of flags. */
#ifndef PL_CLI_TRY_LIST_H
#define PL_CLI_TRY_LIST_H

#include "cli/verb.h"

/* Is more than one trial asked for, or a file of results? */
bool pl_try_is_list(const struct pl_cli *cli);
/* Runs them: the whole of `try` for a list. */
int pl_try_list(struct pl_cli *cli, struct pl_err *err);

#endif
