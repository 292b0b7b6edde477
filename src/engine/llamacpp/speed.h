/* How fast llama-server reads prompts and generates. Pure.
 *
 * A step of the graph takes, in each place, what its bytes need at the place's bandwidth and its
 * operations at the place's rate, and the places work one after the other. Devices: coefficients
 * fitted on measured rows of many (speed_fit.h). The host: bandwidth and rates measured on it, and
 * a cost per tensor type (speed_step.h). No figure is above what the bandwidth allows. */
#ifndef PL_ENGINE_LLAMACPP_SPEED_H
#define PL_ENGINE_LLAMACPP_SPEED_H

#include "base/err.h"
#include "domain/speed.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/speed_step.h"

/* A correction learned from runs, applied in one place: rates are multiplied by it, and the
 * interval becomes its own. Zeroed: none. */
struct pl_speed_correction {
    double decode, prefill;         /* factors; 0 = none */
    double decode_low, decode_high; /* measured over corrected; 0 = unknown */
    double prefill_low, prefill_high;
    const char *why; /* "corrected by 12 runs of this engine here" */
};

struct pl_speed_named_device {
    char pool[PL_POOL_NAME_MAX];
    struct pl_speed_device as;
};

/* The machine as the formulas want it. */
struct pl_speed_machine {
    struct pl_speed_host host;
    struct pl_speed_named_device device[PL_USED_DEVICES_MAX]; /* in any order */
    uint32_t n_device;
    struct pl_speed_correction correction;
    const struct pl_speed_fit *fit; /* NULL: the built-in one */
    double draft_bytes;             /* read for a drafted token; 0 = unknown or none */
};

/* Fills ret but for its load time. `prompt`: tokens of the prompt that prefill and the time to the
 * first token speak of, and the depth of `decode`. host and r as for pl_llamacpp_footprint, which
 * gave r. What is not known here is unknown with a reason; an error is one of the footprint's. */
int pl_llamacpp_speed(const struct pl_model *m, const struct pl_settings *s,
                      const struct pl_llamacpp_host *host, const struct pl_resolved *r,
                      const struct pl_speed_machine *in, uint64_t prompt, struct pl_speed *ret,
                      struct pl_err *err);

/* Decode at an offload: -ngl n for each n of 0..layers + 1 that the caller asks for. As above, the
 * terms left out. */
int pl_llamacpp_speed_at(const struct pl_model *m, const struct pl_settings *s,
                         const struct pl_llamacpp_host *host, const struct pl_resolved *r,
                         const struct pl_speed_machine *in, uint64_t n_gpu_layers, uint64_t prompt,
                         struct pl_rate *ret_decode, struct pl_rate *ret_prefill,
                         struct pl_err *err);

#endif
