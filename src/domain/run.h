/* One run of one variant on a real engine: what was predicted, what was measured. Plain values; the
 * ledger stores exactly this. */
#ifndef PL_DOMAIN_RUN_H
#define PL_DOMAIN_RUN_H

#include "domain/footprint.h"
#include "domain/settings.h"

#include <stdint.h>

#define PL_RUN_TEXT_MAX 256
#define PL_RUN_SAMPLES_MAX 4096

/* Timings of one request, as the engine reports them. */
struct pl_timing {
    uint64_t prompt_tokens, predicted_tokens;
    double prompt_tokens_per_second, predicted_tokens_per_second;
    double first_token_ms; /* wall time to the first token */
};

/* Host memory of a process tree at one moment, from /proc. */
struct pl_sample {
    uint64_t at_ns;
    uint64_t rss_anon, rss_shmem, rss_file, swap, locked;
};

/* What the engine says of itself; 0 with known=false when it did not say. */
struct pl_engine_bytes {
    bool known;
    uint64_t bytes;
};

#define PL_REPORT_DEVICES_MAX 16

/* Buffers on one device, as the engine names it ("CUDA0"). */
struct pl_engine_device {
    char name[32];
    struct pl_engine_bytes weights, kv, compute, recurrent;
    uint64_t compute_before; /* of the contexts before the last: for the reader of the log */
};

struct pl_engine_report {
    char version[64];
    char backend[64];                   /* "cpu-zen4", "cpu-zen4+vulkan"; "" = not said */
    uint64_t n_ctx, n_ctx_seq, n_slots; /* 0 = not said */
    uint64_t n_ctx_slot;                /* n_ctx_seq, at most the training context; 0 = not said */
    bool kv_unified, kv_unified_known;
    struct pl_engine_bytes weights_mapped, weights_repack, weights_other; /* model buffers */
    struct pl_engine_bytes kv, compute, output, recurrent;
    struct pl_engine_device device[PL_REPORT_DEVICES_MAX]; /* what is above is the host's */
    uint32_t n_device;
    uint64_t load_ms; /* spawn to healthy */
};

/* What else ran: how much tasks waited for a processor, by the kernel. A rate that was measured
 * while others computed says little of the machine; memory stays what it is. */
struct pl_beside {
    bool pressure_known;
    double
        pressure_before; /* share of the 10 s before the start in which some task waited, 0 .. 1 */
    double pressure_during; /* of the time of the timed requests */
    bool load_known;
    double load_before;     /* tasks that ran or wanted to, mean of one minute */
    bool judged, disturbed; /* disturbed: the speeds are not valid */
};

enum pl_run_status { PL_RUN_OK = 0, PL_RUN_FAILED, PL_RUN_REFUSED, PL_RUN_INTERRUPTED };

struct pl_run {
    int64_t id; /* in the ledger; 0 = not stored */
    int64_t started_unix;
    enum pl_run_status status;
    char error[PL_RUN_TEXT_MAX];
    char machine_id[40], machine_text[PL_RUN_TEXT_MAX];
    char engine[32], engine_version[64], backend[64];
    char model[PL_RUN_TEXT_MAX], arch[48], quant[32];
    bool ghost;
    uint64_t parameters, file_bytes;
    char flags[PL_RUN_TEXT_MAX]; /* as launched, without paths */
    struct pl_resolved settings;
    struct pl_footprint predicted;
    struct pl_engine_report report;
    struct pl_sample steady, peak,
        baseline; /* peak: maximum of each field; baseline: loaded, before any request */
    struct pl_quantity measured[PL_PARTS]; /* per part where it can be told apart, else unknown */
    struct pl_quantity measured_total;     /* RssAnon + RssShmem + file_hot */
    /* of the devices: beside predicted.pool, whose first is the host's */
    struct pl_pool_measured {
        struct pl_quantity part[PL_PARTS], total;
    } on_device[PL_FOOTPRINT_POOLS_MAX];
    uint64_t cgroup_peak; /* 0 = not readable */
    bool memory_returned; /* available memory came back after the stop */
    uint32_t repeats;
    struct pl_timing timing;                            /* median over repeats */
    double prompt_spread, predicted_spread;             /* (max-min)/median over repeats */
    struct pl_rate predicted_prefill, predicted_decode; /* as estimated before the run */
    struct pl_beside beside;
    char fill[8];        /* weights of a ghost: "zero", "random"; "" = a real file, or not known */
    char driver[64];     /* of the devices, "nvidia 580.65"; "" = none, or not known */
    bool golden;         /* later runs of the same are watched against this one */
    char written_by[32]; /* version of the program whose formulas predicted; "" = not stored yet */
};

/* The pool that `measured`, `measured_total` and the samples speak of: the host's memory. */
#define PL_RUN_MEASURED_POOL "ram"

/* "ok", "failed", "refused", "interrupted". The inverse takes any other word for failed. */
const char *pl_run_status_name(enum pl_run_status status);
enum pl_run_status pl_run_status_of(const char *name);

/* False for a sample that is zero throughout: it was never taken, and its fields are unknown. */
bool pl_sample_taken(const struct pl_sample *s);

#endif
