/* /proc/meminfo, read by key.
 *
 *   MemTotal:       24684092 kB     sizes carry "kB" (1024 bytes)
 *   HugePages_Free:        0        counts carry nothing
 *
 * Lines that do not look like this (the table of Linux 2.4, WSL 1's damaged values) are skipped:
 * their key stays unknown. Huge pages are inside MemTotal and never inside MemAvailable. */
#ifndef PL_SYS_MEMINFO_H
#define PL_SYS_MEMINFO_H

#include "domain/quantity.h"
#include "sys/root.h"

enum pl_mem_key {
    PL_MEM_TOTAL = 0,
    PL_MEM_FREE,
    PL_MEM_AVAILABLE,
    PL_MEM_BUFFERS,
    PL_MEM_CACHED,
    PL_MEM_SWAP_CACHED,
    PL_MEM_ACTIVE_FILE,
    PL_MEM_INACTIVE_FILE,
    PL_MEM_UNEVICTABLE,
    PL_MEM_MLOCKED,
    PL_MEM_SWAP_TOTAL,
    PL_MEM_SWAP_FREE,
    PL_MEM_ANON_PAGES,
    PL_MEM_MAPPED,
    PL_MEM_SHMEM,
    PL_MEM_K_RECLAIMABLE,
    PL_MEM_S_RECLAIMABLE,
    PL_MEM_S_UNRECLAIM,
    PL_MEM_KERNEL_STACK,
    PL_MEM_PAGE_TABLES,
    PL_MEM_SEC_PAGE_TABLES,
    PL_MEM_PERCPU,
    PL_MEM_VMALLOC_USED,
    PL_MEM_ZSWAP,
    PL_MEM_BOUNCE,
    PL_MEM_WRITEBACK_TMP,
    PL_MEM_BALLOON,
    PL_MEM_GPU_ACTIVE,
    PL_MEM_GPU_RECLAIM,
    PL_MEM_HUGETLB, /* huge pages of all sizes */
    PL_MEM_COMMIT_LIMIT,
    PL_MEM_COMMITTED,
    PL_MEM_ANON_HUGE_PAGES,
    PL_MEM_CMA_TOTAL,
    PL_MEM_CMA_FREE,
    PL_MEM_NVMAP_USED,
    PL_MEM_HUGE_PAGE_SIZE,
    PL_MEM_HUGE_TOTAL, /* pages, not bytes, as the four below */
    PL_MEM_HUGE_FREE,
    PL_MEM_HUGE_RESERVED,
    PL_MEM_HUGE_SURPLUS,
    PL_MEM_KEYS,
};

struct pl_meminfo {
    uint64_t value[PL_MEM_KEYS]; /* bytes; pages for PL_MEM_HUGE_TOTAL and later */
    bool known[PL_MEM_KEYS];
    uint32_t damaged; /* lines of a known key whose value could not be believed */
};

/* Reads proc/meminfo. An error only when the file cannot be read; absent lines are unknown. */
int pl_meminfo_read(const struct pl_root *root, struct pl_meminfo *ret, struct pl_err *err);

/* The same from text in memory. */
void pl_meminfo_parse(const char *text, struct pl_meminfo *ret);

/* One value as a measured quantity (bytes), or unknown. */
struct pl_quantity pl_meminfo_quantity(const struct pl_meminfo *m, enum pl_mem_key key);

/* What a new allocation can get without swapping: MemAvailable (measured); on kernels before 3.14
 * MemFree + Cached + Buffers - Shmem (derived); else unknown. */
struct pl_quantity pl_meminfo_available(const struct pl_meminfo *m);

/* Available minus free: what the kernel would give up first (derived). */
struct pl_quantity pl_meminfo_reclaimable(const struct pl_meminfo *m);

/* The key as the kernel spells it. */
const char *pl_mem_key_name(enum pl_mem_key key);

#endif
