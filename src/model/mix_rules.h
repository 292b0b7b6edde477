/* The rules of mix.c, one row each. Only mix.c includes this. */
#ifndef PL_MODEL_MIX_RULES_H
#define PL_MODEL_MIX_RULES_H

#include "model/mix.h"

/* What is counted while the tensors are visited in llama-quantize's order. */
struct pl_mix_walk {
    const struct pl_mix *mix;
    const struct pl_mix_facts *facts;
    uint64_t n_value;               /* tensors of class value */
    uint64_t value, down, gate, up; /* running indices */
    bool tied;                      /* no output.weight in the list */
};

void pl_mix_walk_start(struct pl_mix_walk *w, const struct pl_mix *mix,
                       const struct pl_mix_facts *facts);

/* First pass: counts. */
void pl_mix_walk_count(struct pl_mix_walk *w, const struct pl_tensor *t);

/* Second pass, in order: the type of t. layer is -1 outside the blocks. */
uint32_t pl_mix_walk_type(struct pl_mix_walk *w, const struct pl_tensor *t, int64_t layer);

#endif
