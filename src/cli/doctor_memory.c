/* Limits and settings that take memory away, or speed. */
#include "base/checked.h"
#include "base/units.h"
#include "cli/doctor.h"
#include "sys/meminfo.h"

#include <errno.h>
#include <string.h>

#define PL_LITTLE_MEMORY (512ull << 20) /* less than the smallest model of the catalogue needs */
#define PL_SMALL_LOCK (1ull << 30)

static void pl_check_available(const struct pl_patient *p, struct pl_finding *ret)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    const struct pl_pool *ram = pl_machine_pool_const(p->m, "ram");
    struct pl_quantity q = pl_machine_available(p->m, "ram");
    if (ram == NULL || !pl_known(q) || !pl_known(ram->capacity))
        return;
    (void)pl_size_text(q.likely, a);
    (void)pl_size_text(ram->capacity.likely, b);
    if (q.likely < PL_LITTLE_MEMORY)
        pl_find(ret, PL_LEVEL_ERROR, "not even the smallest model can be loaded",
                "close programs; 'plimsoll assess' shows who holds memory", "%s of %s available", a,
                b);
    else if (q.likely < ram->capacity.likely / 4)
        pl_find(ret, PL_LEVEL_WARNING, "models that would fit this machine do not fit now",
                "close programs; 'plimsoll assess' shows who holds memory", "%s of %s available", a,
                b);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%s of %s available", a, b);
}

static void pl_check_group(const struct pl_patient *p, struct pl_finding *ret)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    const struct pl_pool *ram = pl_machine_pool_const(p->m, "ram");
    const struct pl_pool *cap = pl_machine_pool_const(p->m, "cgroup");
    if (ram == NULL || !pl_known(ram->capacity))
        return;
    if (cap == NULL) {
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "no control group limits memory");
        return;
    }
    if (!pl_known(cap->capacity))
        return;
    pl_find(ret, cap->capacity.likely < ram->capacity.likely / 2 ? PL_LEVEL_WARNING : PL_LEVEL_NOTE,
            "a program that goes above it is killed, however much memory the machine has",
            "raise it: docker --memory, MemoryMax= of the systemd unit, or the batch job's request",
            "the control group allows %s of %s", pl_size_text(cap->capacity.likely, a),
            pl_size_text(ram->capacity.likely, b));
}

static void pl_check_lock(const struct pl_patient *p, struct pl_finding *ret)
{
    char a[PL_SIZE_TEXT_MAX];
    struct pl_quantity q = p->m->limits.memlock;
    if (!pl_known(q))
        return;
    if (q.likely >= PL_SMALL_LOCK) {
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "a process may lock %s",
                q.likely == UINT64_MAX ? "all memory" : pl_size_text(q.likely, a));
        return;
    }
    pl_find(
        ret, PL_LEVEL_NOTE, "--mlock fails: weights can be pushed out to disk when memory is short",
        "memlock unlimited in /etc/security/limits.conf; LimitMEMLOCK=infinity; docker --ulimit "
        "memlock=-1",
        "a process may lock only %s", pl_size_text(q.likely, a));
}

/* Compressed memory that is swapped to: it takes from the memory it extends. */
static bool pl_has_zram(const struct pl_patient *p)
{
    uint64_t size = 0;
    return pl_patient_u64(p, "sys/block/zram0/disksize", &size) && size > 0;
}

static void pl_check_swap(const struct pl_patient *p, struct pl_finding *ret)
{
    static const char slow[] = "weights that are swapped out make every token wait for the disk";
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    struct pl_meminfo mi;
    if (p->root == NULL || pl_meminfo_read(p->root, &mi, NULL) < 0 ||
        !mi.known[PL_MEM_SWAP_TOTAL] || !mi.known[PL_MEM_SWAP_FREE])
        return;
    uint64_t total = mi.value[PL_MEM_SWAP_TOTAL];
    uint64_t used = pl_sub_floor(total, mi.value[PL_MEM_SWAP_FREE]);
    if (total == 0)
        pl_find(ret, PL_LEVEL_NOTE, "when memory runs out a program is killed at once", NULL,
                "no swap");
    else if (used > total / 4)
        pl_find(ret, PL_LEVEL_WARNING, slow, "close programs, or plan with a smaller model",
                "%s of %s swap used", pl_size_text(used, a), pl_size_text(total, b));
    else if (pl_has_zram(p))
        pl_find(ret, PL_LEVEL_NOTE,
                "what is swapped stays in memory, compressed; weights hardly shrink", NULL,
                "%s of swap, compressed in memory (zram)", pl_size_text(total, a));
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%s of %s swap used", pl_size_text(used, a),
                pl_size_text(total, b));
}

static void pl_check_pressure(const struct pl_patient *p, struct pl_finding *ret)
{
    if (p->m->pressure.known && p->m->pressure.some_avg10 > 10)
        pl_find(ret, PL_LEVEL_WARNING,
                "programs wait for memory already: nothing more fits in peace", "close programs",
                "%.1f %% of the last 10 s some task waited for memory", p->m->pressure.some_avg10);
    else if (p->m->pressure.known)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "the kernel tells memory pressure");
    else
        pl_find(ret, PL_LEVEL_NOTE, "that memory gets short is seen late, by what is left only",
                "boot with psi=1, or a kernel with CONFIG_PSI", "memory pressure is not told");
}

static void pl_check_overcommit(const struct pl_patient *p, struct pl_finding *ret)
{
    uint64_t mode = 0;
    if (!pl_patient_u64(p, "proc/sys/vm/overcommit_memory", &mode))
        return;
    if (mode == 2)
        pl_find(
            ret, PL_LEVEL_WARNING,
            "allocations are refused at CommitLimit, though memory is free; large mappings fail",
            "sysctl vm.overcommit_memory=0", "the kernel refuses to overcommit memory (2)");
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "memory may be overcommitted (%llu)",
                (unsigned long long)mode);
}

static void pl_check_huge(const struct pl_patient *p, struct pl_finding *ret)
{
    char a[PL_SIZE_TEXT_MAX];
    const struct pl_pool *ram = pl_machine_pool_const(p->m, "ram");
    if (ram == NULL || !pl_known(ram->reserved))
        return;
    if (ram->reserved.likely == 0)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "no memory is set aside as huge pages");
    else
        pl_find(ret, PL_LEVEL_WARNING, "models cannot have it, used or not",
                "sysctl vm.nr_hugepages=0, unless a database or virtual machine needs them",
                "huge pages hold %s", pl_size_text(ram->reserved.likely, a));
}

static void pl_check_transparent(const struct pl_patient *p, struct pl_finding *ret)
{
    char text[128];
    if (p->root == NULL || pl_read_line(p->root, "sys/kernel/mm/transparent_hugepage/enabled", text,
                                        sizeof(text), NULL) < 0)
        return;
    if (strstr(text, "[never]") != NULL)
        pl_find(ret, PL_LEVEL_NOTE,
                "every walk through the weights looks up more pages: some per cent",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
                "transparent huge pages are off");
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "transparent huge pages: %.60s", text);
}

const struct pl_check pl_checks_memory[] = {
    {"memory-available",              "memory", "memory a new program can get", pl_check_available},
    {"memory-control-group", "memory", "limit of the control group", pl_check_group},
    {"memory-lock",                               "memory", "memory a process may lock", pl_check_lock},
    {"memory-swap",                       "memory", "swap, and what it is made of", pl_check_swap},
    {"memory-pressure",                 "memory", "whether pressure is told", pl_check_pressure},
    {"memory-overcommit",                   "memory", "overcommit", pl_check_overcommit},
    {"memory-huge-pages",    "memory", "memory set aside", pl_check_huge},
    {"memory-transparent-huge",                               "memory", "transparent huge pages", pl_check_transparent},
    {0},
};
