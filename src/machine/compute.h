/* Arithmetic rate of the CPU, measured. Reading a prompt multiplies every weight by many tokens, so
 * this, and no bandwidth, is its speed limit; some tensor types are limited by it even token by
 * token. */
#ifndef PL_MACHINE_COMPUTE_H
#define PL_MACHINE_COMPUTE_H

#include "base/err.h"
#include "domain/machine.h"

/* Dot products over operands in the first cache, with the widest instructions that the features of
 * m->cpu allow, one thread on each CPU this process may use (no more than the CPU quota): 8-bit
 * integers, and 16-bit floats widened to 32 bits. Operations are multiplications and additions.
 * Each thread counts by its own CPU time, so that other load on the machine does not lower the
 * result. A third of a second. */
int pl_compute_measure(const struct pl_machine *m, struct pl_rate *ret_int8,
                       struct pl_rate *ret_fma, struct pl_err *err);

/* Why of the two rates, so that a capture need not keep them: by the kind of instructions used. */
enum pl_compute_kind {
    PL_COMPUTE_PLAIN = 0, /* what the compiler makes of a loop */
    PL_COMPUTE_AVX2,
    PL_COMPUTE_AVX_VNNI,
    PL_COMPUTE_AVX512_VNNI,
    PL_COMPUTE_KINDS,
};
const char *pl_compute_why(bool fma, uint32_t kind);

#endif
