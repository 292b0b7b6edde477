/* AMD: memory of a card and of a chip with graphics (APU).
 *
 *     gpuN   its own memory: of a card, or the carve-out that the firmware took from the machine's
 *            memory before the kernel saw it (so it is outside MemTotal)
 *     gttN   memory of the machine that the driver may map for it: inside ram, never added to it
 *
 * An APU whose carve-out is smaller than its GTT takes what programs ask for from the GTT (the
 * kernel's amdgpu: apu_prefer_gtt = AMD_IS_APU and real_vram_size < gtt_size). */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/drm.h"

#include <string.h>

struct pl_amd_apu {
    const char *gfx, *product, *source;
};

static const struct pl_amd_apu pl_amd_apus[] = {
#include "amd_apus.inc"
};

#define PL_AMD_METRICS_MAX 8192
#define PL_AMD_BYTES_MAX (1ull << 52) /* more than x86-64 addresses is damage */

static struct pl_quantity pl_amd_bytes(const struct pl_root *root, const struct pl_drm_card *card,
                                       const char *name, const char *why)
{
    uint64_t n = 0;
    if (card->asleep)
        return PL_UNREAD(PL_STATE_ASLEEP, "the device is suspended and was not woken");
    if (!pl_drm_u64(root, card, name, &n))
        return PL_UNREAD(PL_STATE_UNSUPPORTED, "amdgpu's mem_info files are not there");
    if (n > PL_AMD_BYTES_MAX)
        return PL_QUANTITY_UNKNOWN("amdgpu's mem_info file is damaged");
    return pl_exact(n, PL_SOURCE_MEASURED, why);
}

/* gpu_metrics begins with its size (16 bits), format and content revision: format 1 is a card's, 2
 * and 3 an APU's (kgd_pp_interface.h). 0 = cannot tell. */
static int pl_amd_metrics_format(const struct pl_root *root, const struct pl_drm_card *card)
{
    char path[PL_DRM_PATH_MAX + 32], buf[PL_AMD_METRICS_MAX];
    size_t n = 0;
    (void)PL_FMT(path, "%s/device/gpu_metrics", card->path);
    if (pl_read_text(root, path, buf, sizeof(buf), &n, NULL) < 0 || n < 4)
        return 0;
    return buf[2] >= 1 && buf[2] <= 3 ? buf[2] : 0;
}

/* Only an APU has the voltage rail of a north bridge (amdgpu_pm.c: "only APUs have vddnb"). */
static bool pl_amd_vddnb(const struct pl_root *root, const struct pl_drm_card *card)
{
    for (int i = 0; i < 16; i++) {
        char name[64], label[16];
        (void)PL_FMT(name, "hwmon/hwmon%d/in1_label", i);
        if (pl_drm_line(root, card, name, label, sizeof(label)))
            return pl_streq(label, "vddnb");
    }
    return false;
}

static bool pl_amd_integrated(const struct pl_root *root, const struct pl_drm_card *card,
                              const struct pl_kfd_node *kfd)
{
    char path[PL_DRM_PATH_MAX + 32];
    DIR *dir = NULL;
    (void)PL_FMT(path, "%s/device/uma", card->path); /* size of the carve-out, Linux 6.20 */
    if (pl_root_open_dir(root, path, &dir, NULL) == 0) {
        (void)closedir(dir);
        return true;
    }
    for (size_t i = 0; i < sizeof(pl_amd_apus) / sizeof(pl_amd_apus[0]); i++) {
        if (pl_streq(kfd->gfx, pl_amd_apus[i].gfx))
            return true;
    }
    if (kfd->gfx[0] != '\0' || card->asleep)
        return false;
    int format = pl_amd_metrics_format(root, card);
    return format > 1 || (format == 0 && pl_amd_vddnb(root, card));
}

/* "AMD RYZEN AI MAX+ 395 w/ Radeon 8060S": the chip's name says what its graphics are. */
static bool pl_amd_chip_name(const struct pl_cpu *cpu, char *out, size_t size)
{
    static const char *const before[] = {" w/ Radeon", " with Radeon"};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        const char *s = strstr(cpu->model, before[i]);
        if (s != NULL)
            return pl_fmt(out, size, "AMD %s", s + strlen(before[i]) - strlen("Radeon"));
    }
    return false;
}

static void pl_amd_name(const struct pl_root *root, const struct pl_drm_card *card,
                        const struct pl_cpu *cpu, struct pl_device *d)
{
    if (!card->asleep && pl_drm_line(root, card, "product_name", d->name, sizeof(d->name)))
        return;
    if (d->kind == PL_DEVICE_INTEGRATED && pl_amd_chip_name(cpu, d->name, sizeof(d->name)))
        return;
    (void)PL_FMT(d->name, "AMD %s", card->pci_id);
}

/* "1: 991Mhz *" lines: the highest, and the starred one. */
static void pl_amd_clocks(const struct pl_root *root, const struct pl_drm_card *card,
                          const char *name, enum pl_sensor_id now, enum pl_sensor_id max,
                          struct pl_device *d)
{
    char path[PL_DRM_PATH_MAX + 32];
    struct pl_lines lines;
    (void)PL_FMT(path, "%s/device/%s", card->path, name);
    if (pl_lines_open(root, path, &lines, NULL) < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        char *value = strchr(line, ':');
        uint64_t mhz = 0;
        if (value == NULL)
            continue;
        value += 1 + strspn(value + 1, " ");
        size_t n = strspn(value, "0123456789");
        bool starred = strchr(value, '*') != NULL;
        bool unit = pl_starts(value + n, "Mhz") || pl_starts(value + n, "MHz");
        value[n] = '\0';
        if (!unit || !pl_parse_u64(value, &mhz) || mhz == 0 || mhz > 100000)
            continue;
        if (!d->sensor[max].known || d->sensor[max].value < (double)mhz)
            pl_drm_sensor_set(d, max, (double)mhz);
        if (starred && !d->sensor[now].known)
            pl_drm_sensor_set(d, now, (double)mhz);
    }
    (void)pl_lines_close(&lines);
}

static void pl_amd_sensors(const struct pl_root *root, const struct pl_drm_card *card,
                           struct pl_device *d)
{
    uint64_t n = 0;
    pl_drm_sensors(root, card, d);
    if (card->asleep)
        return;
    if (pl_drm_u64(root, card, "gpu_busy_percent", &n) && n <= 100)
        pl_drm_sensor_set(d, PL_SENSOR_LOAD, (double)n);
    if (pl_drm_u64(root, card, "mem_busy_percent", &n) && n <= 100)
        pl_drm_sensor_set(d, PL_SENSOR_LOAD_MEMORY, (double)n);
    pl_amd_clocks(root, card, "pp_dpm_sclk", PL_SENSOR_CLOCK, PL_SENSOR_CLOCK_MAX, d);
    pl_amd_clocks(root, card, "pp_dpm_mclk", PL_SENSOR_CLOCK_MEMORY, PL_SENSOR_CLOCK_MEMORY_MAX, d);
}

/* The device's own memory, or its carve-out. */
static void pl_amd_local_pool(struct pl_device *d, struct pl_machine *m)
{
    struct pl_pool *p = pl_machine_add_pool(m, d->id, PL_POOL_DEDICATED);
    if (p == NULL)
        return;
    p->capacity = d->total;
    p->reserved = d->reserved;
    p->used = d->used;
    p->reclaimable = pl_exact(0, PL_SOURCE_DERIVED, "nothing is kept that could be dropped");
    p->available = !pl_known(d->used) ? d->used : d->total;
    if (pl_known(d->used) && pl_known(d->total))
        p->available = pl_exact(pl_sub_floor(d->total.likely, d->used.likely), PL_SOURCE_DERIVED,
                                "mem_info_vram_total - mem_info_vram_used");
    p->largest_allocation = PL_UNREAD(PL_STATE_NOT_ASKED, "needs a probe allocation");
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "not measured"};
    (void)PL_FMT(d->pool, "%s", p->name);
}

/* Without a resizable BAR the processor sees 256 MiB of a card: weights pass through that window.
 */
static void pl_amd_window(const struct pl_root *root, const struct pl_drm_card *card,
                          const struct pl_device *d, struct pl_machine *m)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    struct pl_quantity seen = pl_amd_bytes(root, card, "mem_info_vis_vram_total", "visible");
    if (d->kind == PL_DEVICE_DISCRETE && pl_known(seen) && pl_known(d->total) &&
        seen.likely < d->total.likely)
        pl_machine_note(m,
                        "%s: the processor sees %s of its %s: resizable BAR is off, so loading "
                        "is slower than it could be",
                        d->id, pl_size_text(seen.likely, a), pl_size_text(d->total.likely, b));
}

/* The driver's own number, or the module's limit where that is lower. */
static struct pl_quantity pl_amd_gtt_limit(const struct pl_root *root,
                                           const struct pl_drm_card *card)
{
    struct pl_quantity gtt = pl_amd_bytes(root, card, "mem_info_gtt_total", "mem_info_gtt_total");
    struct pl_quantity ttm = pl_drm_ttm_limit(root);
    if (!pl_known(ttm) || (pl_known(gtt) && gtt.likely <= ttm.likely))
        return gtt;
    return ttm;
}

/* Where an APU's programs get their memory: the larger of carve-out and GTT. The kernel compares
 * with the GTT's size before ram bounds it, so that a GTT set larger than ram can win although it
 * holds less. */
static void pl_amd_choose(struct pl_quantity limit, const struct pl_pool *gtt, struct pl_device *d,
                          struct pl_machine *m)
{
    if (!pl_known(d->total) || !pl_known(limit) || !pl_known(gtt->capacity) ||
        d->total.likely >= limit.likely)
        return;
    if (d->total.likely < gtt->capacity.likely) {
        (void)PL_FMT(d->pool, "%s", gtt->name);
        pl_machine_note(m,
                        "%s: its carve-out is smaller than its GTT, so programs get memory of "
                        "%s, inside ram (ttm.pages_limit sets how much)",
                        d->id, gtt->name);
    } else {
        pl_machine_note(m,
                        "%s: its GTT is set larger than ram is: kernels may then take memory "
                        "from %s and not from its carve-out; lower ttm.pages_limit",
                        d->id, gtt->name);
    }
}

static void pl_amd_gtt_pool(const struct pl_root *root, const struct pl_drm_card *card,
                            struct pl_device *d, struct pl_machine *m)
{
    char name[PL_POOL_NAME_MAX];
    struct pl_quantity limit = pl_amd_gtt_limit(root, card);
    if (!pl_known(limit) && limit.state != PL_STATE_ASLEEP)
        return; /* another driver than amdgpu */
    (void)PL_FMT(name, "gtt%u", card->gpu);
    const struct pl_pool *p = pl_drm_shared_pool(
        m, name, limit, pl_amd_bytes(root, card, "mem_info_gtt_used", "mem_info_gtt_used"));
    if (p != NULL && d->kind == PL_DEVICE_INTEGRATED)
        pl_amd_choose(limit, p, d, m);
}

void pl_drm_amd(const struct pl_root *root, struct pl_drm_card *card, struct pl_machine *m)
{
    struct pl_kfd_node kfd;
    struct pl_device *d = pl_drm_device(m, card);
    if (d == NULL)
        return;
    (void)pl_kfd_find(root, card, &kfd);
    (void)PL_FMT(d->compute_capability, "%s", kfd.gfx);
    d->kind = pl_amd_integrated(root, card, &kfd) ? PL_DEVICE_INTEGRATED : PL_DEVICE_DISCRETE;
    d->total = pl_amd_bytes(root, card, "mem_info_vram_total", "mem_info_vram_total");
    if (!pl_known(d->total) && pl_known(kfd.local))
        d->total = kfd.local;
    d->used = pl_amd_bytes(root, card, "mem_info_vram_used", "mem_info_vram_used");
    if (pl_known(d->used) && pl_known(d->total) && d->used.likely > d->total.likely)
        d->used = PL_QUANTITY_UNKNOWN("mem_info_vram_used is above the total: damaged");
    d->reserved = pl_exact(0, PL_SOURCE_DERIVED, "what the driver keeps is among the used");
    pl_amd_name(root, card, &m->cpu, d);
    if (!card->asleep)
        (void)pl_read_line(root, "sys/module/amdgpu/version", d->driver_version,
                           sizeof(d->driver_version), NULL);
    pl_amd_sensors(root, card, d);
    pl_amd_local_pool(d, m);
    pl_amd_gtt_pool(root, card, d, m);
    pl_amd_window(root, card, d, m);
    d->available = pl_machine_available(m, d->pool);
}
