/* Processes summed by program and by the container or service they run in, so that what they share
 * is counted once.
 *
 * Anonymous pages of forked processes may be shared until one writes: the sum over a group is the
 * most it can hold, its largest member the least. Shared memory and mapped files of one program are
 * taken as the same pages: the largest member counts. Where the sums over all groups exceed what
 * /proc/meminfo has of that kind, they are scaled down to it. */
#ifndef PL_MACHINE_CONSUMER_GROUP_H
#define PL_MACHINE_CONSUMER_GROUP_H

#include "domain/machine.h"
#include "machine/consumer_sweep.h"
#include "sys/meminfo.h"

struct pl_group {
    const struct pl_process *first; /* what the members have in common; borrowed from the sweep */
    uint32_t n;
    char container[80]; /* its name where one is known, else the short id; "" = none */
    bool split;         /* of every member */
    uint64_t anon_sum, anon_max, shmem_max, shmem_sum, file_max, file_sum;
    uint64_t locked_low, locked_high; /* of mapped files; the largest member */
    struct {
        char pool[PL_POOL_NAME_MAX];
        struct pl_quantity held;
    } device[PL_CONSUMER_POOLS_MAX];
    uint32_t n_device;
    struct pl_quantity anon, shmem, locked; /* from the sums, scaled; what the report shows */
};

struct pl_groups {
    struct pl_group *group; /* owned; ordered by container, then program */
    uint32_t n;
    uint32_t *of;                 /* owned: the group of each process of the sweep */
    uint64_t anon_sum, shmem_sum; /* over all groups, before scaling */
};

/* -ENOMEM. The sweep must outlive the groups. */
int pl_groups_make(const struct pl_sweep *s, const struct pl_meminfo *mi, struct pl_groups *ret,
                   struct pl_err *err);
void pl_groups_done(struct pl_groups *g); /* accepts a zeroed one */

/* Finds the names of the containers. True when some could be read only with more rights. */
bool pl_groups_name(const struct pl_root *root, struct pl_groups *g);

/* What the group is shown as: the program of the table, or the process' own name. */
const char *pl_group_name(const struct pl_group *g);
enum pl_consumer_kind pl_group_kind(const struct pl_group *g);

/* Adds what a driver says a process of the group holds of a pool. */
void pl_group_hold(struct pl_group *g, const char *pool, struct pl_quantity held);

#endif
