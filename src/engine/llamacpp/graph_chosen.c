/* Sparse attention by blocks over an ordinary cache: an indexer with keys of its own scores blocks
 * of cells for every group of heads, and each group is masked to the best.
 * src/models/minimax-m3.cpp. */
#include "engine/llamacpp/graph_build.h"

#include "base/checked.h"

#define F 4u         /* bytes of an f32 */
#define PL_SEEN 256u /* cells in use that the engine reserves for: those of an empty cache */

struct pl_chosen {
    uint64_t cells, seen, block, blocks, per, streams; /* per: tokens of one stream */
    uint64_t groups, head, index_head;
    pl_tid slot, hidden, bias, of_cell; /* inputs */
    pl_tid iq, ik, q, k, v;
};

static bool pl_b_chosen_open(struct pl_build *b, struct pl_chosen *c)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens;
    c->cells = b->cells.base;
    c->streams = b->r->kv_unified ? 1 : b->batch.n_seqs;
    c->per = n / c->streams;
    c->block = pl_b_key(b, "attention.indexer.block_size", 0);
    c->groups = pl_b_layer(b)->n_head_kv;
    c->head = pl_b_layer(b)->head_k;
    c->index_head = b->net->indexer_head;
    if (c->block == 0 || c->groups == 0 || !pl_pad_u64(PL_SEEN, c->block, &c->seen)) {
        g->failed = true;
        return false;
    }
    c->blocks = c->seen / c->block;
    struct pl_chosen_inputs *in = &b->blocks;
    if (in->slot == 0) {
        in->slot = pl_net_input(g, PL_T_I32, c->seen, c->streams, 1, 1);
        in->hidden = pl_net_input(g, PL_T_F32, c->seen, n, 1, 1);
        in->bias = pl_net_input(g, PL_T_F32, c->blocks, n, 1, 1);
        in->of_cell = pl_net_input(g, PL_T_I32, c->cells, c->streams, 1, 1);
        in->mask = pl_net_cast(g, pl_b_mask(b, true, false), PL_T_F32);
    }
    return true;
}

/* [width, 1, tokens] of one stream, out of [width, tokens] */
static pl_tid pl_b_chosen_part(struct pl_build *b, const struct pl_chosen *c, pl_tid t,
                               uint64_t stream)
{
    const struct pl_t p = *pl_net_at(b->g, t);
    return pl_net_view(b->g, t, (const uint64_t[4]){p.ne[0], 1, c->per, 1},
                       (const uint64_t[4]){p.nb[0], p.nb[1], p.nb[1], p.nb[1] * c->per},
                       stream * c->per * p.nb[1]);
}

static pl_tid pl_b_chosen_line(struct pl_build *b, pl_tid t, uint64_t stream)
{
    const struct pl_t p = *pl_net_at(b->g, t);
    return pl_net_view(b->g, t, (const uint64_t[4]){p.ne[0], 1, 1, 1},
                       (const uint64_t[4]){p.nb[0], p.nb[1], p.nb[1], p.nb[1]}, stream * p.nb[1]);
}

static pl_tid pl_b_add_into(struct pl_build *b, pl_tid a, pl_tid by)
{
    if (a == 0 || by == 0)
        return 0;
    const struct pl_t p = *pl_net_at(b->g, a);
    pl_tid t = pl_net_view(b->g, a, p.ne, p.nb, 0);
    if (t == 0)
        return 0;
    pl_net_at(b->g, t)->op = PL_OP_ADD;
    pl_net_also(b->g, t, by);
    return t;
}

/* Which blocks each group of heads may see: [blocks, tokens, groups], f16 */
static pl_tid pl_b_chosen_blocks(struct pl_build *b, const struct pl_chosen *c, uint64_t stream)
{
    struct pl_net_graph *g = b->g;
    const struct pl_t iq = *pl_net_at(g, c->iq), ik = *pl_net_at(g, c->ik);
    uint64_t rows = c->groups * c->per, best = pl_b_key(b, "attention.indexer.top_k", 0);
    pl_tid q = pl_net_view_3d(g, c->iq, c->index_head, c->groups, c->per, iq.nb[1], iq.nb[2],
                              stream * c->per * iq.nb[2]);
    pl_tid k = pl_net_view_2d(g, c->ik, c->index_head, c->cells, ik.nb[2], stream * ik.nb[3]);
    k = pl_net_get_rows(g, k, pl_b_chosen_line(b, b->blocks.slot, stream));
    pl_tid score = pl_net_mul_mat(g, k, pl_net_reshape(g, q, c->index_head, rows, 1, 1));
    score = pl_net_reshape(g, score, c->seen, c->groups, c->per, 1);
    score = pl_b_add_into(b, score, pl_b_chosen_part(b, c, b->blocks.hidden, stream));
    const uint64_t pooled[4] = {c->blocks, c->groups, c->per, 1};
    best = best < c->blocks ? best : c->blocks;
    pl_tid bias = pl_b_chosen_part(b, c, b->blocks.bias, stream);
    score = pl_net_op(g, PL_OP_OTHER, PL_T_F32, pooled, score, 0);
    score = pl_net_with(g, PL_OP_ADD, score, bias);
    const uint64_t top[4] = {best, c->groups, c->per, 1};
    pl_tid at = pl_net_op(g, PL_OP_TOP_K, PL_T_I32, top, score, 0);
    pl_tid shut = pl_net_cast(g, pl_net_same(g, PL_OP_SCALE, bias), PL_T_F16);
    shut = pl_net_repeat(g, shut, c->blocks, c->groups, c->per, 1);
    pl_tid open = pl_net_same(g, PL_OP_SCALE, pl_net_cast(g, at, PL_T_F32));
    pl_tid t = pl_net_set_rows(g, pl_net_reshape(g, shut, 1, c->blocks, rows, 1),
                               pl_net_reshape(g, open, 1, best, rows, 1),
                               pl_net_reshape(g, at, best, rows, 1, 1));
    t = pl_net_reshape(g, t, c->blocks, c->groups, c->per, 1);
    return pl_net_cont(g, pl_net_permute(g, t, 0, 2, 1, 3));
}

/* The same for cells, and the causal mask with it: [cells, tokens, 1, groups], f16 */
static pl_tid pl_b_chosen_mask(struct pl_build *b, const struct pl_chosen *c, uint64_t stream)
{
    struct pl_net_graph *g = b->g;
    pl_tid t =
        pl_net_reshape(g, pl_b_chosen_blocks(b, c, stream), c->blocks, c->per * c->groups, 1, 1);
    t = pl_net_cont(g, pl_net_transpose(g, t));
    t = pl_net_get_rows(g, t, pl_b_chosen_line(b, b->blocks.of_cell, stream));
    t = pl_net_cont(g, pl_net_transpose(g, t));
    t = pl_net_reshape(g, t, c->cells, c->per, c->groups, 1);
    if (g->failed || b->blocks.mask == 0)
        return 0;
    const struct pl_t m = *pl_net_at(g, b->blocks.mask);
    t = pl_b_add_into(
        b, t,
        pl_net_view_3d(g, b->blocks.mask, c->cells, c->per, 1, m.nb[1], m.nb[3], stream * m.nb[3]));
    return pl_net_cast(g, pl_net_reshape(g, t, c->cells, c->per, 1, c->groups), PL_T_F16);
}

static pl_tid pl_b_chosen_stream(struct pl_build *b, const struct pl_chosen *c, uint64_t stream)
{
    struct pl_net_graph *g = b->g;
    const struct pl_t q0 = *pl_net_at(g, c->q), k0 = *pl_net_at(g, c->k), v0 = *pl_net_at(g, c->v);
    uint64_t heads = q0.ne[1], share = heads / c->groups;
    pl_tid q = pl_net_view_3d(g, c->q, q0.ne[0], heads, c->per, q0.nb[1], q0.nb[2],
                              stream * c->per * q0.nb[2]);
    q = pl_net_reshape(g, q, q0.ne[0], share, c->groups, c->per);
    q = pl_net_permute(g, q, 0, 2, 3, 1);
    pl_tid k = pl_net_view(g, c->k, (const uint64_t[4]){k0.ne[0], c->groups, c->cells, 1}, k0.nb,
                           stream * k0.nb[3]);
    pl_tid v = pl_net_view(g, c->v, (const uint64_t[4]){v0.ne[0], c->groups, c->cells, 1}, v0.nb,
                           stream * v0.nb[3]);
    const uint64_t ne[4] = {v0.ne[0], share, c->per, c->groups};
    pl_tid t = pl_net_op(g, PL_OP_FLASH_ATTN, PL_T_F32, ne, q, pl_net_permute(g, k, 0, 3, 1, 2));
    pl_net_also(g, t, pl_net_permute(g, v, 0, 3, 1, 2));
    pl_net_also(g, t, pl_b_chosen_mask(b, c, stream));
    if (t != 0)
        pl_net_at(g, t)->layer = (uint16_t)b->il;
    t = pl_net_cont(g, pl_net_permute(g, t, 0, 1, 3, 2));
    return pl_net_reshape(g, t, q0.ne[0] * heads, c->per, 1, 1);
}

pl_tid pl_b_chosen_attention(struct pl_build *b, pl_tid x, struct pl_qkv a)
{
    struct pl_net_graph *g = b->g;
    struct pl_chosen c = {0};
    uint64_t n = b->batch.n_tokens;
    if (!pl_b_chosen_open(b, &c))
        return 0;
    pl_tid ik = pl_net_reshape(g, pl_b_mm(b, x, "indexer.k_proj"), c.index_head, 1, n, 1);
    ik = pl_b_rope(b, pl_b_norm(b, ik, "indexer.k_norm", PL_NORM_RMS));
    pl_tid iq = pl_net_reshape(g, pl_b_mm(b, x, "indexer.q_proj"), c.index_head, c.groups, n, 1);
    c.iq = pl_b_rope(b, pl_b_norm(b, iq, "indexer.q_norm", PL_NORM_RMS));
    pl_tid index = pl_b_cache(b, b->r->type_k, c.index_head);
    pl_b_store(b, index, ik, &b->blocks.rows, false);
    pl_tid rot_k = pl_b_rotation(b, false, true), rot_v = pl_b_rotation(b, false, false);
    a = (struct pl_qkv){pl_b_rotated(b, a.q, rot_k), pl_b_rotated(b, a.k, rot_k),
                        pl_b_rotated(b, a.v, rot_v)};
    pl_net_expand(g, a.q);
    pl_net_expand(g, a.k);
    pl_net_expand(g, a.v);
    struct pl_qkv kept = pl_b_through_cache(b, a, false);
    if (g->failed || c.iq == 0)
        return 0;
    c.ik = pl_b_read(b, index, c.index_head, 1, false);
    c.q = kept.q;
    c.k = kept.k;
    c.v = kept.v;
    pl_tid t = 0;
    for (uint64_t s = 0; s < c.streams && !g->failed; s++) {
        pl_tid one = pl_b_chosen_stream(b, &c, s);
        t = s == 0 ? one : pl_net_concat(g, t, one, 1);
    }
    return pl_b_rotated(b, t, rot_v);
}
