/* Memory of the machine that graphics devices share. */
#include "base/checked.h"
#include "base/str.h"
#include "machine/drm.h"

#include <unistd.h>

/* Pages of the machine a dump is from: amdgpu's APUs are x86-64. */
#define PL_DRM_PAGE_BYTES 4096

struct pl_quantity pl_drm_ttm_limit(const struct pl_root *root)
{
    uint64_t pages = 0, bytes = 0;
    long here = pl_root_is_this_system(root) ? sysconf(_SC_PAGESIZE) : 0;
    uint64_t page = here > 0 ? (uint64_t)here : PL_DRM_PAGE_BYTES;
    if (pl_read_u64(root, "sys/module/ttm/parameters/pages_limit", &pages, NULL) < 0 ||
        pages == 0 || !pl_mul_u64(pages, page, &bytes))
        return PL_QUANTITY_UNKNOWN("/sys/module/ttm/parameters/pages_limit cannot be read");
    return pl_exact(bytes, PL_SOURCE_DERIVED, "ttm.pages_limit x page size");
}

struct pl_pool *pl_drm_shared_pool(struct pl_machine *m, const char *name, struct pl_quantity limit,
                                   struct pl_quantity used)
{
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    struct pl_quantity capacity = limit;
    bool refused = !pl_known(limit) && limit.state != PL_STATE_PLAIN; /* there is one, not told */
    if (ram != NULL && pl_known(ram->capacity) && !refused &&
        (!pl_known(limit) || limit.likely > ram->capacity.likely))
        capacity = pl_exact(ram->capacity.likely, PL_SOURCE_DERIVED,
                            pl_known(limit) ? "the driver's limit is above all of ram"
                                            : "all of ram: no lower limit is known");
    struct pl_pool *p = pl_machine_add_pool(m, name, PL_POOL_CAP);
    if (p == NULL)
        return NULL;
    (void)PL_FMT(p->parent, "ram");
    p->capacity = capacity;
    p->reserved = pl_exact(0, PL_SOURCE_DERIVED, "a limit sets nothing aside");
    p->used = used;
    p->reclaimable = PL_UNREAD(PL_STATE_UNSUPPORTED, "the driver does not say");
    p->available = PL_QUANTITY_UNKNOWN("needs capacity and used");
    if (pl_known(capacity) && pl_known(used))
        p->available = pl_exact(pl_sub_floor(capacity.likely, used.likely), PL_SOURCE_DERIVED,
                                "capacity - used, before ram's own limit");
    else if (!pl_known(used))
        p->available = used;
    p->largest_allocation = PL_UNREAD(PL_STATE_NOT_ASKED, "needs a probe allocation");
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "that of ram"};
    return p;
}
