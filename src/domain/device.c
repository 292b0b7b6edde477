#include "domain/device.h"

#include "base/str.h"

static const char *const pl_vendor_names[] = {"unknown", "nvidia", "amd", "intel"};
static const char *const pl_kind_names[] = {"discrete", "integrated", "slice"};
static const char *const pl_power_names[] = {"unknown", "awake", "asleep", "lost"};

const char *pl_vendor_name(enum pl_vendor vendor)
{
    return pl_vendor_names[vendor];
}

const char *pl_device_kind_name(enum pl_device_kind kind)
{
    return pl_kind_names[kind];
}

const char *pl_device_power_name(enum pl_device_power power)
{
    return pl_power_names[power];
}

/* Index of the word among n, or -1. */
static int pl_device_word(const char *word, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        if (pl_streq(word, names[i]))
            return i;
    }
    return -1;
}

bool pl_vendor_of(const char *name, enum pl_vendor *ret)
{
    int i = pl_device_word(name, pl_vendor_names, PL_VENDOR_INTEL + 1);
    if (i >= 0)
        *ret = (enum pl_vendor)i;
    return i >= 0;
}

bool pl_device_kind_of(const char *name, enum pl_device_kind *ret)
{
    int i = pl_device_word(name, pl_kind_names, PL_DEVICE_SLICE + 1);
    if (i >= 0)
        *ret = (enum pl_device_kind)i;
    return i >= 0;
}

bool pl_device_power_of(const char *name, enum pl_device_power *ret)
{
    int i = pl_device_word(name, pl_power_names, PL_POWER_LOST + 1);
    if (i >= 0)
        *ret = (enum pl_device_power)i;
    return i >= 0;
}

const char *pl_sensor_name(enum pl_sensor_id id)
{
    static const char *const names[PL_SENSORS] = {
        [PL_SENSOR_TEMPERATURE] = "temperature_celsius",
        [PL_SENSOR_SLOWDOWN] = "slowdown_celsius",
        [PL_SENSOR_SHUTDOWN] = "shutdown_celsius",
        [PL_SENSOR_MARGIN] = "margin_celsius",
        [PL_SENSOR_POWER] = "power_watts",
        [PL_SENSOR_POWER_LIMIT] = "power_limit_watts",
        [PL_SENSOR_POWER_DEFAULT] = "power_default_watts",
        [PL_SENSOR_POWER_MAX] = "power_max_watts",
        [PL_SENSOR_CLOCK] = "clock_mhz",
        [PL_SENSOR_CLOCK_MAX] = "clock_max_mhz",
        [PL_SENSOR_CLOCK_MEMORY] = "memory_clock_mhz",
        [PL_SENSOR_CLOCK_MEMORY_MAX] = "memory_clock_max_mhz",
        [PL_SENSOR_LOAD] = "load_percent",
        [PL_SENSOR_LOAD_MEMORY] = "memory_load_percent",
        [PL_SENSOR_PCIE_GENERATION] = "pcie_generation",
        [PL_SENSOR_PCIE_WIDTH] = "pcie_width",
        [PL_SENSOR_BUS_WIDTH] = "memory_bus_bits",
    };
    return names[id];
}
