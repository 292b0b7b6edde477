/* What NVIDIA's management library (NVML) says, as raw answers in text.
 *
 * The library may hang, crash or take seconds, so it is opened only in a short-lived child: the
 * program itself, started again with the words "_sample nvml". The child writes one line per call,
 * the moment the call returns; the parent reads them, kills a child that takes too long, and
 * interprets. A capture keeps the same text as the file PL_NVML_FILE, which a replay reads instead.
 *
 *   plimsoll-nvml 1                                      format and its version
 *   library /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1  which one answered
 *   - nvmlInit_v2 0                                      UNIT CALL CODE [ANSWER...]
 *   - nvmlDeviceGetCount_v2 0 1
 *   0 nvmlDeviceGetName 0 NVIDIA GeForce RTX 3080
 *   0 nvmlDeviceGetMemoryInfo_v2 0 10737418240 416284672 692060160 9630121984
 *   0 nvmlDeviceGetClockInfo(2) 0 9501                   (2): the argument after the device
 *   0 nvmlDeviceGetMPSComputeRunningProcesses_v3 3       not supported: no answer
 *   0 process compute 4242 1073741824 4294967295 4294967295 /usr/bin/llama-server
 *   0.1 nvmlDeviceGetUUID 0 MIG-...                      second MIG instance of device 0
 *   end                                                  absent when the child was cut short
 *
 * UNIT is "-" for the library, a device's index in NVML's order (PCI bus order), or that with a MIG
 * index. CALL is the function, CODE what it returned (nvmlReturn_t; PL_NVML_NO_SYMBOL when this
 * library does not have it). Numbers are unsigned decimals in the order of NVML's structures,
 * temperatures of margin signed. Lines that are none of these are skipped and counted. */
#ifndef PL_MACHINE_NVML_H
#define PL_MACHINE_NVML_H

#include "base/err.h"
#include "base/str.h"
#include "domain/machine.h"
#include "sys/root.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_NVML_FILE "plimsoll/nvml.txt" /* in a capture */
#define PL_NVML_TEXT_MAX (1024u * 1024u)
#define PL_NVML_DEVICES_MAX 32
#define PL_NVML_SLICES_MAX 16 /* of one device; NVML itself has at most 8 */
#define PL_NVML_UNITS_MAX 72  /* eight devices with eight slices each */
#define PL_NVML_VALUES_MAX 4
#define PL_NVML_NO_SYMBOL (-1)

/* Codes of NVML that are told apart (nvmlReturn_t). */
#define PL_NVML_SUCCESS 0
#define PL_NVML_NOT_SUPPORTED 3
#define PL_NVML_NO_PERMISSION 4
#define PL_NVML_INSUFFICIENT_SIZE 7
#define PL_NVML_DRIVER_NOT_LOADED 9
#define PL_NVML_FUNCTION_NOT_FOUND 13
#define PL_NVML_GPU_IS_LOST 15
#define PL_NVML_RESET_REQUIRED 16
#define PL_NVML_OPERATING_SYSTEM 17
#define PL_NVML_VERSION_MISMATCH 25
#define PL_NVML_DEPRECATED 26

/* Every call, in the order of pl_nvml_calls. */
enum pl_nvml_call_id {
    PL_NVML_INIT = 0,
    PL_NVML_DRIVER_VERSION,
    PL_NVML_CUDA_VERSION, /* 1000 * major + 10 * minor */
    PL_NVML_COUNT,
    PL_NVML_HANDLE,
    PL_NVML_NAME,
    PL_NVML_UUID,
    PL_NVML_PCI,       /* domain, bus, device, device id << 16 | vendor id */
    PL_NVML_MEMORY_V2, /* total, reserved, free, used */
    PL_NVML_MEMORY,    /* total, free, used; used includes reserved */
    PL_NVML_MIG_MODE,  /* current, pending */
    PL_NVML_MIG_COUNT, /* the most instances */
    PL_NVML_MIG_HANDLE,
    PL_NVML_GPU_INSTANCE,
    PL_NVML_COMPUTE_INSTANCE,
    PL_NVML_ATTRIBUTES, /* multiprocessors, GPU slices, compute slices, MiB */
    PL_NVML_COMPUTE_CAPABILITY,
    PL_NVML_ARCHITECTURE,
    PL_NVML_DRIVER_MODEL, /* current, pending; 0 = WDDM */
    PL_NVML_DISPLAY_ACTIVE,
    PL_NVML_DISPLAY_MODE,
    PL_NVML_BUS_WIDTH, /* bits */
    PL_NVML_PSTATE,
    PL_NVML_CLOCK_GRAPHICS, /* MHz, as the three below */
    PL_NVML_CLOCK_MEMORY,
    PL_NVML_CLOCK_GRAPHICS_MAX,
    PL_NVML_CLOCK_MEMORY_MAX,
    PL_NVML_REASONS,     /* bits: what keeps the clocks down */
    PL_NVML_REASONS_OLD, /* the same call under its older name */
    PL_NVML_POWER,       /* milliwatts, as all of power */
    PL_NVML_POWER_LIMIT, /* enforced */
    PL_NVML_POWER_DEFAULT,
    PL_NVML_POWER_RANGE, /* least, most */
    PL_NVML_TEMPERATURE, /* degrees Celsius */
    PL_NVML_THRESHOLD_SHUTDOWN,
    PL_NVML_THRESHOLD_SLOWDOWN,
    PL_NVML_THRESHOLD_MEMORY,
    PL_NVML_THRESHOLD_GPU, /* above it clocks may fall below the base clock */
    PL_NVML_MARGIN,        /* degrees left, signed */
    PL_NVML_UTILIZATION,   /* per cent: compute, memory bus */
    PL_NVML_LINK_GENERATION,
    PL_NVML_LINK_WIDTH,
    PL_NVML_PROCESSES_COMPUTE, /* how many; the names end in _v3, _v2 or nothing */
    PL_NVML_PROCESSES_GRAPHICS,
    PL_NVML_PROCESSES_MPS,
    PL_NVML_CALLS,
};

/* How a call is made. */
enum pl_nvml_shape {
    PL_NVML_SPECIAL = 0, /* nvml_call.c knows */
    PL_NVML_UINTS,       /* (device, unsigned *, ...): `values` of them, at most two */
    PL_NVML_STRUCT,      /* (device, unsigned *): a structure of `values` unsigned */
    PL_NVML_UINT_OF,     /* (device, argument, unsigned *) */
    PL_NVML_ULLONG,      /* (device, unsigned long long *) */
    PL_NVML_TEXT,        /* (device, char *, length) */
    PL_NVML_LIST,        /* a list of processes */
};

struct pl_nvml_call {
    const char *symbol; /* of the library */
    enum pl_nvml_shape shape;
    int argument;   /* after the device; -1 = none */
    uint8_t values; /* numbers of an answer */
    bool slice;     /* asked of MIG instances too */
};

extern const struct pl_nvml_call pl_nvml_calls[PL_NVML_CALLS];

/* "nvmlDeviceGetClockInfo(2)". Returns out. */
#define PL_NVML_CALL_TEXT_MAX 64
const char *pl_nvml_call_text(enum pl_nvml_call_id id, char out[PL_NVML_CALL_TEXT_MAX]);

/* ------------------------------------------------------------------ answers, parsed */

struct pl_nvml_answer {
    bool asked;
    int code;
    uint64_t value[PL_NVML_VALUES_MAX]; /* valid when code is PL_NVML_SUCCESS */
};

struct pl_nvml_unit {
    int device, slice; /* slice -1 = the device itself */
    struct pl_nvml_answer answer[PL_NVML_CALLS];
    char name[96], uuid[80];
};

#define PL_NVML_NOT_AVAILABLE UINT64_MAX /* usedGpuMemory where Windows manages the memory */

struct pl_nvml_process {
    uint32_t unit; /* index in `unit` */
    bool graphics; /* in the list of those that draw */
    uint32_t pid;
    uint64_t used; /* bytes, or PL_NVML_NOT_AVAILABLE */
    char name[64]; /* cleaned; "" = not said */
};

struct pl_nvml_answers {
    bool complete;     /* ends with "end" */
    char library[256]; /* "" = none could be opened */
    char failure[128]; /* why not */
    char driver_version[64];
    struct pl_nvml_answer system[PL_NVML_HANDLE]; /* of the library itself */
    struct pl_nvml_unit unit[PL_NVML_UNITS_MAX];
    uint32_t n_unit;
    struct pl_nvml_process process[PL_HOLDINGS_MAX];
    uint32_t n_process;
    uint32_t skipped; /* lines that are no answers, or beyond the limits above */
    char last[96];    /* the last line that was understood, for messages; cleaned */
};

/* Parses any text: what is no answer is skipped. False when the first line is not the format's:
 * then nothing is known. *ret is large: not on the stack. */
bool pl_nvml_parse(const char *text, size_t len, struct pl_nvml_answers *ret);

/* The unit, or NULL. */
const struct pl_nvml_unit *pl_nvml_unit(const struct pl_nvml_answers *a, int device, int slice);

/* A code in words: "not supported", "no permission", "the device is lost" ... Static. */
const char *pl_nvml_code_text(int code);

/* The state a code stands for; PL_STATE_PLAIN for success and for failures of another kind. */
enum pl_state pl_nvml_code_state(int code);

/* Bits of PL_NVML_REASONS as words, "idle, software power cap"; "none" for 0. */
void pl_nvml_reasons_text(uint64_t bits, char *out, size_t size);

/* ------------------------------------------------------------------ asking */

/* In the child only: opens the library and writes every answer to fd, line by line. The library's
 * own output must have been led elsewhere. Returns 0, or -errno of a failed write. */
int pl_nvml_call(int fd);

/* In the parent: starts `program` (its path) with "_sample nvml" and takes what it says into *out,
 * which it initialises (end with pl_str_done, on failure too). Waits at most
 * $PLIMSOLL_NVML_TIMEOUT_MS, by default PL_NVML_TIMEOUT_MS. -ETIMEDOUT: the child was killed, what
 * it had said is in *out; -EIO: it crashed, likewise. */
#define PL_NVML_TIMEOUT_MS 5000
int pl_nvml_sample(const char *program, struct pl_str *out, uint64_t *ret_ms, struct pl_err *err);

#endif
