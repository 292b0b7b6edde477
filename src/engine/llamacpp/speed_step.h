/* What one step of the graph reads and computes in each place, and how long the host takes for its
 * share. Pure. */
#ifndef PL_ENGINE_LLAMACPP_SPEED_STEP_H
#define PL_ENGINE_LLAMACPP_SPEED_STEP_H

#include "engine/llamacpp/placement.h"
#include "engine/llamacpp/speed_fit.h"

/* The CPU as it was measured. */
struct pl_speed_host {
    struct pl_rate bandwidth; /* bytes per second with the engine's threads */
    struct pl_rate int8, fma; /* operations per second with them: dot products of 8-bit integers,
                                 products and sums of 32-bit floats made of 16-bit ones */
    const struct pl_cpu *cpu; /* NULL: features unknown */
};

/* Cost of a product of a tensor type on a CPU, data/speed_kernels.tsv: operations of the probe that
 * take as long as one of the engine's. */
struct pl_speed_kernel {
    const char *type;       /* "Q4_K" */
    const char *layout;     /* "repacked" or "plain" */
    const char *probe;      /* "int8" or "fma" */
    double decode, prefill; /* with one token in the step, and with many; 0 = not known */
    const char *source;
};
/* The row of a type, repacked or not, or the one of "other". */
const struct pl_speed_kernel *pl_speed_kernel(uint32_t type, bool repacked);
/* A row that is no tensor type: "attention" (of the fma probe), "layer" (microseconds of a step per
 * layer), "vocabulary" (nanoseconds per candidate token), "activations" (bytes moved per value of
 * the embedding, layer and token of a batch). */
const struct pl_speed_kernel *pl_speed_kernel_named(const char *name);

struct pl_speed_graph {
    const struct pl_model *m;
    const struct pl_net *net;
    const struct pl_resolved *r;
    const struct pl_placement *place;
    const struct pl_speed_host *host;
    bool op_offload; /* products of large batches leave the host for the first device */
};

#define PL_SPEED_TYPES 64u /* tensor types whose rows are kept while a step is summed */

struct pl_speed_step {
    struct pl_speed_work place[PL_PLACES_MAX];
    double host_seconds; /* of its weights' products, by bytes or operations, whichever is longer */
    double host_bytes_seconds, host_ops_seconds; /* the two, for explaining; ops 0 = not measured */
    double moved; /* bytes of host weights that go to the first device for this step */
    double tokens, slots;
    const struct pl_speed_kernel *kernel[PL_SPEED_TYPES][2]; /* those found so far; inside */
};

/* A step of `tokens` tokens that belong to `slots` sequences, each with `depth` tokens before it.
 */
void pl_speed_step(const struct pl_speed_graph *g, double tokens, double slots, double depth,
                   struct pl_speed_step *ret);

/* The same step at another depth: the weights' share stays. */
void pl_speed_step_at(const struct pl_speed_graph *g, double depth, struct pl_speed_step *step);

/* Bytes of K, V and state that a sequence reads for its next token at that depth, in the place. */
double pl_speed_cache_bytes(const struct pl_speed_graph *g, uint8_t place, double depth);

#endif
