/* Jetson boards: processor and GPU share one memory, and no library says how much of it the GPU
 * holds; the kernel does. */
#include "base/str.h"
#include "base/units.h"
#include "machine/drm.h"
#include "machine/jetson.h"
#include "machine/nvmap.h"
#include "machine/probes.h"
#include "machine/unified.h"
#include "sys/meminfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_JETSON_CLIENTS_BYTES 65536
#define PL_JETSON_NVMAP "sys/kernel/debug/nvmap/iovmm/clients"

/* NVML knows the GPU of some boards (Thor); then its device is filled up here. */
static struct pl_device *pl_jetson_device(struct pl_machine *m)
{
    char id[32] = "gpu0";
    for (uint32_t i = 0; i < m->n_device; i++) {
        if (m->device[i].vendor == PL_VENDOR_NVIDIA && m->device[i].kind == PL_DEVICE_INTEGRATED)
            return &m->device[i];
    }
    for (uint32_t n = 1; pl_machine_device(m, id) != NULL && n < PL_DEVICES_MAX; n++)
        (void)PL_FMT(id, "gpu%u", n);
    struct pl_device *d = pl_machine_add_device(m, id);
    if (d == NULL)
        return NULL;
    d->vendor = PL_VENDOR_NVIDIA;
    d->kind = PL_DEVICE_INTEGRATED;
    d->power = PL_POWER_AWAKE;
    (void)PL_FMT(d->driver, "nvgpu");
    d->nominal = PL_QUANTITY_UNKNOWN("the device data were not asked");
    d->visible = PL_UNREAD(PL_STATE_NOT_ASKED, "asked of the runtime by --probe-alloc");
    d->bandwidth = d->fp16 = d->int8 = (struct pl_rate){.why = "the device data were not asked"};
    return d;
}

static void pl_jetson_identity(const struct pl_jetson *j, struct pl_device *d, struct pl_machine *m)
{
    if (j->model[0] != '\0')
        (void)PL_FMT(m->board, "%s", j->model);
    (void)PL_FMT(m->release, "%s", j->release);
    if (d->name[0] == '\0')
        (void)PL_FMT(d->name, "%s", j->model[0] != '\0' ? j->model : j->chip);
    if (d->pci_id[0] == '\0' && j->part[0] != '\0')
        (void)PL_FMT(d->pci_id, "dt:%s", j->part);
    if (d->driver_version[0] == '\0')
        (void)PL_FMT(d->driver_version, "%s", j->release);
    (void)PL_FMT(d->mode, "%s", j->mode);
    if (j->part[0] == '\0')
        pl_machine_note(m,
                        "%s: the module's part number is not in the device tree: what it was "
                        "sold as is unknown",
                        d->id);
}

/* NvMapMemUsed counts every buffer for GPU, camera, display and decoder, whoever made it. */
static void pl_jetson_memory(const struct pl_root *root, struct pl_device *d, struct pl_machine *m)
{
    struct pl_meminfo mi = {0};
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    (void)pl_meminfo_read(root, &mi, NULL);
    if (!pl_known(d->total) && ram != NULL && pl_known(ram->capacity))
        d->total =
            pl_exact(ram->capacity.likely, PL_SOURCE_DERIVED, "shares all of the machine's memory");
    d->reserved = pl_exact(0, PL_SOURCE_DERIVED, "what the firmware keeps is outside MemTotal");
    if (mi.known[PL_MEM_NVMAP_USED])
        d->used = pl_exact(mi.value[PL_MEM_NVMAP_USED], PL_SOURCE_MEASURED,
                           "NvMapMemUsed in /proc/meminfo");
    else if (!pl_known(d->used))
        d->used = PL_UNREAD(PL_STATE_UNSUPPORTED, "no NvMapMemUsed in /proc/meminfo");
    int rc = pl_unified_make(m, d, NULL);
    struct pl_pool *p = pl_machine_pool(m, d->id);
    if ((rc < 0 && rc != -EEXIST) || p == NULL)
        return;
    p->used = d->used;
    if (!pl_known(p->largest_allocation))
        p->largest_allocation = PL_UNREAD(
            PL_STATE_NOT_ASKED, "only a trial tells: NvMap may refuse a large buffer with "
                                "memory free");
    if (mi.known[PL_MEM_CMA_TOTAL] && mi.known[PL_MEM_CMA_FREE]) {
        char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
        pl_machine_note(m, "contiguous memory (CMA): %s of %s free, within what is free of ram",
                        pl_size_text(mi.value[PL_MEM_CMA_FREE], a),
                        pl_size_text(mi.value[PL_MEM_CMA_TOTAL], b));
    }
}

static void pl_jetson_blocks(const struct pl_root *root, struct pl_machine *m)
{
    char text[PL_SIZE_TEXT_MAX];
    uint64_t bytes = 0, blocks = 0;
    if (pl_buddyinfo_largest(root, &bytes, &blocks) < 0)
        return;
    pl_machine_note(m, "largest free blocks of physical memory: %llu of %s (lfb, /proc/buddyinfo)",
                    (unsigned long long)blocks, pl_size_text(bytes, text));
}

static void pl_jetson_holdings(const struct pl_root *root, const struct pl_device *d,
                               struct pl_machine *m)
{
    char *text = malloc(PL_JETSON_CLIENTS_BYTES);
    struct pl_nvmap *map = calloc(1, sizeof(*map));
    int rc = text != NULL && map != NULL
                 ? pl_read_text(root, PL_JETSON_NVMAP, text, PL_JETSON_CLIENTS_BYTES, NULL, NULL)
                 : -ENOMEM;
    if (rc == 0) {
        pl_nvmap_parse(text, map);
        for (uint32_t i = 0; i < map->n; i++) {
            const struct pl_nvmap_client *c = &map->client[i];
            if (c->held.likely > 0)
                pl_drm_hold(m, c->pid, d->id, c->held, false, c->name);
        }
    } else if (rc == -EACCES || rc == -EPERM) {
        pl_machine_note(m, "who holds memory of %s is unknown: /%s needs root", d->id,
                        PL_JETSON_NVMAP);
    }
    free(map);
    free(text);
}

/* The last line of a capture that knows something. */
static void pl_jetson_telemetry(const struct pl_root *root, struct pl_device *d)
{
    struct pl_tegrastats one, last;
    struct pl_lines lines;
    bool found = false;
    if (pl_root_is_this_system(root) ||
        pl_lines_open(root, "plimsoll/tegrastats.txt", &lines, NULL) < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        if (!pl_tegrastats_parse(line, &one))
            continue;
        last = one;
        found = true;
    }
    (void)pl_lines_close(&lines);
    if (found)
        pl_jetson_from_tegrastats(&last, d);
}

static int pl_jetson_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    struct pl_jetson j;
    (void)err;
    if (!pl_jetson_read(in->root, &j))
        return 0;
    struct pl_device *d = pl_jetson_device(m);
    if (d == NULL)
        return 0;
    pl_jetson_identity(&j, d, m);
    pl_jetson_memory(in->root, d, m);
    pl_jetson_blocks(in->root, m);
    pl_jetson_clocks(in->root, d);
    pl_jetson_heat(in->root, d);
    pl_jetson_power(in->root, d);
    pl_jetson_telemetry(in->root, d);
    pl_jetson_holdings(in->root, d, m);
    return 0;
}

const struct pl_probe pl_probe_jetson = {
    .name = "jetson",
    .reads = "/proc/device-tree, /etc/nv_tegra_release, /var/lib/nvpmodel, /sys/class/devfreq, "
             "/sys/class/thermal, INA3221 sensors, /proc/buddyinfo, NvMapMemUsed; as root nvmap's "
             "clients and the memory's clock",
    .matters = "the GPU of a Jetson takes from the same memory as everything else",
    .run = pl_jetson_run,
};
