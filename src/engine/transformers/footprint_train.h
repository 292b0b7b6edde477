/* Training: gradients, the optimiser's state, adapters, and the activations that are kept for the
 * way back. Private to footprint.c. */
#ifndef PL_ENGINE_TRANSFORMERS_FOOTPRINT_TRAIN_H
#define PL_ENGINE_TRANSFORMERS_FOOTPRINT_TRAIN_H

#include "domain/checkpoint.h"
#include "domain/claim.h"
#include "domain/setting_table.h"
#include "engine/transformers/footprint_weights.h"

/* Everything that the parts are computed from. */
struct pl_torch_job {
    const struct pl_model *m;
    struct pl_setting_values *v;
    struct pl_checkpoint c;
    struct pl_held_as as;
    struct pl_held_sum w;
    uint64_t n_tokens, n_seq;
    uint64_t compute; /* bytes of an element of activations and caches */
    bool on_device, bf16;
    const struct pl_device *device; /* may be NULL */
    struct pl_claim *to;
    uint64_t gradients, state;      /* of training */
    struct pl_pool_footprint *pool; /* where weights, cache and activations lie */
};

bool pl_torch_trains(const struct pl_torch_job *j);

/* Adds its parts instead of cache and activations of generating. */
void pl_torch_train(struct pl_torch_job *j);

/* Says the sum, whether it fits or not. */
void pl_torch_train_sum(struct pl_torch_job *j, const struct pl_machine *machine);

#endif
