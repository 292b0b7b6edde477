/* src/models/rwkv6.cpp, rwkv6-base.cpp, rwkv6qwen2.cpp, rwkv7.cpp, rwkv7-base.cpp, arwkv7.cpp. */
#include "engine/llamacpp/graph_recurrent.h"

#define F 4u /* bytes of an f32 */

struct pl_rwkv {
    struct pl_build *b;
    struct pl_net_graph *g;
    uint64_t embd, seqs, per, tokens, head, heads;
};

static struct pl_rwkv pl_rwkv_of(struct pl_build *b)
{
    struct pl_rwkv w = {.b = b, .g = b->g, .embd = b->net->n_embd, .seqs = b->batch.n_seqs};
    w.tokens = b->batch.n_tokens;
    w.per = w.tokens / w.seqs;
    w.head = b->net->head_wkv > 0 ? b->net->head_wkv : 64;
    w.heads = w.embd / w.head;
    return w;
}

static pl_tid pl_r_weight(struct pl_rwkv *w, const char *name)
{
    return pl_b_weight(w->b, name, ".weight");
}

static pl_tid pl_r_mm(struct pl_rwkv *w, const char *name, pl_tid x)
{
    return pl_net_mul_mat(w->g, pl_r_weight(w, name), x);
}

static pl_tid pl_r_op(struct pl_rwkv *w, enum pl_op op, pl_tid a, pl_tid b)
{
    return pl_net_with(w->g, op, a, b);
}

static pl_tid pl_r_unary(struct pl_rwkv *w, pl_tid a)
{
    return pl_net_same(w->g, PL_OP_UNARY, a);
}

static pl_tid pl_r_flat(struct pl_rwkv *w, pl_tid a)
{
    return pl_net_reshape(w->g, a, w->embd, w->tokens, 1, 1);
}

static pl_tid pl_r_heads(struct pl_rwkv *w, pl_tid a)
{
    return pl_net_reshape(w->g, a, w->head, w->heads, w->tokens, 1);
}

/* The previous token of each: the kept one, then all but the last. */
static pl_tid pl_r_shift(struct pl_rwkv *w, pl_tid kept, uint64_t at, pl_tid x, bool whole)
{
    struct pl_net_graph *g = w->g;
    if (kept == 0 || x == 0)
        return 0;
    const struct pl_t k = *pl_net_at(g, kept), p = *pl_net_at(g, x);
    pl_tid old =
        whole ? kept
              : pl_net_view_3d(g, kept, w->embd, 1, w->seqs, k.nb[1], k.nb[2], at * w->embd * F);
    pl_tid rest = pl_net_view_3d(g, x, w->embd, w->per - 1, w->seqs, p.nb[1], p.nb[2], 0);
    return pl_net_concat(g, old, rest, 1);
}

static pl_tid pl_r_last(struct pl_rwkv *w, pl_tid x)
{
    if (x == 0)
        return 0;
    const struct pl_t p = *pl_net_at(w->g, x);
    return pl_net_view_3d(w->g, x, w->embd, 1, w->seqs, p.nb[1], p.nb[2],
                          (w->per - 1) * w->embd * F);
}

static void pl_r_keep(struct pl_rwkv *w, pl_tid what, uint64_t values, uint64_t offset,
                      pl_tid store)
{
    const uint64_t ne[4] = {values, 1, 1, 1}, nb[4] = {F, values * F, values * F, values * F};
    pl_tid from = pl_net_view(w->g, what, ne, nb, offset);
    pl_net_expand(w->g, pl_net_cpy(w->g, from, pl_net_view(w->g, store, ne, nb, 0)));
}

/* The i-th of the mixed inputs that lie one after the other. */
static pl_tid pl_r_part(struct pl_rwkv *w, pl_tid all, uint64_t i)
{
    return pl_net_view_2d(w->g, all, w->embd, w->tokens, w->embd * F, i * w->embd * w->tokens * F);
}

/* The recurrence: outputs of all tokens, then the states, which are kept. Gives the outputs. */
static pl_tid pl_r_recur(struct pl_rwkv *w, const pl_tid *src, int n, pl_tid store)
{
    uint64_t out = w->embd * w->tokens, state = w->embd * w->head * w->seqs;
    const uint64_t ne[4] = {w->embd, w->tokens + w->head * w->seqs, 1, 1};
    pl_tid t = pl_net_op(w->g, PL_OP_WKV, PL_T_F32, ne, src[0], src[1]);
    for (int i = 2; i < n; i++)
        pl_net_also(w->g, t, src[i]);
    const uint64_t flat[4] = {out, 1, 1, 1}, nb[4] = {F, out * F, out * F, out * F};
    pl_tid y = pl_net_view(w->g, t, flat, nb, 0);
    pl_r_keep(w, t, state, out * F, store);
    return y;
}

/* Norm per head, scaled and shifted, where there is one. */
static pl_tid pl_r_head_norm(struct pl_rwkv *w, pl_tid y)
{
    if (pl_r_weight(w, "time_mix_ln") == 0)
        return pl_r_flat(w, y);
    pl_tid t = pl_net_same(w->g, PL_OP_NORM, pl_r_heads(w, y));
    t = pl_r_op(w, PL_OP_MUL, pl_r_flat(w, t), pl_r_weight(w, "time_mix_ln"));
    return pl_r_op(w, PL_OP_ADD, t, pl_b_weight(w->b, "time_mix_ln", ".bias"));
}

/* A product and its bias, where there is one, as rwkv6-base.cpp builds them: biases after all three
 * products. */
static pl_tid pl_r_biased(struct pl_rwkv *w, pl_tid t, const char *name)
{
    pl_tid bias = pl_b_weight(w->b, name, ".bias");
    return bias != 0 ? pl_r_op(w, PL_OP_ADD, t, bias) : t;
}

/* Keys or values of fewer heads, repeated for all. */
static pl_tid pl_r_all_heads(struct pl_rwkv *w, pl_tid t)
{
    uint64_t few = pl_b_layer(w->b)->n_head_kv;
    if (few > 0 && few != w->heads) {
        t = pl_net_reshape(w->g, t, w->head, 1, few, w->tokens);
        t = pl_net_repeat(w->g, t, w->head, w->heads / few, few, w->tokens);
    }
    return pl_r_heads(w, t);
}

/* rwkv6-base.cpp, from the mixed inputs on. Without time_mix_first: gated linear attention. */
static pl_tid pl_r_mixed6(struct pl_rwkv *w, pl_tid t)
{
    struct pl_net_graph *g = w->g;
    pl_tid first = pl_r_weight(w, "time_mix_first");
    pl_tid r = pl_r_mm(w, "time_mix_receptance", pl_r_part(w, t, 3));
    pl_tid k = pl_r_mm(w, "time_mix_key", pl_r_part(w, t, 1));
    pl_tid v = pl_r_mm(w, "time_mix_value", pl_r_part(w, t, 2));
    r = pl_r_heads(w, pl_r_biased(w, r, "time_mix_receptance"));
    k = pl_r_all_heads(w, pl_r_biased(w, k, "time_mix_key"));
    v = pl_r_all_heads(w, pl_r_biased(w, v, "time_mix_value"));
    pl_tid gate = pl_r_unary(w, pl_r_mm(w, "time_mix_gate", pl_r_part(w, t, 4)));
    pl_tid d = pl_r_unary(w, pl_r_mm(w, "time_mix_decay_w1", pl_r_part(w, t, 0)));
    d = pl_r_mm(w, "time_mix_decay_w2", d);
    d = pl_r_op(w, PL_OP_ADD, d, pl_r_weight(w, "time_mix_decay"));
    d = pl_r_heads(w, pl_r_unary(w, pl_r_unary(w, pl_r_unary(w, d))));
    pl_tid store = pl_b_state_store(w->b, w->embd * w->head), y;
    if (first == 0) {
        k = pl_r_op(w, PL_OP_SUB, k, pl_r_op(w, PL_OP_MUL, k, d));
        const pl_tid src[] = {k, v, r, d, pl_b_state(w->b, store)};
        y = pl_r_flat(w, pl_r_recur(w, src, 5, store));
    } else {
        const pl_tid src[] = {k, v, r, first, d, pl_b_state(w->b, store)};
        y = pl_r_head_norm(w, pl_r_recur(w, src, 6, store));
    }
    y = pl_r_mm(w, "time_mix_output", pl_r_op(w, PL_OP_MUL, y, gate));
    return pl_net_reshape(g, y, w->embd, w->per, w->seqs, 1);
}

static pl_tid pl_r_time_mix6(struct pl_rwkv *w, pl_tid x, pl_tid prev)
{
    struct pl_net_graph *g = w->g;
    pl_tid sx = pl_r_flat(w, pl_r_op(w, PL_OP_SUB, prev, x)), w1 = pl_r_weight(w, "time_mix_w1");
    pl_tid w2 = pl_r_weight(w, "time_mix_w2");
    x = pl_r_flat(w, x);
    if (w1 == 0 || w2 == 0) {
        g->failed = true;
        return 0;
    }
    pl_tid t = pl_r_op(w, PL_OP_MUL, sx, pl_r_weight(w, "time_mix_lerp_x"));
    t = pl_net_mul_mat(g, w1, pl_r_op(w, PL_OP_ADD, t, x));
    t = pl_net_reshape(g, pl_r_unary(w, t), pl_net_at(g, w1)->ne[1] / 5, 1, 5, w->tokens);
    t = pl_net_cont(g, pl_net_permute(g, t, 0, 1, 3, 2));
    const struct pl_t p = *pl_net_at(g, w2);
    t = pl_net_mul_mat(g, pl_net_reshape(g, w2, p.ne[0], p.ne[1], 1, 5), t);
    sx = pl_net_reshape(g, sx, w->embd, 1, w->tokens, 1);
    x = pl_net_reshape(g, x, w->embd, 1, w->tokens, 1);
    t = pl_r_op(w, PL_OP_ADD, t, pl_r_weight(w, "time_mix_lerp_fused"));
    t = pl_r_op(w, PL_OP_ADD, pl_r_op(w, PL_OP_MUL, t, sx), x);
    return pl_r_mixed6(w, t);
}

static pl_tid pl_r_channel_mix(struct pl_rwkv *w, pl_tid x, pl_tid prev, bool receptance)
{
    pl_tid sx = pl_r_op(w, PL_OP_SUB, prev, x);
    pl_tid k = pl_r_op(w, PL_OP_MUL, sx, pl_r_weight(w, "channel_mix_lerp_k"));
    k = pl_r_mm(w, "channel_mix_key", pl_r_op(w, PL_OP_ADD, k, x));
    k = pl_r_mm(w, "channel_mix_value", pl_net_same(w->g, PL_OP_SQR, pl_r_unary(w, k)));
    if (!receptance)
        return k;
    pl_tid r = pl_r_op(w, PL_OP_MUL, sx, pl_r_weight(w, "channel_mix_lerp_r"));
    r = pl_r_unary(w, pl_r_mm(w, "channel_mix_receptance", pl_r_op(w, PL_OP_ADD, r, x)));
    return pl_r_op(w, PL_OP_MUL, r, k);
}

/* w0 + w2(act(w1 x)) */
static pl_tid pl_r_low_rank(struct pl_rwkv *w, char which, bool act, pl_tid x)
{
    char name[] = "time_mix_w1";
    name[9] = which;
    pl_tid t = pl_r_mm(w, name, x);
    if (act)
        t = pl_r_unary(w, t);
    name[10] = '2';
    t = pl_r_mm(w, name, t);
    name[10] = '0';
    return which == 'g' ? t : pl_r_op(w, PL_OP_ADD, t, pl_r_weight(w, name));
}

static pl_tid pl_r_time_mix7(struct pl_rwkv *w, pl_tid x, pl_tid prev, pl_tid *first)
{
    struct pl_net_graph *g = w->g;
    bool gated = pl_r_weight(w, "time_mix_g1") != 0;
    pl_tid sx =
        pl_net_repeat(g, pl_r_op(w, PL_OP_SUB, prev, x), w->embd, w->per, w->seqs, gated ? 6 : 5);
    pl_tid t = pl_r_op(w, PL_OP_MUL, sx, pl_r_weight(w, "time_mix_lerp_fused"));
    t = pl_r_op(w, PL_OP_ADD, t, x);
    pl_tid r = pl_r_mm(w, "time_mix_receptance", pl_r_part(w, t, 0));
    pl_tid d = pl_r_unary(w, pl_r_low_rank(w, 'w', true, pl_r_part(w, t, 1)));
    d = pl_r_unary(w, pl_net_same(g, PL_OP_SCALE, d));
    pl_tid k = pl_r_mm(w, "time_mix_key", pl_r_part(w, t, 2)), xv = pl_r_part(w, t, 3);
    pl_tid v = pl_r_mm(w, "time_mix_value", xv);
    if (*first == 0) {
        *first = v;
    } else {
        pl_tid mix = pl_r_unary(w, pl_r_low_rank(w, 'v', false, xv));
        mix = pl_r_op(w, PL_OP_MUL, pl_r_op(w, PL_OP_SUB, *first, v), mix);
        v = pl_r_op(w, PL_OP_ADD, v, mix);
    }
    pl_tid gate = gated ? pl_r_low_rank(w, 'g', true, pl_r_part(w, t, 5)) : 0;
    pl_tid a = pl_r_unary(w, pl_r_low_rank(w, 'a', false, pl_r_part(w, t, 4)));
    pl_tid kk = pl_r_heads(w, pl_r_op(w, PL_OP_MUL, k, pl_r_weight(w, "time_mix_k_k")));
    kk = pl_net_same(g, PL_OP_L2_NORM, kk);
    pl_tid ka = pl_r_op(w, PL_OP_MUL, k, pl_r_weight(w, "time_mix_k_a"));
    pl_tid more = pl_r_op(w, PL_OP_SUB, pl_r_op(w, PL_OP_MUL, a, ka), ka);
    k = pl_r_heads(w, pl_r_op(w, PL_OP_ADD, k, more));
    r = pl_r_heads(w, r);
    d = pl_r_heads(w, d);
    v = pl_r_heads(w, v);
    a = pl_r_heads(w, a);
    pl_tid store = pl_b_state_store(w->b, w->embd * w->head);
    pl_tid state = pl_b_state(w->b, store);
    const pl_tid src[] = {r, d, k, v, pl_r_unary(w, kk), pl_r_op(w, PL_OP_MUL, kk, a), state};
    pl_tid y = pl_r_head_norm(w, pl_r_recur(w, src, 7, store));
    pl_tid rk = pl_net_reshape(g, pl_r_weight(w, "time_mix_r_k"), w->head, w->heads, 1, 1);
    rk = pl_net_sum_rows(g, pl_r_op(w, PL_OP_MUL, pl_r_op(w, PL_OP_MUL, k, r), rk));
    y = pl_r_op(w, PL_OP_ADD, y, pl_r_flat(w, pl_r_op(w, PL_OP_MUL, v, rk)));
    if (gated)
        y = pl_r_op(w, PL_OP_MUL, y, gate);
    return pl_net_reshape(g, pl_r_mm(w, "time_mix_output", y), w->embd, w->per, w->seqs, 1);
}

/* The second half: what a token shares with the one before, and all but the last of a batch. */
static pl_tid pl_r_channels(struct pl_rwkv *w, pl_tid in, pl_tid m, pl_tid prev,
                            const struct pl_rwkv_use *use)
{
    struct pl_build *b = w->b;
    in = pl_r_flat(w, in);
    m = pl_r_flat(w, m);
    prev = pl_r_flat(w, prev);
    if (use->last) {
        in = pl_b_rows(b, in);
        m = pl_b_rows(b, m);
        prev = pl_b_rows(b, prev);
    }
    pl_tid y = pl_r_op(w, PL_OP_ADD, pl_r_channel_mix(w, m, prev, !use->seven), in);
    uint64_t every = use->seven ? 0 : pl_b_key(b, "rescale_every_n_layers", 0);
    return every > 0 && (b->il + 1) % every == 0 ? pl_net_same(w->g, PL_OP_SCALE, y) : y;
}

pl_tid pl_b_rwkv(struct pl_build *b, pl_tid x, const struct pl_rwkv_use *use, pl_tid *first)
{
    struct pl_rwkv w = pl_rwkv_of(b);
    struct pl_net_graph *g = b->g;
    uint64_t shifts = use->mix_alone ? 1 : 2;
    x = pl_net_reshape(g, x, w.embd, w.per, w.seqs, 1);
    pl_tid store = pl_b_state_store(b, shifts * w.embd);
    pl_tid shift = pl_net_reshape(g, pl_b_state(b, store), w.embd, shifts, w.seqs, 1);
    pl_tid n = pl_b_norm(b, x, "attn_norm", use->mix_alone ? PL_NORM_RMS : PL_NORM_LAYER);
    pl_tid prev = pl_r_shift(&w, shift, 0, n, use->mix_alone);
    pl_tid mixed = use->seven ? pl_r_time_mix7(&w, n, prev, first) : pl_r_time_mix6(&w, n, prev);
    if (use->mix_alone) {
        pl_tid kept = pl_r_last(&w, n);
        if (kept != 0)
            pl_r_keep(&w, kept, w.embd * w.seqs, 0, store);
        x = pl_r_flat(&w, pl_r_op(&w, PL_OP_ADD, mixed, x));
        return use->last ? pl_b_rows(b, x) : x;
    }
    pl_tid in = pl_r_op(&w, PL_OP_ADD, mixed, x);
    pl_tid m = pl_b_norm(b, in, "attn_norm_2", PL_NORM_LAYER);
    prev = pl_r_shift(&w, shift, 1, m, false);
    pl_tid kept = pl_net_concat(g, pl_r_last(&w, n), pl_r_last(&w, m), 1);
    if (kept != 0)
        pl_r_keep(&w, kept, 2 * w.embd * w.seqs, 0, store);
    return pl_r_channels(&w, in, m, prev, use);
}
