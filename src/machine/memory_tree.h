/* Where all of MemTotal is: kernel, programs, shared memory, huge pages, cache, free, and what
 * nobody accounts for, so that the parts sum to the total exactly.
 *
 * What /proc/meminfo counts twice is counted once: Shmem is part of Cached; SReclaimable is part of
 * Slab; kernel stacks are vmalloc memory; Mlocked and Unevictable, the Active and Inactive lists,
 * AnonHugePages, Mapped and DirectMap are other views of the same pages; CmaFree is part of
 * MemFree. */
#ifndef PL_MACHINE_MEMORY_TREE_H
#define PL_MACHINE_MEMORY_TREE_H

#include "machine/consumer_group.h"

/* Fills ret from one reading of meminfo and the groups of processes (whose sums are scaled to it).
 * arc: what ZFS caches, unknown = none. Without MemTotal the tree stays empty. */
void pl_memory_tree_make(const struct pl_meminfo *mi, const struct pl_groups *g,
                         struct pl_quantity arc, struct pl_memory_tree *ret);

#endif
