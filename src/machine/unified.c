#include "machine/unified.h"

#include "base/str.h"

#include <errno.h>

static const struct pl_quantity *pl_unified_least(const struct pl_quantity *a,
                                                  const struct pl_quantity *b)
{
    if (!pl_known(*b))
        return a;
    return pl_known(*a) && a->likely <= b->likely ? a : b;
}

/* The pool above ram: the same memory, so the same numbers. */
static struct pl_pool *pl_unified_parent(struct pl_machine *m)
{
    struct pl_pool *all = pl_machine_pool(m, PL_UNIFIED_POOL);
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    if (all != NULL)
        return all;
    all = pl_machine_add_pool(m, PL_UNIFIED_POOL, PL_POOL_UNIFIED);
    if (all == NULL)
        return NULL;
    all->capacity = ram->capacity;
    all->reserved = ram->reserved;
    all->used = ram->used;
    all->reclaimable = ram->reclaimable;
    all->available = ram->available;
    all->largest_allocation = PL_QUANTITY_UNKNOWN("that of its children");
    all->bandwidth = all->bandwidth_one = (struct pl_rate){.why = "that of its children"};
    (void)PL_FMT(ram->parent, "%s", PL_UNIFIED_POOL);
    return all;
}

int pl_unified_make(struct pl_machine *m, struct pl_device *device, struct pl_err *err)
{
    if (pl_machine_pool(m, "ram") == NULL)
        return pl_fail(err, -ENOENT, "%s: there is no pool 'ram' to share", device->id);
    if (pl_machine_pool(m, device->id) != NULL)
        return pl_fail(err, -EEXIST, "%s: its pool is there already", device->id);
    const struct pl_pool *all = pl_unified_parent(m);
    struct pl_pool *p = all != NULL ? pl_machine_add_pool(m, device->id, PL_POOL_UNIFIED) : NULL;
    if (p == NULL)
        return pl_fail(err, -E2BIG, "more than %d pools", PL_POOLS_MAX);
    (void)PL_FMT(p->parent, "%s", PL_UNIFIED_POOL);
    (void)PL_FMT(device->pool, "%s", device->id);
    device->kind = PL_DEVICE_INTEGRATED;
    p->capacity = *pl_unified_least(&all->capacity, &device->total);
    p->reserved = pl_exact(0, PL_SOURCE_DERIVED, "reserved memory is counted in unified");
    p->used = device->used;
    p->reclaimable = all->reclaimable;
    p->available = *pl_unified_least(&all->available, &p->capacity);
    if (!pl_known(all->available)) /* a capacity says nothing of what is left */
        p->available = all->available;
    if (pl_known(p->available))
        p->available.why = "shares the machine's memory: MemAvailable";
    p->largest_allocation = PL_QUANTITY_UNKNOWN("not tried");
    p->bandwidth = device->bandwidth;
    p->bandwidth_one = (struct pl_rate){.why = "that of the device"};
    device->available = p->available;
    return 0;
}
