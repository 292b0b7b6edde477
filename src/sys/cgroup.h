/* Control groups: the limits that hold for a process, v1, v2 or both at once (hybrid).
 *
 *   /proc/PID/cgroup      4:memory:/a/b      v1: a hierarchy per controller
 *                         0::/a/b            v2: one for all; the memory controller is v2 when no
 *                                            v1 line names it
 *   /proc/self/mountinfo  35 31 0:32 ROOT MOUNTPOINT opts - cgroup SOURCE rw,memory
 *
 * The files of the group are at MOUNTPOINT + (path less ROOT): in a container ROOT is the group the
 * container was given. Every ancestor up to MOUNTPOINT has its own limit; the least one holds. */
#ifndef PL_SYS_CGROUP_H
#define PL_SYS_CGROUP_H

#include "domain/quantity.h"
#include "sys/root.h"

#include <sys/types.h>

#define PL_CGROUP_DEPTH_MAX 64 /* ancestors looked at; deeper is "could not be read" */

enum pl_cgroup_version { PL_CGROUP_NONE = 0, PL_CGROUP_V1, PL_CGROUP_V2 };

struct pl_cgroup_place {
    enum pl_cgroup_version version; /* NONE: no hierarchy with the controller is mounted here */
    bool outside;                   /* the group lies outside what is mounted: `dir` is the mount */
    char mount[PL_PATH_TEXT_MAX];   /* both relative to the root: "sys/fs/cgroup/memory" */
    char dir[PL_PATH_TEXT_MAX];
};

/* Where the group of pid (0 = this process, or "self" of a dump) keeps the files of a controller
 * ("memory", "cpu"). NONE is not an error. -ENOENT when /proc/PID/cgroup or mountinfo are not
 * there, -ESRCH never: a gone process is -ENOENT too. */
int pl_cgroup_find(const struct pl_root *root, pid_t pid, const char *controller,
                   struct pl_cgroup_place *ret, struct pl_err *err);

struct pl_cgroup_count {
    bool known;
    uint64_t n;
};

struct pl_cgroup_memory {
    struct pl_cgroup_place place;
    bool limited;   /* the group or an ancestor has a limit */
    bool complete;  /* every ancestor could be read: without this "no limit" is not known */
    uint64_t limit; /* the least over all ancestors, bytes; valid when limited */
    char limit_dir[PL_PATH_TEXT_MAX]; /* the group that sets it */

    /* The ancestor with the least room; valid when limited. used and reclaimable are its own. */
    char tight_dir[PL_PATH_TEXT_MAX];
    struct pl_quantity used;        /* memory.current, memory.usage_in_bytes */
    struct pl_quantity reclaimable; /* inactive_file: page cache given up first */
    struct pl_quantity room;        /* limit - used + reclaimable: what can still be charged */

    /* The process' own group. */
    struct pl_quantity own_used;
    struct pl_quantity own_peak;      /* since the group was made, or the counter was reset */
    struct pl_cgroup_count oom_kills; /* the difference of two readings proves an OOM kill */
};

/* Reads all of the above. Errors as pl_cgroup_find. */
int pl_cgroup_memory(const struct pl_root *root, pid_t pid, struct pl_cgroup_memory *ret,
                     struct pl_err *err);

/* The least CPU quota over all ancestors, in CPUs ("150000 100000" is 1.5); 0 when there is none.
 * Errors as pl_cgroup_find. */
int pl_cgroup_cpu_quota(const struct pl_root *root, pid_t pid, double *ret_cpus,
                        struct pl_err *err);

#endif
