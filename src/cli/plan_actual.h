/* What the last run of a planned setting really took, from the ledger. */
#ifndef PL_CLI_PLAN_ACTUAL_H
#define PL_CLI_PLAN_ACTUAL_H

#include "domain/machine.h"
#include "domain/plan.h"
#include "ledger/ledger.h"

/* Fills `actual` of the budget's rows where this machine ran the same model, quantisation and
 * flags. ledger may be NULL; what it cannot tell stays unknown. */
void pl_plan_actual(struct pl_ledger *ledger, const struct pl_machine *machine, struct pl_plan *p);

#endif
