/* The cache of ZFS. It lies outside of the page cache, so MemAvailable does not hold it, yet ZFS
 * gives it up, down to its minimum, when memory runs short. */
#ifndef PL_MACHINE_ARC_H
#define PL_MACHINE_ARC_H

#include "domain/quantity.h"
#include "sys/root.h"

/* size - c_min of /proc/spl/kstat/zfs/arcstats (derived), 0 when this system runs no ZFS; unknown
 * when a dump does not hold the file or it is damaged. */
struct pl_quantity pl_arc_read(const struct pl_root *root);

/* available with the cache above its minimum added, at most `most`: how fast ZFS gives it up is not
 * known, so the low end is without it. */
struct pl_quantity pl_arc_add(struct pl_quantity available, struct pl_quantity arc, uint64_t most);

#endif
