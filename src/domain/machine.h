/* A machine as assessed: plain values, no I/O. Unknown is not 0: quantities carry their source,
 * counts that could not be read are 0 with a note in `missing`. */
#ifndef PL_DOMAIN_MACHINE_H
#define PL_DOMAIN_MACHINE_H

#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_POOLS_MAX 64
#define PL_POOL_NAME_MAX 32
#define PL_CACHES_MAX 8
#define PL_ISA_TEXT_MAX 768
#define PL_STORAGE_MAX 8
#define PL_NOTES_MAX 16
#define PL_NOTE_TEXT_MAX 160
#define PL_PATH_TEXT_MAX 1024

enum pl_pool_kind {
    PL_POOL_HOST = 0,
    PL_POOL_DEDICATED,
    PL_POOL_UNIFIED,
    PL_POOL_CAP, /* a cgroup, a NUMA node, RLIMIT_MEMLOCK: a capped child */
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
    double quota_cpus;         /* CPU quota of the cgroup in CPUs; 0 = none */
    char isa[PL_ISA_TEXT_MAX]; /* space-separated, sorted: usable sub-features as the OS enables
                                  them */
    struct pl_cache cache[PL_CACHES_MAX];
    uint32_t n_cache;
};

struct pl_storage {
    char path[PL_PATH_TEXT_MAX]; /* the folder asked about */
    char filesystem[32];         /* type, "ext4"; "" = unknown */
    struct pl_quantity total, available;
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

void pl_machine_note(struct pl_machine *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What a new allocation charged to `name` can really get: the least `available` of the pool and all
 * its ancestors AND capped children named "cgroup" of it. Unknown when any of them is unknown. */
struct pl_quantity pl_machine_available(const struct pl_machine *m, const char *name);

/* True when the space-separated isa list holds the word. */
bool pl_cpu_has(const struct pl_cpu *cpu, const char *feature);

const char *pl_pool_kind_name(enum pl_pool_kind kind);

#endif
