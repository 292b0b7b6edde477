/* src/llama-graph.cpp: build_qkv, build_attn, build_attn_mha; src/llama-kv-cache.cpp: cpy_k, cpy_v,
 * get_k, get_v and the inputs that go with them. */
#include "engine/llamacpp/graph_build.h"

#include "base/checked.h"
#include "domain/tensor_type.h"

static bool pl_b_flash(const struct pl_build *b)
{
    return b->r->flash_attn && !b->no_flash;
}

bool pl_b_chooses_blocks(const struct pl_build *b)
{
    return pl_b_flash(b) && pl_b_layer(b)->n_indexer > 0 && (b->r->n_seq == 1 || !b->r->kv_unified);
}

static uint64_t pl_cache_cells(const struct pl_build *b, bool swa)
{
    return swa ? b->cells.window : b->cells.base;
}

pl_tid pl_b_pos(struct pl_build *b)
{
    if (b->pos == 0)
        b->pos = pl_net_input(b->g, PL_T_I32, b->batch.n_tokens * b->n_pos, 1, 1, 1);
    return b->pos;
}

static pl_tid pl_b_clamped(struct pl_build *b, pl_tid t)
{
    return pl_b_real(b, "attention.clamp_kqv", 0) > 0 ? pl_net_same(b->g, PL_OP_CLAMP, t) : t;
}

struct pl_qkv pl_b_qkv(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    const struct pl_layer *l = pl_b_layer(b);
    uint64_t n = b->batch.n_tokens, head = l->head_k, hk = l->n_head, hv = l->n_head_kv;
    if (pl_b_weight(b, "attn_qkv", ".weight") != 0) {
        pl_tid t = pl_b_clamped(b, pl_b_mm(b, x, "attn_qkv"));
        uint64_t row = head * 4, all = t != 0 ? pl_net_at(g, t)->nb[1] : 0;
        return (struct pl_qkv){
            pl_net_view_3d(g, t, head, hk, n, row, all, 0),
            pl_net_view_3d(g, t, head, hv, n, row, all, row * hk),
            pl_net_view_3d(g, t, head, hv, n, row, all, row * (hk + hv)),
        };
    }
    pl_tid q = pl_b_clamped(b, pl_b_mm(b, x, "attn_q"));
    pl_tid k = pl_b_clamped(b, pl_b_mm(b, x, "attn_k"));
    pl_tid v = pl_b_clamped(b, pl_b_mm(b, x, "attn_v"));
    return (struct pl_qkv){
        pl_net_reshape(g, q, head, hk, n, 1),
        pl_net_reshape(g, k, head, hv, n, 1),
        pl_net_reshape(g, v, l->head_v, hv, n, 1),
    };
}

pl_tid pl_b_rope(struct pl_build *b, pl_tid x)
{
    pl_tid t = pl_net_with(b->g, PL_OP_ROPE, x, pl_b_pos(b));
    pl_tid factors = pl_b_weight(b, "out.rope_freqs", ".weight");
    if (factors == 0)
        factors = pl_b_weight(b, "out.rope_factors_long", ".weight");
    pl_net_also(b->g, t, factors);
    return t;
}

static bool pl_quantised(uint32_t type)
{
    const struct pl_tensor_type *t = pl_tensor_type(type);
    return t != NULL && t->block_elements > 1;
}

/* src/llama-kv-cache.cpp, build_input_k_rot, build_input_v_rot: quantised caches are rotated when
 * the heads of every layer are one multiple of 64; K takes the largest power of two, V 64. */
pl_tid pl_b_rotation(struct pl_build *b, bool swa, bool of_k)
{
    pl_tid *slot = of_k ? &b->rot_k[swa] : &b->rot_v[swa];
    uint64_t head = 0;
    if (*slot != 0 || !pl_quantised(of_k ? b->r->type_k : b->r->type_v))
        return *slot;
    /* build_inp_mem_hybrid_iswa has none */
    if (b->net->arch->memory == PL_MEMORY_HYBRID && b->net->window != PL_WINDOW_NONE)
        return 0;
    for (uint64_t il = 0; il < b->net->n_layer; il++) {
        const struct pl_layer *l = &b->net->layer[il];
        if (!l->owns_kv || l->n_head_kv == 0 || (b->cells.window > 0 && l->windowed != swa))
            continue;
        uint64_t mine = of_k ? l->head_k : l->head_v;
        if (mine == 0 || mine % 64 != 0 || (head != 0 && head != mine))
            return 0;
        head = mine;
    }
    uint64_t n = 64;
    while (of_k && head != 0 && head % (n * 2) == 0)
        n *= 2;
    *slot = pl_net_input(b->g, PL_T_F32, n, n, 1, 1);
    return *slot;
}

pl_tid pl_b_rotated(struct pl_build *b, pl_tid x, pl_tid rot)
{
    struct pl_net_graph *g = b->g;
    if (rot == 0 || x == 0)
        return x;
    uint64_t n = pl_net_at(g, rot)->ne[0], rows = pl_net_elements(g, x) / n;
    const struct pl_t p = *pl_net_at(g, x);
    pl_tid t = pl_net_contiguous(g, x) ? pl_net_reshape(g, x, n, rows, 1, 1)
                                       : pl_net_cont_4d(g, x, n, rows, 1, 1);
    t = pl_net_mul_mat(g, rot, t);
    return pl_net_reshape(g, t, p.ne[0], p.ne[1], p.ne[2], p.ne[3]);
}

pl_tid pl_b_mask(struct pl_build *b, bool cached, bool swa)
{
    uint64_t n = b->batch.n_tokens, streams = cached && !b->r->kv_unified ? b->batch.n_seqs : 1;
    uint64_t keys = cached ? pl_cache_cells(b, swa) : (n + 255) / 256 * 256;
    if (b->mask[swa] == 0)
        b->mask[swa] =
            pl_net_input(b->g, pl_b_flash(b) ? PL_T_F16 : PL_T_F32, keys, n / streams, 1, streams);
    return b->mask[swa];
}

/* The cache's tensor for layer il: [width, cells, streams]. */
pl_tid pl_b_cache(struct pl_build *b, uint32_t type, uint64_t width)
{
    const uint64_t ne[4] = {width, pl_cache_cells(b, pl_b_layer(b)->windowed), b->r->n_stream, 1};
    pl_tid t = pl_net_external(b->g, "cache", type, ne);
    if (t != 0 && b->place != NULL)
        pl_net_at(b->g, t)->backend = pl_b_backend(b, pl_place_cache(b->place, (uint32_t)b->il));
    return t;
}

static pl_tid pl_b_merged(struct pl_build *b, pl_tid cache)
{
    const struct pl_t p = *pl_net_at(b->g, cache);
    return p.ne[2] > 1 ? pl_net_reshape(b->g, cache, p.ne[0], p.ne[1] * p.ne[2], 1, 1) : cache;
}

void pl_b_store(struct pl_build *b, pl_tid cache, pl_tid what, pl_tid *idxs, bool flat)
{
    struct pl_net_graph *g = b->g;
    if (what == 0 || cache == 0) {
        g->failed = true;
        return;
    }
    const struct pl_t p = *pl_net_at(g, what), c = *pl_net_at(g, cache);
    uint64_t n = b->batch.n_tokens, width = p.ne[0] * p.ne[1];
    if (*idxs == 0)
        *idxs = pl_net_input(g, PL_T_I64, flat ? n * c.ne[0] : n, 1, 1, 1);
    if (!flat) {
        pl_tid rows = pl_net_view_2d(g, what, width, n, p.nb[2], 0);
        pl_net_expand(g, pl_net_set_rows(g, pl_b_merged(b, cache), rows, *idxs));
        return;
    }
    /* V lies transposed: every element is a row of its own */
    pl_tid rows = p.nb[2] == width * 4 ? pl_net_reshape(g, what, width, n, 1, 1)
                                       : pl_net_cont_4d(g, what, width, n, 1, 1);
    if (width < c.ne[0])
        rows = pl_net_pad(g, rows, c.ne[0] - width, 0);
    pl_tid all = pl_net_reshape(g, cache, 1, pl_net_elements(g, cache), 1, 1);
    rows = pl_net_reshape(g, rows, 1, pl_net_elements(g, rows), 1, 1);
    pl_net_expand(g, pl_net_set_rows(g, all, rows, *idxs));
}

/* As attention reads the cache: [head, heads, cells, streams]; V transposed without flash. */
pl_tid pl_b_read(struct pl_build *b, pl_tid cache, uint64_t head, uint64_t heads, bool flat)
{
    struct pl_net_graph *g = b->g;
    const struct pl_t c = *pl_net_at(g, cache);
    uint64_t one = c.nb[0];
    const struct pl_tensor_type *tt = pl_tensor_type(c.type);
    uint64_t row = tt != NULL && tt->block_elements > 1
                       ? head / tt->block_elements * tt->block_bytes
                       : head * one;
    if (flat)
        return pl_net_view(g, cache, (const uint64_t[4]){c.ne[1], heads, head, c.ne[2]},
                           (const uint64_t[4]){one, c.ne[1] * head * one, c.ne[1] * one, c.nb[2]},
                           0);
    return pl_net_view(g, cache, (const uint64_t[4]){head, heads, c.ne[1], c.ne[2]},
                       (const uint64_t[4]){one, row, c.nb[1], c.nb[2]}, 0);
}

/* Softcapping and the like between the scores and their soft max. */
static pl_tid pl_b_scores(struct pl_build *b, pl_tid kq, const struct pl_attention *how,
                          pl_tid mask)
{
    struct pl_net_graph *g = b->g;
    if (pl_b_real(b, "attention.output_scale", 0) > 0) { /* grok */
        kq = pl_net_same(g, PL_OP_UNARY, pl_net_same(g, PL_OP_SCALE, kq));
        kq = pl_net_same(g, PL_OP_SCALE, kq);
    }
    if (b->softcap) {
        kq = pl_net_same(g, PL_OP_SCALE, kq);
        kq = pl_net_same(g, PL_OP_UNARY, kq);
        kq = pl_net_same(g, PL_OP_SCALE, kq);
    }
    if (how->bias != 0)
        kq = pl_net_with(g, PL_OP_ADD, kq, how->bias);
    kq = pl_net_with(g, PL_OP_SOFT_MAX, kq, mask);
    pl_net_also(g, kq, how->sinks);
    return kq;
}

static pl_tid pl_b_mha(struct pl_build *b, struct pl_qkv c, const struct pl_attention *how,
                       pl_tid mask)
{
    struct pl_net_graph *g = b->g;
    if (c.q == 0 || c.k == 0 || c.v == 0) {
        g->failed = true;
        return 0;
    }
    const struct pl_t q0 = *pl_net_at(g, c.q), v0 = *pl_net_at(g, c.v);
    bool transposed = v0.nb[1] > v0.nb[2];
    uint64_t streams = pl_net_at(g, c.k)->ne[3];
    pl_tid q =
        pl_net_view(g, c.q, (const uint64_t[4]){q0.ne[0], q0.ne[1], q0.ne[2] / streams, streams},
                    (const uint64_t[4]){q0.nb[0], q0.nb[1], q0.nb[2], q0.nb[3] / streams}, 0);
    q = pl_net_permute(g, q, 0, 2, 1, 3);
    pl_tid k = pl_net_permute(g, c.k, 0, 2, 1, 3), v = pl_net_permute(g, c.v, 0, 2, 1, 3), t;
    if (pl_b_flash(b) && how->bias == 0) {
        if (transposed)
            v = pl_net_transpose(g, v);
        if (pl_net_at(g, k)->type == PL_T_F32)
            k = pl_net_cast(g, k, PL_T_F16);
        if (v != 0 && pl_net_at(g, v)->type == PL_T_F32)
            v = pl_net_cast(g, v, PL_T_F16);
        if (g->failed)
            return 0;
        const struct pl_t qq = *pl_net_at(g, q);
        const uint64_t ne[4] = {pl_net_at(g, v)->ne[0], qq.ne[2], qq.ne[1], qq.ne[3]};
        t = pl_net_op(g, PL_OP_FLASH_ATTN, PL_T_F32, ne, q, k);
        pl_net_also(g, t, v);
        pl_net_also(g, t, mask);
        pl_net_also(g, t, how->sinks);
        if (t != 0)
            pl_net_at(g, t)->layer = (uint16_t)b->il;
        if (how->v_mla != 0) {
            t = pl_net_mul_mat(g, how->v_mla, pl_net_permute(g, t, 0, 2, 1, 3));
            t = pl_net_cont(g, pl_net_permute(g, t, 0, 2, 1, 3));
        }
        if (g->failed)
            return 0;
        const struct pl_t p = *pl_net_at(g, t);
        t = pl_net_reshape(g, t, p.ne[0] * p.ne[1], p.ne[2] * p.ne[3], 1, 1);
    } else {
        pl_tid kq = pl_b_scores(b, pl_net_mul_mat(g, k, q), how, mask);
        if (!transposed)
            v = pl_net_cont(g, pl_net_transpose(g, v));
        t = pl_net_mul_mat(g, v, kq);
        if (how->v_mla != 0)
            t = pl_net_mul_mat(g, how->v_mla, t);
        t = pl_net_permute(g, t, 0, 2, 1, 3);
        if (g->failed)
            return 0;
        const struct pl_t p = *pl_net_at(g, t);
        t = pl_net_cont_4d(g, t, p.ne[0] * p.ne[1], p.ne[2] * p.ne[3], 1, 1);
        if (t != 0 && b->place != NULL && !b->place->kv_offload)
            pl_net_at(g, t)->backend = pl_b_backend(b, PL_PLACE_HOST);
    }
    pl_net_expand(g, t);
    return t;
}

/* V's cache is as wide as the widest layer's when it lies transposed (variable heads). */
static uint64_t pl_v_width(const struct pl_build *b, bool flat)
{
    uint64_t own = pl_b_layer(b)->n_head_kv * pl_b_layer(b)->head_v, most = own;
    for (uint64_t il = 0; flat && il < b->net->n_layer; il++) {
        const struct pl_layer *l = &b->net->layer[il];
        most = l->n_head_kv * l->head_v > most ? l->n_head_kv * l->head_v : most;
    }
    return most;
}

struct pl_qkv pl_b_through_cache(struct pl_build *b, struct pl_qkv c, bool k_only)
{
    struct pl_net_graph *g = b->g;
    const struct pl_layer *l = pl_b_layer(b);
    /* V's layout was chosen before flash attention was dropped (graph_compute.h) */
    bool swa = b->cells.window > 0 && l->windowed, flat = !b->r->flash_attn && !k_only;
    uint64_t head_k = l->head_k, head_v = l->head_v, heads = l->n_head_kv;
    if (k_only && c.k != 0 && c.v != 0) {
        head_k = pl_net_at(g, c.k)->ne[0];
        head_v = pl_net_at(g, c.v)->ne[0];
        heads = pl_net_at(g, c.k)->ne[1];
    }
    pl_tid k = pl_b_cache(b, b->r->type_k, head_k * heads);
    pl_tid v = k_only ? 0 : pl_b_cache(b, b->r->type_v, pl_v_width(b, flat));
    if (c.k != 0)
        pl_b_store(b, k, c.k, &b->k_idxs[swa], false);
    if (c.v != 0 && !k_only)
        pl_b_store(b, v, c.v, &b->v_idxs[swa], flat);
    if (g->failed)
        return c;
    pl_tid rk = pl_b_read(b, k, head_k, heads, false), rv = 0;
    if (k_only) {
        const struct pl_t p = *pl_net_at(g, rk);
        rv = pl_net_view(g, rk, (const uint64_t[4]){head_v, p.ne[1], p.ne[2], p.ne[3]}, p.nb, 0);
    } else {
        rv = pl_b_read(b, v, head_v, heads, flat);
    }
    return (struct pl_qkv){c.q, rk, rv};
}

/* Without a cache, keys and values stand for themselves, padded to whole steps of 256 tokens, and
 * so is what their scores are weighed by. */
static pl_tid pl_b_padded(struct pl_build *b, pl_tid x, int dim)
{
    uint64_t n = b->batch.n_tokens, full = n;
    if (x == 0 || !pl_pad_u64(n, 256, &full))
        return 0;
    struct pl_t p = *pl_net_at(b->g, x);
    p.ne[dim] = full;
    return pl_net_op(b->g, PL_OP_PAD, p.type, p.ne, x, 0);
}

pl_tid pl_b_attention(struct pl_build *b, struct pl_qkv c, const struct pl_attention *how)
{
    struct pl_net_graph *g = b->g;
    bool swa = b->net->window != PL_WINDOW_NONE && pl_b_layer(b)->windowed;
    pl_tid rot_v = 0;
    struct pl_attention own = *how;
    if (how->cached && !how->k_only) {
        pl_tid rot_k = pl_b_rotation(b, swa, true);
        rot_v = pl_b_rotation(b, swa, false);
        c.q = pl_b_rotated(b, c.q, rot_k);
        c.k = pl_b_rotated(b, c.k, rot_k);
        c.v = pl_b_rotated(b, c.v, rot_v);
    }
    pl_net_expand(g, c.q);
    if (how->cached) {
        bool split = b->net->window != PL_WINDOW_NONE && !how->k_only; /* the order differs */
        pl_net_expand(g, split ? c.k : c.v);
        pl_net_expand(g, split ? c.v : c.k);
        c = pl_b_through_cache(b, c, how->k_only);
    } else {
        pl_net_expand(g, c.k);
        pl_net_expand(g, c.v);
        c.k = how->cross ? c.k : pl_b_padded(b, c.k, 2);
        c.v = how->cross ? c.v : pl_b_padded(b, c.v, 2);
        own.bias = how->cross ? how->bias : pl_b_padded(b, how->bias, 0);
    }
    pl_tid mask = how->mask != 0 ? how->mask : pl_b_mask(b, how->cached, swa);
    pl_tid t = pl_b_mha(b, c, &own, mask);
    t = pl_b_rotated(b, t, rot_v);
    return how->project ? pl_b_mm(b, t, how->wo) : t;
}
