/* Threads, cores, packages and caches from the CPUID of every logical CPU. A CPU's APIC id is cut
 * into fields: what is equal above a level's shift shares that level (Intel SDM volume 3A, chapter
 * "Multiple-Processor Management"; AMD APM volume 3, appendix E). */
#include "base/str.h"
#include "machine/cpu.h"
#include "machine/cpu_cpuid.h"

#include <stdlib.h>

#define PL_CPUID_CPUS_MAX 4096
#define PL_CPUID_LEVELS_MAX 8

struct pl_apic {
    uint32_t id;      /* the whole APIC id */
    uint32_t core;    /* shift: ids equal above it share a core */
    uint32_t package; /* the same for a package */
    bool slow;
};

/* Core types: leaf 0x1A, EAX 31:24 of Intel, 0x20 an efficient one; leaf 0x80000026, sub-leaf 0,
 * EBX 31:28 of AMD, 1 an efficient one, where EAX bit 30 says that there are several. */
static bool pl_cpuid_slow(const struct pl_cpuid *c)
{
    uint32_t r[4];
    if (pl_cpuid_ask(c, 0x1a, 0, r) && r[PL_EAX] != 0)
        return r[PL_EAX] >> 24 == 0x20;
    return pl_cpuid_ask(c, 0x80000026u, 0, r) && (r[PL_EAX] >> 30 & 1) != 0 && r[PL_EBX] >> 28 == 1;
}

/* The leaves that list levels: EAX 4:0 the shift to the level above, ECX 15:8 the kind of level
 * (1 = threads of a core, 0 = the list ends), EDX the APIC id. */
static bool pl_apic_levels(const struct pl_cpuid *c, uint32_t leaf, struct pl_apic *ret)
{
    uint32_t r[4];
    uint32_t levels = 0;
    for (uint32_t sub = 0; sub < PL_CPUID_LEVELS_MAX; sub++) {
        if (!pl_cpuid_ask(c, leaf, sub, r) || (r[PL_ECX] >> 8 & 0xff) == 0)
            break;
        ret->id = r[PL_EDX];
        ret->package = r[PL_EAX] & 31;
        if ((r[PL_ECX] >> 8 & 0xff) == 1)
            ret->core = r[PL_EAX] & 31;
        levels++;
    }
    return levels > 0;
}

/* The smallest shift that makes room for n. */
static uint32_t pl_bits(uint32_t n)
{
    uint32_t shift = 0;
    while (shift < 31 && 1u << shift < n)
        shift++;
    return shift;
}

/* AMD before Zen 2: the id of leaf 1, the width of leaf 0x80000008, threads of leaf 0x8000001E. */
static bool pl_apic_old_amd(const struct pl_cpuid *c, struct pl_apic *ret)
{
    uint32_t one[4], width[4], unit[4];
    if (!pl_cpuid_ask(c, 1, 0, one) || !pl_cpuid_ask(c, 0x80000008u, 0, width))
        return false;
    ret->id = one[PL_EBX] >> 24;
    ret->package = width[PL_ECX] >> 12 & 15;
    if (ret->package == 0)
        ret->package = pl_bits((width[PL_ECX] & 0xff) + 1);
    if (pl_cpuid_ask(c, 0x8000001eu, 0, unit))
        ret->core = pl_bits((unit[PL_EBX] >> 8 & 0xff) + 1);
    return true;
}

static bool pl_apic_of(const struct pl_cpuid *c, struct pl_apic *ret)
{
    static const uint32_t leaf[] = {0x1f, 0x80000026u, 0xb};
    *ret = (struct pl_apic){.slow = pl_cpuid_slow(c)};
    for (size_t i = 0; i < sizeof(leaf) / sizeof(leaf[0]); i++) {
        if (pl_apic_levels(c, leaf[i], ret))
            return true;
    }
    return pl_apic_old_amd(c, ret);
}

/* Whether CPU n is the first of those equal above the shift. */
static bool pl_apic_first(const struct pl_apic *a, uint32_t n, uint32_t shift)
{
    for (uint32_t i = 0; i < n; i++) {
        if (a[i].id >> shift == a[n].id >> shift)
            return false;
    }
    return true;
}

/* One cache of CPU n: leaf 4 of Intel, 0x8000001D of AMD, in the same form: EAX 4:0 type, 7:5
 * level, 25:14 how many ids share it, less one; EBX and ECX its size, each field less one. */
static void pl_cpuid_cache(const struct pl_apic *a, uint32_t n, const uint32_t r[4],
                           struct pl_cpu *ret)
{
    static const char type[] = {0, 'd', 'i', 'u'};
    uint32_t ways = (r[PL_EBX] >> 22) + 1, parts = (r[PL_EBX] >> 12 & 0x3ff) + 1;
    uint32_t line = (r[PL_EBX] & 0xfff) + 1;
    uint32_t shift = pl_bits((r[PL_EAX] >> 14 & 0xfff) + 1);
    const struct pl_cache one = {
        .level = r[PL_EAX] >> 5 & 7,
        .type = type[r[PL_EAX] & 3],
        .bytes = (uint64_t)ways * parts * line * ((uint64_t)r[PL_ECX] + 1),
        .instances = 1,
    };
    if (one.level > 0 && pl_apic_first(a, n, shift))
        ret->n_cache = pl_cache_count(ret->cache, ret->n_cache, &one);
}

static void pl_cpuid_caches(const struct pl_cpuid *c, const struct pl_apic *a, uint32_t n,
                            struct pl_cpu *ret)
{
    uint32_t r[4];
    uint32_t leaf = pl_cpuid_ask(c, 0x8000001du, 0, r) && (r[PL_EAX] & 31) != 0 ? 0x8000001du : 4;
    for (uint32_t sub = 0; sub < PL_CPUID_LEVELS_MAX; sub++) {
        if (!pl_cpuid_ask(c, leaf, sub, r) || (r[PL_EAX] & 31) == 0 || (r[PL_EAX] & 31) > 3)
            break;
        pl_cpuid_cache(a, n, r, ret);
    }
}

bool pl_cpuid_topology(const struct pl_root *root, struct pl_cpu *ret)
{
    struct pl_cpuid *c = calloc(1, sizeof(*c));
    struct pl_apic *a = calloc(PL_CPUID_CPUS_MAX, sizeof(*a));
    uint32_t n = 0, fast = 0, slow = 0;
    ret->packages = ret->cores_physical = ret->n_cache = 0;
    for (; c != NULL && a != NULL && n < PL_CPUID_CPUS_MAX && pl_cpuid_dump(root, n, c); n++) {
        if (!pl_apic_of(c, &a[n]))
            break;
        if (pl_apic_first(a, n, a[n].core)) {
            ret->cores_physical++;
            *(a[n].slow ? &slow : &fast) += 1;
        }
        ret->packages += pl_apic_first(a, n, a[n].package) ? 1 : 0;
        pl_cpuid_caches(c, a, n, ret);
    }
    ret->threads_logical = n;
    ret->cores_fast = slow > 0 && fast > 0 ? fast : 0;
    ret->cores_slow = slow > 0 && fast > 0 ? slow : 0;
    free(a);
    free(c);
    return n > 0;
}
