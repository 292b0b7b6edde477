/* The compute driver of AMD: /sys/class/kfd/kfd/topology/nodes/N (the same files whether the device
 * sleeps or not) and /sys/class/kfd/kfd/proc/PID/vram_GPUID, bytes, readable by all. */
#include "base/checked.h"
#include "base/str.h"
#include "machine/drm.h"

#include <stdlib.h>
#include <string.h>

#define PL_KFD "sys/class/kfd/kfd/"
#define PL_KFD_NODES_MAX 64
#define PL_KFD_BANKS_MAX 8
#define PL_KFD_PROCS_MAX 4096
/* kfd_sysfs.h: a bank of the device's own memory, reachable by the CPU or not. */
#define PL_KFD_HEAP_PUBLIC 1
#define PL_KFD_HEAP_PRIVATE 2

/* The value of "key N" in a properties file of KFD. */
static bool pl_kfd_property(const struct pl_root *root, const char *path, const char *key,
                            uint64_t *ret)
{
    struct pl_lines lines;
    size_t n = strlen(key);
    bool found = false;
    if (pl_lines_open(root, path, &lines, NULL) < 0)
        return false;
    for (char *line; !found && (line = pl_lines_next(&lines)) != NULL;)
        found = strncmp(line, key, n) == 0 && line[n] == ' ' && pl_parse_u64(line + n + 1, ret);
    (void)pl_lines_close(&lines);
    return found;
}

/* location_id is bus << 8 | device << 3 | function (kfd_topology.c: pci_dev_id). */
static bool pl_kfd_is(const struct pl_root *root, const char *path, const struct pl_drm_card *card)
{
    uint64_t at = 0, domain = 0;
    char pci[48];
    if (!pl_kfd_property(root, path, "location_id", &at) || at == 0 || at > 0xffff)
        return false;
    (void)pl_kfd_property(root, path, "domain", &domain);
    (void)PL_FMT(pci, "%04x:%02x:%02x.%x", (unsigned)(domain & 0xffffffff), (unsigned)(at >> 8),
                 (unsigned)(at >> 3) & 31, (unsigned)at & 7);
    return pl_pci_same(pci, card->pci);
}

/* 110501 is gfx1151: two digits each of major, minor, stepping; the last two are hexadecimal. */
static void pl_kfd_gfx(uint64_t version, char out[16])
{
    if (version >= 10000 && version < 1000000)
        (void)pl_fmt(out, 16, "gfx%u%x%x", (unsigned)(version / 10000),
                     (unsigned)(version / 100 % 100), (unsigned)(version % 100));
}

static void pl_kfd_banks(const struct pl_root *root, uint32_t node, struct pl_kfd_node *ret)
{
    ret->local = PL_QUANTITY_UNKNOWN("KFD lists no memory of the device's own");
    for (uint32_t b = 0; b < PL_KFD_BANKS_MAX; b++) {
        char path[128];
        uint64_t heap = 0, size = 0;
        (void)PL_FMT(path, PL_KFD "topology/nodes/%u/mem_banks/%u/properties", node, b);
        if (!pl_kfd_property(root, path, "heap_type", &heap) ||
            (heap != PL_KFD_HEAP_PUBLIC && heap != PL_KFD_HEAP_PRIVATE) ||
            !pl_kfd_property(root, path, "size_in_bytes", &size))
            continue;
        struct pl_quantity q = pl_exact(size, PL_SOURCE_MEASURED, "KFD mem_banks: size_in_bytes");
        ret->local = pl_known(ret->local) ? pl_plus(ret->local, q) : q;
    }
}

bool pl_kfd_find(const struct pl_root *root, const struct pl_drm_card *card,
                 struct pl_kfd_node *ret)
{
    *ret = (struct pl_kfd_node){.local = PL_QUANTITY_UNKNOWN("no node of KFD")};
    for (uint32_t node = 0; node < PL_KFD_NODES_MAX; node++) {
        char path[128];
        uint64_t version = 0;
        (void)PL_FMT(path, PL_KFD "topology/nodes/%u/properties", node);
        if (!pl_kfd_is(root, path, card))
            continue;
        if (pl_kfd_property(root, path, "gfx_target_version", &version))
            pl_kfd_gfx(version, ret->gfx);
        (void)PL_FMT(path, PL_KFD "topology/nodes/%u/gpu_id", node);
        (void)pl_read_u64(root, path, &ret->gpu_id, NULL);
        pl_kfd_banks(root, node, ret);
        return true;
    }
    return false;
}

static void pl_kfd_process(const struct pl_root *root, const char *pid, uint64_t gpu_id,
                           const char *pool, struct pl_machine *m)
{
    char path[128], name[64] = "";
    uint64_t bytes = 0, number = 0;
    if (!pl_parse_u64(pid, &number) || number > INT32_MAX ||
        !PL_FMT(path, PL_KFD "proc/%s/vram_%llu", pid, (unsigned long long)gpu_id) ||
        pl_read_u64(root, path, &bytes, NULL) < 0 || bytes == 0)
        return;
    (void)PL_FMT(path, "proc/%s/comm", pid);
    (void)pl_read_line(root, path, name, sizeof(name), NULL);
    pl_drm_hold(m, (int64_t)number, pool, pl_exact(bytes, PL_SOURCE_MEASURED, "KFD: proc/vram"),
                false, name);
}

void pl_kfd_holdings(const struct pl_root *root, const struct pl_drm_card *card, uint32_t n,
                     struct pl_machine *m)
{
    for (uint32_t i = 0; i < n; i++) {
        struct pl_kfd_node node;
        DIR *dir = NULL;
        const struct dirent *e = NULL;
        const struct pl_device *d = pl_machine_device(m, card[i].device_id);
        if (d == NULL || d->vendor != PL_VENDOR_AMD || !pl_kfd_find(root, &card[i], &node) ||
            node.gpu_id == 0 || pl_root_open_dir(root, PL_KFD "proc", &dir, NULL) < 0)
            continue;
        /* What was asked of a small carve-out came from where the device's pool is. */
        for (uint32_t k = 0; k < PL_KFD_PROCS_MAX && (e = readdir(dir)) != NULL; k++)
            pl_kfd_process(root, e->d_name, node.gpu_id, d->pool, m);
        (void)closedir(dir);
    }
}
