#include "base/str.h"
#include "machine/drm.h"
#include "machine/jetson.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PL_JETSON_ENTRIES_MAX 256
#define PL_JETSON_ZONES_MAX 64
#define PL_JETSON_TRIPS_MAX 12
#define PL_JETSON_HWMON_MAX 32

/* How the GPU's node is named in the device tree of TX1 to Thor. */
static const char *const pl_jetson_gpu_names[] = {"gpu", "gp10b", "gv11b", "ga10b", "gb10b"};

static bool pl_jetson_is_gpu(const struct pl_root *root, const char *entry)
{
    char path[320], name[64];
    if (pl_starts(entry, "gpu-gpc-")) /* Thor: one for each cluster of processors */
        return true;
    if (!PL_FMT(path, "sys/class/devfreq/%s/device/of_node/name", entry) ||
        pl_read_text(root, path, name, sizeof(name), NULL, NULL) < 0) {
        const char *dot = strrchr(entry, '.'); /* "17000000.gpu" */
        (void)PL_FMT(name, "%s", dot != NULL ? dot + 1 : "");
    }
    for (size_t i = 0; i < sizeof(pl_jetson_gpu_names) / sizeof(pl_jetson_gpu_names[0]); i++) {
        if (pl_streq(name, pl_jetson_gpu_names[i]))
            return true;
    }
    return false;
}

/* The first by name of the GPU's entries. */
static bool pl_jetson_devfreq(const struct pl_root *root, char *out, size_t size)
{
    DIR *dir = NULL;
    const struct dirent *e = NULL;
    out[0] = '\0';
    if (pl_root_open_dir(root, "sys/class/devfreq", &dir, NULL) < 0)
        return false;
    for (int i = 0; i < PL_JETSON_ENTRIES_MAX && (e = readdir(dir)) != NULL; i++) {
        if (e->d_name[0] != '.' && pl_jetson_is_gpu(root, e->d_name) &&
            (out[0] == '\0' || strcmp(e->d_name, out) < 0))
            (void)pl_fmt(out, size, "%s", e->d_name);
    }
    (void)closedir(dir);
    return out[0] != '\0';
}

static void pl_jetson_mhz(const struct pl_root *root, const char *path, enum pl_sensor_id id,
                          struct pl_device *d)
{
    uint64_t hz = 0;
    if (d->sensor[id].known)
        return;
    int rc = pl_read_u64(root, path, &hz, NULL);
    if (rc == 0 && hz > 0 && hz < 100000000000ull)
        pl_drm_sensor_set(d, id, (double)hz / 1e6);
    else if (rc == -EACCES || rc == -EPERM)
        d->sensor[id].state = PL_STATE_NO_PERMISSION;
}

void pl_jetson_clocks(const struct pl_root *root, struct pl_device *d)
{
    /* R28 to R35 without a link at the class, R36 and later */
    static const char *const loads[] = {"sys/devices/gpu.0/load", "sys/devices/platform/gpu.0/load",
                                        "sys/devices/platform/bus@0/17000000.gpu/load"};
    char entry[64], path[160];
    uint64_t permille = 0;
    bool loaded = false;
    if (pl_jetson_devfreq(root, entry, sizeof(entry))) {
        (void)PL_FMT(path, "sys/class/devfreq/%s/cur_freq", entry);
        pl_jetson_mhz(root, path, PL_SENSOR_CLOCK, d);
        (void)PL_FMT(path, "sys/class/devfreq/%s/max_freq", entry);
        pl_jetson_mhz(root, path, PL_SENSOR_CLOCK_MAX, d);
        (void)PL_FMT(path, "sys/class/devfreq/%s/device/load", entry);
        loaded = pl_read_u64(root, path, &permille, NULL) == 0;
    }
    for (size_t i = 0; !loaded && i < sizeof(loads) / sizeof(loads[0]); i++)
        loaded = pl_read_u64(root, loads[i], &permille, NULL) == 0;
    if (loaded && permille <= 1000 && !d->sensor[PL_SENSOR_LOAD].known)
        pl_drm_sensor_set(d, PL_SENSOR_LOAD, (double)permille / 10);
    pl_jetson_mhz(root, "sys/kernel/debug/bpmp/debug/clk/emc/rate", PL_SENSOR_CLOCK_MEMORY, d);
    pl_jetson_mhz(root, "sys/kernel/debug/bpmp/debug/clk/emc/max_rate", PL_SENSOR_CLOCK_MEMORY_MAX,
                  d);
}

/* Millidegrees below a thermal zone; parts that are switched off say -256 degrees or nothing. */
static bool pl_jetson_degrees(const struct pl_root *root, const char *path, double *ret)
{
    char text[32];
    int64_t n = 0;
    if (pl_read_line(root, path, text, sizeof(text), NULL) < 0 || !pl_parse_i64(text, &n) ||
        n <= -100000 || n > 1000000)
        return false;
    *ret = (double)n / 1e3;
    return true;
}

/* The lowest trip at which the kernel slows down (passive, else hot) and the one at which it
 * switches off (critical). "active" is the fan's. */
static void pl_jetson_trips(const struct pl_root *root, uint32_t zone, struct pl_device *d)
{
    double hot = 0;
    for (uint32_t i = 0; i < PL_JETSON_TRIPS_MAX; i++) {
        char path[96], type[32];
        double at = 0;
        (void)PL_FMT(path, "sys/class/thermal/thermal_zone%u/trip_point_%u_type", zone, i);
        if (pl_read_line(root, path, type, sizeof(type), NULL) < 0)
            break;
        (void)PL_FMT(path, "sys/class/thermal/thermal_zone%u/trip_point_%u_temp", zone, i);
        if (!pl_jetson_degrees(root, path, &at) || at <= 0)
            continue;
        enum pl_sensor_id id = pl_streq(type, "critical") ? PL_SENSOR_SHUTDOWN : PL_SENSOR_SLOWDOWN;
        if (pl_streq(type, "hot"))
            hot = hot > 0 && hot < at ? hot : at;
        else if ((pl_streq(type, "critical") || pl_streq(type, "passive")) &&
                 (!d->sensor[id].known || at < d->sensor[id].value))
            pl_drm_sensor_set(d, id, at);
    }
    if (hot > 0 && !d->sensor[PL_SENSOR_SLOWDOWN].known)
        pl_drm_sensor_set(d, PL_SENSOR_SLOWDOWN, hot);
}

void pl_jetson_heat(const struct pl_root *root, struct pl_device *d)
{
    static const char *const kinds[] = {"gpu", "tj"}; /* "GPU-therm", "gpu-thermal", "tj-thermal" */
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (uint32_t zone = 0; zone < PL_JETSON_ZONES_MAX; zone++) {
            char path[96], type[64];
            double now = 0;
            (void)PL_FMT(path, "sys/class/thermal/thermal_zone%u/type", zone);
            if (pl_read_line(root, path, type, sizeof(type), NULL) < 0)
                continue;
            for (char *s = type; *s != '\0'; s++)
                *s = (char)tolower((unsigned char)*s);
            (void)PL_FMT(path, "sys/class/thermal/thermal_zone%u/temp", zone);
            if (!pl_starts(type, kinds[k]) || !pl_jetson_degrees(root, path, &now))
                continue;
            if (!d->sensor[PL_SENSOR_TEMPERATURE].known)
                pl_drm_sensor_set(d, PL_SENSOR_TEMPERATURE, now);
            pl_jetson_trips(root, zone, d);
            if (d->sensor[PL_SENSOR_SLOWDOWN].known && !d->sensor[PL_SENSOR_MARGIN].known)
                pl_drm_sensor_set(d, PL_SENSOR_MARGIN, d->sensor[PL_SENSOR_SLOWDOWN].value - now);
            return;
        }
    }
}

/* A channel of an INA3221: millivolts times milliamperes. */
static bool pl_jetson_rail(const struct pl_root *root, uint32_t hwmon, uint32_t channel,
                           double *ret)
{
    /* the board's input: Orin and Xavier NX, Thor, Nano */
    static const char *const inputs[] = {"VDD_IN", "VIN", "POM_5V_IN"};
    char path[96], label[32];
    uint64_t mv = 0, ma = 0;
    bool input = false;
    (void)PL_FMT(path, "sys/class/hwmon/hwmon%u/in%u_label", hwmon, channel);
    if (pl_read_line(root, path, label, sizeof(label), NULL) < 0)
        return false;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
        input |= pl_streq(label, inputs[i]);
    if (!input)
        return false;
    (void)PL_FMT(path, "sys/class/hwmon/hwmon%u/in%u_input", hwmon, channel);
    if (pl_read_u64(root, path, &mv, NULL) < 0 || mv > 100000)
        return false;
    (void)PL_FMT(path, "sys/class/hwmon/hwmon%u/curr%u_input", hwmon, channel);
    if (pl_read_u64(root, path, &ma, NULL) < 0 || ma > 100000)
        return false;
    *ret = (double)mv * (double)ma / 1e6;
    return true;
}

void pl_jetson_power(const struct pl_root *root, struct pl_device *d)
{
    for (uint32_t h = 0; h < PL_JETSON_HWMON_MAX && !d->sensor[PL_SENSOR_POWER].known; h++) {
        char path[64], name[32];
        double watts = 0;
        (void)PL_FMT(path, "sys/class/hwmon/hwmon%u/name", h);
        if (pl_read_line(root, path, name, sizeof(name), NULL) < 0 || !pl_streq(name, "ina3221"))
            continue;
        for (uint32_t c = 1; c <= 3; c++) {
            if (pl_jetson_rail(root, h, c, &watts))
                pl_drm_sensor_set(d, PL_SENSOR_POWER, watts);
        }
    }
}

static void pl_jetson_fill(struct pl_device *d, enum pl_sensor_id id, bool known, double value)
{
    if (known && !d->sensor[id].known)
        pl_drm_sensor_set(d, id, value);
}

void pl_jetson_from_tegrastats(const struct pl_tegrastats *t, struct pl_device *d)
{
    const struct pl_tegra_temp *heat = pl_tegrastats_temp(t, "gpu");
    if (heat == NULL)
        heat = pl_tegrastats_temp(t, "tj");
    pl_jetson_fill(d, PL_SENSOR_LOAD, t->gpu_load.known, (double)t->gpu_load.value);
    pl_jetson_fill(d, PL_SENSOR_CLOCK, t->n_gpu_mhz > 0, (double)t->gpu_mhz[0]);
    pl_jetson_fill(d, PL_SENSOR_CLOCK_MEMORY, t->emc_mhz.known, (double)t->emc_mhz.value);
    pl_jetson_fill(d, PL_SENSOR_LOAD_MEMORY, t->emc_load.known, (double)t->emc_load.value);
    pl_jetson_fill(d, PL_SENSOR_TEMPERATURE, heat != NULL, heat != NULL ? heat->celsius : 0);
    for (uint32_t i = 0; i < t->n_rail; i++) {
        bool input = pl_streq(t->rail[i].name, "VDD_IN") || pl_streq(t->rail[i].name, "VIN") ||
                     pl_streq(t->rail[i].name, "POM_5V_IN");
        pl_jetson_fill(d, PL_SENSOR_POWER, input && t->rail[i].now_mw >= 0,
                       (double)t->rail[i].now_mw / 1e3);
    }
}
