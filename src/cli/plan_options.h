/* What a stack's candidates come to on a machine: declared footprints as they are, models as the
 * engine's forecast says, in every setting worth considering. */
#ifndef PL_CLI_PLAN_OPTIONS_H
#define PL_CLI_PLAN_OPTIONS_H

#include "base/arena.h"
#include "cli/verb.h"
#include "domain/machine.h"
#include "ledger/ledger.h"
#include "plan/stack.h"

/* Allocates *ret in arena. ledger may be NULL. A candidate whose model cannot be opened is an
 * error that names its line; one whose footprint cannot be told on this machine is left out, and
 * said in a note of the machine. */
int pl_plan_options(const struct pl_cli *cli, const struct pl_stack *stack,
                    struct pl_machine *machine, struct pl_ledger *ledger, struct pl_arena *arena,
                    struct pl_option **ret, uint32_t *ret_n, struct pl_err *err);

#endif
