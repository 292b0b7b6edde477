/* What a memory node without CPUs is made of. */
#include "machine/numa_kind.h"

#include "base/str.h"
#include "machine/numa.h"

#include <string.h>

#define PL_DAX_DIR "sys/bus/dax/devices"
#define PL_NVIDIA_DIR "proc/driver/nvidia/gpus"

/* "Node:      250": memory of a graphics processor that the driver gave to the kernel as a node
 * (POWER9, Grace). */
static void pl_kind_gpus(const struct pl_root *root, struct pl_machine *m)
{
    static const char key[] = "Node:";
    DIR *dir = NULL;
    if (pl_root_open_dir(root, PL_NVIDIA_DIR, &dir, NULL) < 0)
        return;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct pl_lines lines;
        char path[160];
        if (e->d_name[0] == '.' || !PL_FMT(path, PL_NVIDIA_DIR "/%.80s/numa_status", e->d_name) ||
            pl_lines_open(root, path, &lines, NULL) < 0)
            continue;
        for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
            uint64_t id = 0;
            if (!pl_starts(line, key) ||
                !pl_parse_u64(line + sizeof(key) - 1 + strspn(line + sizeof(key) - 1, " \t"), &id))
                continue;
            for (uint32_t i = 0; i < m->n_numa; i++) {
                if (m->numa[i].id == id && m->numa[i].memory_only)
                    (void)PL_FMT(m->numa[i].what, "gpu");
            }
        }
        (void)pl_lines_close(&lines);
    }
    (void)closedir(dir);
}

/* Bytes per second as the firmware's HMAT says for its best initiator, in MiB/s; 0 = not said. */
static uint64_t pl_kind_bandwidth(const struct pl_root *root, uint32_t id)
{
    for (int access = 0; access < 2; access++) {
        char path[128];
        uint64_t n = 0;
        (void)PL_FMT(path, PL_NODE_DIR "/node%u/access%d/initiators/read_bandwidth", id, access);
        if (pl_read_u64(root, path, &n, NULL) == 0 && n > 0)
            return n;
    }
    return 0;
}

/* Memory handed over through DAX: the path of its device says where it comes from. */
static void pl_kind_dax(const struct pl_root *root, struct pl_machine *m)
{
    DIR *dir = NULL;
    if (pl_root_open_dir(root, PL_DAX_DIR, &dir, NULL) < 0)
        return;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[128], link[512];
        uint64_t id = 0;
        (void)PL_FMT(path, PL_DAX_DIR "/%.60s/target_node", e->d_name);
        if (e->d_name[0] == '.' || pl_read_u64(root, path, &id, NULL) < 0)
            continue;
        (void)PL_FMT(path, PL_DAX_DIR "/%.60s", e->d_name);
        if (pl_root_read_link(root, path, link, sizeof(link), NULL) < 0)
            link[0] = '\0';
        /* ndbus is a persistent module, hmem is memory that the firmware marked specific-purpose */
        const char *what = strstr(link, "/cxl") != NULL    ? "cxl"
                           : strstr(link, "ndbus") != NULL ? "dax"
                           : strstr(link, "hmem") != NULL  ? "specific-purpose"
                                                           : "dax";
        for (uint32_t i = 0; i < m->n_numa; i++) {
            if (m->numa[i].id == id && m->numa[i].memory_only)
                (void)PL_FMT(m->numa[i].what, "%s", what);
        }
    }
    (void)closedir(dir);
}

/* Without CPUs, and by half or more faster than the memory beside CPUs: HBM. The known parts are
 * four times as fast (Xeon Max, Xeon Phi). */
static void pl_kind_hbm(const struct pl_root *root, struct pl_machine *m)
{
    uint64_t best = 0;
    for (uint32_t i = 0; i < m->n_numa; i++) {
        uint64_t n = m->numa[i].cpus > 0 ? pl_kind_bandwidth(root, m->numa[i].id) : 0;
        best = n > best ? n : best;
    }
    for (uint32_t i = 0; best > 0 && i < m->n_numa; i++) {
        struct pl_numa_node *node = &m->numa[i];
        bool open = node->what[0] == '\0' || pl_streq(node->what, "specific-purpose");
        if (node->memory_only && open && pl_kind_bandwidth(root, node->id) / 3 >= best / 2)
            (void)PL_FMT(node->what, "hbm");
    }
}

void pl_numa_kinds(const struct pl_root *root, struct pl_machine *m)
{
    pl_kind_dax(root, m);
    pl_kind_gpus(root, m);
    pl_kind_hbm(root, m);
}
