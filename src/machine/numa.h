/* The parts of the probe of memory nodes. */
#ifndef PL_MACHINE_NUMA_H
#define PL_MACHINE_NUMA_H

#include "domain/machine.h"
#include "sys/meminfo.h"
#include "sys/root.h"

#define PL_NODE_DIR "sys/devices/system/node"
#define PL_NODE_ID_MAX 1024 /* the kernel's own: MAX_NUMNODES of NODES_SHIFT 10 */

/* The node's own meminfo; false when it cannot be read, and then nothing in *ret is known. */
bool pl_numa_meminfo(const struct pl_root *root, uint32_t id, struct pl_meminfo *ret);

/* A value of it; unlike MemTotal of a machine, 0 is a value. */
struct pl_quantity pl_numa_value(const struct pl_meminfo *mi, enum pl_mem_key key, const char *why);

/* What the memory-only nodes of m->numa are, the pools that follow from all nodes, and "ram" less
 * what is not for every program. Notes say what was taken out and why. */
void pl_numa_pools(const struct pl_root *root, struct pl_machine *m);

#endif
