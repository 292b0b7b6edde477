/* Attention over a compressed cache (MLA): src/models/deepseek2.cpp and its kin. */
#include "engine/llamacpp/graph_build.h"

#define F 4u /* bytes of an f32 */

struct pl_latent {
    uint64_t head_k, head_v, rot, nope, rank, heads;
    bool shaped;  /* heads of the query before its parts are taken */
    bool whole_q; /* positions are applied to the query as one */
};

/* The query's part without positions and the part with them; returns it as it was compressed. */
static pl_tid pl_b_latent_query(struct pl_build *b, pl_tid x, const struct pl_latent *l,
                                pl_tid *nope, pl_tid *pe)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens, row = l->head_k * F;
    pl_tid q, qr = x;
    if (pl_b_weight(b, "attn_q_a", ".weight") != 0) {
        q = pl_net_mul_mat(g, pl_b_weight(b, "attn_q_a", ".weight"), x);
        qr = pl_b_norm(b, q, "attn_q_a_norm", PL_NORM_RMS);
        q = pl_net_mul_mat(g, pl_b_weight(b, "attn_q_b", ".weight"), qr);
    } else {
        q = pl_net_mul_mat(g, pl_b_weight(b, "attn_q", ".weight"), x);
    }
    *nope = 0;
    if (l->whole_q) {
        *pe = pl_net_reshape(g, q, l->head_k, l->heads, n, 1);
        return qr;
    }
    if (l->shaped)
        q = pl_net_reshape(g, q, l->head_k, l->heads, n, 1);
    *nope = pl_net_view_3d(g, q, l->nope, l->heads, n, row, row * l->heads, 0);
    *pe = pl_net_view_3d(g, q, l->rot, l->heads, n, row, row * l->heads, l->nope * F);
    return qr;
}

/* Keys and values made whole again before they are cached. */
static struct pl_qkv pl_b_latent_whole(struct pl_build *b, pl_tid c, const struct pl_latent *l,
                                       struct pl_qkv parts)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens, row = (l->nope + l->head_v) * F;
    pl_tid kv = pl_net_mul_mat(g, pl_b_weight(b, "attn_kv_b", ".weight"), c);
    pl_tid k = pl_net_view_3d(g, kv, l->nope, l->heads, n, row, row * l->heads, 0);
    pl_tid v = pl_net_view_3d(g, kv, l->head_v, l->heads, n, row, row * l->heads, l->nope * F);
    v = pl_net_cont(g, v);
    pl_tid q = parts.q == 0 ? parts.v : pl_net_concat(g, parts.q, parts.v, 0);
    pl_tid pe = pl_net_repeat(g, parts.k, l->rot, l->heads, n, 1);
    return (struct pl_qkv){q, pl_net_concat(g, k, pe, 0), v};
}

pl_tid pl_b_latent(struct pl_build *b, pl_tid x, const struct pl_latent_use *use)
{
    struct pl_net_graph *g = b->g;
    const struct pl_net *net = b->net;
    const struct pl_layer *y = pl_b_layer(b);
    struct pl_latent l = {.rot = y->n_rot, .rank = net->n_lora_kv, .heads = y->n_head};
    l.whole_q = use->whole_q;
    l.shaped = use->rope && !use->sparse && !use->flat_q;
    l.head_k = net->mla ? net->head_k_mla : y->head_k;
    l.head_v = net->mla ? net->head_v_mla : y->head_v;
    if (l.head_k < l.rot || l.rank == 0 || x == 0) {
        g->failed = true;
        return 0;
    }
    l.nope = l.head_k - l.rot;
    uint64_t n = b->batch.n_tokens, row = (l.rank + l.rot) * F;
    pl_tid q_nope, q_pe;
    bool sparse = use->sparse && !y->windowed;
    if (sparse)
        pl_b_index_store(b, x);
    pl_tid qr = pl_b_latent_query(b, x, &l, &q_nope, &q_pe);
    pl_tid both = pl_net_mul_mat(g, pl_b_weight(b, "attn_kv_a_mqa", ".weight"), x);
    pl_tid c = pl_net_view_2d(g, both, l.rank, n, row, 0);
    pl_tid k_pe = pl_net_view_3d(g, both, l.rot, 1, n, row, row, l.rank * F);
    if (use->key_norm)
        k_pe = pl_b_norm(b, k_pe, "attn_k_norm", PL_NORM_RMS);
    if (use->rope) {
        q_pe = pl_b_rope(b, q_pe);
        k_pe = pl_b_rope(b, k_pe);
    }
    c = pl_b_norm(b, c, "attn_kv_a_norm", PL_NORM_RMS);
    struct pl_attention how = {.cached = true, .project = !use->no_wo, .wo = "attn_output"};
    struct pl_qkv a;
    if (net->mla) {
        pl_tid q = pl_net_mul_mat(g, pl_b_weight(b, "attn_k_b", ".weight"),
                                  pl_net_permute(g, q_nope, 0, 2, 1, 3));
        a.q = pl_net_concat(g, pl_net_permute(g, q, 0, 2, 1, 3), q_pe, 0);
        c = pl_net_reshape(g, c, l.rank, 1, n, 1);
        a.k = pl_net_concat(g, c, k_pe, 0);
        a.v = c;
        how.k_only = true;
        how.v_mla = pl_b_weight(b, "attn_v_b", ".weight");
    } else {
        a = pl_b_latent_whole(b, c, &l, (struct pl_qkv){q_nope, k_pe, q_pe});
    }
    if (use->scale != 0)
        a.q = pl_net_with(g, PL_OP_MUL, a.q, use->scale);
    if (sparse)
        how.mask = pl_b_index_mask(b, x, qr);
    return pl_b_attention(b, a, &how);
}
