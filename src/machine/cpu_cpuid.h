/* Answers of the CPUID instruction, from this processor or from a dump of another machine's:
 *
 *   DIR/cpuid/puN    5 7 0 1 0 => 1c30 0 0 40000
 *
 * mask, then the EAX, EBX, ECX and EDX asked with (the mask's bits say which of them count), then
 * the four answered; hexadecimal; '#' begins a comment. One file a logical CPU, as hwloc's
 * hwloc-gather-cpuid writes them. */
#ifndef PL_MACHINE_CPU_CPUID_H
#define PL_MACHINE_CPU_CPUID_H

#include "domain/machine.h"
#include "sys/root.h"

#define PL_CPUID_ROWS_MAX 256 /* of one CPU; the longest known dump has 101 */

enum pl_cpuid_reg { PL_EAX = 0, PL_EBX, PL_ECX, PL_EDX };

struct pl_cpuid_row {
    uint32_t mask, in[4], out[4];
};

struct pl_cpuid {
    bool live;       /* ask the instruction; else the rows */
    uint32_t leaves; /* of the live one: the last basic leaf */
    uint32_t n_row;
    struct pl_cpuid_row row[PL_CPUID_ROWS_MAX];
};

/* This processor's, where it has the instruction; false elsewhere. */
bool pl_cpuid_live(struct pl_cpuid *ret);
/* Logical CPU n of a dump. False when there is no such file, or none of its lines is right. */
bool pl_cpuid_dump(const struct pl_root *root, uint32_t n, struct pl_cpuid *ret);

/* Adds one line of a dump; false when it is none, or there is no more room. */
bool pl_cpuid_line(const char *line, struct pl_cpuid *ret);

/* The four registers for a leaf; false when the processor or the dump does not have it. */
bool pl_cpuid_ask(const struct pl_cpuid *c, uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* Register states the system saves (XCR0): read on this processor; of a dump those the saved area
 * of leaf 0xD has room for. 0 when the system uses no XSAVE. */
uint64_t pl_cpuid_xcr0(const struct pl_cpuid *c);

/* Name of the processor, without outer and doubled blanks; "" when it says none. */
void pl_cpuid_model(const struct pl_cpuid *c, char *out, size_t size);

/* What a dump of all logical CPUs says: counts of threads, cores, packages, fast and slow cores,
 * caches. False when there is none. */
bool pl_cpuid_topology(const struct pl_root *root, struct pl_cpu *ret);

#endif
