/* Table `amounts`: which quantities of a pool it holds, under which names. Writing and reading walk
 * the same list. */
#ifndef PL_LEDGER_AMOUNTS_H
#define PL_LEDGER_AMOUNTS_H

#include "domain/run.h"

#define PL_AMOUNTS (PL_PARTS + PL_HOLDS + 4) /* rows of one pool */

struct pl_amount {
    const char *family, *name;     /* static */
    struct pl_quantity *predicted; /* in a pool of run->predicted, or NULL */
    struct pl_quantity *measured;  /* in run, or NULL where none is taken */
};

/* The i-th amount (< PL_AMOUNTS) of run's pool. pool may be NULL (nothing was predicted for it);
 * is_measured: the pool is the host's, measured from /proc; the others are what the engine reports.
 */
struct pl_amount pl_amount_at(struct pl_run *run, struct pl_pool_footprint *pool, bool is_measured,
                              int i);

#endif
