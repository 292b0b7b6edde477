/* Intel, drivers i915 and xe. Graphics of a chip take the machine's memory; a card has its own, of
 * which the kernel tells little without CAP_PERFMON: what all programs use together, and with i915
 * not even the total. What processes hold (fdinfo) is a lower bound of it, never shown as it. */
#include "base/checked.h"
#include "base/str.h"
#include "machine/drm.h"

#include <stdio.h>

#define PL_INTEL_TILES_MAX 4

static const char pl_intel_need[] = "needs CAP_PERFMON";

/* xe: device/tileN/physical_vram_size_bytes, with what the firmware keeps; Intel's own i915 (not
 * the kernel's): lmem_total_bytes of the card. */
static struct pl_quantity pl_intel_total(const struct pl_root *root, const struct pl_drm_card *card)
{
    char name[64], path[PL_DRM_PATH_MAX + 32];
    uint64_t n = 0, sum = 0;
    if (card->asleep)
        return PL_UNREAD(PL_STATE_ASLEEP, "the device is suspended and was not woken");
    for (uint32_t t = 0; t < PL_INTEL_TILES_MAX; t++) {
        (void)PL_FMT(name, "tile%u/physical_vram_size_bytes", t);
        if (pl_drm_u64(root, card, name, &n))
            sum = pl_add_sat(sum, n);
    }
    if (sum > 0)
        return pl_exact(sum, PL_SOURCE_MEASURED,
                        "physical_vram_size_bytes, with what the firmware keeps");
    (void)PL_FMT(path, "%s/lmem_total_bytes", card->path);
    if (pl_read_u64(root, path, &n, NULL) == 0 && n > 0)
        return pl_exact(n, PL_SOURCE_MEASURED, "lmem_total_bytes");
    return PL_UNREAD(PL_STATE_NO_PERMISSION, pl_intel_need);
}

/* Graphics of a chip sit on the root bus, device 2 (its virtual functions beside it); a card is
 * behind a bridge. */
static bool pl_intel_integrated(const struct pl_drm_card *card)
{
    return pl_starts(card->pci, "0000:00:02.");
}

static void pl_intel_mhz(const struct pl_root *root, const char *path, enum pl_sensor_id id,
                         struct pl_device *d)
{
    uint64_t mhz = 0;
    if (!d->sensor[id].known && pl_read_u64(root, path, &mhz, NULL) == 0 && mhz > 0 && mhz < 100000)
        pl_drm_sensor_set(d, id, (double)mhz);
}

/* Clocks: i915 keeps them at the card, xe at each graphics tile. */
static void pl_intel_clocks(const struct pl_root *root, const struct pl_drm_card *card,
                            struct pl_device *d)
{
    static const struct {
        const char *file;
        enum pl_sensor_id id;
    } want[] = {
        {"gt_act_freq_mhz",                    PL_SENSOR_CLOCK           },
        {"gt_RP0_freq_mhz",                    PL_SENSOR_CLOCK_MAX       },
        {"gt_max_freq_mhz",                    PL_SENSOR_CLOCK_MAX       },
        {"device/tile0/gt0/freq0/act_freq",    PL_SENSOR_CLOCK           },
        {"device/tile0/gt0/freq0/rp0_freq",    PL_SENSOR_CLOCK_MAX       },
        {"device/tile0/memory/freq0/max_freq", PL_SENSOR_CLOCK_MEMORY_MAX},
    };
    for (size_t i = 0; !card->asleep && i < sizeof(want) / sizeof(want[0]); i++) {
        char path[PL_DRM_PATH_MAX + 64];
        (void)PL_FMT(path, "%s/%s", card->path, want[i].file);
        pl_intel_mhz(root, path, want[i].id, d);
    }
}

static void pl_intel_own_pool(struct pl_device *d, struct pl_machine *m)
{
    struct pl_pool *p = pl_machine_add_pool(m, d->id, PL_POOL_DEDICATED);
    if (p == NULL)
        return;
    p->capacity = d->total;
    p->reserved = d->reserved;
    p->used = p->available = d->used;
    p->reclaimable = PL_UNREAD(PL_STATE_UNSUPPORTED, "the driver does not say");
    p->largest_allocation = PL_UNREAD(PL_STATE_NOT_ASKED, "needs a probe allocation");
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "not measured"};
    pl_machine_note(m,
                    "%s: what is used of its memory is unknown (%s); processes' own figures "
                    "are a lower bound only",
                    d->id, pl_intel_need);
}

/* xe allocates through TTM and so within its limit; i915 knows no limit but ram. */
static void pl_intel_shared_pool(const struct pl_root *root, const struct pl_drm_card *card,
                                 struct pl_device *d, struct pl_machine *m)
{
    struct pl_quantity limit = PL_QUANTITY_UNKNOWN("i915 sets no limit of its own");
    if (pl_streq(card->driver, "xe"))
        limit = pl_drm_ttm_limit(root);
    struct pl_pool *p = pl_drm_shared_pool(m, d->id, limit, d->used);
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    if (p == NULL || ram == NULL)
        return;
    d->total = p->capacity;
    /* What it holds is memory in use of ram, and so missing in ram's available. */
    p->available = ram->available;
    if (pl_known(p->available) && pl_known(p->capacity) && p->available.likely > p->capacity.likely)
        p->available = p->capacity;
    if (pl_known(p->available)) {
        p->available.source = PL_SOURCE_DERIVED;
        p->available.why = "that of ram, up to the device's limit";
    }
}

void pl_drm_intel(const struct pl_root *root, struct pl_drm_card *card, struct pl_machine *m)
{
    struct pl_device *d = pl_drm_device(m, card);
    if (d == NULL)
        return;
    d->kind = pl_intel_integrated(card) ? PL_DEVICE_INTEGRATED : PL_DEVICE_DISCRETE;
    (void)PL_FMT(d->name, "Intel %s", card->pci_id);
    d->used = card->asleep ? PL_UNREAD(PL_STATE_ASLEEP, "the device is suspended and was not woken")
                           : PL_UNREAD(PL_STATE_NO_PERMISSION, pl_intel_need);
    d->reserved = PL_UNREAD(PL_STATE_NO_PERMISSION, pl_intel_need);
    pl_drm_sensors(root, card, d);
    pl_intel_clocks(root, card, d);
    (void)PL_FMT(d->pool, "%s", d->id);
    if (d->kind == PL_DEVICE_INTEGRATED) {
        pl_intel_shared_pool(root, card, d, m);
    } else {
        d->total = pl_intel_total(root, card);
        pl_intel_own_pool(d, m);
    }
    d->available = pl_machine_available(m, d->pool);
}
