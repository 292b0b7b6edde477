/* A failure as a log tells it: which engine, which device, which numbers, of which kind. Plain
 * values; src/why fills them from text. */
#ifndef PL_DOMAIN_OOM_H
#define PL_DOMAIN_OOM_H

#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_OOM_NAME_MAX 32
#define PL_OOM_TEXT_MAX 256
#define PL_OOM_LINE_MAX 400 /* of an evidence line, as shown */
#define PL_OOM_LINES_MAX 8
#define PL_OOM_OTHERS_MAX 8
#define PL_OOM_REQUESTS_MAX 8

enum pl_oom_number {
    PL_OOM_REQUESTED = 0, /* what could not be had */
    PL_OOM_FREE,
    PL_OOM_TOTAL,
    PL_OOM_ALLOCATED, /* held by the program's own allocator, in use */
    PL_OOM_RESERVED,  /* held by it, used or not */
    PL_OOM_RESERVED_UNALLOCATED,
    PL_OOM_CACHED,
    PL_OOM_PRIVATE_POOLS,
    PL_OOM_PROCESS_IN_USE,
    PL_OOM_OTHER,   /* held by others */
    PL_OOM_ALLOWED, /* a limit the program set itself */
    PL_OOM_LIMIT,   /* any other limit: of a control group, a buffer, locked memory */
    PL_OOM_USED,
    PL_OOM_ANON_RSS,
    PL_OOM_FILE_RSS,
    PL_OOM_SHMEM_RSS,
    PL_OOM_TOTAL_VM,
    PL_OOM_MAX_SEQ_LEN, /* tokens, not bytes, from here on */
    PL_OOM_KV_TOKENS,
    PL_OOM_PRESSURE_PCT, /* hundredths of a percent, from here on */
    PL_OOM_LIMIT_PCT,
    PL_OOM_NUMBERS,
};
#define PL_OOM_FIRST_COUNT PL_OOM_MAX_SEQ_LEN
#define PL_OOM_FIRST_PERCENT PL_OOM_PRESSURE_PCT

enum pl_oom_class {
    PL_OOM_UNKNOWN = 0,      /* no failure was recognised */
    PL_OOM_CAPACITY,         /* the memory is really short */
    PL_OOM_NOT_CAPACITY,     /* enough is free, and still refused: cause not known from the text */
    PL_OOM_FRAGMENTATION,    /* the program holds enough, in pieces that do not serve */
    PL_OOM_ALLOCATION_LIMIT, /* one allocation is larger than the device or driver takes */
    PL_OOM_PROCESS_LIMIT,    /* a share or limit set for this process */
    PL_OOM_SHARED_LIMIT,   /* of a shared memory the driver offers only a part (GTT, working set) */
    PL_OOM_OVERSUBSCRIBED, /* the driver let it take more than the device has, then failed */
    PL_OOM_ACCOUNTING,     /* the driver's figures contradict each other */
    PL_OOM_ADDRESS_SPACE,  /* RLIMIT_AS, commit limit of Windows */
    PL_OOM_LOCKED_LIMIT,   /* RLIMIT_MEMLOCK */
    PL_OOM_PINNED,         /* page-locked host memory for a device */
    PL_OOM_CONTIGUOUS,     /* physically contiguous memory (CMA) */
    PL_OOM_CGROUP,         /* the control group's limit, the kernel killed */
    PL_OOM_KERNEL,         /* the whole machine was short, the kernel killed */
    PL_OOM_USERSPACE_KILLER, /* systemd-oomd and its like, by pressure */
    PL_OOM_KILLED,           /* killed by signal 9, by whom is not said */
    PL_OOM_KV_TOO_SMALL,     /* what is left for the cache does not hold the context asked for */
    PL_OOM_CLAIM,            /* the share of memory claimed at the start is not free */
    PL_OOM_ADMISSION,        /* refused beforehand by the engine's own estimate */
    PL_OOM_OFFLOAD,          /* it would fit only partly on the device */
    PL_OOM_SIZING_BUG,       /* the size asked for is impossible: a fault, not a shortage */
    PL_OOM_CONTEXT,          /* the request or setting exceeds the context: no memory failure */
    PL_OOM_MISSING_FILE,
    PL_OOM_BAD_FILE, /* the model file is damaged or of a kind the engine does not know */
    PL_OOM_PORT_TAKEN,
    PL_OOM_DISK_FULL,
    PL_OOM_DRIVER, /* driver or device missing or broken */
    PL_OOM_USAGE,  /* a flag the program does not know */
    PL_OOM_CRASH,  /* a fault of the program: not memory */
    PL_OOM_CLASSES,
};

enum pl_oom_phase {
    PL_OOM_PHASE_UNKNOWN = 0,
    PL_OOM_PHASE_WEIGHTS,
    PL_OOM_PHASE_KV,
    PL_OOM_PHASE_COMPUTE,
    PL_OOM_PHASE_GRAPH_CAPTURE,
    PL_OOM_PHASE_STARTUP,
    PL_OOM_PHASE_RUNNING,
    PL_OOM_PHASES,
};

/* Is the memory really short? */
enum pl_oom_short { PL_OOM_SHORT_UNKNOWN = 0, PL_OOM_SHORT_YES, PL_OOM_SHORT_NO };

enum pl_oom_confidence { PL_OOM_LOW = 0, PL_OOM_MEDIUM, PL_OOM_HIGH };

struct pl_oom_other {
    uint64_t pid; /* 0 = not said */
    struct pl_quantity bytes;
};

struct pl_oom {
    char engine[PL_OOM_NAME_MAX];   /* "torch", "llama.cpp", "kernel" ...; "" = not recognised */
    char backend[PL_OOM_NAME_MAX];  /* "cuda", "vulkan" ...; "" = not said */
    char platform[PL_OOM_NAME_MAX]; /* "jetson", "wsl", "windows", "container"; "" = not said */
    enum pl_oom_class class;
    enum pl_oom_phase phase;
    enum pl_oom_short is_short;
    enum pl_oom_confidence confidence;
    bool fatal;     /* false: a look-alike that the program survives */
    bool generic;   /* no rule of an engine matched: words and sizes were read as they stand */
    int32_t device; /* -1 = not said */
    struct pl_quantity n[PL_OOM_NUMBERS];
    struct pl_quantity request[PL_OOM_REQUESTS_MAX]; /* every request that failed, in order */
    uint32_t n_request;
    struct pl_oom_other other[PL_OOM_OTHERS_MAX];
    uint32_t n_other;
    uint64_t impossible;           /* a size no machine has (a sentinel); 0 = none */
    char process[PL_OOM_TEXT_MAX]; /* program that failed or was killed; "" = not said */
    char group[PL_OOM_TEXT_MAX];   /* control group or container */
    char model[PL_OOM_TEXT_MAX];   /* model the log names */
    char node[PL_OOM_TEXT_MAX];    /* operation, file or port that failed */
    char evidence[PL_OOM_LINES_MAX][PL_OOM_LINE_MAX];
    uint64_t line[PL_OOM_LINES_MAX]; /* 1-based */
    uint32_t n_evidence;
    char why[PL_OOM_LINE_MAX]; /* the figures that decided the class; "" = the words alone */
};

/* As in JSON: "reserved_unallocated", "allocation_limit", "graph_capture", "yes". */
const char *pl_oom_number_name(enum pl_oom_number number);
const char *pl_oom_class_name(enum pl_oom_class class);
const char *pl_oom_phase_name(enum pl_oom_phase phase);
const char *pl_oom_confidence_name(enum pl_oom_confidence confidence);
/* Inverses; PL_OOM_NUMBERS, PL_OOM_CLASSES and PL_OOM_PHASES for other words. */
enum pl_oom_number pl_oom_number_of(const char *name);
enum pl_oom_class pl_oom_class_of(const char *name);
enum pl_oom_phase pl_oom_phase_of(const char *name);
/* Does the class say that memory, or a limit on it, was the reason? False for a missing file, a
 * taken port, a crash. */
bool pl_oom_is_memory(enum pl_oom_class class);

#endif
