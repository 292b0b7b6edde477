/* Memory slots from the firmware's SMBIOS table (DMTF DSP0134):
 *
 *   type(1) length(1) handle(2) ...     "length" bytes of fields, all little-endian
 *   "DIMM_A1\0" "BANK 0\0" "\0"         the strings that fields name by number, from 1; with none,
 *                                       two NUL bytes
 *   ... next structure; type 127 ends
 *
 * Type 16 is an array of slots, type 17 one slot. */
#ifndef PL_MACHINE_SMBIOS_H
#define PL_MACHINE_SMBIOS_H

#include "base/err.h"
#include "domain/machine.h"

#include <stddef.h>

#define PL_SMBIOS_BYTES_MAX (1u << 20) /* tables are 64 KiB at most before version 3 */

struct pl_slots {
    struct pl_dimm dimm[PL_DIMMS_MAX];
    uint32_t n;    /* of them */
    uint32_t seen; /* also those that did not fit */
};

/* Appends the slots of system memory. -EBADMSG when a structure reaches past the end: what came
 * before it is kept. */
int pl_smbios_slots(const uint8_t *table, size_t len, struct pl_slots *ret, struct pl_err *err);

#endif
