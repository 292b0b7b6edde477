#include "domain/device.h"

const char *pl_vendor_name(enum pl_vendor vendor)
{
    static const char *const names[] = {"unknown", "nvidia", "amd", "intel"};
    return names[vendor];
}

const char *pl_device_kind_name(enum pl_device_kind kind)
{
    static const char *const names[] = {"discrete", "integrated", "slice"};
    return names[kind];
}

const char *pl_device_power_name(enum pl_device_power power)
{
    static const char *const names[] = {"unknown", "awake", "asleep", "lost"};
    return names[power];
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
