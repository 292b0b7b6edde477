/* Lightning attention: within a batch every token is weighed with every other, by a decay of their
 * distance; what lies before is one matrix a head. Shapes as build 11669 reserves them for
 * src/models/minimax-01.cpp. */
#include "engine/llamacpp/graph_recurrent.h"

#define F 4u /* bytes of an f32 */

struct pl_lightning {
    struct pl_net_graph *g;
    uint64_t head, heads, per, seqs;
    pl_tid q, k, v; /* [head, heads, tokens, slots] */
    pl_tid old;     /* [head, head, heads, slots] */
};

/* A decay made of distances, which are inputs for all layers: exp(scale(x)). */
static pl_tid pl_l_decay(const struct pl_lightning *l, pl_tid *in, uint64_t n0, uint64_t n1,
                         uint64_t n2)
{
    if (*in == 0)
        *in = pl_net_input(l->g, PL_T_F32, n0, n1, n2, n2 == 1 ? 1 : l->seqs);
    return pl_net_same(l->g, PL_OP_UNARY, pl_net_same(l->g, PL_OP_SCALE, *in));
}

/* What the tokens see of those before this batch, and of each other: [head, tokens, heads, slots]
 */
static pl_tid pl_l_seen(const struct pl_lightning *l, struct pl_decays *d, pl_tid v)
{
    struct pl_net_graph *g = l->g;
    pl_tid q = pl_net_with(g, PL_OP_MUL, l->q, pl_l_decay(l, &d->q, 1, l->heads, l->per));
    pl_tid before = pl_net_mul_mat(g, l->old, pl_net_permute(g, q, 0, 2, 1, 3));
    pl_tid qk =
        pl_net_mul_mat(g, pl_net_permute(g, l->k, 0, 2, 1, 3), pl_net_permute(g, l->q, 0, 2, 1, 3));
    qk = pl_net_with(g, PL_OP_MUL, qk, pl_l_decay(l, &d->pairs, l->per, l->per, l->heads));
    return pl_net_with(g, PL_OP_ADD, before, pl_net_mul_mat(g, v, qk));
}

/* The matrix of each head after this batch. */
static pl_tid pl_l_after(const struct pl_lightning *l, struct pl_decays *d, pl_tid v)
{
    struct pl_net_graph *g = l->g;
    if (d->slopes == 0)
        d->slopes = pl_net_input(g, PL_T_F32, l->heads, 1, 1, 1);
    pl_tid block = pl_net_same(g, PL_OP_SCALE, pl_net_same(g, PL_OP_SCALE, d->slopes));
    block = pl_net_reshape(g, pl_net_same(g, PL_OP_UNARY, block), 1, 1, l->heads, 1);
    pl_tid old = pl_net_with(g, PL_OP_MUL, l->old, block);
    pl_tid k = pl_net_with(g, PL_OP_MUL, l->k, pl_l_decay(l, &d->k, 1, l->heads, l->per));
    k = pl_net_cont(g, pl_net_permute(g, k, 1, 2, 0, 3));
    return pl_net_with(g, PL_OP_ADD, old, pl_net_mul_mat(g, k, v));
}

pl_tid pl_b_lightning(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    const struct pl_layer *y = pl_b_layer(b);
    struct pl_lightning l = {
        .g = g, .head = b->net->layer[0].head_k, .heads = y->n_head, .seqs = b->batch.n_seqs};
    l.per = b->batch.n_tokens / l.seqs;
    uint64_t values = l.head * l.head * l.heads, wide = 3 * l.head * l.heads, one = l.head * F;
    (void)pl_b_state(b, pl_b_state_store(b, 0)); /* asked for, and empty */
    pl_tid store = pl_b_state_store(b, values);
    l.old = pl_net_reshape(g, pl_b_state(b, store), l.head, l.head, l.heads, l.seqs);
    pl_tid n = pl_net_reshape(g, x, b->net->n_embd, l.per, 1, l.seqs);
    pl_tid t = pl_net_mul_mat(g, pl_b_weight(b, "attn_qkv", ".weight"), n);
    t = pl_net_same(g, PL_OP_UNARY, t);
    if (t == 0 || pl_net_at(g, t)->ne[0] != wide) {
        g->failed = true;
        return 0;
    }
    const uint64_t ne[4] = {l.head, l.heads, l.per, l.seqs};
    const uint64_t nb[4] = {F, 3 * one, wide * F, wide * F * l.per};
    l.q = pl_net_view(g, t, ne, nb, 0);
    l.k = pl_net_view(g, t, ne, nb, one);
    l.v = pl_net_view(g, t, ne, nb, 2 * one);
    pl_tid v = pl_net_cont(g, pl_net_permute(g, l.v, 1, 2, 0, 3));
    pl_tid seen = pl_l_seen(&l, &b->decays, v);
    pl_net_expand(g, seen);
    pl_tid into = pl_net_view_2d(g, store, values, l.seqs, values * F, 0);
    pl_net_expand(g, pl_net_cpy(g, pl_l_after(&l, &b->decays, v), into));
    pl_tid gate = pl_net_mul_mat(g, pl_b_weight(b, "attn_gate", ".weight"), n);
    gate = pl_net_same(g, PL_OP_UNARY, gate);
    seen = pl_net_cont(g, pl_net_permute(g, seen, 0, 2, 1, 3));
    seen = pl_net_reshape(g, seen, l.head * l.heads, l.per, 1, l.seqs);
    seen = pl_b_norm(b, seen, "attn_norm_2", PL_NORM_RMS);
    t = pl_net_with(g, PL_OP_MUL, gate, seen);
    t = pl_net_mul_mat(g, pl_b_weight(b, "attn_output", ".weight"), t);
    return pl_net_reshape(g, t, b->net->n_embd, b->batch.n_tokens, 1, 1);
}
