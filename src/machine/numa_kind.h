#ifndef PL_MACHINE_NUMA_KIND_H
#define PL_MACHINE_NUMA_KIND_H

#include "domain/machine.h"
#include "sys/root.h"

/* Fills `what` of the memory-only nodes of m: "gpu", "hbm", "cxl", "dax", "specific-purpose", or
 * nothing where nothing says. */
void pl_numa_kinds(const struct pl_root *root, struct pl_machine *m);

#endif
