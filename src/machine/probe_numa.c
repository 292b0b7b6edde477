/* Memory nodes: which memory is near which CPUs, and which has no CPUs at all.
 *
 * A node without CPUs may be the memory of a graphics processor (POWER9, Grace), memory of another
 * speed (HBM, CXL) or a persistent module used as memory. Linux adds them all to MemTotal. Programs
 * that do not ask for it should not be planned into it, so it is taken out of "ram" here. */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/cpu.h"
#include "machine/numa.h"
#include "machine/probes.h"

#include <stdlib.h>
#include <string.h>

/* Places of the nodes' ids in order of id. */
static uint32_t pl_numa_list(const struct pl_root *root, uint32_t *id, bool *set)
{
    DIR *dir = NULL;
    char text[4096];
    uint32_t n = 0, count = 0;
    bool *there = set + PL_NODE_ID_MAX;
    bool listed = pl_read_text(root, PL_NODE_DIR "/online", text, sizeof(text), NULL, NULL) == 0 &&
                  pl_parse_list(text, set, PL_NODE_ID_MAX, &count) == 0 && count > 0;
    if (pl_root_open_dir(root, PL_NODE_DIR, &dir, NULL) < 0)
        return 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        uint64_t i = 0;
        if (pl_starts(e->d_name, "node") && pl_parse_u64(e->d_name + 4, &i) && i < PL_NODE_ID_MAX)
            there[i] = true;
    }
    (void)closedir(dir);
    for (uint32_t i = 0; i < PL_NODE_ID_MAX; i++) {
        if (!there[i] || (listed && !set[i]))
            continue;
        if (n < PL_NUMA_MAX)
            id[n] = i;
        n++;
    }
    return n;
}

/* "Node 0 MemTotal:  131732940 kB": the line with "Node 0" taken off is one of /proc/meminfo. */
bool pl_numa_meminfo(const struct pl_root *root, uint32_t id, struct pl_meminfo *ret)
{
    struct pl_lines lines;
    struct pl_str text;
    char path[96], node[24];
    (void)PL_FMT(path, PL_NODE_DIR "/node%u/meminfo", id);
    (void)PL_FMT(node, "Node %u ", id);
    *ret = (struct pl_meminfo){0};
    if (pl_lines_open(root, path, &lines, NULL) < 0)
        return false;
    pl_str_init(&text, 64 * PL_KIB);
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
        line += strspn(line, "\t ");
        if (pl_starts(line, node))
            pl_str_addf(&text, "%s\n", line + strlen(node));
    }
    (void)pl_lines_close(&lines);
    pl_meminfo_parse(pl_str_get(&text), ret);
    bool ok = !text.failed;
    pl_str_done(&text);
    return ok;
}

static uint32_t pl_numa_cpus(const struct pl_root *root, uint32_t id, const bool *online,
                             char *text, size_t size, bool *set)
{
    char path[96];
    uint32_t count = 0, n = 0;
    (void)PL_FMT(path, PL_NODE_DIR "/node%u/cpulist", id);
    bool ok = pl_read_text(root, path, text, size, NULL, NULL) == 0 &&
              pl_parse_list(text, set, PL_CPUS_MAX, &count) == 0 && count > 0;
    if (!ok) { /* older kernels have the mask only */
        (void)PL_FMT(path, PL_NODE_DIR "/node%u/cpumap", id);
        ok = pl_read_text(root, path, text, size, NULL, NULL) == 0 &&
             pl_parse_mask(text, set, PL_CPUS_MAX, &count) == 0;
    }
    for (uint32_t i = 0; ok && i < PL_CPUS_MAX; i++)
        n += set[i] && online[i] ? 1 : 0;
    return n;
}

/* One number for every online node, in their order. */
static void pl_numa_distance(const struct pl_root *root, struct pl_numa_node *node, uint32_t nodes,
                             char *text, size_t size)
{
    char path[96];
    char *save = NULL;
    uint32_t n = 0;
    (void)PL_FMT(path, PL_NODE_DIR "/node%u/distance", node->id);
    if (pl_read_text(root, path, text, size, NULL, NULL) < 0)
        return;
    for (const char *w = strtok_r(text, " \t\n", &save); w != NULL;
         w = strtok_r(NULL, " \t\n", &save), n++) {
        uint64_t d = 0;
        if (n < nodes && pl_parse_u64(w, &d) && d <= UINT8_MAX)
            node->distance[n] = (uint8_t)d;
    }
    if (n != nodes) /* a row of other nodes than these */
        memset(node->distance, 0, sizeof(node->distance));
}

struct pl_numa_work {
    uint32_t id[PL_NUMA_MAX];
    bool online[PL_CPUS_MAX], set[PL_CPUS_MAX];
    char text[32768];
};

/* A machine without a node folder is one node. */
static void pl_numa_one(struct pl_machine *m)
{
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    struct pl_numa_node *node = &m->numa[0];
    m->n_numa = 1;
    *node = (struct pl_numa_node){.cpus = m->cpu.threads_logical, .distance = {10}};
    node->total = node->free = PL_QUANTITY_UNKNOWN("/sys shows no memory nodes: taken for one");
    if (ram == NULL || !pl_known(ram->capacity))
        return;
    node->total = pl_exact(ram->capacity.likely, PL_SOURCE_ASSUMED,
                           "/sys shows no memory nodes: taken for one, with all memory");
}

static int pl_numa_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    struct pl_numa_work *w = calloc(1, sizeof(*w));
    uint32_t count = 0;
    (void)err;
    if (w == NULL) {
        pl_machine_note(m, "memory nodes are unknown: no memory to read them");
        return 0;
    }
    uint32_t nodes = pl_numa_list(in->root, w->id, w->set);
    if (nodes > PL_NUMA_MAX) {
        pl_machine_note(m, "%u memory nodes: the first %d are shown, none is a pool", nodes,
                        PL_NUMA_MAX);
        nodes = PL_NUMA_MAX;
    }
    (void)pl_cpu_online(in->root, w->online, &count);
    for (uint32_t i = 0; i < nodes; i++) {
        struct pl_numa_node *node = &m->numa[i];
        struct pl_meminfo mi;
        *node = (struct pl_numa_node){.id = w->id[i]};
        (void)pl_numa_meminfo(in->root, node->id, &mi);
        node->total = pl_numa_value(&mi, PL_MEM_TOTAL, "MemTotal in the node's meminfo");
        node->free = pl_numa_value(&mi, PL_MEM_FREE, "MemFree in the node's meminfo");
        node->cpus = pl_numa_cpus(in->root, node->id, w->online, w->text, sizeof(w->text), w->set);
        node->memory_only = node->cpus == 0 && pl_known(node->total) && node->total.likely > 0;
        pl_numa_distance(in->root, node, nodes, w->text, sizeof(w->text));
    }
    free(w);
    m->n_numa = nodes;
    if (nodes == 0)
        pl_numa_one(m);
    else
        pl_numa_pools(in->root, m);
    return 0;
}

const struct pl_probe pl_probe_numa = {
    .name = "numa",
    .reads = "/sys/devices/system/node, /sys/bus/dax/devices, "
             "/proc/driver/nvidia/gpus/*/numa_status",
    .matters = "memory behind another processor is slower; memory without processors (HBM, CXL, "
               "a graphics processor's) is in MemTotal, yet not what a program gets unasked",
    .run = pl_numa_run,
};
