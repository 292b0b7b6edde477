/* Memory of a process and all that it started. */
#ifndef PL_SYS_TREE_H
#define PL_SYS_TREE_H

#include "domain/run.h"
#include "sys/root.h"

#include <sys/types.h>

#define PL_TREE_MAX 1024 /* processes looked at; of more the first */

/* Adds up what pl_proc_sample says of pid and its descendants (those it lost to init or to a
 * subreaper are not found: be one). Returns how many were read, 0 when none is left. pids, when not
 * NULL, takes them. */
uint32_t pl_tree_sample(const struct pl_root *root, pid_t pid, struct pl_sample *ret,
                        pid_t pids[PL_TREE_MAX]);

#endif
