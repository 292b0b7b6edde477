/* Memory that the processor and an integrated device share (Jetson, GB10, APUs):
 *
 *     unified            all of it
 *       ram              what programs allocate the usual way
 *       gpuN             what they allocate through the device
 *
 * Both children can reach all of the parent, and what is charged to either is charged to the
 * parent: so nothing is counted twice, whichever way a byte was asked for. */
#ifndef PL_MACHINE_UNIFIED_H
#define PL_MACHINE_UNIFIED_H

#include "base/err.h"
#include "domain/machine.h"

#define PL_UNIFIED_POOL "unified"

/* Makes `device`, one of m->device, share the memory of the pool "ram", which must have been read.
 * Adds the pools "unified" (unless an earlier device made it) and one named as the device, both of
 * kind PL_POOL_UNIFIED; fills the device's pool and kind, and its available memory, which is the
 * kernel's MemAvailable: a driver that shows MemFree as free (CUDA on GB10) leaves out the page
 * cache that the kernel would give up. device->used, where the caller knew it, becomes the pool's.
 * A device whose driver sees less than all (a carve-out, a limit) has the pool's capacity lowered
 * to device->total when that is known. -ENOENT without the pool "ram", -E2BIG when there are too
 * many pools. */
int pl_unified_make(struct pl_machine *m, struct pl_device *device, struct pl_err *err);

#endif
