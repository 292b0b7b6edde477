/* Pools from memory nodes. The sum over "ram" and the nodes taken out of it is MemTotal: no byte is
 * in two pools that are not one another's ancestor. */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/hugepages.h"
#include "machine/numa.h"
#include "machine/numa_kind.h"
#include "sys/cpulist.h"

#include <string.h>

struct pl_quantity pl_numa_value(const struct pl_meminfo *mi, enum pl_mem_key key, const char *why)
{
    /* a node of 0 bytes has a MemTotal of 0, which the reader of /proc/meminfo takes for damage */
    if (!mi->known[key] && !(key == PL_MEM_TOTAL && mi->known[PL_MEM_FREE] &&
                             mi->value[PL_MEM_FREE] == 0 && mi->value[PL_MEM_TOTAL] == 0))
        return PL_QUANTITY_UNKNOWN("the node's meminfo does not say");
    return pl_exact(mi->value[key], PL_SOURCE_MEASURED, why);
}

/* What of a node a program could get: free memory and the page cache in it. How much of the cache
 * the kernel would give up is not known for one node, so free memory alone is the low end. */
static struct pl_quantity pl_node_available(const struct pl_meminfo *mi)
{
    if (!mi->known[PL_MEM_FREE])
        return PL_QUANTITY_UNKNOWN("the node's meminfo does not say");
    uint64_t file = pl_add_sat(mi->value[PL_MEM_ACTIVE_FILE], mi->value[PL_MEM_INACTIVE_FILE]);
    uint64_t n = pl_add_sat(mi->value[PL_MEM_FREE], file);
    if (mi->known[PL_MEM_TOTAL] && n > mi->value[PL_MEM_TOTAL])
        n = mi->value[PL_MEM_TOTAL];
    return pl_between(mi->value[PL_MEM_FREE], n, n, PL_SOURCE_DERIVED,
                      "MemFree, and above it the page cache of the node");
}

static struct pl_quantity pl_node_reserved(const struct pl_root *root,
                                           const struct pl_numa_node *node,
                                           const struct pl_meminfo *mi)
{
    struct pl_hugepages h;
    char dir[96];
    (void)PL_FMT(dir, PL_NODE_DIR "/node%u/hugepages", node->id);
    if (pl_hugepages_read(root, dir, &h) && pl_known(node->total) && h.bytes <= node->total.likely)
        return pl_exact(h.bytes, PL_SOURCE_DERIVED, "huge pages of every size in the node");
    if (mi->known[PL_MEM_HUGE_TOTAL] && mi->value[PL_MEM_HUGE_TOTAL] == 0)
        return pl_exact(0, PL_SOURCE_DERIVED, "nothing set aside as huge pages");
    return PL_QUANTITY_UNKNOWN("not known for one node");
}

static void pl_node_pool(const struct pl_root *root, const struct pl_numa_node *node,
                         const struct pl_meminfo *mi, struct pl_machine *m)
{
    char name[PL_POOL_NAME_MAX];
    (void)PL_FMT(name, "numa%u", node->id);
    struct pl_pool *p =
        pl_machine_add_pool(m, name, node->memory_only ? PL_POOL_DEDICATED : PL_POOL_CAP);
    if (p == NULL)
        return;
    (void)PL_FMT(p->parent, "%s", node->memory_only ? "" : "ram");
    p->capacity = node->total;
    p->available = pl_node_available(mi);
    p->reserved = pl_node_reserved(root, node, mi);
    p->reclaimable = p->used = PL_QUANTITY_UNKNOWN("not known for one node");
    if (pl_known(p->available) && pl_known(node->free))
        p->reclaimable = pl_exact(pl_sub_floor(p->available.likely, node->free.likely),
                                  PL_SOURCE_DERIVED, "page cache of the node");
    if (pl_known(p->capacity) && pl_known(p->available) && pl_known(p->reserved))
        p->used = pl_exact(pl_sub_floor(p->capacity.likely, p->available.likely), PL_SOURCE_DERIVED,
                           "capacity - available");
    p->largest_allocation = PL_QUANTITY_UNKNOWN("no limit on allocations in a node is known");
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "not measured"};
}

/* Sums over the nodes that are taken out. */
struct pl_numa_out {
    uint64_t total, free, file, slab;
    uint32_t nodes;
};

static void pl_numa_take_out(struct pl_pool *ram, const struct pl_numa_out *out)
{
    if (pl_known(ram->capacity))
        ram->capacity = pl_exact(pl_sub_floor(ram->capacity.likely, out->total), PL_SOURCE_DERIVED,
                                 "MemTotal less the memory nodes without CPUs");
    struct pl_quantity a = ram->available;
    if (pl_known(a)) {
        uint64_t likely = pl_sub_floor(a.likely, pl_add_sat(out->free, out->file));
        uint64_t low =
            pl_sub_floor(pl_sub_floor(a.low, pl_add_sat(out->free, out->file)), out->slab);
        uint64_t high = pl_sub_floor(a.high, out->free);
        if (pl_known(ram->capacity) && high > ram->capacity.likely)
            high = ram->capacity.likely > likely ? ram->capacity.likely : likely;
        ram->available = pl_between(low, likely, high, PL_SOURCE_DERIVED,
                                    "MemAvailable less what is free or page cache in the memory "
                                    "nodes without CPUs");
    }
    if (pl_known(ram->reclaimable))
        ram->reclaimable =
            pl_exact(pl_sub_floor(ram->reclaimable.likely, out->file), PL_SOURCE_DERIVED,
                     "that of the machine less the page cache in "
                     "the memory nodes without CPUs");
    if (pl_known(ram->used) && pl_known(ram->capacity) && pl_known(ram->available) &&
        pl_known(ram->reserved))
        ram->used = pl_exact(pl_sub_floor(pl_sub_floor(ram->capacity.likely, ram->reserved.likely),
                                          ram->available.likely),
                             PL_SOURCE_DERIVED, "capacity - reserved - available");
}

/* Memory that kernel structures may lie in too: "normal" memory of the machine. False for what the
 * nodes of devices and hot-plugged memory are made of, and where the kernel does not say. */
static bool pl_numa_normal(const struct pl_root *root, uint32_t id)
{
    char text[4096];
    static const char file[] = PL_NODE_DIR "/has_normal_memory";
    bool set[PL_NODE_ID_MAX];
    uint32_t count = 0;
    return id < PL_NODE_ID_MAX && pl_read_text(root, file, text, sizeof(text), NULL, NULL) == 0 &&
           pl_parse_list(text, set, PL_NODE_ID_MAX, &count) == 0 && set[id];
}

/* Where no node with CPUs has memory, the normal memory lies in nodes of its own: those are what
 * every program gets. */
static void pl_numa_ordinary(const struct pl_root *root, struct pl_machine *m)
{
    for (uint32_t i = 0; i < m->n_numa; i++) {
        if (m->numa[i].cpus > 0 && (!pl_known(m->numa[i].total) || m->numa[i].total.likely > 0))
            return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->n_numa; i++) {
        struct pl_numa_node *node = &m->numa[i];
        if (node->memory_only && node->what[0] == '\0' && pl_numa_normal(root, node->id)) {
            node->memory_only = false;
            kept++;
        }
    }
    if (kept > 0)
        pl_machine_note(m,
                        "no memory node has both CPUs and memory: the %u with normal memory "
                        "count as ram",
                        kept);
}

static void pl_numa_note(struct pl_machine *m, const struct pl_numa_out *gpu,
                         const struct pl_numa_out *other)
{
    char text[PL_SIZE_TEXT_MAX];
    if (gpu->nodes > 0)
        pl_machine_note(m,
                        "ram is without %s in %u memory nodes: MemTotal holds them, they are "
                        "graphics processors' own memory",
                        pl_size_text(gpu->total, text), gpu->nodes);
    if (other->nodes > 0)
        pl_machine_note(m,
                        "ram is without %s in %u memory nodes that have no CPUs: in MemTotal, "
                        "of another speed, pools of their own",
                        pl_size_text(other->total, text), other->nodes);
}

static void pl_numa_out_add(struct pl_numa_out *out, const struct pl_meminfo *mi)
{
    out->total = pl_add_sat(out->total, mi->value[PL_MEM_TOTAL]);
    out->free = pl_add_sat(out->free, mi->value[PL_MEM_FREE]);
    out->file = pl_add_sat(
        out->file, pl_add_sat(mi->value[PL_MEM_ACTIVE_FILE], mi->value[PL_MEM_INACTIVE_FILE]));
    out->slab = pl_add_sat(out->slab, mi->value[PL_MEM_S_RECLAIMABLE]);
    out->nodes++;
}

void pl_numa_pools(const struct pl_root *root, struct pl_machine *m)
{
    struct pl_numa_out gpu = {0}, other = {0}, all = {0};
    uint32_t with_cpus = 0;
    pl_numa_kinds(root, m);
    pl_numa_ordinary(root, m);
    for (uint32_t i = 0; i < m->n_numa; i++)
        with_cpus += m->numa[i].cpus > 0 && pl_known(m->numa[i].total) ? 1 : 0;
    for (uint32_t i = 0; i < m->n_numa; i++) {
        struct pl_numa_node *node = &m->numa[i];
        struct pl_meminfo mi;
        bool is_gpu = pl_streq(node->what, "gpu");
        if (!pl_numa_meminfo(root, node->id, &mi))
            continue;
        if (node->memory_only) {
            pl_numa_out_add(is_gpu ? &gpu : &other, &mi);
            pl_numa_out_add(&all, &mi);
        }
        bool cap =
            !node->memory_only && with_cpus > 1 && pl_known(node->total) && node->total.likely > 0;
        if (cap || (node->memory_only && !is_gpu)) /* a GPU's is the pool of that device */
            pl_node_pool(root, node, &mi, m);
    }
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    if (ram != NULL && all.nodes > 0)
        pl_numa_take_out(ram, &all);
    pl_numa_note(m, &gpu, &other);
}
