/* A machine as assessed: plain values, no I/O. Unknown is not 0: quantities carry their source,
 * counts that could not be read are 0 with a note in `missing`. */
#ifndef PL_DOMAIN_MACHINE_H
#define PL_DOMAIN_MACHINE_H

#include "domain/consumer.h"
#include "domain/device.h"
#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_POOLS_MAX 64
#define PL_POOL_NAME_MAX 32
#define PL_CACHES_MAX 8
#define PL_ISA_TEXT_MAX 768
#define PL_STORAGE_MAX 8
#define PL_NUMA_MAX 64
#define PL_DIMMS_MAX 64
#define PL_ENDPOINTS_MAX 8
#define PL_NOTES_MAX 32
#define PL_NOTE_TEXT_MAX 160
#define PL_PATH_TEXT_MAX 1024

enum pl_pool_kind {
    PL_POOL_HOST = 0,
    PL_POOL_DEDICATED,
    PL_POOL_UNIFIED,
    PL_POOL_CAP, /* a cgroup, a NUMA node, RLIMIT_MEMLOCK: a capped child; a device cut by MIG */
};

struct pl_pool {
    char name[PL_POOL_NAME_MAX];   /* "ram", "gpu0", "cgroup" */
    char parent[PL_POOL_NAME_MAX]; /* "" = none; what is charged here is charged there too */
    enum pl_pool_kind kind;
    struct pl_quantity capacity, reserved, used, reclaimable, available, largest_allocation;
    struct pl_rate bandwidth;     /* bytes per second, all cores */
    struct pl_rate bandwidth_one; /* the same, one core */
};

struct pl_cache {
    uint32_t level;
    char type;      /* 'd', 'i' or 'u' (unified) */
    uint64_t bytes; /* of one instance */
    uint32_t instances;
};

struct pl_cpu {
    char model[128];                                    /* as the kernel names it; "" = unknown */
    char arch[32];                                      /* uname machine */
    uint32_t packages, cores_physical, threads_logical; /* 0 = unknown */
    uint32_t threads_allowed;                           /* this process' affinity and cpuset */
    uint32_t cores_fast, cores_slow; /* of a hybrid CPU, physical; both 0 = all alike or unknown */
    double quota_cpus;               /* CPU quota of the cgroup in CPUs; 0 = none */
    char isa[PL_ISA_TEXT_MAX]; /* space-separated, sorted: usable sub-features as the OS enables
                                  them */
    struct pl_cache cache[PL_CACHES_MAX];
    uint32_t n_cache;
    struct pl_rate int8, fma; /* operations per second, all threads: dot products of 8-bit integers,
                                 and of 16-bit floats; machine/compute.h */
};

struct pl_storage {
    char path[PL_PATH_TEXT_MAX]; /* the folder asked about */
    char filesystem[32];         /* type, "ext4"; "" = unknown */
    struct pl_quantity total, available;
    char device[64];       /* block device below it, "nvme0n1"; "" = unknown */
    char device_model[48]; /* as it names itself; "" = unknown */
    bool rotates_known, rotates;
    struct pl_rate read; /* bytes per second from the medium, not from the page cache */
};

/* A NUMA node. One without CPUs (HBM, CXL, memory of a device) is kept apart: programs do not get
 * it unless they ask. */
struct pl_numa_node {
    uint32_t id;
    uint32_t cpus; /* online ones */
    bool memory_only;
    char what[24]; /* of a memory-only node: "gpu", "hbm", "cxl", "dax"; "" = not known */
    struct pl_quantity total, free;
    uint8_t distance[PL_NUMA_MAX]; /* to the nodes in the machine's order; 0 = unknown */
};

struct pl_dimm {
    char slot[48];
    char kind[24];            /* "DDR5"; "" = unknown */
    struct pl_quantity bytes; /* exactly 0 = an empty slot */
    uint32_t mt_per_s;        /* configured; 0 = unknown */
};

/* Limits of a process started from here. */
struct pl_limits {
    struct pl_quantity memlock;   /* RLIMIT_MEMLOCK; UINT64_MAX = none */
    struct pl_quantity hugepages; /* set aside and free */
    struct pl_quantity arc; /* ZFS cache above its minimum: reclaimable, not in MemAvailable */
};

struct pl_endpoint {
    char url[256];
    enum pl_state state;
    bool reachable;
    double milliseconds; /* of one connection */
    char why[96];
};

struct pl_pressure { /* PSI of memory; valid only when known */
    bool known;
    double some_avg10, full_avg10;
    uint64_t some_total_us, full_total_us;
};

struct pl_machine {
    bool this_system; /* false when replayed from a dump or a file: nothing may act on it */
    char id[40];      /* stable identity of the machine, hashed; "" = unknown */
    char os[96], kernel[96];
    struct pl_cpu cpu;
    struct pl_pool pool[PL_POOLS_MAX];
    uint32_t n_pool;
    struct pl_storage storage[PL_STORAGE_MAX];
    uint32_t n_storage;
    struct pl_numa_node numa[PL_NUMA_MAX];
    uint32_t n_numa;
    struct pl_dimm dimm[PL_DIMMS_MAX];
    uint32_t n_dimm;
    struct pl_quantity dimm_total; /* or why the slots are not known */
    struct pl_limits limits;
    struct pl_device device[PL_DEVICES_MAX];
    uint32_t n_device;
    struct pl_consumer consumer[PL_CONSUMERS_MAX]; /* largest first */
    uint32_t n_consumer;
    struct pl_holding holding[PL_HOLDINGS_MAX];
    uint32_t n_holding;
    struct pl_memory_tree memory; /* filled when asked for */
    struct pl_endpoint endpoint[PL_ENDPOINTS_MAX];
    uint32_t n_endpoint;
    char board[96]; /* "NVIDIA Jetson Orin NX", "LENOVO 21CB": the machine as sold; "" = unknown */
    char release[64]; /* of the board's system: "L4T 36.4.7"; "" = none */
    char around[48];  /* "wsl2", "container docker", "virtual machine"; "" = none seen */
    char desktop[96]; /* "headless", or what is drawn with: "gnome-shell, Xorg"; "" = unknown */
    struct pl_pressure pressure;
    char tier[24];
    char note[PL_NOTES_MAX][PL_NOTE_TEXT_MAX]; /* what could not be read and what that costs */
    uint32_t n_note;
};

/* The pool of that name, or NULL. */
struct pl_pool *pl_machine_pool(struct pl_machine *m, const char *name);
const struct pl_pool *pl_machine_pool_const(const struct pl_machine *m, const char *name);

/* Adds a pool (zeroed but for its name and kind), or returns NULL when the table is full. */
struct pl_pool *pl_machine_add_pool(struct pl_machine *m, const char *name, enum pl_pool_kind kind);

struct pl_device *pl_machine_device(struct pl_machine *m, const char *id);
/* Adds a zeroed device of that id, or returns NULL when the table is full. */
struct pl_device *pl_machine_add_device(struct pl_machine *m, const char *id);

void pl_machine_note(struct pl_machine *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What a new allocation charged to `name` can really get: the least `available` of the pool and all
 * its ancestors AND capped children named "cgroup" of it. Unknown when any of them is unknown. */
struct pl_quantity pl_machine_available(const struct pl_machine *m, const char *name);

/* True when the space-separated isa list holds the word. */
bool pl_cpu_has(const struct pl_cpu *cpu, const char *feature);

const char *pl_pool_kind_name(enum pl_pool_kind kind);

#endif
