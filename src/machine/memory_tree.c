#include "machine/memory_tree.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"

#include <string.h>

#define PL_TREE_CONTAINERS 24 /* the rest is one row */
#define PL_TREE_MEMBERS 4     /* programs shown below a container */
#define PL_TREE_PROGRAMS 12   /* programs outside containers */

struct pl_tree {
    const struct pl_meminfo *mi;
    const struct pl_groups *groups;
    struct pl_memory_tree *out;
    uint64_t total, left; /* left: not yet given to a row of depth 1 */
};

static uint64_t pl_tree_kb(const struct pl_tree *t, enum pl_mem_key key)
{
    return t->mi->known[key] ? t->mi->value[key] : 0;
}

static struct pl_memory_row *pl_tree_row(struct pl_tree *t, uint32_t depth, const char *name,
                                         uint64_t bytes, enum pl_source source, const char *why)
{
    if (t->out->n_row >= PL_MEMORY_ROWS_MAX)
        return NULL;
    struct pl_memory_row *r = &t->out->row[t->out->n_row++];
    *r = (struct pl_memory_row){.depth = depth, .bytes = pl_exact(bytes, source, why)};
    (void)PL_FMT(r->name, "%s", name);
    return r;
}

/* A part of the total. Counters are read one after another, so that the last parts may find less
 * than they claim: they get what is left. */
static uint64_t pl_tree_part(struct pl_tree *t, const char *name, uint64_t bytes, const char *why)
{
    uint64_t n = bytes < t->left ? bytes : t->left;
    if (n == 0)
        return 0;
    t->left -= n;
    (void)pl_tree_row(t, 1, name, n, PL_SOURCE_DERIVED, why);
    return n;
}

/* A member of the part before it, unless it is nothing. */
static void pl_tree_member(struct pl_tree *t, const char *name, uint64_t bytes, const char *why)
{
    if (bytes > 0)
        (void)pl_tree_row(t, 2, name, bytes, PL_SOURCE_MEASURED, why);
}

static void pl_tree_kernel(struct pl_tree *t)
{
    uint64_t stacks = pl_tree_kb(t, PL_MEM_KERNEL_STACK);
    /* 4.4 to 5.2 write 0; older kernels write address space, not memory, and have no KReclaimable.
     * Kernel stacks are taken from vmalloc since 4.9, and are in its count. */
    uint64_t vmalloc = t->mi->known[PL_MEM_K_RECLAIMABLE]
                           ? pl_sub_floor(pl_tree_kb(t, PL_MEM_VMALLOC_USED), stacks)
                           : 0;
    const struct {
        const char *name, *why;
        uint64_t bytes;
    } part[] = {
        {"slab that stays",               "SUnreclaim",            pl_tree_kb(t,                PL_MEM_S_UNRECLAIM)                                 },
        {"kernel stacks",                 "KernelStack",           stacks                     },
        {"page tables",   "PageTables + SecPageTables",
         pl_add_sat(pl_tree_kb(t,                                          PL_MEM_PAGE_TABLES),                                                     pl_tree_kb(t, PL_MEM_SEC_PAGE_TABLES))},
        {"per CPU",                               "Percpu",                                              pl_tree_kb(t,                                   PL_MEM_PERCPU)},
        {"vmalloc",                               "VmallocUsed less the kernel stacks in it",                                              vmalloc},
        {"compressed swap",               "Zswap",                 pl_tree_kb(t,                PL_MEM_ZSWAP)                             },
        {"bounce and write-back buffers", "Bounce + WritebackTmp",
         pl_add_sat(pl_tree_kb(t,                                                               PL_MEM_BOUNCE),             pl_tree_kb(t, PL_MEM_WRITEBACK_TMP))},
        {"balloon of the hypervisor",         "Balloon",                                pl_tree_kb(t,                                 PL_MEM_BALLOON)                                       },
    };
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
        sum = pl_add_sat(sum, part[i].bytes);
    uint64_t got = pl_tree_part(t, "kernel", sum,
                                "SUnreclaim, stacks, page tables, per CPU, "
                                "vmalloc, zswap, bounce, balloon");
    for (size_t i = 0; got == sum && i < sizeof(part) / sizeof(part[0]); i++)
        pl_tree_member(t, part[i].name, part[i].bytes, part[i].why);
}

static void pl_tree_devices(struct pl_tree *t)
{
    uint64_t nvmap = pl_tree_kb(t, PL_MEM_NVMAP_USED);
    uint64_t gpu = pl_add_sat(pl_tree_kb(t, PL_MEM_GPU_ACTIVE), pl_tree_kb(t, PL_MEM_GPU_RECLAIM));
    (void)pl_tree_part(t, "device memory (NvMap)", nvmap, "NvMapMemUsed");
    (void)pl_tree_part(t, "device memory (graphics drivers)", gpu, "GPUActive + GPUReclaim");
}

/* The next group that is the largest of those not yet shown, among [from, to). */
static uint32_t pl_tree_next(const struct pl_groups *g, uint32_t from, uint32_t to, uint64_t below,
                             uint32_t after)
{
    uint32_t best = to;
    for (uint32_t i = from; i < to; i++) {
        uint64_t n = g->group[i].anon.likely;
        bool shown = n > below || (n == below && i <= after);
        if (!shown && (best == to || n > g->group[best].anon.likely))
            best = i;
    }
    return best;
}

/* The largest programs of [from, to), then one row with the rest. */
static void pl_tree_programs(struct pl_tree *t, uint32_t from, uint32_t to, uint32_t most,
                             uint32_t depth, uint64_t sum)
{
    const struct pl_groups *g = t->groups;
    uint64_t below = UINT64_MAX;
    uint32_t after = 0, shown = 0;
    for (; shown < most && sum > 0; shown++) {
        uint32_t i = pl_tree_next(g, from, to, below, after);
        if (i == to || g->group[i].anon.likely == 0)
            break;
        char name[96];
        const struct pl_group *one = &g->group[i];
        if (one->n > 1)
            (void)PL_FMT(name, "%s (%u)", pl_group_name(one), one->n);
        else
            (void)PL_FMT(name, "%s", pl_group_name(one));
        struct pl_memory_row *r =
            pl_tree_row(t, depth, name, one->anon.likely, one->anon.source, one->anon.why);
        if (r != NULL)
            r->bytes = one->anon;
        below = one->anon.likely;
        after = i;
        sum = pl_sub_floor(sum, one->anon.likely);
    }
    if (sum > 0 && to - from > shown) {
        char name[64];
        (void)PL_FMT(name, "%u more programs", to - from - shown);
        (void)pl_tree_row(t, depth, name, sum, PL_SOURCE_DERIVED, "the sum less what is named");
    }
}

/* A container or service: the groups [from, to), which are neighbours. */
struct pl_tree_place {
    uint32_t from, to;
    uint64_t anon;
};

static uint32_t pl_tree_places(const struct pl_groups *g, struct pl_tree_place *place,
                               struct pl_tree_place *ret_rest, uint64_t *ret_sum)
{
    uint32_t n = 0;
    *ret_rest = (struct pl_tree_place){0};
    *ret_sum = 0;
    for (uint32_t i = 0; i < g->n;) {
        const struct pl_place *own = &g->group[i].first->place;
        struct pl_tree_place p = {.from = i};
        for (; i < g->n && g->group[i].first->place.runtime == own->runtime &&
               pl_streq(g->group[i].first->place.name, own->name);
             i++)
            p.anon = pl_add_sat(p.anon, g->group[i].anon.likely);
        p.to = i;
        if (own->runtime == PL_RUNTIME_NONE)
            continue;
        *ret_sum = pl_add_sat(*ret_sum, p.anon);
        uint32_t at = n;
        while (at > 0 && place[at - 1].anon < p.anon)
            at--;
        struct pl_tree_place out =
            n == PL_TREE_CONTAINERS ? place[n - 1] : (struct pl_tree_place){0};
        if (at == PL_TREE_CONTAINERS)
            out = p;
        for (uint32_t k = n < PL_TREE_CONTAINERS ? n : PL_TREE_CONTAINERS - 1; k > at; k--)
            place[k] = place[k - 1];
        if (at < PL_TREE_CONTAINERS)
            place[at] = p;
        ret_rest->anon = pl_add_sat(ret_rest->anon, out.anon);
        ret_rest->to += out.to > 0 ? 1 : 0;
        n += n < PL_TREE_CONTAINERS ? 1 : 0;
    }
    return n;
}

static void pl_tree_containers(struct pl_tree *t)
{
    struct pl_tree_place place[PL_TREE_CONTAINERS], rest;
    uint64_t sum = 0;
    uint32_t n = pl_tree_places(t->groups, place, &rest, &sum);
    uint64_t got =
        pl_tree_part(t, "containers and services", sum, "anonymous pages of their processes");
    for (uint32_t i = 0; got == sum && i < n && place[i].anon > 0; i++) {
        const struct pl_group *g = &t->groups->group[place[i].from];
        char name[96];
        (void)PL_FMT(name, "%s %s", pl_runtime_name(g->first->place.runtime), g->container);
        (void)pl_tree_row(t, 2, name, place[i].anon, PL_SOURCE_DERIVED,
                          "anonymous pages of its processes");
        pl_tree_programs(t, place[i].from, place[i].to, PL_TREE_MEMBERS, 3, place[i].anon);
    }
    if (got == sum && rest.anon > 0) {
        char name[64];
        (void)PL_FMT(name, "%u more", rest.to);
        (void)pl_tree_row(t, 2, name, rest.anon, PL_SOURCE_DERIVED,
                          "anonymous pages of their processes");
    }
}

/* Groups outside containers come first: PL_RUNTIME_NONE is the least. */
static void pl_tree_others(struct pl_tree *t)
{
    const struct pl_groups *g = t->groups;
    uint64_t sum = 0, all = 0;
    uint32_t to = 0;
    for (; to < g->n && g->group[to].first->place.runtime == PL_RUNTIME_NONE; to++)
        sum = pl_add_sat(sum, g->group[to].anon.likely);
    uint64_t got = pl_tree_part(t, "other processes", sum, "anonymous pages of processes");
    if (got == sum)
        pl_tree_programs(t, 0, to, PL_TREE_PROGRAMS, 2, sum);
    for (uint32_t i = 0; i < g->n; i++)
        all = pl_add_sat(all, g->group[i].anon.likely);
    /* less than the unit of /proc is what scaling them to AnonPages leaves over */
    uint64_t unseen = pl_sub_floor(pl_tree_kb(t, PL_MEM_ANON_PAGES), all);
    (void)pl_tree_part(t, "processes that are not seen here", unseen >= PL_KIB ? unseen : 0,
                       "AnonPages less what the processes in /proc have");
}

static void pl_tree_cache(struct pl_tree *t, struct pl_quantity arc)
{
    uint64_t shmem = pl_tree_kb(t, PL_MEM_SHMEM);
    uint64_t files = pl_sub_floor(pl_tree_kb(t, PL_MEM_CACHED), shmem);
    uint64_t buffers = pl_tree_kb(t, PL_MEM_BUFFERS), slab = pl_tree_kb(t, PL_MEM_S_RECLAIMABLE);
    uint64_t misc = pl_sub_floor(pl_tree_kb(t, PL_MEM_K_RECLAIMABLE), slab);
    uint64_t sum = pl_add_sat(pl_add_sat(files, buffers), pl_add_sat(slab, misc));
    uint64_t got =
        pl_tree_part(t, "cache (reclaimable)", sum, "Cached - Shmem + Buffers + KReclaimable");
    if (got == sum) {
        pl_tree_member(t, "files, mapped programs and models too", files, "Cached - Shmem");
        pl_tree_member(t, "buffers", buffers, "Buffers");
        pl_tree_member(t, "slab that can be given up", slab, "SReclaimable");
        pl_tree_member(t, "other kernel memory that can be given up", misc,
                       "KReclaimable - SReclaimable");
    }
    if (pl_known(arc))
        (void)pl_tree_part(t, "ZFS cache (ARC)", arc.likely, arc.why);
}

static uint64_t pl_tree_huge(const struct pl_tree *t)
{
    uint64_t n = 0;
    if (t->mi->known[PL_MEM_HUGETLB])
        return t->mi->value[PL_MEM_HUGETLB];
    if (!pl_mul_u64(pl_tree_kb(t, PL_MEM_HUGE_TOTAL), pl_tree_kb(t, PL_MEM_HUGE_PAGE_SIZE), &n))
        return 0;
    return n;
}

void pl_memory_tree_make(const struct pl_meminfo *mi, const struct pl_groups *g,
                         struct pl_quantity arc, struct pl_memory_tree *ret)
{
    *ret = (struct pl_memory_tree){0};
    if (!mi->known[PL_MEM_TOTAL] || !mi->known[PL_MEM_FREE])
        return;
    struct pl_tree t = {mi, g, ret, mi->value[PL_MEM_TOTAL], mi->value[PL_MEM_TOTAL]};
    (void)pl_tree_row(&t, 0, "total", t.total, PL_SOURCE_MEASURED, "MemTotal");
    /* free memory is certain: it is set aside before the others are served, and shown last */
    uint64_t free_bytes = mi->value[PL_MEM_FREE] < t.left ? mi->value[PL_MEM_FREE] : t.left;
    t.left -= free_bytes;
    pl_tree_kernel(&t);
    pl_tree_devices(&t);
    pl_tree_containers(&t);
    pl_tree_others(&t);
    (void)pl_tree_part(&t, "shared memory and tmpfs", pl_tree_kb(&t, PL_MEM_SHMEM), "Shmem");
    (void)pl_tree_part(&t, "huge pages, used or not", pl_tree_huge(&t),
                       "Hugetlb, or HugePages_Total x Hugepagesize");
    pl_tree_cache(&t, arc);
    (void)pl_tree_row(&t, 1, "free", free_bytes, PL_SOURCE_MEASURED, "MemFree");
    (void)pl_tree_row(
        &t, 1, "not accounted", t.left, PL_SOURCE_DERIVED,
        "the rest: pages that drivers and the kernel take without a counter (DMA buffers, "
        "graphics tables)");
}
