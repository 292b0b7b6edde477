/* Samples the memory of a process from a thread of its own, while the main thread talks to it. */
#ifndef PL_MEASURE_WATCH_H
#define PL_MEASURE_WATCH_H

#include "base/err.h"
#include "domain/run.h"

#include <sys/types.h>

struct pl_watch;

/* Starts sampling every period (nanoseconds). End with pl_watch_stop. */
int pl_watch_start(pid_t pid, uint64_t period_ns, struct pl_watch **ret, struct pl_err *err);

/* Most of each field seen so far. */
struct pl_sample pl_watch_peak(struct pl_watch *w);

/* Ends the thread and frees. Accepts NULL, returns NULL. */
struct pl_watch *pl_watch_stop(struct pl_watch *w);

#endif
