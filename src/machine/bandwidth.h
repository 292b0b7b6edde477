/* Memory read bandwidth, measured. Generating a token reads every weight once, so this is the
 * ceiling of the decode speed on a CPU. */
#ifndef PL_MACHINE_BANDWIDTH_H
#define PL_MACHINE_BANDWIDTH_H

#include "base/err.h"
#include "domain/machine.h"

/* Reads buffers larger than the caches with one thread and with one per CPU this process may use
 * (no more than the CPU quota), each pinned to its CPU and reading memory it touched first. The
 * best of several passes counts, the slowest is the low end. About half a second; takes at most an
 * eighth of `available` and 1 GiB. The caches of m->cpu tell how large is large enough; with less
 * memory than that the source is "assumed". -ENOMEM when there is too little memory to measure. */
int pl_bandwidth_measure(const struct pl_machine *m, uint64_t available, struct pl_rate *ret_one,
                         struct pl_rate *ret_all, struct pl_err *err);

/* The three texts a measured rate's why may be, so that a capture can keep which: one core, all
 * cores, and either with too little memory (the source is assumed then). */
enum { PL_BANDWIDTH_ONE = 0, PL_BANDWIDTH_ALL, PL_BANDWIDTH_SMALL, PL_BANDWIDTH_WHYS };
extern const char *const pl_bandwidth_why[PL_BANDWIDTH_WHYS];

#endif
