/* A catalogue row's tensors without their repetition: layers that have the same tensors share one
 * list of them. What is summed over a model for many quantisations is summed over its outline. */
#ifndef PL_MODEL_OUTLINE_H
#define PL_MODEL_OUTLINE_H

#include "base/arena.h"
#include "model/mix_rules.h"
#include "model/tensor_table.h"

#define PL_OUTLINE_LAYERS_MAX 512u /* llama.cpp: LLAMA_MAX_LAYERS */

struct pl_outline_kind {
    struct pl_tensor *tensor; /* in the order of the tables; names as there: "blk.attn_q.weight" */
    uint32_t n;
    uint16_t *order; /* their indices by name, as llama-quantize visits them */
    struct pl_mix_traits *traits;
};

struct pl_outline {
    const struct pl_catalogue_row *row;
    struct pl_arena *arena; /* borrowed */
    struct pl_outline_kind kind[PL_OUTLINE_LAYERS_MAX + 1];
    uint32_t n_kind;
    uint16_t of[PL_OUTLINE_LAYERS_MAX + 1]; /* kind of layer i - 1; 0: outside the blocks */
    uint32_t n_layer;
    uint64_t n_tensor; /* of all layers */
};

/* Fills ret from the rules of the row's architecture; all of it lives in arena. The row's layers
 * are at most PL_OUTLINE_LAYERS_MAX. Errors as pl_tensor_rule_shape, and -ENOMEM. The struct is
 * large: keep it off the stack. */
int pl_outline_make(const struct pl_catalogue_row *row, const struct pl_tensor_rule *const *rule,
                    uint64_t n_rule, struct pl_arena *arena, struct pl_outline *ret,
                    struct pl_err *err);

/* Bytes of all tensors with a mix: what pl_mix_apply would give their sum. -EINVAL when a row fits
 * no block of the mix, -ERANGE. */
int pl_outline_bytes(const struct pl_outline *o, const struct pl_mix *mix,
                     const struct pl_mix_facts *facts, uint64_t *ret, struct pl_err *err);

#endif
