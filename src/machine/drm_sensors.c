/* Temperatures, power, clocks and the link of a card: hwmon (Documentation/hwmon/sysfs-interface:
 * millidegrees, microwatts, hertz) and PCI. */
#include "base/str.h"
#include "machine/drm.h"

#include <stdlib.h>
#include <string.h>

#define PL_HWMON_TEMPS 8

void pl_drm_sensor_set(struct pl_device *d, enum pl_sensor_id id, double value)
{
    d->sensor[id] = (struct pl_sensor){.value = value, .known = true};
}

void pl_drm_sensors_asleep(struct pl_device *d)
{
    for (int i = 0; i < PL_SENSORS; i++) {
        if (!d->sensor[i].known)
            d->sensor[i].state = PL_STATE_ASLEEP;
    }
}

/* "hwmon/hwmonN/" of the device, or false. */
static bool pl_hwmon_find(const struct pl_root *root, const struct pl_drm_card *card, char out[64])
{
    char path[256];
    DIR *dir = NULL;
    const struct dirent *e = NULL;
    bool found = false;
    if (!PL_FMT(path, "%s/device/hwmon", card->path) ||
        pl_root_open_dir(root, path, &dir, NULL) < 0)
        return false;
    while (!found && (e = readdir(dir)) != NULL)
        found = pl_starts(e->d_name, "hwmon") && pl_fmt(out, 64, "hwmon/%s/", e->d_name);
    (void)closedir(dir);
    return found;
}

/* A value of hwmon in `unit`s of its own; a temperature may be below zero. */
static bool pl_hwmon_value(const struct pl_root *root, const struct pl_drm_card *card,
                           const char *dir, const char *name, double unit, double *ret)
{
    char path[128], text[32];
    int64_t n = 0;
    if (!PL_FMT(path, "%s%s", dir, name) || !pl_drm_line(root, card, path, text, sizeof(text)) ||
        !pl_parse_i64(text, &n))
        return false;
    *ret = (double)n / unit;
    return true;
}

static void pl_hwmon_read(const struct pl_root *root, const struct pl_drm_card *card,
                          const char *dir, struct pl_device *d)
{
    static const struct {
        const char *name;
        enum pl_sensor_id id;
        double unit;
    } want[] = {
        {"power1_average",     PL_SENSOR_POWER,         1e6},
        {"power1_input",       PL_SENSOR_POWER,         1e6}, /* newer amdgpu */
        {"power1_cap",         PL_SENSOR_POWER_LIMIT,   1e6},
        {"power1_cap_default", PL_SENSOR_POWER_DEFAULT, 1e6},
        {"power1_cap_max",     PL_SENSOR_POWER_MAX,     1e6},
        {"power1_max",         PL_SENSOR_POWER_LIMIT,   1e6}, /* i915, xe */
        {"power1_rated_max",   PL_SENSOR_POWER_DEFAULT, 1e6},
        {"freq1_input",        PL_SENSOR_CLOCK,         1e6},
        {"freq2_input",        PL_SENSOR_CLOCK_MEMORY,  1e6},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        double value = 0;
        if (!d->sensor[want[i].id].known &&
            pl_hwmon_value(root, card, dir, want[i].name, want[i].unit, &value))
            pl_drm_sensor_set(d, want[i].id, value);
    }
}

/* Edge, junction and memory: the junction is what throttling looks at where there is one; the
 * margin is the least of all. */
static void pl_hwmon_heat(const struct pl_root *root, const struct pl_drm_card *card,
                          const char *dir, struct pl_device *d)
{
    bool any = false, best = false;
    for (int i = 1; i <= PL_HWMON_TEMPS; i++) {
        char name[32], label[32], path[96];
        double now = 0, slow = 0, off = 0;
        (void)PL_FMT(name, "temp%d_input", i);
        if (!pl_hwmon_value(root, card, dir, name, 1e3, &now) || now <= -100)
            continue;
        (void)PL_FMT(name, "temp%d_crit", i);
        bool has_slow = pl_hwmon_value(root, card, dir, name, 1e3, &slow) && slow > 0;
        (void)PL_FMT(name, "temp%d_emergency", i);
        bool has_off = pl_hwmon_value(root, card, dir, name, 1e3, &off) && off > 0;
        (void)PL_FMT(path, "%stemp%d_label", dir, i);
        (void)pl_drm_line(root, card, path, label, sizeof(label));
        const struct pl_sensor *margin = &d->sensor[PL_SENSOR_MARGIN];
        if (has_slow && (!margin->known || slow - now < margin->value))
            pl_drm_sensor_set(d, PL_SENSOR_MARGIN, slow - now);
        bool junction = pl_streq(label, "junction");
        if (best || (any && !junction))
            continue;
        any = true;
        best = junction;
        pl_drm_sensor_set(d, PL_SENSOR_TEMPERATURE, now);
        d->sensor[PL_SENSOR_SLOWDOWN] = (struct pl_sensor){.value = slow, .known = has_slow};
        d->sensor[PL_SENSOR_SHUTDOWN] = (struct pl_sensor){.value = off, .known = has_off};
    }
}

/* Giga-transfers per second and lane of the PCIe generations, in tenths. */
static bool pl_pcie_generation(const char *text, double *ret)
{
    static const unsigned tenths[] = {25, 50, 80, 160, 320, 640};
    char *end = NULL;
    double gt = strtod(text, &end);
    if (end == text || !(gt > 0 && gt < 1000) || strstr(end, "GT/s") == NULL)
        return false;
    for (size_t i = 0; i < sizeof(tenths) / sizeof(tenths[0]); i++) {
        if ((unsigned)(gt * 10 + 0.5) == tenths[i]) {
            *ret = (double)(i + 1);
            return true;
        }
    }
    return false;
}

static void pl_drm_link(const struct pl_root *root, const struct pl_drm_card *card,
                        struct pl_device *d)
{
    char text[32];
    uint64_t width = 0;
    double generation = 0;
    if (pl_drm_line(root, card, "current_link_speed", text, sizeof(text)) &&
        pl_pcie_generation(text, &generation))
        pl_drm_sensor_set(d, PL_SENSOR_PCIE_GENERATION, generation);
    if (pl_drm_u64(root, card, "current_link_width", &width) && width >= 1 && width <= 32)
        pl_drm_sensor_set(d, PL_SENSOR_PCIE_WIDTH, (double)width);
}

void pl_drm_sensors(const struct pl_root *root, const struct pl_drm_card *card, struct pl_device *d)
{
    char dir[64];
    if (card->asleep) {
        pl_drm_sensors_asleep(d);
        return;
    }
    pl_drm_link(root, card, d);
    if (!pl_hwmon_find(root, card, dir))
        return;
    pl_hwmon_read(root, card, dir, d);
    pl_hwmon_heat(root, card, dir, d);
}
