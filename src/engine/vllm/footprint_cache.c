#include "engine/vllm/footprint_cache.h"

#include "base/checked.h"

static uint64_t pl_vllm_ceil(uint64_t n, uint64_t unit)
{
    return n / unit + (n % unit != 0);
}

/* Layers that keep everything, and layers that keep a window. */
static void pl_vllm_kinds(const struct pl_checkpoint *c, uint64_t *ret_full, uint64_t *ret_window,
                          uint64_t *ret_heads)
{
    *ret_full = *ret_window = *ret_heads = 0;
    for (uint64_t il = 0; il < c->n_layer; il++) {
        if (c->n_head_kv[il] == 0)
            continue;
        bool slides = c->window > 0 && c->window_known && c->window_of[il];
        *(slides ? ret_window : ret_full) += 1;
        if (c->n_head_kv[il] > *ret_heads)
            *ret_heads = c->n_head_kv[il];
    }
}

static uint64_t pl_vllm_requests(const struct pl_checkpoint *c, const struct pl_vllm_cache *k,
                                 uint64_t full, uint64_t window, uint64_t len)
{
    uint64_t all = pl_vllm_ceil(len, k->block);
    if (!k->hybrid)
        return all;
    /* SlidingWindowSpec.max_memory_usage_bytes: the window, the step's tokens, and a block more as
     * it may begin within one */
    uint64_t kept = pl_add_sat(c->window > 0 ? c->window - 1 : 0, k->batched);
    uint64_t slides = pl_vllm_ceil(kept < len ? kept : len, k->block) + 1;
    return pl_add_sat(pl_mul_sat(pl_vllm_ceil(full, k->layers), all),
                      pl_mul_sat(pl_vllm_ceil(window, k->layers), slides));
}

bool pl_vllm_cache_shape(const struct pl_checkpoint *c, struct pl_vllm_cache *k)
{
    uint64_t full = 0, window = 0, heads = 0;
    pl_vllm_kinds(c, &full, &window, &heads);
    if (full + window == 0)
        return false;
    /* FullAttentionSpec, MLAAttentionSpec: the compressed row is not split over devices */
    uint64_t row = c->latent > 0 ? pl_add_sat(c->latent, c->latent_rope)
                                 : pl_mul_sat(heads > k->tp ? pl_vllm_ceil(heads, k->tp) : 1,
                                              pl_add_sat(c->head_dim_k, c->head_dim_v));
    k->page = pl_mul_sat(pl_mul_sat(k->block, row), k->bytes);
    k->hybrid = full > 0 && window > 0;
    k->layers = full + window;
    k->groups = 1;
    if (k->hybrid) { /* _get_kv_cache_groups_uniform_page_size */
        uint64_t least = full < window ? full : window, most = full < window ? window : full;
        k->layers = 2 * most < 3 * least ? most : least;
        k->groups = pl_vllm_ceil(full, k->layers) + pl_vllm_ceil(window, k->layers);
    }
    k->per_request = pl_vllm_requests(c, k, full, window, k->len);
    return k->page > 0 && k->per_request > 0;
}

uint64_t pl_vllm_cache_blocks(const struct pl_vllm_cache *k, uint64_t bytes)
{
    return bytes / k->page / k->layers;
}

uint64_t pl_vllm_cache_tokens(const struct pl_vllm_cache *k, uint64_t blocks)
{
    return pl_mul_sat(blocks / k->groups, k->block);
}

uint64_t pl_vllm_cache_longest(const struct pl_checkpoint *c, const struct pl_vllm_cache *k,
                               uint64_t blocks)
{
    uint64_t full = 0, window = 0, heads = 0, low = 0, high = k->len;
    pl_vllm_kinds(c, &full, &window, &heads);
    while (low < high) { /* estimate_max_model_len halves in the same way */
        uint64_t middle = low + (high - low + 1) / 2;
        if (pl_vllm_requests(c, k, full, window, middle) <= blocks)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}
