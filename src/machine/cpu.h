/* The parts of the CPU probe. */
#ifndef PL_MACHINE_CPU_H
#define PL_MACHINE_CPU_H

#include "domain/machine.h"
#include "machine/cpu_cpuid.h"
#include "sys/cpulist.h"
#include "sys/root.h"

/* What /proc/cpuinfo says; empty where it says nothing. */
struct pl_cpuinfo {
    char model[128];
    char arch[32];       /* guessed from its form, for dumps: "x86_64", "aarch64" ... */
    char features[4096]; /* "flags" or "Features" of the first processor */
    uint32_t processors;
};
void pl_cpuinfo_read(const struct pl_root *root, struct pl_cpuinfo *ret);

/* Usable instruction set extensions as sorted words, one for each that matters to inference. On x86
 * the words are the kernel's flags (but "sse3" for pni); on Arm "neon", "dotprod", "fp16", "i8mm",
 * "bf16", "sve", "sve2", "sme" ... */
void pl_cpu_isa_flags(const char *features, char *out, size_t size);
/* The same from cpuid and XGETBV: what the processor has, the system has switched on and, for
 * tiles (AMX), lets programs ask for. */
void pl_cpu_isa_cpuid(const struct pl_cpuid *c, char *out, size_t size);

/* Online CPUs: set[0..PL_CPUS_MAX). False when /sys does not say. */
bool pl_cpu_online(const struct pl_root *root, bool *set, uint32_t *ret_count);

/* Packages and physical cores with an online CPU; 0 where /sys does not say. */
void pl_cpu_cores(const struct pl_root *root, const bool *online, uint32_t *ret_packages,
                  uint32_t *ret_cores);

/* Caches of the online CPUs, each kind with its number of instances, by level; more kinds than fit
 * are dropped from the highest index on. Returns their number. */
uint32_t pl_cpu_caches(const struct pl_root *root, const bool *online,
                       struct pl_cache cache[PL_CACHES_MAX]);

/* Counts one more instance of a kind of cache; returns the new number of kinds. */
uint32_t pl_cache_count(struct pl_cache *cache, uint32_t n, const struct pl_cache *one);

/* Fast and slow cores of a hybrid CPU; both 0 when all are alike or nothing says. */
void pl_cpu_kinds(const struct pl_root *root, const bool *online, struct pl_cpu *ret);

#endif
