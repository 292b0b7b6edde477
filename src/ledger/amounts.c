#include "ledger/amounts.h"

#include <stddef.h>

struct pl_amount pl_amount_at(struct pl_run *run, struct pl_pool_footprint *pool, bool is_measured,
                              int i)
{
    struct pl_amount a = {0};
    if (i < PL_PARTS) {
        a.family = "part";
        a.name = pl_part_name((enum pl_part)i);
        a.predicted = pool != NULL ? &pool->part[i] : NULL;
        a.measured = is_measured ? &run->measured[i] : NULL;
        return a;
    }
    i -= PL_PARTS;
    if (i < PL_HOLDS) {
        a.family = "hold";
        a.name = pl_hold_name((enum pl_hold)i);
        a.predicted = pool != NULL ? &pool->hold[i] : NULL;
        return a;
    }
    i -= PL_HOLDS;
    static const char *const totals[] = {"steady", "peak", "load_peak", "largest_allocation"};
    a.family = "total";
    a.name = totals[i];
    if (pool != NULL) {
        struct pl_quantity *const q[] = {&pool->steady, &pool->peak, &pool->load_peak,
                                         &pool->largest_allocation};
        a.predicted = q[i];
    }
    a.measured = is_measured && i == 0 ? &run->measured_total : NULL;
    return a;
}
