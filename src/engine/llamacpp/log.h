/* What llama-server says about itself while it loads, line by line. Pure: no I/O, fixed memory, any
 * bytes accepted. Lines look like (0.7.0; older ones lack the time and level):
 *
 *   0.00.014.082 I load_tensors:   CPU_Mapped model buffer size =     2.01 MiB
 *
 * What the buffer lines mean:
 *  - One load prints one line per buffer; a `CPU_Mapped` line is a range of a mapped file (there
 * may be hundreds), `CPU_REPACK` anonymous memory with rearranged copies, `CPU` plain anonymous
 *    memory. MiB with two decimals: each line is rounded by up to 5243 bytes either way.
 *  - With -fit (the default) the engine loads once without data, to learn the sizes; at verbosity 5
 *    that dry run prints the same lines. It stands between "fitting params to device memory" and
 *    "fitting params to free memory took", and says `no_alloc = 1`: its figures are not taken.
 *  - A draft model loads after the main one; buffers are added, context figures are the main one's.
 *    "load_model: loading model" begins anew (an engine that slept and woke up).
 *  - KV lines come once per cache (a sliding-window model has two) and device, and are added.
 *    Compute lines may be printed again for the same context ("sched_reserve: reserving"): the last
 *    ones count. */
#ifndef PL_ENGINE_LLAMACPP_LOG_H
#define PL_ENGINE_LLAMACPP_LOG_H

#include "domain/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_LOG_LINE_MAX 1024 /* longer lines are cut */

/* What an error line is about, most telling first. */
enum pl_log_cause {
    PL_CAUSE_NONE = 0,
    PL_CAUSE_MEMORY,
    PL_CAUSE_PORT,
    PL_CAUSE_FLAG,
    PL_CAUSE_MODEL,
    PL_CAUSE_OTHER,
};

/* The closing table, in whole MiB, summed over its rows. */
struct pl_log_breakdown {
    bool known;
    uint32_t rows;
    uint64_t model_mib, context_mib, compute_mib;
};

struct pl_log {
    struct pl_engine_report report; /* filled as lines come */
    struct pl_log_breakdown breakdown;
    bool fitting, no_alloc;  /* inside a dry run */
    uint32_t contexts;       /* real ones constructed */
    uint64_t compute_before; /* compute buffers of the contexts before the last */
    uint64_t n_vocab;        /* 0 = not said */
    bool listening;          /* it said that it accepts requests */
    enum pl_log_cause cause;
    char error[PL_LOG_LINE_MAX]; /* the line that tells most about a failure; "" = none yet */
    char line[PL_LOG_LINE_MAX];  /* the unfinished line */
    size_t len;
    bool escape; /* inside a terminal colour sequence */
};

void pl_log_init(struct pl_log *l);

/* Takes any piece of the output. */
void pl_log_feed(struct pl_log *l, const char *data, size_t len);

/* The output has ended: takes a last line that had no newline. */
void pl_log_end(struct pl_log *l);

#endif
