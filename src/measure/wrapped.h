/* A command of the user's, run as if we were not there: outputs, signals, terminal and exit status
 * are its own; its memory is sampled and its words are listened to. */
#ifndef PL_MEASURE_WRAPPED_H
#define PL_MEASURE_WRAPPED_H

#include "base/err.h"
#include "domain/run.h"
#include "sys/group.h"
#include "sys/tap.h"

#define PL_WRAPPED_PERIOD_NS 100000000ull /* between two samples of the tree */

struct pl_wrapped_options {
    const char *const *argv; /* NULL-ended */
    const char *const *env;  /* additions, NULL-ended; or NULL */
    bool listen;             /* to its outputs */
    pl_tap_fn *heard;        /* what it says; called from this thread */
    void *ctx;
    const char *group; /* cgroup.procs to join, or NULL */
    uint64_t ceiling;  /* bytes of RssAnon + RssShmem of the tree; 0 = none. Above it the tree
                          is stopped: for machines where no control group can be made */
    /* Called at every look with the processes that were found, all there were since the start;
     * true stops the command, as a ceiling does. May be NULL. */
    bool (*look)(void *ctx, const pid_t *pids, uint32_t n);
    int also;                 /* one more descriptor to wait for; -1 = none */
    bool (*ready)(void *ctx); /* it is readable, or closed; false: do not wait for it any more */
    pid_t helper;             /* a child of ours that is none of the command's; 0 = none */
};

struct pl_wrapped {
    pid_t pid;
    int status; /* of waitpid(2) */
    uint64_t started_ns, ended_ns;
    struct pl_sample peak; /* most of each field */
    uint64_t peak_memory;  /* most of RssAnon + RssShmem at once */
    uint32_t most_processes;
    uint32_t left;     /* processes it left behind, which go on */
    bool over_ceiling; /* stopped by us */
    bool interrupted;  /* the user sent it a signal to end */
};

/* Runs it to its end. -ENOENT with exit status 127, -EACCES and -ENOEXEC with 126 when it cannot be
 * started. */
int pl_wrapped_run(const struct pl_wrapped_options *o, struct pl_wrapped *ret, struct pl_err *err);

/* Ends this process as the command ended: the same signal, or the status to return. */
int pl_wrapped_exit(const struct pl_wrapped *w);

#endif
