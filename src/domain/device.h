/* A device that can run models: a graphics processor, a slice of one, the graphics part of a chip.
 * Plain values, filled by the probes of src/machine. */
#ifndef PL_DOMAIN_DEVICE_H
#define PL_DOMAIN_DEVICE_H

#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_DEVICES_MAX 32
#define PL_DEVICE_PARTS_MAX 8

enum pl_vendor { PL_VENDOR_UNKNOWN = 0, PL_VENDOR_NVIDIA, PL_VENDOR_AMD, PL_VENDOR_INTEL };

enum pl_device_kind {
    PL_DEVICE_DISCRETE = 0, /* memory of its own */
    PL_DEVICE_INTEGRATED,   /* shares the machine's memory */
    PL_DEVICE_SLICE,        /* MIG: a part of another device, with memory of its own */
};

/* Whether it answers. A sleeping one was not woken: its sensors are PL_STATE_ASLEEP. */
enum pl_device_power { PL_POWER_UNKNOWN = 0, PL_POWER_AWAKE, PL_POWER_ASLEEP, PL_POWER_LOST };

/* One reading that is no amount of memory. */
enum pl_sensor_id {
    PL_SENSOR_TEMPERATURE = 0,  /* degrees Celsius */
    PL_SENSOR_SLOWDOWN,         /* degrees Celsius: where it slows itself down */
    PL_SENSOR_SHUTDOWN,         /* degrees Celsius */
    PL_SENSOR_MARGIN,           /* degrees left until it slows down */
    PL_SENSOR_POWER,            /* watts now */
    PL_SENSOR_POWER_LIMIT,      /* watts enforced */
    PL_SENSOR_POWER_DEFAULT,    /* watts as shipped */
    PL_SENSOR_POWER_MAX,        /* watts the limit may be raised to */
    PL_SENSOR_CLOCK,            /* MHz, compute */
    PL_SENSOR_CLOCK_MAX,        /* MHz */
    PL_SENSOR_CLOCK_MEMORY,     /* MHz */
    PL_SENSOR_CLOCK_MEMORY_MAX, /* MHz */
    PL_SENSOR_LOAD,             /* per cent, compute */
    PL_SENSOR_LOAD_MEMORY,      /* per cent, memory bus */
    PL_SENSOR_PCIE_GENERATION,  /* of the link now */
    PL_SENSOR_PCIE_WIDTH,       /* lanes of the link now */
    PL_SENSOR_BUS_WIDTH,        /* bits of the memory bus */
    PL_SENSORS,
};

struct pl_sensor {
    double value;
    bool known;
    enum pl_state state; /* why it is unknown, or PL_STATE_STALE */
    bool declared;       /* by the device data, not read from the device */
};

struct pl_device {
    char id[32];     /* "gpu0"; a slice "gpu0.1" */
    char pool[32];   /* the pool its memory is taken from; "" = unknown */
    char parent[32]; /* a slice's device; "" otherwise */
    enum pl_vendor vendor;
    enum pl_device_kind kind;
    enum pl_device_power power;
    char name[96];   /* as the driver says */
    char row[40];    /* id in the device data (`plimsoll assess --explain`); "" = not recognised */
    char pci[24];    /* "0000:01:00.0"; "" = not on that bus */
    char pci_id[24]; /* "10de:2684", with ":rev" on AMD */
    char uuid[80];
    char driver[32], driver_version[64];
    char runtime[32];            /* the newest the driver serves, "CUDA 13.2"; "" = unknown */
    char compute_capability[16]; /* "8.9", "gfx1151"; "" = unknown */
    char pstate[8];              /* "P8"; "" = unknown */
    char mode[64];               /* power mode of the board, "MAXN_SUPER"; "" = unknown */
    char throttle[160];          /* reasons as words, comma separated; "none"; "" = unknown */
    bool display_known, display; /* a screen is attached */
    bool wddm;                   /* Windows manages its memory: totals of processes are not known */
    struct pl_quantity nominal;  /* as sold: the device data */
    struct pl_quantity total;    /* as the driver says */
    struct pl_quantity reserved; /* by driver and firmware */
    struct pl_quantity used;     /* by programs */
    struct pl_quantity visible;  /* total as the runtime (CUDA, HIP) sees it; from --probe-alloc */
    struct pl_quantity available;
    struct pl_rate bandwidth;  /* bytes per second: declared, or derived from clock and bus width */
    struct pl_rate fp16, int8; /* operations per second, dense; declared */
    bool bf16_known, bf16;     /* native bfloat16 */
    struct pl_sensor sensor[PL_SENSORS];
};

const char *pl_vendor_name(enum pl_vendor vendor);         /* "nvidia", "amd", "intel", "unknown" */
const char *pl_device_kind_name(enum pl_device_kind kind); /* "discrete" ... */
const char *pl_device_power_name(enum pl_device_power power); /* "awake", "asleep" ... */
const char *pl_sensor_name(enum pl_sensor_id id); /* "temperature_celsius" ... as in JSON */

/* The inverse of the above; false, with *ret untouched, for other words. */
bool pl_vendor_of(const char *name, enum pl_vendor *ret);
bool pl_device_kind_of(const char *name, enum pl_device_kind *ret);
bool pl_device_power_of(const char *name, enum pl_device_power *ret);

#endif
