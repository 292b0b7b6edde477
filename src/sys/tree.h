/* Memory of a process and all that it started. */
#ifndef PL_SYS_TREE_H
#define PL_SYS_TREE_H

#include "domain/run.h"
#include "sys/root.h"

#include <sys/types.h>

#define PL_TREE_MAX 1024 /* processes looked at; of more the first */

/* Adds up what pl_proc_sample says of pid and its descendants (those it lost to init or to a
 * subreaper are not found). Returns how many were read, 0 when none is left; pids takes them. */
uint32_t pl_tree_sample(const struct pl_root *root, pid_t pid, struct pl_sample *ret,
                        pid_t pids[PL_TREE_MAX]);

/* The same without pid itself, and without those of skip and what they started: for a process that
 * is the subreaper of what it started, and so finds those whose parents are gone, too. */
uint32_t pl_tree_below(const struct pl_root *root, pid_t pid, const pid_t *skip, uint32_t n_skip,
                       struct pl_sample *ret, pid_t pids[PL_TREE_MAX]);

#endif
