/* The parts of a machine that not every machine has something to say of: memory nodes, slots,
 * limits, the medium below the model folder, network, what it runs inside of. */
#ifndef PL_REPORT_HARDWARE_H
#define PL_REPORT_HARDWARE_H

#include "base/json.h"
#include "domain/machine.h"

/* "avx avx2 ...; AVX-512: bf16 bw f ...; AMX: not supported", with a newline. */
void pl_isa_text(const struct pl_cpu *c, struct pl_str *out);

/* Tables of memory nodes (of several) and slots (of many); a blank line before each. */
void pl_hardware_tables(const struct pl_machine *m, bool colour, struct pl_str *out);

/* Lines, each only when it says something. */
void pl_hardware_lines(const struct pl_machine *m, struct pl_str *out);

/* The members board, around, numa, dimms, dimm_total, limits, endpoints of the open object. */
void pl_hardware_json(struct pl_json *j, const struct pl_machine *m);

#endif
