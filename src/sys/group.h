/* A control group of our own, with a limit on memory: where the kernel lets us make one. */
#ifndef PL_SYS_GROUP_H
#define PL_SYS_GROUP_H

#include "base/err.h"
#include "sys/cgroup.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_group {
    enum pl_cgroup_version version; /* PL_CGROUP_NONE: none was made */
    uint64_t limit;                 /* bytes */
    char dir[PL_PATH_TEXT_MAX];     /* absolute */
    char procs[PL_PATH_TEXT_MAX];   /* its cgroup.procs: for struct pl_spawn */
};

/* What the kernel counted for the group. */
struct pl_group_events {
    bool known;
    uint64_t oom_kills; /* of its processes the kernel killed for memory: for this group's limit,
                           for one above it, or for the machine's own */
    bool met_known;
    uint64_t met; /* times this group's limit was met and nothing could be given back: with none the
                     kills were for another */
    uint64_t peak; /* bytes; 0 = not told */
};

/* Processes the kernel has killed for want of memory since it started, of every group (oom_kill of
 * /proc/vmstat, Linux 4.13 and on). False when it does not say. */
bool pl_oom_kills(uint64_t *ret);

/* Makes a group below this process' own (version 1), or where memory is delegated to us (version 2:
 * its own group when it may, else beside it), limited to limit_bytes without swap where that can be
 * said. -EACCES, -EPERM, -EROFS, -ENOENT or -ENOTSUP where none can be made. */
int pl_group_make(uint64_t limit_bytes, struct pl_group *ret, struct pl_err *err);
struct pl_group_events pl_group_read(const struct pl_group *g);
/* Removes it once its processes are gone. Accepts one that was not made. */
void pl_group_remove(struct pl_group *g);

#endif
