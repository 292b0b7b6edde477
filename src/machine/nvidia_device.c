/* What NVML's answers mean for one device. */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/nvidia.h"

#include <string.h>

/* Above these a number is a sentinel or damage, not a reading. */
#define PL_NVIDIA_BYTES_MAX (1ull << 50)
#define PL_NVIDIA_MILLIWATTS_MAX 100000000.0
#define PL_NVIDIA_MHZ_MAX 100000.0
#define PL_NVIDIA_CELSIUS_MAX 250.0

static bool pl_nvidia_ok(const struct pl_nvml_unit *u, enum pl_nvml_call_id id)
{
    return u->answer[id].asked && u->answer[id].code == PL_NVML_SUCCESS;
}

/* The state of an answer that is no value. A call that was never made leaves it open why. */
static enum pl_state pl_nvidia_state(const struct pl_nvml_answer *a)
{
    return a->asked ? pl_nvml_code_state(a->code) : PL_STATE_PLAIN;
}

static struct pl_sensor pl_nvidia_sensor(const struct pl_nvml_unit *u, enum pl_nvml_call_id id,
                                         int index, double scale, double most)
{
    const struct pl_nvml_answer *a = &u->answer[id];
    double value = (double)a->value[index];
    if (!pl_nvidia_ok(u, id) || value > most)
        return (struct pl_sensor){.state = pl_nvidia_state(a)};
    return (struct pl_sensor){.value = value * scale, .known = true};
}

/* Degrees left before the driver lowers the clocks: what it says itself (Ada and later), else what
 * is missing to the first of its thresholds. */
static struct pl_sensor pl_nvidia_margin(const struct pl_nvml_unit *u, const struct pl_device *d)
{
    const struct pl_nvml_answer *a = &u->answer[PL_NVML_MARGIN];
    int64_t margin = (int64_t)a->value[0];
    const struct pl_sensor *now = &d->sensor[PL_SENSOR_TEMPERATURE];
    const struct pl_sensor *slow = &d->sensor[PL_SENSOR_SLOWDOWN];
    if (pl_nvidia_ok(u, PL_NVML_MARGIN) && margin > -250 && margin < 250)
        return (struct pl_sensor){.value = (double)margin, .known = true};
    struct pl_sensor first =
        pl_nvidia_sensor(u, PL_NVML_THRESHOLD_GPU, 0, 1, PL_NVIDIA_CELSIUS_MAX);
    if (slow->known && (!first.known || slow->value < first.value))
        first = *slow;
    if (!first.known || !now->known)
        return (struct pl_sensor){.state = pl_nvidia_state(a)};
    return (struct pl_sensor){.value = first.value - now->value, .known = true};
}

static void pl_nvidia_sensors(const struct pl_nvml_unit *u, struct pl_device *d)
{
    static const struct {
        enum pl_sensor_id sensor;
        enum pl_nvml_call_id call;
        int index;
        double scale, most;
    } row[] = {
        {PL_SENSOR_TEMPERATURE,      PL_NVML_TEMPERATURE,        0, 1,    PL_NVIDIA_CELSIUS_MAX   },
        {PL_SENSOR_SLOWDOWN,         PL_NVML_THRESHOLD_SLOWDOWN, 0, 1,    PL_NVIDIA_CELSIUS_MAX   },
        {PL_SENSOR_SHUTDOWN,         PL_NVML_THRESHOLD_SHUTDOWN, 0, 1,    PL_NVIDIA_CELSIUS_MAX   },
        {PL_SENSOR_POWER,            PL_NVML_POWER,              0, 1e-3, PL_NVIDIA_MILLIWATTS_MAX},
        {PL_SENSOR_POWER_LIMIT,      PL_NVML_POWER_LIMIT,        0, 1e-3, PL_NVIDIA_MILLIWATTS_MAX},
        {PL_SENSOR_POWER_DEFAULT,    PL_NVML_POWER_DEFAULT,      0, 1e-3, PL_NVIDIA_MILLIWATTS_MAX},
        {PL_SENSOR_POWER_MAX,        PL_NVML_POWER_RANGE,        1, 1e-3, PL_NVIDIA_MILLIWATTS_MAX},
        {PL_SENSOR_CLOCK,            PL_NVML_CLOCK_GRAPHICS,     0, 1,    PL_NVIDIA_MHZ_MAX       },
        {PL_SENSOR_CLOCK_MAX,        PL_NVML_CLOCK_GRAPHICS_MAX, 0, 1,    PL_NVIDIA_MHZ_MAX       },
        {PL_SENSOR_CLOCK_MEMORY,     PL_NVML_CLOCK_MEMORY,       0, 1,    PL_NVIDIA_MHZ_MAX       },
        {PL_SENSOR_CLOCK_MEMORY_MAX, PL_NVML_CLOCK_MEMORY_MAX,   0, 1,    PL_NVIDIA_MHZ_MAX       },
        {PL_SENSOR_LOAD,             PL_NVML_UTILIZATION,        0, 1,    100                     },
        {PL_SENSOR_LOAD_MEMORY,      PL_NVML_UTILIZATION,        1, 1,    100                     },
        {PL_SENSOR_PCIE_GENERATION,  PL_NVML_LINK_GENERATION,    0, 1,    16                      },
        {PL_SENSOR_PCIE_WIDTH,       PL_NVML_LINK_WIDTH,         0, 1,    64                      },
        {PL_SENSOR_BUS_WIDTH,        PL_NVML_BUS_WIDTH,          0, 1,    65536                   },
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        d->sensor[row[i].sensor] =
            pl_nvidia_sensor(u, row[i].call, row[i].index, row[i].scale, row[i].most);
    d->sensor[PL_SENSOR_MARGIN] = pl_nvidia_margin(u, d);
}

/* Two transfers per cycle of the memory clock as NVML counts it, whatever the kind of memory: GDDR5
 * 4004 MHz x 256 bits = 256 GB/s, GDDR6X 9501 x 320 = 760, HBM3 2619 x 5120 = 3352, as sold. */
static void pl_nvidia_bandwidth(struct pl_device *d)
{
    const struct pl_sensor *clock = &d->sensor[PL_SENSOR_CLOCK_MEMORY_MAX];
    const struct pl_sensor *bus = &d->sensor[PL_SENSOR_BUS_WIDTH];
    d->bandwidth = (struct pl_rate){.why = "the driver does not tell memory clock and bus width"};
    if (!clock->known || !bus->known || clock->value < 1 || bus->value < 1)
        return;
    double rate = clock->value * 1e6 * 2 * bus->value / 8;
    d->bandwidth = (struct pl_rate){rate,           rate,
                                    rate,           PL_SOURCE_DERIVED,
                                    PL_STATE_PLAIN, "highest memory clock x 2 x bus width / 8"};
}

/* Codes that say the device is gone, whichever call got them. */
static enum pl_device_power pl_nvidia_power(const struct pl_nvml_unit *u)
{
    for (int i = 0; i < PL_NVML_CALLS; i++) {
        int code = u->answer[i].code;
        if (u->answer[i].asked && (code == PL_NVML_GPU_IS_LOST || code == PL_NVML_RESET_REQUIRED))
            return PL_POWER_LOST;
    }
    enum pl_nvml_call_id handle = u->slice < 0 ? PL_NVML_HANDLE : PL_NVML_MIG_HANDLE;
    return pl_nvidia_ok(u, handle) ? PL_POWER_AWAKE : PL_POWER_UNKNOWN;
}

static void pl_nvidia_display(const struct pl_nvml_unit *u, struct pl_device *d)
{
    enum pl_nvml_call_id id =
        pl_nvidia_ok(u, PL_NVML_DISPLAY_ACTIVE) ? PL_NVML_DISPLAY_ACTIVE : PL_NVML_DISPLAY_MODE;
    d->display_known = pl_nvidia_ok(u, id);
    d->display = d->display_known && u->answer[id].value[0] == 1;
}

void pl_nvidia_device(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u, bool wsl,
                      struct pl_device *d)
{
    const struct pl_nvml_answer *x = u->answer;
    d->vendor = PL_VENDOR_NVIDIA;
    d->kind = u->slice < 0 ? PL_DEVICE_DISCRETE : PL_DEVICE_SLICE;
    d->power = pl_nvidia_power(u);
    (void)PL_FMT(d->name, "%s", u->name);
    (void)PL_FMT(d->uuid, "%s", u->uuid);
    (void)PL_FMT(d->driver, "nvidia");
    (void)PL_FMT(d->driver_version, "%s", a->driver_version);
    uint64_t cuda = a->system[PL_NVML_CUDA_VERSION].value[0]; /* 13020 is 13.2 */
    if (cuda > 0 && cuda < 1000000)
        (void)PL_FMT(d->runtime, "CUDA %u.%u", (unsigned)(cuda / 1000),
                     (unsigned)(cuda % 1000 / 10));
    if (pl_nvidia_ok(u, PL_NVML_PCI)) {
        const uint64_t *v = x[PL_NVML_PCI].value;
        (void)PL_FMT(d->pci, "%04x:%02x:%02x.0", (unsigned)(v[0] & 0xffffffff),
                     (unsigned)(v[1] & 0xff), (unsigned)(v[2] & 0x1f));
        if ((v[3] & 0xffff) == 0x10de) /* else it is masked or made up */
            (void)PL_FMT(d->pci_id, "10de:%04x", (unsigned)(v[3] >> 16 & 0xffff));
    }
    if (pl_nvidia_ok(u, PL_NVML_COMPUTE_CAPABILITY) &&
        x[PL_NVML_COMPUTE_CAPABILITY].value[0] < 100 &&
        x[PL_NVML_COMPUTE_CAPABILITY].value[1] < 100) {
        unsigned major = (unsigned)x[PL_NVML_COMPUTE_CAPABILITY].value[0];
        (void)PL_FMT(d->compute_capability, "%u.%u", major,
                     (unsigned)x[PL_NVML_COMPUTE_CAPABILITY].value[1]);
        d->bf16_known = true;
        d->bf16 = major >= 8; /* CUDA programming guide, "Arithmetic Instructions" */
    }
    if (pl_nvidia_ok(u, PL_NVML_PSTATE) && x[PL_NVML_PSTATE].value[0] < 16)
        (void)PL_FMT(d->pstate, "P%u", (unsigned)x[PL_NVML_PSTATE].value[0]);
    enum pl_nvml_call_id reasons =
        pl_nvidia_ok(u, PL_NVML_REASONS) ? PL_NVML_REASONS : PL_NVML_REASONS_OLD;
    if (pl_nvidia_ok(u, reasons))
        pl_nvml_reasons_text(x[reasons].value[0], d->throttle, sizeof(d->throttle));
    /* there is no such model on Linux, but for the stand-in of WSL */
    d->wddm =
        wsl || (pl_nvidia_ok(u, PL_NVML_DRIVER_MODEL) && x[PL_NVML_DRIVER_MODEL].value[0] == 0);
    pl_nvidia_display(u, d);
    pl_nvidia_sensors(u, d);
    pl_nvidia_bandwidth(d);
    d->nominal = PL_QUANTITY_UNKNOWN("not looked up in the device data");
    d->visible = PL_UNREAD(PL_STATE_NOT_ASKED, "needs a CUDA context");
    d->fp16 = d->int8 = (struct pl_rate){.why = "not looked up in the device data"};
}

/* Chips whose device shares the machine's memory, by the words of their names. NVML says "not
 * supported" or 0 for the memory of most; an N1X was seen to tell 8128 MiB of many more. */
static bool pl_nvidia_shared_name(const char *name)
{
    static const char *const words[] = {"GB10", "N1X", "Orin", "Thor", "Xavier", "Tegra"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);
        for (const char *s = name; (s = strstr(s, words[i])) != NULL; s += n) {
            if ((s == name || s[-1] == ' ') && (s[n] == '\0' || s[n] == ' '))
                return true;
        }
    }
    return false;
}

static void pl_nvidia_memory_unread(struct pl_device *d, enum pl_state state, const char *why)
{
    d->total = d->reserved = d->used = d->available = PL_UNREAD(state, why);
}

bool pl_nvidia_memory(const struct pl_nvml_unit *u, struct pl_device *d)
{
    static const char source[] = "NVML: memory of the device";
    const struct pl_nvml_answer *v2 = &u->answer[PL_NVML_MEMORY_V2];
    const struct pl_nvml_answer *v1 = &u->answer[PL_NVML_MEMORY];
    bool two = pl_nvidia_ok(u, PL_NVML_MEMORY_V2), one = pl_nvidia_ok(u, PL_NVML_MEMORY);
    uint64_t total = two ? v2->value[0] : v1->value[0];
    uint64_t spare = two ? v2->value[2] : v1->value[1];
    uint64_t used = two ? v2->value[3] : v1->value[2];
    int code = v1->asked ? v1->code : v2->code;
    bool told = two || one;
    bool none = told ? total == 0 : (v1->asked || v2->asked) && code == PL_NVML_NOT_SUPPORTED;
    if (u->slice < 0 && (none || pl_nvidia_shared_name(u->name))) {
        pl_nvidia_memory_unread(d, PL_STATE_UNSUPPORTED, "shares the machine's memory");
        return false;
    }
    if (!told) {
        pl_nvidia_memory_unread(d, pl_nvml_code_state(code),
                                v1->asked || v2->asked ? pl_nvml_code_text(code)
                                                       : "the driver was not heard to the end");
        return true;
    }
    if (total == 0 || total > PL_NVIDIA_BYTES_MAX || spare > total || used > total ||
        (two && v2->value[1] > total)) {
        pl_nvidia_memory_unread(d, PL_STATE_PLAIN, "the driver's numbers contradict each other");
        return true;
    }
    d->total = pl_exact(total, PL_SOURCE_MEASURED, source);
    d->available = pl_exact(spare, PL_SOURCE_MEASURED, "NVML: free memory of the device");
    d->used = pl_exact(used, PL_SOURCE_MEASURED,
                       two ? source : "NVML: used memory, the driver's own included");
    d->reserved =
        two ? pl_exact(v2->value[1], PL_SOURCE_MEASURED, source)
            : PL_UNREAD(PL_STATE_UNSUPPORTED, "this driver counts its own memory as used");
    return true;
}
