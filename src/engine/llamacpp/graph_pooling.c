/* src/llama-graph.cpp: build_pooling, build_dense_out. */
#include "engine/llamacpp/graph_pooling.h"

#include "base/str.h"

/* Each sequence's mean, as a product with a matrix of shares. */
static pl_tid pl_pool_mean(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    pl_tid shares = pl_net_input(g, PL_T_F32, b->batch.n_tokens, b->batch.n_seqs, 1, 1);
    return pl_net_mul_mat(g, pl_net_cont(g, pl_net_transpose(g, x)), shares);
}

/* One token's row for each sequence. */
static pl_tid pl_pool_row(struct pl_build *b, pl_tid x)
{
    return pl_net_get_rows(b->g, x, pl_net_input(b->g, PL_T_I32, b->batch.n_seqs, 1, 1, 1));
}

/* A product with a weight that may be missing, and its bias. */
static pl_tid pl_pool_dense(struct pl_build *b, pl_tid x, const char *name)
{
    pl_tid w = pl_b_weight(b, name, ".weight"), bias = pl_b_weight(b, name, ".bias");
    if (w != 0)
        x = pl_net_mul_mat(b->g, w, x);
    return bias != 0 ? pl_net_with(b->g, PL_OP_ADD, x, bias) : x;
}

/* The classification head of a model that ranks. */
static pl_tid pl_pool_rank(struct pl_build *b, pl_tid x)
{
    const char *arch = b->net->arch->name;
    x = pl_streq(arch, "modern-bert") ? pl_pool_mean(b, x) : pl_pool_row(b, x);
    if (pl_b_weight(b, "cls", ".weight") != 0) {
        x = pl_net_same(b->g, PL_OP_UNARY, pl_pool_dense(b, x, "cls"));
        if (pl_b_weight(b, "cls.norm", ".weight") != 0)
            x = pl_b_norm(b, x, "cls.norm", PL_NORM_LAYER);
    }
    if (pl_b_weight(b, "cls.output", ".weight") != 0)
        x = pl_pool_dense(b, x, "cls.output");
    if (pl_streq(arch, "qwen3") || pl_streq(arch, "qwen3vl"))
        x = pl_net_same(b->g, PL_OP_SOFT_MAX, x);
    return x;
}

void pl_b_pooling(struct pl_build *b, pl_tid x)
{
    switch (b->r->pooling) {
    case PL_POOLING_MEAN:
        x = pl_pool_mean(b, x);
        break;
    case PL_POOLING_CLS:
    case PL_POOLING_LAST:
        x = pl_pool_row(b, x);
        break;
    case PL_POOLING_RANK:
        x = pl_pool_rank(b, x);
        break;
    case PL_POOLING_NONE:
    case PL_POOLING_AUTO:
        break;
    }
    pl_net_expand(b->g, x);
    pl_tid dense = pl_pool_dense(b, x, "dense_2");
    if (pl_b_weight(b, "dense_3", ".weight") != 0)
        dense = pl_net_mul_mat(b->g, pl_b_weight(b, "dense_3", ".weight"), dense);
    if (dense != x)
        pl_net_expand(b->g, dense);
}

#define PL_SAMPLED 40u /* --top-k, by default */

void pl_b_sampling(struct pl_build *b)
{
    struct pl_net_graph *g = b->g;
    pl_tid logits = b->logits;
    if (logits == 0)
        return;
    const struct pl_t p = *pl_net_at(g, logits);
    pl_net_at(g, logits)->flags |= PL_T_OUTPUT;
    pl_tid all = pl_net_pad(g, logits, 0, 1);
    for (uint64_t s = 0; s < b->batch.n_seqs && all != 0; s++) {
        pl_tid row = pl_net_view_2d(g, all, p.ne[0], 1, p.nb[1], s * p.nb[1]);
        const uint64_t top[4] = {p.ne[0] < PL_SAMPLED ? p.ne[0] : PL_SAMPLED, 1, 1, 1};
        pl_tid best = pl_net_op(g, PL_OP_TOP_K, PL_T_I32, top, row, 0);
        pl_net_expand(g, pl_net_get_rows(g, pl_net_reshape(g, row, 1, p.ne[0], 1, 1), best));
    }
}
