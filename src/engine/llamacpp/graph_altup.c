/* src/models/gemma3n.cpp: several versions of the hidden state go through the layers side by side;
 * one is computed, the others are predicted from it and corrected by it. */
#include "engine/llamacpp/graph_altup.h"

static pl_tid pl_altup_slice(struct pl_build *b, pl_tid x, uint64_t i)
{
    if (x == 0)
        return 0;
    const struct pl_t p = *pl_net_at(b->g, x);
    return pl_net_view_2d(b->g, x, p.ne[0], p.ne[1], p.nb[1], i * p.nb[2]);
}

static pl_tid pl_altup_rest(struct pl_build *b, pl_tid x, uint64_t ways)
{
    if (x == 0)
        return 0;
    const struct pl_t p = *pl_net_at(b->g, x);
    return pl_net_view_3d(b->g, x, p.ne[0], p.ne[1], ways - 1, p.nb[1], p.nb[2], p.nb[2]);
}

static pl_tid pl_altup_magnitude(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    return pl_net_same(g, PL_OP_SQRT, pl_net_sum_rows(g, pl_net_same(g, PL_OP_SQR, x)));
}

/* How many versions: one, and those that the model projects. 0: none. */
static uint64_t pl_altup_ways(struct pl_build *b)
{
    pl_tid w = pl_b_weight(b, "out.altup_proj", ".weight");
    return w != 0 ? pl_net_at(b->g, w)->ne[2] + 1 : 0;
}

/* `x` projected, as large as `target` was */
static pl_tid pl_altup_scaled(struct pl_build *b, pl_tid x, const char *weight, pl_tid target)
{
    struct pl_net_graph *g = b->g;
    pl_tid t = pl_net_mul_mat(g, pl_b_weight(b, weight, ".weight"), x);
    pl_tid size = pl_altup_magnitude(b, t);
    return pl_net_with(g, PL_OP_DIV, pl_net_with(g, PL_OP_MUL, t, target), size);
}

pl_tid pl_b_altup_stack(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    uint64_t ways = pl_altup_ways(b);
    if (ways < 2)
        return 0;
    pl_tid target = pl_altup_magnitude(b, x);
    pl_tid more = pl_net_repeat(g, x, b->net->n_embd, b->batch.n_tokens, ways - 1, 1);
    return pl_net_concat(g, x, pl_altup_scaled(b, more, "out.altup_proj", target), 2);
}

pl_tid pl_b_altup_merge(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    uint64_t ways = pl_altup_ways(b);
    if (ways < 2)
        return 0;
    pl_tid target = pl_altup_magnitude(b, pl_altup_slice(b, x, 0));
    pl_tid t = pl_altup_scaled(b, pl_altup_rest(b, x, ways), "out.altup_unembd_proj", target);
    x = pl_altup_slice(b, x, 0);
    for (uint64_t i = 0; i + 1 < ways; i++)
        x = pl_net_with(g, PL_OP_ADD, x, pl_altup_slice(b, t, i));
    return pl_net_same(g, PL_OP_SCALE, x);
}

static pl_tid pl_altup_router(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    pl_tid t = pl_net_same(g, PL_OP_SCALE, pl_b_norm(b, x, "altup_router_norm", PL_NORM_RMS));
    t = pl_net_mul_mat(g, pl_b_weight(b, "altup_router", ".weight"), t);
    return pl_net_same(g, PL_OP_UNARY, t);
}

pl_tid pl_b_altup_predict(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    uint64_t ways = pl_altup_ways(b);
    pl_tid all = pl_b_mm(b, pl_altup_router(b, pl_altup_slice(b, x, 0)), "altup_predict_coef");
    all = pl_net_reshape(g, all, ways, ways, b->batch.n_tokens, 1);
    pl_tid turned = pl_net_cont(g, pl_net_permute(g, x, 1, 2, 0, 3));
    pl_tid t = pl_net_mul_mat(g, turned, all);
    t = pl_net_cont(g, pl_net_permute(g, t, 0, 2, 1, 3));
    return pl_net_with(g, PL_OP_ADD, t, x);
}

pl_tid pl_b_altup_active(struct pl_build *b, pl_tid predicted)
{
    return pl_altup_slice(b, predicted, 0);
}

pl_tid pl_b_altup_correct(struct pl_build *b, pl_tid predicted, pl_tid active)
{
    struct pl_net_graph *g = b->g;
    uint64_t ways = pl_altup_ways(b), n = b->batch.n_tokens;
    pl_tid router = pl_altup_router(b, active);
    pl_tid gain = pl_net_with(g, PL_OP_SUB, active, pl_altup_slice(b, predicted, 0));
    pl_tid all = pl_net_same(g, PL_OP_SCALE, pl_b_mm(b, router, "altup_correct_coef"));
    all = pl_net_cont_4d(g, pl_net_transpose(g, all), 1, n, ways, 1);
    gain = pl_net_repeat(g, gain, b->net->n_embd, n, ways, 1);
    return pl_net_with(g, PL_OP_ADD, pl_net_with(g, PL_OP_MUL, gain, all), predicted);
}

pl_tid pl_b_altup_extend(struct pl_build *b, pl_tid corrected, pl_tid p)
{
    struct pl_net_graph *g = b->g;
    uint64_t ways = pl_altup_ways(b);
    if (ways < 2)
        return 0;
    pl_tid one = pl_altup_slice(b, corrected, 0), rest = pl_altup_rest(b, corrected, ways);
    return pl_net_concat(g, one, pl_net_with(g, PL_OP_ADD, rest, p), 2);
}

pl_tid pl_b_altup_largest(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    pl_tid mean = pl_net_sum_rows(g, x);
    pl_tid t = pl_net_same(g, PL_OP_SQR, pl_net_with(g, PL_OP_SUB, x, mean));
    t = pl_net_same(g, PL_OP_SQRT, pl_net_same(g, PL_OP_SCALE, pl_net_sum_rows(g, t)));
    t = pl_net_with(g, PL_OP_ADD, mean, pl_net_same(g, PL_OP_SCALE, t));
    return pl_net_same(g, PL_OP_UNARY, pl_net_with(g, PL_OP_SUB, x, t));
}
