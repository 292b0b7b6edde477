/* The pool "ram", and the pressure on it. */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/arc.h"
#include "machine/hugepages.h"
#include "machine/probes.h"
#include "sys/meminfo.h"
#include "sys/psi.h"

#include <errno.h>
#include <string.h>

/* Pages set aside as huge pages serve nothing else; MemAvailable leaves them out already.
 * /proc/meminfo counts those of the usual size only. */
static struct pl_quantity pl_memory_reserved(const struct pl_root *root,
                                             const struct pl_meminfo *mi)
{
    struct pl_hugepages h;
    uint64_t n = 0;
    if (pl_hugepages_read(root, "sys/kernel/mm/hugepages", &h) &&
        (h.bytes > 0 || mi->known[PL_MEM_TOTAL]) &&
        (!mi->known[PL_MEM_TOTAL] || h.bytes <= mi->value[PL_MEM_TOTAL]))
        return pl_exact(h.bytes, PL_SOURCE_DERIVED,
                        h.bytes > 0 ? "huge pages of every size"
                                    : "nothing set aside as huge pages");
    if (!mi->known[PL_MEM_TOTAL])
        return PL_QUANTITY_UNKNOWN("needs MemTotal");
    if (!mi->known[PL_MEM_HUGE_TOTAL] || mi->value[PL_MEM_HUGE_TOTAL] == 0)
        return pl_exact(0, PL_SOURCE_DERIVED, "nothing set aside as huge pages");
    if (!mi->known[PL_MEM_HUGE_PAGE_SIZE] ||
        !pl_mul_u64(mi->value[PL_MEM_HUGE_TOTAL], mi->value[PL_MEM_HUGE_PAGE_SIZE], &n) ||
        !mi->known[PL_MEM_TOTAL] || n > mi->value[PL_MEM_TOTAL])
        return PL_QUANTITY_UNKNOWN("huge pages are set aside, their size is not known");
    return pl_exact(n, PL_SOURCE_DERIVED, "HugePages_Total x Hugepagesize");
}

static void pl_memory_arc(const struct pl_root *root, struct pl_pool *p, struct pl_machine *m)
{
    char a[PL_SIZE_TEXT_MAX];
    struct pl_quantity arc = pl_arc_read(root);
    if (!pl_known(arc) || arc.likely == 0 || !pl_known(p->available) || !pl_known(p->capacity))
        return;
    uint64_t kept = pl_known(p->reserved) ? p->reserved.likely : 0;
    p->available = pl_arc_add(p->available, arc, pl_sub_floor(p->capacity.likely, kept));
    if (pl_known(p->reclaimable))
        p->reclaimable = pl_exact(pl_add_sat(p->reclaimable.likely, arc.likely), PL_SOURCE_DERIVED,
                                  "available minus free, and the ZFS cache over its minimum");
    pl_machine_note(m, "the ZFS cache can give up %s that MemAvailable leaves out",
                    pl_size_text(arc.likely, a));
}

static struct pl_quantity pl_memory_used(const struct pl_pool *p)
{
    if (!pl_known(p->capacity) || !pl_known(p->available) || !pl_known(p->reserved))
        return PL_QUANTITY_UNKNOWN("needs capacity, reserved and available");
    uint64_t n = pl_sub_floor(p->capacity.likely, p->reserved.likely);
    return pl_exact(pl_sub_floor(n, p->available.likely), PL_SOURCE_DERIVED,
                    "capacity - reserved - available");
}

static void pl_memory_notes(const struct pl_meminfo *mi, const struct pl_pool *p,
                            struct pl_machine *m)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    if (mi->damaged > 0)
        pl_machine_note(m, "%u damaged lines in /proc/meminfo were left out", mi->damaged);
    if (pl_known(p->reserved) && p->reserved.likely > 0)
        pl_machine_note(m, "huge pages hold %s, used or not; other programs cannot have it",
                        pl_size_text(p->reserved.likely, a));
    if (!mi->known[PL_MEM_SWAP_TOTAL] || mi->value[PL_MEM_SWAP_TOTAL] == 0 ||
        !mi->known[PL_MEM_SWAP_FREE])
        return;
    uint64_t used = pl_sub_floor(mi->value[PL_MEM_SWAP_TOTAL], mi->value[PL_MEM_SWAP_FREE]);
    pl_machine_note(m, "swap of %s, %s used: not counted as memory for models",
                    pl_size_text(mi->value[PL_MEM_SWAP_TOTAL], a), pl_size_text(used, b));
}

static void pl_memory_pressure(const struct pl_root *root, struct pl_machine *m)
{
    int rc = pl_psi_read(root, "memory", &m->pressure, NULL);
    if (rc == -ENOENT)
        pl_machine_note(m, "memory pressure is unknown: the kernel has no /proc/pressure");
    else if (rc == -EOPNOTSUPP)
        pl_machine_note(m, "memory pressure is unknown: switched off (boot with psi=1)");
    else if (rc < 0)
        pl_machine_note(m, "memory pressure is unknown: %s", strerror(-rc));
}

static int pl_memory_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    struct pl_meminfo mi;
    struct pl_pool *p = pl_machine_add_pool(m, "ram", PL_POOL_HOST);
    if (p == NULL)
        return pl_fail(err, -E2BIG, "more than %d pools", PL_POOLS_MAX);
    p->largest_allocation = PL_QUANTITY_UNKNOWN("no limit on host allocations is known");
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "not measured"};
    int rc = pl_meminfo_read(in->root, &mi, NULL);
    if (rc < 0)
        pl_machine_note(m, "memory is unknown: /proc/meminfo: %s", strerror(-rc));
    p->capacity = pl_meminfo_quantity(&mi, PL_MEM_TOTAL);
    const struct pl_quantity worked = pl_meminfo_available(&mi);
    p->available = worked;
    p->reclaimable = pl_meminfo_reclaimable(&mi);
    p->reserved = pl_memory_reserved(in->root, &mi);
    pl_memory_arc(in->root, p, m);
    p->used = pl_memory_used(p);
    if (!mi.known[PL_MEM_AVAILABLE] && pl_known(p->available))
        pl_machine_note(m, "available memory is worked out: %s", worked.why);
    pl_memory_notes(&mi, p, m);
    pl_memory_pressure(in->root, m);
    return 0;
}

const struct pl_probe pl_probe_memory = {
    .name = "memory",
    .reads = "/proc/meminfo, /sys/kernel/mm/hugepages, /proc/spl/kstat/zfs/arcstats, "
             "/proc/pressure/memory",
    .matters = "available memory, not the total, decides what can be loaded now",
    .run = pl_memory_run,
};
