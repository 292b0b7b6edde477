/* The coefficients of speed, data/speed_fit.tsv: fitted on measured rows of other people's machines
 * (devices) or measured on one of ours (kernels of the CPU, data/speed_kernels.tsv). Pure. */
#ifndef PL_ENGINE_LLAMACPP_SPEED_FIT_H
#define PL_ENGINE_LLAMACPP_SPEED_FIT_H

#include "engine/llamacpp/devices.h"

#include <stdint.h>

struct pl_speed_coef {
    const char *what; /* "bytes", "ops", "step_ms", "moe", "prefill", "kv" ... */
    const char *of;   /* a backend ("CUDA"), an architecture of devices ("ampere"), or "all" */
    double value;
    double low, high;       /* measured over predicted, 5th and 95th per cent; 0 = not known */
    uint32_t rows, devices; /* it was fitted on */
    const char *source;
};

/* A table of them; the built-in one is fitted on every row. */
struct pl_speed_fit {
    const struct pl_speed_coef *coef;
    uint32_t n;
};
const struct pl_speed_fit *pl_speed_fit(void);

/* The coefficient of the first of the names that has one, else of "all", else NULL. Names may be
 * NULL. */
const struct pl_speed_coef *pl_speed_coef(const struct pl_speed_fit *fit, const char *what,
                                          const char *of, const char *or_of);

/* A device as the formula sees it. */
struct pl_speed_device {
    enum pl_backend backend;
    char arch[16];    /* of the device data: "ampere"; "" = unknown */
    double bandwidth; /* bytes per second; 0 = unknown */
    double fp32;      /* operations per second, peak; 0 = unknown */
    double link;      /* bytes per second from the host; 0 = unknown */
};

/* What a step of the graph asks of one place. */
struct pl_speed_work {
    double bytes;    /* of weights, each read once */
    double ops;      /* of their products: 2 per weight used and token */
    double kv_bytes; /* of caches and states */
    double attn_ops; /* of attention over the cache */
    double share;    /* of all layers, the output counted as one: 0..1 */
    double tokens;   /* in the step */
    bool experts;    /* routed experts are among the weights */
};

/* Seconds of a step on a device; 0 when bandwidth or peak is unknown. One token: bytes over
 * bandwidth, operations over the FP32 peak, and a constant per step of its backend. More tokens:
 * what the first costs, and the rest at the rate of prefill. */
double pl_speed_device_step(const struct pl_speed_fit *fit, const struct pl_speed_device *d,
                            const struct pl_speed_work *w);

/* "CUDA", "Metal" ... with words for what is unknown. */
const char *pl_speed_backend(enum pl_backend backend);

#endif
