/* src/models/mamba-base.cpp, plamo2.cpp, lfm2.cpp; src/llama-graph.cpp, build_rs. */
#include "engine/llamacpp/graph_recurrent.h"

#define F 4u /* bytes of an f32 */

pl_tid pl_b_state_store(struct pl_build *b, uint64_t values)
{
    const uint64_t ne[4] = {values, b->r->n_seq, 1, 1};
    pl_tid t = pl_net_external(b->g, "state", PL_T_F32, ne);
    if (t != 0 && b->place != NULL)
        pl_net_at(b->g, t)->backend = pl_b_backend(b, pl_place_cache(b->place, (uint32_t)b->il));
    return t;
}

/* Which row of the store each slot reads. */
static pl_tid pl_b_state_input(struct pl_build *b)
{
    if (b->state_rows == 0)
        b->state_rows = pl_net_input(b->g, PL_T_I32, b->batch.n_seqs, 1, 1, 1);
    return b->state_rows;
}

/* Those of this batch's slots, or the others; for all layers the same tensor. */
static pl_tid pl_b_state_rows(struct pl_build *b, bool others)
{
    uint64_t n = others ? b->batch.n_seqs - 1 : b->batch.n_seqs;
    const uint64_t ne[4] = {n, 1, 1, 1}, nb[4] = {F, n * F, n * F, n * F};
    pl_tid *t = &b->state_views[others];
    if (*t == 0)
        *t = pl_net_view(b->g, pl_b_state_input(b), ne, nb, others ? F : 0);
    return *t;
}

static pl_tid pl_b_rows_view(struct pl_build *b, pl_tid t, uint64_t width, uint64_t from,
                             uint64_t n)
{
    return pl_net_view_2d(b->g, t, width, n, width * F, from * width * F);
}

/* The store as rows; the one that starts anew is cleared. */
static pl_tid pl_b_state_before(struct pl_build *b, pl_tid store)
{
    struct pl_net_graph *g = b->g;
    if (store == 0)
        return 0;
    uint64_t width = pl_net_at(g, store)->ne[0];
    pl_tid all = pl_net_reshape(g, store, width, b->r->n_seq, 1, 1);
    const uint64_t one[4] = {width, 1, 1, 1}, nb[4] = {F, width * F, width * F, width * F};
    pl_tid t = pl_net_view(g, pl_net_view(g, all, one, nb, 0), one, nb, 0);
    if (t == 0)
        return 0;
    pl_net_at(g, t)->op = PL_OP_SCALE_INPLACE;
    pl_net_expand(g, t);
    return all;
}

/* Slots that take no part are moved along: none, when the engine reserves. */
static void pl_b_state_after(struct pl_build *b, pl_tid store, pl_tid rows, uint64_t from)
{
    struct pl_net_graph *g = b->g;
    if (store == 0 || rows == 0)
        return;
    uint64_t width = pl_net_at(g, store)->ne[0];
    pl_tid what = pl_b_rows_view(b, rows, width, from, 0);
    pl_net_expand(g, pl_net_cpy(g, what, pl_b_rows_view(b, store, width, b->batch.n_seqs, 0)));
}

pl_tid pl_b_state(struct pl_build *b, pl_tid store)
{
    struct pl_net_graph *g = b->g;
    uint64_t seqs = b->batch.n_seqs;
    pl_tid rows = pl_net_get_rows(g, pl_b_state_before(b, store), pl_b_state_input(b));
    if (rows == 0)
        return 0;
    pl_tid t = pl_b_rows_view(b, rows, pl_net_at(g, rows)->ne[0], 0, seqs);
    pl_net_expand(g, t);
    pl_b_state_after(b, store, rows, seqs);
    return t;
}

/* What is kept of a tensor goes back into its store. */
static void pl_b_keep(struct pl_build *b, pl_tid what, pl_tid store)
{
    if (what == 0 || store == 0)
        return;
    uint64_t width = pl_net_at(b->g, store)->ne[0];
    pl_tid into = pl_b_rows_view(b, store, width, 0, b->batch.n_seqs);
    pl_net_expand(b->g, pl_net_cpy(b->g, what, into));
}

/* x [channels, tokens, slots] before the last d_conv - 1 columns seen: [.., channels, slots] */
static pl_tid pl_b_conv_in(struct pl_build *b, pl_tid x, uint64_t d_conv, uint64_t channels)
{
    struct pl_net_graph *g = b->g;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs;
    pl_tid store = pl_b_state_store(b, (d_conv - 1) * channels);
    pl_tid old = pl_net_reshape(g, pl_b_state(b, store), d_conv - 1, channels, seqs, 1);
    pl_tid all = pl_net_concat(g, old, pl_net_transpose(g, x), 0);
    if (all == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, all);
    pl_b_keep(b, pl_net_view_3d(g, all, d_conv - 1, channels, seqs, p.nb[1], p.nb[2], per * F),
              store);
    return all;
}

static pl_tid pl_b_conv(struct pl_build *b, pl_tid all, pl_tid kernel)
{
    if (all == 0 || kernel == 0) {
        b->g->failed = true;
        return 0;
    }
    const struct pl_t p = *pl_net_at(b->g, all), k = *pl_net_at(b->g, kernel);
    const uint64_t ne[4] = {k.ne[1], p.ne[0] - k.ne[0] + 1, p.ne[2], 1};
    return pl_net_op(b->g, PL_OP_SSM_CONV, PL_T_F32, ne, all, kernel);
}

static pl_tid pl_b_biased(struct pl_build *b, pl_tid t, const char *name)
{
    pl_tid bias = pl_b_weight(b, name, ".bias");
    return bias != 0 ? pl_net_with(b->g, PL_OP_ADD, t, bias) : t;
}

static pl_tid pl_b_unary(struct pl_build *b, pl_tid t)
{
    return pl_net_same(b->g, PL_OP_UNARY, t);
}

static pl_tid pl_view4(struct pl_build *b, pl_tid a, const uint64_t ne[4], uint64_t nb1,
                       uint64_t nb2, uint64_t nb3, uint64_t offset)
{
    const uint64_t nb[4] = {F, nb1, nb2, nb3};
    return pl_net_view(b->g, a, ne, nb, offset);
}

struct pl_scan {
    pl_tid x, dt, a, b, c;
    uint64_t head, heads, d_state;
};

/* ssm_scan over the states themselves: the outputs of all tokens, then the new states. Returns the
 * whole; keeps the states. */
static pl_tid pl_b_scan(struct pl_build *b, const struct pl_scan *s)
{
    struct pl_net_graph *g = b->g;
    uint64_t seqs = b->batch.n_seqs, state = s->d_state * s->head * s->heads;
    uint64_t out = pl_net_elements(g, s->x);
    pl_tid store = pl_b_state_store(b, state);
    pl_tid all = pl_b_state_before(b, store);
    pl_tid states = pl_net_reshape(g, all, s->d_state, s->head, s->heads, b->r->n_seq);
    const uint64_t ne[4] = {out + state * seqs, 1, 1, 1};
    pl_tid t = pl_net_op(g, PL_OP_SSM_SCAN, PL_T_F32, ne, states, s->x);
    pl_net_also(g, t, s->dt);
    pl_net_also(g, t, s->a);
    pl_net_also(g, t, s->b);
    pl_net_also(g, t, s->c);
    pl_net_also(g, t, pl_b_state_rows(b, false));
    pl_net_expand(g, t);
    g->scanned = state * seqs * F;
    /* the scan reads the store itself: the other rows are looked up after it */
    pl_b_state_after(b, store, pl_net_get_rows(g, all, pl_b_state_rows(b, true)), 0);
    const uint64_t kept[4] = {state * seqs, 1, 1, 1};
    pl_b_keep(b, pl_view4(b, t, kept, F, F, F, out * F), store);
    return t;
}

pl_tid pl_b_mamba(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    const struct pl_net *n = b->net;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, inner = n->d_inner;
    uint64_t state = n->d_state, rank = n->dt_rank;
    x = pl_net_reshape(g, x, n->n_embd, per, seqs, 1);
    pl_tid xz = pl_b_mm(b, x, "ssm_in");
    if (xz == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, xz);
    pl_tid z = pl_net_view_3d(g, xz, inner, per, seqs, p.nb[1], p.nb[2], inner * F);
    x = pl_net_view_3d(g, xz, inner, per, seqs, p.nb[1], p.nb[2], 0);
    pl_tid conv =
        pl_b_conv(b, pl_b_conv_in(b, x, n->d_conv, inner), pl_b_weight(b, "ssm_conv1d", ".weight"));
    pl_tid cur = pl_b_unary(b, pl_b_biased(b, conv, "ssm_conv1d"));
    pl_tid xdb = pl_b_mm(b, cur, "ssm_x");
    if (xdb == 0)
        return 0;
    const struct pl_t d = *pl_net_at(g, xdb);
    struct pl_scan s = {.head = 1, .heads = inner, .d_state = state};
    const uint64_t bc[4] = {state, 1, per, seqs};
    s.dt = pl_net_view_3d(g, xdb, rank, per, seqs, d.nb[1], d.nb[2], 0);
    s.b = pl_view4(b, xdb, bc, state * F, d.nb[1], d.nb[2], rank * F);
    s.c = pl_view4(b, xdb, bc, state * F, d.nb[1], d.nb[2], (rank + state) * F);
    bool norms = pl_b_key(b, "ssm.dt_b_c_rms", 0) != 0 || pl_b_weight(b, "ssm_b_norm", ".weight");
    if (norms) {
        s.dt = pl_b_norm(b, s.dt, "ssm_dt_norm", PL_NORM_RMS);
        s.b = pl_b_norm(b, s.b, "ssm_b_norm", PL_NORM_RMS);
        s.c = pl_b_norm(b, s.c, "ssm_c_norm", PL_NORM_RMS);
    } else {
        s.dt = pl_net_cont(g, s.dt);
    }
    s.dt = pl_b_mm(b, s.dt, "ssm_dt");
    s.x = pl_net_reshape(g, cur, 1, inner, per, seqs);
    s.a = pl_b_weight(b, "ssm_a", "");
    pl_tid all = pl_b_scan(b, &s);
    pl_tid y = pl_net_view_3d(g, all, inner, per, seqs, inner * F, inner * per * F, 0);
    y = pl_net_with(g, PL_OP_ADD, y, pl_net_with(g, PL_OP_MUL, cur, pl_b_weight(b, "ssm_d", "")));
    y = pl_net_glu(g, pl_net_cont(g, z), y);
    return pl_net_reshape(g, pl_b_mm(b, y, "ssm_out"), n->n_embd, per * seqs, 1, 1);
}

pl_tid pl_b_mamba2(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    const struct pl_net *n = b->net;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, inner = n->d_inner;
    uint64_t heads = n->dt_rank, head = heads > 0 ? inner / heads : 0, groups = n->n_group;
    uint64_t channels = inner + 2 * groups * n->d_state;
    pl_tid in = pl_b_mm(b, x, "ssm_in");
    if (in == 0 || groups == 0 || head == 0)
        return 0;
    in = pl_net_reshape(g, in, pl_net_at(g, in)->ne[0], per, seqs, 1);
    if (in == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, in);
    const uint64_t by_head[4] = {head, heads, per, seqs}, bc[4] = {n->d_state, groups, per, seqs};
    pl_tid z = pl_view4(b, in, by_head, head * F, p.nb[1], p.nb[2], 0);
    pl_tid xbc = pl_net_view_3d(g, in, channels, per, seqs, p.nb[1], p.nb[2], inner * F);
    struct pl_scan s = {.head = head, .heads = heads, .d_state = n->d_state};
    s.dt = pl_net_view_3d(g, in, heads, per, seqs, p.nb[1], p.nb[2], (inner + channels) * F);
    xbc = pl_b_conv(b, pl_b_conv_in(b, xbc, n->d_conv, channels),
                    pl_b_weight(b, "ssm_conv1d", ".weight"));
    xbc = pl_b_unary(b, pl_b_biased(b, xbc, "ssm_conv1d"));
    if (xbc == 0)
        return 0;
    const struct pl_t q = *pl_net_at(g, xbc);
    s.x = pl_view4(b, xbc, by_head, head * F, q.nb[1], q.nb[2], 0);
    s.b = pl_view4(b, xbc, bc, n->d_state * F, q.nb[1], q.nb[2], inner * F);
    s.c = pl_view4(b, xbc, bc, n->d_state * F, q.nb[1], q.nb[2], (inner + groups * n->d_state) * F);
    s.dt = pl_b_biased(b, pl_net_cont(g, s.dt), "ssm_dt");
    s.a = pl_b_weight(b, "ssm_a", "");
    pl_tid all = pl_b_scan(b, &s);
    pl_tid y = pl_view4(b, all, by_head, head * F, heads * head * F, per * heads * head * F, 0);
    y = pl_net_with(g, PL_OP_ADD, y, pl_net_with(g, PL_OP_MUL, s.x, pl_b_weight(b, "ssm_d", "")));
    y = pl_net_glu(g, pl_net_cont(g, z), y);
    if (pl_b_weight(b, "ssm_norm", ".weight") != 0) {
        y = pl_net_reshape(g, y, inner / groups, groups, per, seqs);
        y = pl_b_norm(b, y, "ssm_norm", PL_NORM_RMS);
    }
    return pl_b_mm(b, pl_net_reshape(g, y, inner, per * seqs, 1, 1), "ssm_out");
}

pl_tid pl_b_mamba_plamo(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    const struct pl_net *n = b->net;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, inner = n->d_inner;
    uint64_t heads = n->dt_rank, head = heads > 0 ? inner / heads : 0, state = n->d_state;
    x = pl_net_reshape(g, x, n->n_embd, per, seqs, 1);
    pl_tid zx = pl_net_permute(g, pl_b_mm(b, x, "ssm_in"), 0, 2, 1, 3);
    zx = pl_net_cont_4d(g, zx, head * 2, heads, per, seqs);
    if (zx == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, zx);
    const uint64_t by_head[4] = {head, heads, per, seqs}, bc[4] = {state, 1, per, seqs};
    x = pl_view4(b, zx, by_head, p.nb[1], p.nb[2], p.nb[3], head * F);
    x = pl_net_cont_4d(g, x, inner, per, seqs, 1);
    pl_tid z = pl_view4(b, zx, by_head, p.nb[1], p.nb[2], p.nb[3], 0);
    /* the kept columns are as many as with groups, the new ones without */
    x = pl_b_unary(b, pl_b_conv(b, pl_b_conv_in(b, x, n->d_conv, inner + 2 * n->n_group * state),
                                pl_b_weight(b, "ssm_conv1d", ".weight")));
    pl_tid bcdt = pl_b_mm(b, x, "ssm_x");
    if (bcdt == 0)
        return 0;
    const struct pl_t d = *pl_net_at(g, bcdt);
    uint64_t dt = n->n_embd / 16 > 64 ? n->n_embd / 16 : 64;
    struct pl_scan s = {.head = head, .heads = heads, .d_state = state};
    s.b = pl_b_norm(b, pl_net_view_3d(g, bcdt, state, per, seqs, d.nb[1], d.nb[2], 0), "ssm_b_norm",
                    PL_NORM_RMS);
    s.c = pl_b_norm(b, pl_net_view_3d(g, bcdt, state, per, seqs, d.nb[1], d.nb[2], state * F),
                    "ssm_c_norm", PL_NORM_RMS);
    s.dt = pl_b_norm(b, pl_net_view_3d(g, bcdt, dt, per, seqs, d.nb[1], d.nb[2], 2 * state * F),
                     "ssm_dt_norm", PL_NORM_RMS);
    s.dt = pl_b_mm(b, s.dt, "ssm_dt");
    s.a = pl_net_reshape(g, pl_b_weight(b, "ssm_a", ""), 1, heads, 1, 1);
    s.x = pl_view4(b, x, by_head, head * F, inner * F, inner * per * F, 0);
    s.b = pl_view4(b, s.b, bc, state * F, state * F, state * per * F, 0);
    s.c = pl_view4(b, s.c, bc, state * F, state * F, state * per * F, 0);
    pl_tid all = pl_b_scan(b, &s);
    pl_tid y = pl_view4(b, all, by_head, head * F, inner * F, inner * per * F, 0);
    pl_tid skip = pl_net_reshape(g, pl_b_weight(b, "ssm_d", ""), 1, heads, 1, 1);
    y = pl_net_with(g, PL_OP_ADD, y, pl_net_with(g, PL_OP_MUL, s.x, skip));
    y = pl_net_glu(g, pl_net_cont(g, z), y);
    y = pl_net_view_3d(g, y, inner, per, seqs, inner * F, inner * per * F, 0);
    return pl_net_reshape(g, pl_b_mm(b, y, "ssm_out"), n->n_embd, per * seqs, 1, 1);
}

pl_tid pl_b_shortconv(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    uint64_t seqs = b->batch.n_seqs, per = b->batch.n_tokens / seqs, embd = b->net->n_embd;
    x = pl_net_reshape(g, x, embd, per, seqs, 1);
    pl_tid in = pl_b_mm(b, x, "shortconv.in_proj");
    if (in == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, in);
    uint64_t part = p.ne[0] / 3;
    pl_tid bb = pl_net_view_3d(g, in, part, per, seqs, p.nb[1], p.nb[2], 0);
    pl_tid cc = pl_net_view_3d(g, in, part, per, seqs, p.nb[1], p.nb[2], part * F);
    pl_tid xx = pl_net_view_3d(g, in, part, per, seqs, p.nb[1], p.nb[2], 2 * part * F);
    pl_tid bx = pl_net_with(g, PL_OP_MUL, bb, xx);
    pl_tid conv = pl_b_conv(b, pl_b_conv_in(b, bx, b->net->l_cache, embd),
                            pl_b_weight(b, "shortconv.conv", ".weight"));
    pl_tid y = pl_b_mm(b, pl_net_with(g, PL_OP_MUL, cc, conv), "shortconv.out_proj");
    return pl_net_reshape(g, y, embd, per * seqs, 1, 1);
}
