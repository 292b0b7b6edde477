#include "engine/vllm/footprint_weights.h"

#include "base/checked.h"

/* vllm/model_executor/layers/vocab_parallel_embedding.py: rows of the vocabulary are padded to 64
 * on each device. */
#define PL_VLLM_VOCAB_PAD 64

static uint64_t pl_vllm_share(uint64_t n, uint64_t tp)
{
    return n / tp + (n % tp != 0);
}

static uint64_t pl_vllm_linear(const struct pl_tensor *t, uint64_t n, enum pl_vllm_held held,
                               uint64_t wide)
{
    uint64_t rows = t->ne[0] > 0 ? n / t->ne[0] : 0;
    switch (held) {
    case PL_VLLM_STORED: {
        uint64_t stored = t->bytes, full = pl_mul_sat(n, wide);
        return stored < full ? stored : full;
    }
    case PL_VLLM_GROUPS: /* vllm/model_executor/layers/quantization/gptq.py, awq.py */
        return pl_add_sat(n / 2, pl_add_sat(n / 128 * 2, n / 256));
    case PL_VLLM_FP8: /* quantization/fp8.py: a scale for the tensor, or for each row */
        return pl_add_sat(n, pl_mul_sat(rows, 4));
    case PL_VLLM_NF4: /* quantization/bitsandbytes.py */
        return pl_add_sat(n / 2, n / 64 * 4);
    case PL_VLLM_WIDE:
        break;
    }
    return pl_mul_sat(n, wide);
}

void pl_vllm_weights(const struct pl_model *m, enum pl_vllm_held held, uint64_t wide, uint64_t tp,
                     struct pl_vllm_weights *ret)
{
    /* vllm/model_executor/models/llama.py, load_weights: "lm_head." is passed over */
    const struct pl_tensor *spare = pl_checkpoint_spare_head(m);
    *ret = (struct pl_vllm_weights){0};
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        uint64_t n = pl_tensor_elements(t), rows = 0;
        switch (t != spare ? pl_checkpoint_role(t) : PL_ROLE_NONE) {
        case PL_ROLE_LINEAR:
        case PL_ROLE_EXPERTS:
            ret->linear =
                pl_add_sat(ret->linear, pl_vllm_share(pl_vllm_linear(t, n, held, wide), tp));
            ret->n_linear++;
            break;
        case PL_ROLE_QUANT:
            ret->linear = pl_add_sat(ret->linear, pl_vllm_share(t->bytes, tp));
            ret->n_linear++;
            break;
        case PL_ROLE_EMBEDDING:
        case PL_ROLE_HEAD:
            rows = pl_vllm_share(t->ne[1], tp);
            if (!pl_pad_u64(rows, PL_VLLM_VOCAB_PAD, &rows))
                rows = UINT64_MAX;
            ret->table = pl_add_sat(ret->table, pl_mul_sat(pl_mul_sat(rows, t->ne[0]), wide));
            break;
        case PL_ROLE_OTHER:
            ret->other = pl_add_sat(ret->other, pl_mul_sat(n, wide));
            break;
        case PL_ROLE_NONE:
        case PL_ROLES:
            break;
        }
    }
}
