/* One look at every process: what it is, where it runs, what it holds. Never smaps: walking the
 * page tables of an engine takes milliseconds per GiB and holds its memory lock. */
#ifndef PL_MACHINE_CONSUMER_SWEEP_H
#define PL_MACHINE_CONSUMER_SWEEP_H

#include "machine/consumer_place.h"
#include "machine/consumer_program.h"
#include "sys/root.h"

#include <stdint.h>

#define PL_PROCESSES_MAX 65536

struct pl_process {
    int64_t pid;
    char name[64];                    /* as the kernel says, cleaned; whole where it was cut */
    const struct pl_program *program; /* NULL = not in the table */
    struct pl_place place;
    bool split; /* the kernel tells anonymous, shared and file pages apart (4.5) */
    uint64_t anon, shmem, file, locked; /* bytes; without split all of it is in `file` */
};

struct pl_sweep {
    struct pl_process *process; /* owned */
    uint32_t n, size;
    uint32_t refused; /* there, and not readable */
    bool cut;         /* more than PL_PROCESSES_MAX */
    bool first;       /* process 1 was seen */
};

/* -ENOENT when there is no proc, -ENOMEM. Kernel threads, which hold nothing, and processes that
 * end meanwhile are left out. */
int pl_sweep_make(const struct pl_root *root, struct pl_sweep *ret, struct pl_err *err);
void pl_sweep_done(struct pl_sweep *s); /* accepts a zeroed one */

/* The process, or NULL. */
const struct pl_process *pl_sweep_find(const struct pl_sweep *s, int64_t pid);

/* One process from the texts of its files; words may be NULL. False when it holds no memory.
 * The caller has set pid. */
bool pl_process_parse(const char *status, const char *cgroup, struct pl_process *ret);

#endif
