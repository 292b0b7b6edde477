/* What a device is, by data: data/devices.tsv, found by the driver's name, the PCI id and the size
 * of its memory. What the table does not know stays unknown. */
#ifndef PL_MACHINE_DEVICE_DATA_H
#define PL_MACHINE_DEVICE_DATA_H

#include "domain/machine.h"

#include <stdbool.h>

/* A row. Numbers below 0 are unknown, texts "" too. */
struct pl_device_row {
    const char *id, *vendor, *name;
    const char *match; /* POSIX extended expression over "NAME;PCI;G", G = GiB rounded up; a CPU's
                          over the model name of /proc/cpuinfo; "" = found by id only */
    const char *pci_ids;
    const char *class; /* desktop, laptop, workstation, datacenter, soc, cpu */
    const char *arch, *compute_capability;
    double memory_gib;
    const char *memory_kind; /* dedicated, unified */
    double bandwidth_gbs, fp32_tflops, fp16_tflops_dense, int8_tops_dense;
    double bf16_native, fp8_native; /* 0, 1 */
    const char *pcie, *tdp_w;
    double throttle_c;
    const char *released, *source;
};

/* All rows; *ret_n is how many. */
const struct pl_device_row *pl_device_rows(uint32_t *ret_n);

/* The row of that id, or NULL. *ret_near (may be NULL) is then the nearest id, or NULL. */
const struct pl_device_row *pl_device_row(const char *id, const char **ret_near);

/* The one row that matches "NAME;PCI;G". NULL when none does, and when several do: *ret_other (may
 * be NULL) is then the second. */
const struct pl_device_row *pl_device_match(const char *subject,
                                            const struct pl_device_row **ret_other);

/* The row of a CPU by its model name, or NULL. */
const struct pl_device_row *pl_device_match_cpu(const char *model);

/* Recognises every device of m, and fills what is not known better: row, nominal memory, bandwidth,
 * rates, bfloat16, the temperature it slows down at. Adds a note where a reading and the table
 * disagree. The pool "ram" gets the CPU's bandwidth when none was measured and `bandwidth` is true.
 */
void pl_device_data_apply(struct pl_machine *m, bool bandwidth);

/* The same for one device whose row is known; its pool gets the bandwidth where it has none. */
void pl_device_row_apply(struct pl_machine *m, struct pl_device *d, const struct pl_device_row *r);

#endif
