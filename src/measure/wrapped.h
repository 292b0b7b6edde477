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
    const char *group;       /* cgroup.procs to join, or NULL */
    uint64_t ceiling;        /* bytes of RssAnon + RssShmem of the tree; 0 = none. Above it the tree
                                is stopped: for machines where no control group can be made */
    bool (*over)(void *ctx); /* asked now and then: is another limit passed? May be NULL */
};

struct pl_wrapped {
    pid_t pid;
    int status; /* of waitpid(2) */
    uint64_t started_ns, ended_ns;
    struct pl_sample peak; /* most of each field */
    uint64_t peak_memory;  /* most of RssAnon + RssShmem at once */
    uint32_t most_processes;
    bool over_ceiling; /* stopped by us */
    bool interrupted;  /* the user sent it a signal to end */
};

/* Runs it to its end. -ENOENT with exit status 127, -EACCES and -ENOEXEC with 126 when it cannot be
 * started. */
int pl_wrapped_run(const struct pl_wrapped_options *o, struct pl_wrapped *ret, struct pl_err *err);

/* Ends this process as the command ended: the same signal, or the status to return. */
int pl_wrapped_exit(const struct pl_wrapped *w);

#endif
