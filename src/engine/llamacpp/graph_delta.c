/* src/models/delta-net-base.cpp, qwen3next.cpp, qwen35.cpp, kimi-linear.cpp; the fused form, which
 * every backend of build 11669 that was tried has. */
#include "engine/llamacpp/graph_recurrent.h"

#define F 4u /* bytes of an f32 */

static pl_tid pl_view4(struct pl_build *b, pl_tid a, const uint64_t ne[4], uint64_t nb1,
                       uint64_t nb2, uint64_t nb3, uint64_t offset)
{
    const uint64_t nb[4] = {F, nb1, nb2, nb3};
    return pl_net_view(b->g, a, ne, nb, offset);
}

struct pl_delta {
    pl_tid q, k, v, gate, beta, store;
    uint64_t head_v, heads_v;
};

/* ggml_gated_delta_net: outputs of all tokens, then the states; the states go back. */
static pl_tid pl_b_delta_rule(struct pl_build *b, const struct pl_delta *d)
{
    struct pl_net_graph *g = b->g;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, hv = d->head_v, n = d->heads_v;
    pl_tid state = pl_net_reshape(g, pl_b_state(b, d->store), hv, hv, n, seqs);
    const uint64_t ne[4] = {hv * n, per * seqs + hv * seqs, 1, 1};
    pl_tid t = pl_net_op(g, PL_OP_GATED_DELTA_NET, PL_T_F32, ne, d->q, d->k);
    pl_net_also(g, t, d->v);
    pl_net_also(g, t, d->gate);
    pl_net_also(g, t, d->beta);
    pl_net_also(g, t, state);
    const uint64_t out[4] = {hv, n, per, seqs}, kept[4] = {hv, hv, n, seqs};
    pl_tid y = pl_view4(b, t, out, hv * F, hv * n * F, hv * n * per * F, 0);
    pl_tid s = pl_view4(b, t, kept, hv * F, hv * hv * F, hv * hv * n * F, hv * n * per * seqs * F);
    const uint64_t into[4] = {hv * hv * n, seqs, 1, 1};
    uint64_t row = hv * hv * n * F;
    pl_net_expand(g, pl_net_cpy(g, s, pl_view4(b, d->store, into, row, row * seqs, row * seqs, 0)));
    return y;
}

/* Length one: since August 2026 by the norm of rows. */
static pl_tid pl_b_unit(struct pl_build *b, pl_tid x)
{
    return pl_net_same(b->g, PL_OP_SCALE, pl_net_same(b->g, PL_OP_RMS_NORM, x));
}

/* The gate of the recurrence and its step, from one product (qwen3next) or two. */
static void pl_b_delta_gates(struct pl_build *b, pl_tid x, struct pl_delta *d)
{
    struct pl_net_graph *g = b->g;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, n = d->heads_v;
    uint64_t keys = b->net->n_group;
    pl_tid alpha;
    if (pl_b_weight(b, "ssm_ba", ".weight") != 0 && keys > 0) {
        pl_tid ba = pl_net_reshape(g, pl_b_mm(b, x, "ssm_ba"), 2 * n / keys, keys, per, seqs);
        if (ba == 0)
            return;
        const struct pl_t p = *pl_net_at(g, ba);
        const uint64_t half[4] = {n / keys, keys, per, seqs};
        d->beta = pl_view4(b, ba, half, p.nb[1], p.nb[2], p.nb[3], 0);
        alpha = pl_net_cont_4d(g, pl_view4(b, ba, half, p.nb[1], p.nb[2], p.nb[3], n / keys * F), n,
                               per, seqs, 1);
        d->beta = pl_net_same(g, PL_OP_UNARY, d->beta);
        d->beta = pl_net_reshape(g, d->beta, 1, n, per, seqs);
    } else {
        d->beta = pl_net_reshape(g, pl_b_mm(b, x, "ssm_beta"), 1, n, per, seqs);
        d->beta = pl_net_same(g, PL_OP_UNARY, d->beta);
        alpha = pl_net_reshape(g, pl_b_mm(b, x, "ssm_alpha"), n, per, seqs, 1);
    }
    alpha = pl_net_with(g, PL_OP_ADD, alpha, pl_b_weight(b, "ssm_dt", ".bias"));
    alpha = pl_net_same(g, PL_OP_UNARY, alpha);
    alpha = pl_net_with(g, PL_OP_MUL, alpha, pl_b_weight(b, "ssm_a", ""));
    d->gate = pl_net_reshape(g, alpha, 1, n, per, seqs);
}

/* q, k and v after the convolution, and the columns it keeps */
static pl_tid pl_b_delta_conv(struct pl_build *b, pl_tid qkv, uint64_t channels)
{
    struct pl_net_graph *g = b->g;
    pl_tid kernel = pl_b_weight(b, "ssm_conv1d", ".weight");
    if (qkv == 0 || kernel == 0) {
        g->failed = true;
        return 0;
    }
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs;
    uint64_t columns = pl_net_at(g, kernel)->ne[0] - 1, row = columns * channels * F;
    pl_tid store = pl_b_state_store(b, columns * channels);
    pl_tid old = pl_net_reshape(g, pl_b_state(b, store), columns, channels, seqs, 1);
    pl_tid all = pl_net_concat(g, old, pl_net_transpose(g, qkv), 0);
    if (all == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, all);
    pl_tid last = pl_net_view_3d(g, all, columns, channels, seqs, p.nb[1], p.nb[2], per * F);
    pl_tid into = pl_net_view_2d(g, store, columns * channels, seqs, row, 0);
    pl_net_expand(g, pl_net_cpy(g, last, into));
    const uint64_t ne[4] = {channels, p.ne[0] - columns, seqs, 1};
    return all == 0 ? 0 : pl_net_op(g, PL_OP_SSM_CONV, PL_T_F32, ne, all, kernel);
}

/* The fused input of older files: query, key, value and z interleaved per key head. */
static pl_tid pl_b_delta_split(struct pl_build *b, pl_tid x, pl_tid *ret_z)
{
    struct pl_net_graph *g = b->g;
    const struct pl_net *n = b->net;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, hk = n->d_state;
    uint64_t keys = n->n_group, values = n->dt_rank, hv = n->d_inner / values;
    uint64_t part[4] = {hk, hk, hv * values / keys, hv * values / keys}, at = 0;
    pl_tid in = pl_net_reshape(g, pl_b_mm(b, x, "ssm_in"), 2 * (hk + part[2]), keys, per, seqs);
    if (in == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, in);
    pl_tid piece[4];
    for (int i = 0; i < 4; i++) {
        const uint64_t ne[4] = {part[i], keys, per, seqs};
        piece[i] = pl_view4(b, in, ne, p.nb[1], p.nb[2], p.nb[3], at * F);
        at += part[i];
    }
    *ret_z = pl_net_cont(g, piece[3]);
    for (int i = 0; i < 3; i++)
        piece[i] = pl_net_cont_4d(g, piece[i], part[i] * keys, per, seqs, 1);
    return pl_net_concat(g, pl_net_concat(g, piece[0], piece[1], 0), piece[2], 0);
}

pl_tid pl_b_delta_net(struct pl_build *b, pl_tid x, bool wide)
{
    struct pl_net_graph *g = b->g;
    const struct pl_net *n = b->net;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, hk = n->d_state;
    uint64_t keys = n->n_group, values = n->dt_rank, inner = n->d_inner;
    if (keys == 0 || values == 0 || x == 0)
        return 0;
    struct pl_delta d = {.head_v = inner / values, .heads_v = values};
    pl_tid qkv, z = 0;
    uint64_t channels = inner + 2 * keys * hk;
    if (pl_b_weight(b, "attn_qkv", ".weight") != 0) {
        qkv = pl_net_reshape(g, pl_b_mm(b, x, "attn_qkv"), channels, per, seqs, 1);
        z = pl_b_mm(b, x, "attn_gate");
    } else {
        qkv = pl_b_delta_split(b, x, &z);
    }
    pl_b_delta_gates(b, x, &d);
    pl_tid mix = pl_net_same(g, PL_OP_UNARY, pl_b_delta_conv(b, qkv, channels));
    d.store = pl_b_state_store(b, d.head_v * d.head_v * values);
    const uint64_t by_key[4] = {hk, keys, per, seqs}, by_value[4] = {d.head_v, values, per, seqs};
    uint64_t row = channels * F;
    d.q = pl_view4(b, mix, by_key, hk * F, row, row * per, 0);
    d.k = pl_view4(b, mix, by_key, hk * F, row, row * per, hk * keys * F);
    d.v = pl_view4(b, mix, by_value, d.head_v * F, row, row * per, 2 * hk * keys * F);
    d.q = pl_b_unit(b, d.q);
    d.k = pl_b_unit(b, d.k);
    if (wide && keys != values) {
        uint64_t times = values / keys, tokens = per * seqs;
        d.q =
            pl_net_repeat(g, pl_net_reshape(g, d.q, hk, 1, keys, tokens), hk, times, keys, tokens);
        d.k =
            pl_net_repeat(g, pl_net_reshape(g, d.k, hk, 1, keys, tokens), hk, times, keys, tokens);
        d.q = pl_net_reshape(g, d.q, hk, values, per, seqs);
        d.k = pl_net_reshape(g, d.k, hk, values, per, seqs);
    }
    pl_tid y = pl_b_delta_rule(b, &d);
    z = pl_net_reshape(g, z, d.head_v, values, per, seqs);
    y = pl_net_with(g, PL_OP_MUL, pl_b_norm(b, y, "ssm_norm", PL_NORM_RMS),
                    pl_net_same(g, PL_OP_UNARY, z));
    y = pl_b_mm(b, pl_net_reshape(g, y, inner, per, seqs, 1), "ssm_out");
    return pl_net_reshape(g, y, n->n_embd, per * seqs, 1, 1);
}

struct pl_kda {
    pl_tid store, old; /* convolution columns of q, k and v together */
    uint64_t head, heads, columns;
};

static pl_tid pl_b_kda_conv(struct pl_build *b, const struct pl_kda *a, pl_tid x, uint64_t which,
                            const char *weight, const char *kernel)
{
    struct pl_net_graph *g = b->g;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, inner = a->head * a->heads;
    uint64_t one = a->columns * inner * F, all_bytes = 3 * one;
    pl_tid old =
        pl_net_view_3d(g, a->old, a->columns, inner, seqs, a->columns * F, all_bytes, which * one);
    pl_tid new = pl_net_reshape(g, pl_net_mul_mat(g, pl_b_weight(b, weight, ".weight"), x), inner,
                                per, seqs, 1);
    pl_tid all = pl_net_concat(g, old, pl_net_transpose(g, new), 0);
    pl_tid k = pl_b_weight(b, kernel, ".weight");
    if (all == 0 || k == 0) {
        g->failed = true;
        return 0;
    }
    const struct pl_t p = *pl_net_at(g, all);
    pl_tid last = pl_net_view_3d(g, all, a->columns, inner, seqs, p.nb[1], p.nb[2], per * F);
    pl_tid into = pl_net_view_3d(g, a->store, a->columns, inner, seqs, a->columns * F, all_bytes,
                                 which * one);
    pl_net_expand(g, pl_net_cpy(g, last, into));
    k = pl_net_reshape(g, k, a->columns + 1, inner, 1, 1);
    const uint64_t ne[4] = {inner, per, seqs, 1};
    pl_tid t = pl_net_op(g, PL_OP_SSM_CONV, PL_T_F32, ne, all, k);
    t = pl_net_same(g, PL_OP_UNARY, pl_net_reshape(g, t, inner, per * seqs, 1, 1));
    return pl_net_reshape(g, t, a->head, a->heads, per, seqs);
}

/* Two narrow products, or one alone (models/bailingmoe3.cpp). */
static pl_tid pl_b_kda_narrow(struct pl_build *b, pl_tid x, const char *first, const char *second)
{
    pl_tid t = pl_net_mul_mat(b->g, pl_b_weight(b, first, ".weight"), x);
    pl_tid w = pl_b_weight(b, second, ".weight");
    return w != 0 ? pl_net_mul_mat(b->g, w, t) : t;
}

pl_tid pl_b_kda(struct pl_build *b, pl_tid x, bool bounded)
{
    struct pl_net_graph *g = b->g;
    const struct pl_net *n = b->net;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, tokens = per * seqs;
    pl_tid wq = pl_b_weight(b, "attn_q", ".weight");
    if (wq == 0 || n->head_kda == 0 || n->d_conv == 0) {
        g->failed = true;
        return 0;
    }
    struct pl_kda a = {.head = n->head_kda, .columns = n->d_conv - 1};
    a.heads = pl_net_at(g, wq)->ne[1] / a.head;
    uint64_t head = a.head, heads = a.heads;
    struct pl_delta d = {.head_v = head, .heads_v = heads};
    a.store = pl_b_state_store(b, 3 * a.columns * head * heads);
    a.old = pl_b_state(b, a.store);
    d.q = pl_b_kda_conv(b, &a, x, 0, "attn_q", "ssm_conv1d_q");
    d.k = pl_b_kda_conv(b, &a, x, 1, "attn_k", "ssm_conv1d_k");
    d.v = pl_b_kda_conv(b, &a, x, 2, "attn_v", "ssm_conv1d_v");
    pl_tid t = pl_b_kda_narrow(b, x, "ssm_f_a", "ssm_f_b");
    t = pl_net_with(g, PL_OP_ADD, t, pl_b_weight(b, "ssm_dt", ".bias"));
    t = bounded ? t : pl_net_same(g, PL_OP_UNARY, t);
    t = pl_net_reshape(g, t, head, heads, tokens, 1);
    t = pl_net_with(g, PL_OP_MUL, t,
                    pl_net_reshape(g, pl_b_weight(b, "ssm_a", ""), 1, heads, 1, 1));
    if (bounded)
        t = pl_net_same(g, PL_OP_SCALE, pl_net_same(g, PL_OP_UNARY, t));
    d.gate = pl_net_reshape(g, t, head, heads, per, seqs);
    t = pl_net_mul_mat(g, pl_b_weight(b, "ssm_beta", ".weight"), x);
    d.beta = pl_net_same(g, PL_OP_UNARY, pl_net_reshape(g, t, 1, heads, per, seqs));
    d.store = pl_b_state_store(b, head * head * heads);
    d.q = pl_b_unit(b, d.q);
    d.k = pl_b_unit(b, d.k);
    pl_tid y = pl_net_cont(g, pl_b_delta_rule(b, &d));
    if (!bounded) {
        x = pl_net_reshape(g, x, n->n_embd, per, seqs, 1);
        x = pl_net_reshape(g, x, n->n_embd, tokens, 1, 1);
    }
    pl_tid gate = pl_b_kda_narrow(b, x, "ssm_g_a", "ssm_g_b");
    gate = pl_net_same(g, PL_OP_UNARY, pl_net_reshape(g, gate, head, heads, tokens, 1));
    y = pl_b_norm(b, pl_net_reshape(g, y, head, heads, tokens, 1), "ssm_norm", PL_NORM_RMS);
    y = pl_net_cont_4d(g, pl_net_with(g, PL_OP_MUL, y, gate), head * heads, tokens, 1, 1);
    return pl_net_mul_mat(g, pl_b_weight(b, "attn_output", ".weight"), y);
}
