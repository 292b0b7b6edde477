/* Resident pages of chosen parts of a mapped file: the weights a process really uses, told apart
 * from file pages the kernel may drop. */
#ifndef PL_MEASURE_HOT_H
#define PL_MEASURE_HOT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pl_range {
    uint64_t offset, bytes; /* in the file */
};

/* Bytes of whole pages that are present in the process' mappings of path and touch one of the
 * ranges, which must be in order of offset. From /proc/PID/maps and /proc/PID/pagemap: about 2 ms
 * per GiB. -EACCES for a process of another user, -ESRCH when it is gone. */
int pl_hot_resident(pid_t pid, const char *path, const struct pl_range *ranges, size_t n,
                    uint64_t *ret_bytes, struct pl_err *err);

#endif
