/* From groups of processes and the drivers' lists to the consumers of a machine. */
#ifndef PL_MACHINE_CONSUMER_FILL_H
#define PL_MACHINE_CONSUMER_FILL_H

#include "machine/consumer_group.h"

/* Gives every holding of m to the group of its process. What belongs to no process seen here stays
 * marked in `lost` (one flag per holding). trusted: the driver's process numbers are those of
 * /proc; otherwise a holding of an NVIDIA device also needs the same name. */
void pl_holdings_join(const struct pl_machine *m, const struct pl_sweep *s, bool trusted,
                      struct pl_groups *g, bool lost[PL_HOLDINGS_MAX]);

/* Fills m->consumer, largest first, and m->desktop when the whole list of processes was seen. What
 * is too small for the table is summed by kind. -ENOMEM. */
int pl_consumers_fill(const struct pl_sweep *s, const struct pl_groups *g,
                      const bool lost[PL_HOLDINGS_MAX], struct pl_machine *m, struct pl_err *err);

#endif
