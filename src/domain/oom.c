#include "domain/oom.h"

#include <stddef.h>
#include <string.h>

static const char *const pl_oom_numbers[PL_OOM_NUMBERS] = {
    [PL_OOM_REQUESTED] = "requested",
    [PL_OOM_FREE] = "free",
    [PL_OOM_TOTAL] = "total",
    [PL_OOM_ALLOCATED] = "allocated",
    [PL_OOM_RESERVED] = "reserved",
    [PL_OOM_RESERVED_UNALLOCATED] = "reserved_unallocated",
    [PL_OOM_CACHED] = "cached",
    [PL_OOM_PRIVATE_POOLS] = "private_pools",
    [PL_OOM_PROCESS_IN_USE] = "process_in_use",
    [PL_OOM_OTHER] = "other",
    [PL_OOM_ALLOWED] = "allowed",
    [PL_OOM_LIMIT] = "limit",
    [PL_OOM_USED] = "used",
    [PL_OOM_ANON_RSS] = "anon_rss",
    [PL_OOM_FILE_RSS] = "file_rss",
    [PL_OOM_SHMEM_RSS] = "shmem_rss",
    [PL_OOM_TOTAL_VM] = "total_vm",
    [PL_OOM_MAX_SEQ_LEN] = "max_seq_len",
    [PL_OOM_KV_TOKENS] = "kv_tokens",
    [PL_OOM_PRESSURE_PCT] = "pressure_pct",
    [PL_OOM_LIMIT_PCT] = "limit_pct",
};

static const char *const pl_oom_classes[PL_OOM_CLASSES] = {
    [PL_OOM_UNKNOWN] = "unknown",
    [PL_OOM_CAPACITY] = "capacity",
    [PL_OOM_NOT_CAPACITY] = "not_capacity",
    [PL_OOM_FRAGMENTATION] = "fragmentation",
    [PL_OOM_ALLOCATION_LIMIT] = "allocation_limit",
    [PL_OOM_PROCESS_LIMIT] = "process_limit",
    [PL_OOM_SHARED_LIMIT] = "shared_limit",
    [PL_OOM_OVERSUBSCRIBED] = "oversubscribed",
    [PL_OOM_ACCOUNTING] = "accounting",
    [PL_OOM_ADDRESS_SPACE] = "address_space",
    [PL_OOM_LOCKED_LIMIT] = "locked_limit",
    [PL_OOM_PINNED] = "pinned",
    [PL_OOM_CONTIGUOUS] = "contiguous",
    [PL_OOM_CGROUP] = "cgroup",
    [PL_OOM_KERNEL] = "kernel_oom",
    [PL_OOM_USERSPACE_KILLER] = "userspace_killer",
    [PL_OOM_KILLED] = "killed",
    [PL_OOM_KV_TOO_SMALL] = "kv_too_small",
    [PL_OOM_CLAIM] = "claim",
    [PL_OOM_ADMISSION] = "admission",
    [PL_OOM_OFFLOAD] = "offload",
    [PL_OOM_SIZING_BUG] = "sizing_bug",
    [PL_OOM_CONTEXT] = "context",
    [PL_OOM_MISSING_FILE] = "missing_file",
    [PL_OOM_BAD_FILE] = "bad_file",
    [PL_OOM_PORT_TAKEN] = "port_taken",
    [PL_OOM_DISK_FULL] = "disk_full",
    [PL_OOM_DRIVER] = "driver",
    [PL_OOM_USAGE] = "usage",
    [PL_OOM_CRASH] = "crash",
};

static const char *const pl_oom_phases[PL_OOM_PHASES] = {
    [PL_OOM_PHASE_UNKNOWN] = "unknown", [PL_OOM_PHASE_WEIGHTS] = "weights",
    [PL_OOM_PHASE_KV] = "kv",           [PL_OOM_PHASE_COMPUTE] = "compute",
    [PL_OOM_PHASE_STARTUP] = "startup", [PL_OOM_PHASE_GRAPH_CAPTURE] = "graph_capture",
    [PL_OOM_PHASE_RUNNING] = "running",
};

/* Index of a name, n when it is not there. */
static uint32_t pl_oom_index(const char *const *names, uint32_t n, const char *name)
{
    uint32_t i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

const char *pl_oom_number_name(enum pl_oom_number number)
{
    return pl_oom_numbers[number];
}

const char *pl_oom_class_name(enum pl_oom_class class)
{
    return pl_oom_classes[class];
}

const char *pl_oom_phase_name(enum pl_oom_phase phase)
{
    return pl_oom_phases[phase];
}

const char *pl_oom_confidence_name(enum pl_oom_confidence confidence)
{
    static const char *const name[] = {"low", "medium", "high"};
    return name[confidence];
}

enum pl_oom_number pl_oom_number_of(const char *name)
{
    return (enum pl_oom_number)pl_oom_index(pl_oom_numbers, PL_OOM_NUMBERS, name);
}

enum pl_oom_class pl_oom_class_of(const char *name)
{
    return (enum pl_oom_class)pl_oom_index(pl_oom_classes, PL_OOM_CLASSES, name);
}

enum pl_oom_phase pl_oom_phase_of(const char *name)
{
    return (enum pl_oom_phase)pl_oom_index(pl_oom_phases, PL_OOM_PHASES, name);
}

bool pl_oom_is_memory(enum pl_oom_class class)
{
    return class != PL_OOM_UNKNOWN && class < PL_OOM_CONTEXT;
}
