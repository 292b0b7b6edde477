/* What /proc says of one process. Every read goes through a root. */
#ifndef PL_SYS_PROC_H
#define PL_SYS_PROC_H

#include "domain/run.h"
#include "sys/root.h"

#include <sys/types.h>

/* Memory of the process now (RssAnon, RssShmem, RssFile, VmSwap, VmLck); at_ns is the monotonic
 * clock. -ESRCH when it is gone or a zombie (which has no memory), -ENOTSUP when the kernel does
 * not split resident memory (before 4.5), -EACCES. */
int pl_proc_sample(const struct pl_root *root, pid_t pid, struct pl_sample *ret,
                   struct pl_err *err);

/* From /proc/PID/stat; safe against a comm that imitates the fields after it. */
struct pl_proc_stat {
    char state; /* 'R', 'S', 'D', 'Z', ... */
    pid_t parent;
    uint64_t user_ticks, system_ticks;
    uint32_t threads;
    uint64_t start_ticks; /* since boot, in sysconf(_SC_CLK_TCK) */
};
int pl_proc_stat(const struct pl_root *root, pid_t pid, struct pl_proc_stat *ret,
                 struct pl_err *err);

/* When the process started, in clock ticks since boot: with the pid it names a process for good. */
int pl_proc_start_time(const struct pl_root *root, pid_t pid, uint64_t *ret_ticks,
                       struct pl_err *err);

/* A file among the mappings of a process. With an inode: that inode on that device, or (file
 * systems such as btrfs and overlay show another device there) that inode under that path. Without
 * one: the path, or any path that ends in "/" and path. */
struct pl_file_key {
    uint64_t inode; /* 0 = by path alone */
    uint32_t dev_major, dev_minor;
    const char *path; /* borrowed; NULL = by device and inode alone */
};

/* The key of a file that exists. path is borrowed by the key. */
int pl_file_key_of(const char *path, struct pl_file_key *ret, struct pl_err *err);

/* Bytes of the file that are resident in the process' mappings of it (Rss less the pages it has
 * made its own copy of, which count as anonymous). 0 when it is not mapped. Walks the page tables:
 * milliseconds per GiB, so not for sampling at a rate. -ESRCH, -EACCES (another user's process). */
int pl_proc_mapped_resident(const struct pl_root *root, pid_t pid, const struct pl_file_key *key,
                            uint64_t *ret_bytes, struct pl_err *err);

#endif
