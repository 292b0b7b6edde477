#include "sys/meminfo.h"

#include "base/checked.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

/* Larger values are damage, not memory: x86-64 and arm64 address at most 2^52 bytes. WSL 1 wrote
 * 18014396678257232 kB. */
#define PL_MEM_BYTES_MAX (1ull << 52)

static const char *const pl_mem_names[PL_MEM_KEYS] = {
    [PL_MEM_TOTAL] = "MemTotal",
    [PL_MEM_FREE] = "MemFree",
    [PL_MEM_AVAILABLE] = "MemAvailable",
    [PL_MEM_BUFFERS] = "Buffers",
    [PL_MEM_CACHED] = "Cached",
    [PL_MEM_SWAP_CACHED] = "SwapCached",
    [PL_MEM_ACTIVE_FILE] = "Active(file)",
    [PL_MEM_INACTIVE_FILE] = "Inactive(file)",
    [PL_MEM_UNEVICTABLE] = "Unevictable",
    [PL_MEM_MLOCKED] = "Mlocked",
    [PL_MEM_SWAP_TOTAL] = "SwapTotal",
    [PL_MEM_SWAP_FREE] = "SwapFree",
    [PL_MEM_ANON_PAGES] = "AnonPages",
    [PL_MEM_MAPPED] = "Mapped",
    [PL_MEM_SHMEM] = "Shmem",
    [PL_MEM_K_RECLAIMABLE] = "KReclaimable",
    [PL_MEM_S_RECLAIMABLE] = "SReclaimable",
    [PL_MEM_S_UNRECLAIM] = "SUnreclaim",
    [PL_MEM_KERNEL_STACK] = "KernelStack",
    [PL_MEM_PAGE_TABLES] = "PageTables",
    [PL_MEM_SEC_PAGE_TABLES] = "SecPageTables",
    [PL_MEM_PERCPU] = "Percpu",
    [PL_MEM_VMALLOC_USED] = "VmallocUsed",
    [PL_MEM_ZSWAP] = "Zswap",
    [PL_MEM_BOUNCE] = "Bounce",
    [PL_MEM_WRITEBACK_TMP] = "WritebackTmp",
    [PL_MEM_BALLOON] = "Balloon",
    [PL_MEM_GPU_ACTIVE] = "GPUActive",
    [PL_MEM_GPU_RECLAIM] = "GPUReclaim",
    [PL_MEM_HUGETLB] = "Hugetlb",
    [PL_MEM_COMMIT_LIMIT] = "CommitLimit",
    [PL_MEM_COMMITTED] = "Committed_AS",
    [PL_MEM_ANON_HUGE_PAGES] = "AnonHugePages",
    [PL_MEM_CMA_TOTAL] = "CmaTotal",
    [PL_MEM_CMA_FREE] = "CmaFree",
    [PL_MEM_NVMAP_USED] = "NvMapMemUsed",
    [PL_MEM_HUGE_PAGE_SIZE] = "Hugepagesize",
    [PL_MEM_HUGE_TOTAL] = "HugePages_Total",
    [PL_MEM_HUGE_FREE] = "HugePages_Free",
    [PL_MEM_HUGE_RESERVED] = "HugePages_Rsvd",
    [PL_MEM_HUGE_SURPLUS] = "HugePages_Surp",
};

const char *pl_mem_key_name(enum pl_mem_key key)
{
    return pl_mem_names[key];
}

static const char *const pl_mem_why[PL_MEM_KEYS] = {
    [PL_MEM_TOTAL] = "MemTotal in /proc/meminfo",
    [PL_MEM_FREE] = "MemFree in /proc/meminfo",
    [PL_MEM_AVAILABLE] = "MemAvailable in /proc/meminfo",
    [PL_MEM_SWAP_TOTAL] = "SwapTotal in /proc/meminfo",
    [PL_MEM_SWAP_FREE] = "SwapFree in /proc/meminfo",
};

/* "   123 kB" into bytes (or "  123" into a count); false on anything else. */
static bool pl_mem_value(const char *s, bool size, uint64_t *ret)
{
    uint64_t n = 0;
    while (*s == ' ' || *s == '\t')
        s++;
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++) {
        if (!pl_mul_u64(n, 10, &n) || !pl_add_u64(n, (uint64_t)(*s - '0'), &n))
            return false;
    }
    if (size) {
        if (strncmp(s, " kB", 3) != 0 || !pl_mul_u64(n, 1024, &n) || n > PL_MEM_BYTES_MAX)
            return false;
        s += 3;
    }
    while (isspace((unsigned char)*s))
        s++;
    if (*s != '\0')
        return false;
    *ret = n;
    return true;
}

static void pl_mem_line(const char *line, struct pl_meminfo *m)
{
    const char *colon = strchr(line, ':');
    size_t n = colon != NULL ? (size_t)(colon - line) : 0;
    for (int k = 0; n > 0 && k < PL_MEM_KEYS; k++) {
        if (strncmp(pl_mem_names[k], line, n) != 0 || pl_mem_names[k][n] != '\0')
            continue;
        if (m->known[k])
            return; /* the first line of a key is the kernel's */
        m->known[k] = pl_mem_value(colon + 1, k < PL_MEM_HUGE_TOTAL, &m->value[k]);
        m->damaged += m->known[k] ? 0 : 1;
        return;
    }
}

/* Free or available memory above the total is damage too. */
static void pl_mem_check(struct pl_meminfo *m)
{
    static const enum pl_mem_key part[] = {PL_MEM_FREE, PL_MEM_AVAILABLE, PL_MEM_BUFFERS,
                                           PL_MEM_CACHED, PL_MEM_SHMEM};
    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        if (m->known[PL_MEM_TOTAL] && m->known[part[i]] &&
            m->value[part[i]] > m->value[PL_MEM_TOTAL]) {
            m->known[part[i]] = false;
            m->damaged++;
        }
    }
    if (m->known[PL_MEM_TOTAL] && m->value[PL_MEM_TOTAL] == 0)
        m->known[PL_MEM_TOTAL] = false;
}

int pl_meminfo_read(const struct pl_root *root, struct pl_meminfo *ret, struct pl_err *err)
{
    struct pl_lines lines;
    *ret = (struct pl_meminfo){0};
    int rc = pl_lines_open(root, "proc/meminfo", &lines, err);
    if (rc < 0)
        return rc;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;)
        pl_mem_line(line, ret);
    rc = pl_lines_close(&lines);
    if (rc < 0)
        return pl_fail(err, rc, "%s/proc/meminfo: %s", root->path, strerror(-rc));
    pl_mem_check(ret);
    return 0;
}

void pl_meminfo_parse(const char *text, struct pl_meminfo *ret)
{
    *ret = (struct pl_meminfo){0};
    while (*text != '\0') {
        char line[160]; /* longer lines are not of this file */
        size_t n = strcspn(text, "\n");
        if (n < sizeof(line)) {
            memcpy(line, text, n);
            line[n] = '\0';
            pl_mem_line(line, ret);
        }
        text += n + (text[n] == '\n' ? 1 : 0);
    }
    pl_mem_check(ret);
}

struct pl_quantity pl_meminfo_quantity(const struct pl_meminfo *m, enum pl_mem_key key)
{
    if (!m->known[key])
        return PL_QUANTITY_UNKNOWN("/proc/meminfo does not say, or its line is damaged");
    const char *why = pl_mem_why[key] != NULL ? pl_mem_why[key] : "/proc/meminfo";
    return pl_exact(m->value[key], PL_SOURCE_MEASURED, why);
}

struct pl_quantity pl_meminfo_available(const struct pl_meminfo *m)
{
    if (m->known[PL_MEM_AVAILABLE])
        return pl_meminfo_quantity(m, PL_MEM_AVAILABLE);
    if (!m->known[PL_MEM_FREE] || !m->known[PL_MEM_CACHED] || !m->known[PL_MEM_BUFFERS] ||
        !m->known[PL_MEM_SHMEM])
        return PL_QUANTITY_UNKNOWN("no MemAvailable, and not all of MemFree, Cached, Buffers, "
                                   "Shmem to work it out");
    uint64_t n = pl_add_sat(m->value[PL_MEM_FREE], m->value[PL_MEM_CACHED]);
    n = pl_sub_floor(pl_add_sat(n, m->value[PL_MEM_BUFFERS]), m->value[PL_MEM_SHMEM]);
    if (m->known[PL_MEM_TOTAL] && n > m->value[PL_MEM_TOTAL])
        return PL_QUANTITY_UNKNOWN("no MemAvailable, and the parts exceed MemTotal");
    return pl_exact(n, PL_SOURCE_DERIVED,
                    "MemFree + Cached + Buffers - Shmem: no MemAvailable (kernel before 3.14)");
}

struct pl_quantity pl_meminfo_reclaimable(const struct pl_meminfo *m)
{
    struct pl_quantity a = pl_meminfo_available(m);
    if (!pl_known(a) || !m->known[PL_MEM_FREE])
        return PL_QUANTITY_UNKNOWN("needs available and free memory");
    /* Below free memory when the kernel keeps its watermarks: then nothing is reclaimable. */
    return pl_exact(pl_sub_floor(a.likely, m->value[PL_MEM_FREE]), PL_SOURCE_DERIVED,
                    "available minus free");
}
