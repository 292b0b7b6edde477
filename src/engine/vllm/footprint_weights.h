/* Weights as vLLM holds them on each device. Private to footprint.c. */
#ifndef PL_ENGINE_VLLM_FOOTPRINT_WEIGHTS_H
#define PL_ENGINE_VLLM_FOOTPRINT_WEIGHTS_H

#include "domain/checkpoint.h"
#include "domain/model.h"

enum pl_vllm_held {
    PL_VLLM_WIDE = 0, /* every weight in 16 or 32 bits */
    PL_VLLM_STORED,   /* as the checkpoint packs them */
    PL_VLLM_GROUPS,   /* 4 bit, a 16-bit scale and a 4-bit zero for 128 */
    PL_VLLM_FP8,      /* a byte each, a scale a row at most */
    PL_VLLM_NF4,      /* half a byte, 4 of a scale for 64 */
};

struct pl_vllm_weights {
    uint64_t linear, table, other; /* bytes on one device */
    uint64_t n_linear;
};

/* wide: bytes of an element that is not quantised. */
void pl_vllm_weights(const struct pl_model *m, enum pl_vllm_held held, uint64_t wide, uint64_t tp,
                     struct pl_vllm_weights *ret);

#endif
