#include "ledger/amounts.h"

#include <stddef.h>

struct pl_amount pl_amount_at(struct pl_run *run, struct pl_pool_footprint *pool, bool is_measured,
                              int i)
{
    struct pl_amount a = {0};
    struct pl_pool_measured *device =
        pool != NULL && !is_measured ? &run->on_device[pool - run->predicted.pool] : NULL;
    if (i < PL_PARTS) {
        a.family = "part";
        a.name = pl_part_name((enum pl_part)i);
        a.predicted = pool != NULL ? &pool->part[i] : NULL;
        a.measured = is_measured ? &run->measured[i] : device != NULL ? &device->part[i] : NULL;
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
    if (i == 0)
        a.measured = is_measured ? &run->measured_total : device != NULL ? &device->total : NULL;
    return a;
}
