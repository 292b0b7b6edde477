/* How fast the medium below a folder is read: a timed sample, not the page cache. */
#ifndef PL_MACHINE_STORAGE_READ_H
#define PL_MACHINE_STORAGE_READ_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_storage_sample {
    double low, likely,
        high; /* bytes per second: slowest tenth of the blocks, all, fastest tenth */
    bool
        direct; /* past the page cache; else it was told to drop the file first, and obeys or not */
    bool own_file; /* no model file was large enough: read from one written for this, and gone */
    uint32_t blocks;
};

/* Reads blocks of 4 MiB at random places of the largest file in dir (64 MiB and more, not sparse),
 * for half a second, with one reader, as an engine loads. Without such a file one of 64 MiB is
 * written, when `room` bytes allow for sixteen times as much, and removed. -ENOSPC, -EACCES,
 * -EROFS: nothing to read, and none may be written; -EOPNOTSUPP: the file system is memory. */
int pl_storage_measure(const char *dir, uint64_t room, struct pl_storage_sample *ret,
                       struct pl_err *err);

#endif
