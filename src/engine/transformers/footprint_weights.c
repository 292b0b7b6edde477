#include "engine/transformers/footprint_weights.h"

#include "base/checked.h"
#include "base/units.h"

/* bitsandbytes/functional.py, quantize_4bit: a scale (absmax) of 4 bytes for 64 elements, a code
 * book of 16 floats; with compress_statistics the scales are 8 bit ones in blocks of 256, with
 * their own absmax, a code book of 256 floats and an offset. */
#define PL_BNB_BLOCK 64
#define PL_BNB_BLOCK_2 256

/* c10/cuda/CUDACachingAllocator.cpp: sizes are rounded to 512 bytes; those to 1 MiB come from
 * segments of 2 MiB, those below 10 MiB from segments of 20 MiB, larger ones have a segment of
 * their own in whole 2 MiB. */
#define PL_TORCH_ROUND 512
#define PL_TORCH_SMALL (1 * PL_MIB)
#define PL_TORCH_SMALL_SEGMENT (2 * PL_MIB)
#define PL_TORCH_LARGE (10 * PL_MIB)
#define PL_TORCH_LARGE_SEGMENT (20 * PL_MIB)

#define PL_EXPERTS_MAX 65536u /* of one layer; more are no experts */

struct pl_torch_pool {
    uint64_t reserved, small_left, large_left;
};

static uint64_t pl_ceil_div(uint64_t n, uint64_t unit)
{
    return n / unit + (n % unit != 0);
}

/* Takes from the open segment or opens another; freed rests are not modelled. */
static void pl_torch_take(struct pl_torch_pool *p, uint64_t bytes)
{
    uint64_t size = pl_mul_sat(pl_ceil_div(bytes, PL_TORCH_ROUND), PL_TORCH_ROUND);
    if (size == 0)
        return;
    if (size >= PL_TORCH_LARGE) {
        size = pl_mul_sat(pl_ceil_div(size, PL_TORCH_SMALL_SEGMENT), PL_TORCH_SMALL_SEGMENT);
        p->reserved = pl_add_sat(p->reserved, size);
        return;
    }
    bool small = size <= PL_TORCH_SMALL;
    uint64_t *left = small ? &p->small_left : &p->large_left;
    uint64_t segment = small ? PL_TORCH_SMALL_SEGMENT : PL_TORCH_LARGE_SEGMENT;
    if (*left < size) {
        p->reserved = pl_add_sat(p->reserved, segment);
        *left = segment;
    }
    *left -= size;
}

/* One quantised weight of n elements and `rows` outputs: what it holds beside the packed elements,
 * each piece an allocation. */
static uint64_t pl_held_scales(const struct pl_held_as *as, uint64_t n, uint64_t rows,
                               struct pl_torch_pool *pool)
{
    uint64_t piece[5] = {0}, sum = 0;
    uint64_t blocks = pl_ceil_div(n, PL_BNB_BLOCK);
    if (as->linear == PL_HELD_INT8) {
        piece[0] = pl_mul_sat(rows, 4); /* bitsandbytes/nn/modules.py, Int8Params: SCB */
    } else if (as->double_quant) {
        piece[0] = blocks;
        piece[1] = pl_mul_sat(pl_ceil_div(blocks, PL_BNB_BLOCK_2), 4);
        piece[2] = 256 * 4;
        piece[3] = 16 * 4;
        piece[4] = 4;
    } else {
        piece[0] = pl_mul_sat(blocks, 4);
        piece[1] = 16 * 4;
    }
    for (int i = 0; i < 5; i++) {
        sum = pl_add_sat(sum, piece[i]);
        pl_torch_take(pool, piece[i]);
    }
    return sum;
}

static void pl_held_quantise(const struct pl_held_as *as, uint64_t n, uint64_t rows,
                             struct pl_held_sum *sum, struct pl_torch_pool *pool)
{
    uint64_t packed = as->linear == PL_HELD_INT8 ? n : pl_ceil_div(n, 2);
    uint64_t wide = pl_mul_sat(n, as->wide);
    pl_torch_take(pool, packed);
    sum->quantised = pl_add_sat(sum->quantised, packed);
    sum->scales = pl_add_sat(sum->scales, pl_held_scales(as, n, rows, pool));
    sum->n_quantised++;
    sum->largest = packed > sum->largest ? packed : sum->largest;
    sum->largest_linear = wide > sum->largest_linear ? wide : sum->largest_linear;
}

static void pl_held_wide(const struct pl_held_as *as, const struct pl_tensor *t, uint64_t n,
                         struct pl_held_sum *sum, struct pl_torch_pool *pool)
{
    /* what a quantiser packed before is kept as stored */
    uint64_t bytes = as->linear == PL_HELD_STORED && pl_checkpoint_role(t) == PL_ROLE_QUANT
                         ? t->bytes
                         : pl_mul_sat(n, as->wide);
    if (as->linear == PL_HELD_STORED && t->bytes < bytes && pl_checkpoint_role(t) == PL_ROLE_LINEAR)
        bytes = t->bytes; /* FP8, int8: one byte an element */
    pl_torch_take(pool, bytes);
    sum->wide = pl_add_sat(sum->wide, bytes);
    sum->n_wide++;
    sum->largest = bytes > sum->largest ? bytes : sum->largest;
}

void pl_transformers_weights(const struct pl_model *m, const struct pl_held_as *as,
                             struct pl_held_sum *ret)
{
    struct pl_torch_pool pool = {0};
    /* transformers/modeling_utils.py, tie_weights */
    const struct pl_tensor *spare = pl_checkpoint_spare_head(m);
    *ret = (struct pl_held_sum){0};
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        enum pl_role role = pl_checkpoint_role(t);
        uint64_t n = pl_tensor_elements(t), wide = pl_mul_sat(n, as->wide);
        bool quantised = as->linear == PL_HELD_INT8 || as->linear == PL_HELD_4BIT;
        if (role == PL_ROLE_NONE || n == 0 || t == spare)
            continue;
        ret->full = pl_add_sat(ret->full, wide);
        ret->largest_wide = wide > ret->largest_wide ? wide : ret->largest_wide;
        if (quantised && role == PL_ROLE_LINEAR) {
            pl_held_quantise(as, n, t->ne[1], ret, &pool);
        } else if (quantised && role == PL_ROLE_EXPERTS && as->experts_too &&
                   t->ne[2] <= PL_EXPERTS_MAX) {
            for (uint64_t e = 0; e < t->ne[2]; e++)
                pl_held_quantise(as, n / t->ne[2], t->ne[1], ret, &pool);
        } else {
            pl_held_wide(as, t, n, ret, &pool);
        }
    }
    ret->reserved = pool.reserved;
}
