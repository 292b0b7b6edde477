/* What a command's processes hold of the devices while it runs: the looks of machine/holdings.h
 * put beside the processes that are its own, and the most of each pool. */
#ifndef PL_MEASURE_HELD_H
#define PL_MEASURE_HELD_H

#include "domain/machine.h"
#include "domain/quantity.h"
#include "machine/holdings.h"
#include "sys/spawn.h"

#define PL_HELD_POOLS_MAX 16
#define PL_HELD_PIDS_MAX 4096

struct pl_held_pool {
    char pool[PL_POOL_NAME_MAX];
    bool own_known, own_told;            /* own_told: its processes are listed */
    uint64_t own_now, own_most, own_sum; /* own_sum: of the look that is being read */
    bool own_untold;                     /* listed, and the driver does not say how much */
    bool used_known;
    uint64_t used_first, used_now, used_most; /* by all programs */
};

struct pl_held {
    struct pl_child child;
    struct pl_held_pool pool[PL_HELD_POOLS_MAX];
    uint32_t n_pool;
    uint64_t looks;
    pid_t pid[PL_HELD_PIDS_MAX]; /* of the command, all that were seen */
    uint32_t n_pid;
    uint32_t next_pid; /* replaced next, when all are taken */
    char line[PL_HOLDINGS_LINE_MAX];
    size_t len;
    bool cut; /* the rest of a line too long */
};

/* Starts looking; false where no driver is there to ask. child.pid and child.out then are for the
 * loop: helper and descriptor of struct pl_wrapped_options. End with pl_held_stop. */
bool pl_held_start(struct pl_held *h, const char *program);
/* Takes what there is to read; false at its end. */
bool pl_held_take(struct pl_held *h);
/* These processes are the command's. */
void pl_held_own(struct pl_held *h, const pid_t *pids, uint32_t n);
/* Feeds text, as the child writes it. */
void pl_held_feed(struct pl_held *h, const char *text, size_t n);
void pl_held_stop(struct pl_held *h);

/* The most its processes held of a pool, or what can be said instead. */
struct pl_quantity pl_held_peak(const struct pl_held *h, const struct pl_held_pool *p);
/* Now, for a ceiling; 0 when it is not known to be the command's. */
uint64_t pl_held_now(const struct pl_held *h, const char *pool);
/* Does the driver tell how much of the pool is the command's? */
bool pl_held_tells(const struct pl_held *h, const char *pool);

#endif
