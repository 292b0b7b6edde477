/* tools/mtmd/models/: what becomes of the patches after the tower. */
#include "engine/llamacpp/graph_tower.h"

#include "base/checked.h"
#include "base/str.h"

static struct pl_t pl_t_of(const struct pl_build *b, pl_tid t)
{
    return t != 0 ? *pl_net_at(b->g, t) : (struct pl_t){0};
}

pl_tid pl_t_squares(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    const struct pl_tower *w = b->tower;
    uint64_t n = w->p->n_embd;
    x = pl_net_cont_4d(g, x, n * 2, w->px / 2, w->py, 1);
    x = pl_net_reshape(g, x, n * 2, w->px / 2, 2, w->py / 2);
    return pl_net_cont_4d(g, pl_net_permute(g, x, 0, 2, 1, 3), n, w->px * w->py, 1, 1);
}

/* shuffle(x): squares of patches side by side in one row (build_patch_merge_permute) */
pl_tid pl_t_shuffle(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    const struct pl_tower *t = c->b->tower;
    uint64_t n = pl_t_of(c->b, c->arg[0]).ne[0], f = t->p->merge, w = t->px, h = t->py;
    uint64_t more_w = (f - w % f) % f, more_h = (f - h % f) % f;
    pl_tid x = pl_net_reshape(g, c->arg[0], n, w, h, 1);
    if (x != 0 && more_w + more_h > 0) {
        const uint64_t ne[4] = {n, w + more_w, h + more_h, 1};
        x = pl_net_op(g, PL_OP_PAD, PL_T_F32, ne, x, 0);
        w += more_w;
        h += more_h;
    }
    x = pl_net_permute(g, pl_net_reshape(g, x, n * f, w / f, h, 1), 0, 2, 1, 3);
    x = pl_net_permute(g, pl_net_cont_4d(g, x, n * f * f, h / f, w / f, 1), 0, 2, 1, 3);
    return pl_net_cont_4d(g, x, n * f * f, (h / f) * (w / f), 1, 1);
}

/* shufflehw(x): the same with the sides the other way (models/internvl.cpp) */
pl_tid pl_t_shuffle_hw(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    const struct pl_tower *t = c->b->tower;
    uint64_t n = pl_t_of(c->b, c->arg[0]).ne[0], f = t->p->merge, w = t->px, h = t->py;
    uint64_t images = t->sight.n;
    pl_tid x = pl_net_reshape(g, c->arg[0], n * f, h / f, w, images);
    x = pl_net_cont_4d(g, pl_net_permute(g, x, 0, 2, 1, 3), n * f * f, h / f, w / f, images);
    x = pl_net_permute(g, x, 0, 2, 1, 3);
    return pl_net_cont_4d(g, x, n * f * f, (h / f) * (w / f), images, 1);
}

/* Rows of one square of patches, or of one patch. */
pl_tid pl_t_group(struct pl_call *c)
{
    uint64_t f = c->b->tower->p->merge * c->b->tower->p->merge;
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    return pl_net_view_2d(c->b->g, c->arg[0], p.ne[0] * f, p.ne[1] / f, p.ne[0] * f * 4, 0);
}

pl_tid pl_t_ungroup(struct pl_call *c)
{
    uint64_t f = c->b->tower->p->merge * c->b->tower->p->merge;
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    return pl_net_view_2d(c->b->g, c->arg[0], p.ne[0] / f, p.ne[1] * f, p.ne[0] / f * 4, 0);
}

/* unfold(x): squares of patches by a convolution's first step (models/pixtral.cpp) */
pl_tid pl_t_unfold(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    const struct pl_tower *t = c->b->tower;
    uint64_t n = pl_t_of(c->b, c->arg[0]).ne[0], f = t->p->merge;
    pl_tid x = pl_net_reshape(g, c->arg[0], n, t->px, t->py, 1);
    x = pl_net_cont(g, pl_net_permute(g, x, 2, 0, 1, 3));
    pl_tid kernel = pl_net_view_3d(g, x, f, f, n, 0, 0, 0);
    const uint64_t ne[4] = {n * f * f, t->px / f, t->py / f, 1};
    x = kernel != 0 ? pl_net_op(g, PL_OP_IM2COL, PL_T_F32, ne, kernel, x) : 0;
    return pl_net_reshape(g, x, ne[0], ne[1] * ne[2], 1, 1);
}

/* breaks(x): a token at the end of every row of patches but the last */
pl_tid pl_t_breaks(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    const struct pl_tower *t = c->b->tower;
    uint64_t n = pl_t_of(c->b, c->arg[0]).ne[0], w = t->px / t->p->merge, h = t->py / t->p->merge;
    pl_tid x = pl_net_reshape(g, c->arg[0], n, w, h, 1);
    pl_tid token = pl_net_same(g, PL_OP_SCALE, pl_net_new(g, PL_T_F32, n, 1, h, 1));
    token = pl_net_with(g, PL_OP_ADD, token, pl_b_weight(c->b, "v.token_embd.img_break", ""));
    x = pl_net_concat(g, x, token, 1);
    return pl_net_view_2d(g, x, n, w * h + h - 1, n * 4, 0);
}

/* avgpool(x): the mean of each square of patches (models/siglip.cpp) */
pl_tid pl_t_avgpool(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    const struct pl_tower *t = c->b->tower;
    uint64_t n = pl_t_of(c->b, c->arg[0]).ne[0], f = t->p->merge;
    pl_tid x = pl_net_transpose(g, c->arg[0]);
    x = pl_net_cont_4d(g, x, t->px, t->py, n, 1);
    const uint64_t ne[4] = {t->px / f, t->py / f, n, 1};
    x = x != 0 ? pl_net_op(g, PL_OP_OTHER, PL_T_F32, ne, x, 0) : 0;
    x = pl_net_reshape(g, x, ne[0] * ne[1], n, 1, 1);
    return pl_net_cont(g, pl_net_transpose(g, x));
}

/* fours(x): four patches are one row */
pl_tid pl_t_fours(struct pl_call *c)
{
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    return pl_net_reshape(c->b->g, c->arg[0], p.ne[0] * 4, p.ne[1] / 4, 1, 1);
}

static pl_tid pl_t_deep(struct pl_build *b, pl_tid x, const char *part)
{
    char name[64];
    (void)PL_FMT(name, "out.v.deepstack.%u.%s", (unsigned)b->il, part);
    return pl_streq(part, "norm") ? pl_b_norm(b, x, name, PL_NORM_LAYER) : pl_b_mm(b, x, name);
}

/* d=deepstack(x,d): features of some layers, side by side (models/qwen3vl.cpp) */
pl_tid pl_t_deepstack(struct pl_call *c)
{
    struct pl_build *b = c->b;
    char name[64];
    (void)PL_FMT(name, "out.v.deepstack.%u.fc1", (unsigned)b->il);
    if (pl_b_weight(b, name, ".weight") == 0)
        return c->arg[1];
    struct pl_t p = pl_t_of(b, c->arg[0]);
    uint64_t f = b->tower->p->merge * b->tower->p->merge;
    pl_tid x = pl_net_reshape(b->g, c->arg[0], p.ne[0] * f, p.ne[1] / f, 1, 1);
    x = pl_t_deep(b, pl_t_deep(b, x, "norm"), "fc1");
    x = pl_t_deep(b, pl_net_same(b->g, PL_OP_UNARY, x), "fc2");
    return c->arg[1] == 0 ? x : pl_net_concat(b->g, c->arg[1], x, 0);
}

pl_tid pl_t_stacked(struct pl_call *c)
{
    return c->arg[1] == 0 ? c->arg[0] : pl_net_concat(c->b->g, c->arg[0], c->arg[1], 0);
}

/* stack(x): several frames are one row, the last one filled up (build_stack) */
pl_tid pl_t_stack(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    uint64_t factor = c->b->tower->p->stack;
    if (factor <= 1 || c->arg[0] == 0)
        return c->arg[0];
    uint64_t all = pl_net_elements(g, c->arg[0]), row = c->b->tower->p->n_embd * factor;
    uint64_t rows = (all + row - 1) / row;
    pl_tid x = c->arg[0];
    if (rows * row > all) {
        x = pl_net_view_2d(g, x, all, 1, all * 4, 0);
        x = pl_net_pad(g, x, rows * row - all, 0);
    }
    return pl_net_view_2d(g, x, row, rows, row * 4, 0);
}

/* halve(x): the mean of two frames (build_vit, audio_has_avgpool) */
pl_tid pl_t_halve(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    pl_tid x = pl_net_cont(g, pl_net_transpose(g, c->arg[0]));
    const uint64_t ne[4] = {p.ne[1] / 2, p.ne[0], 1, 1};
    x = x != 0 ? pl_net_op(g, PL_OP_OTHER, PL_T_F32, ne, x, 0) : 0;
    return pl_net_cont(g, pl_net_transpose(g, x));
}

/* windows(x): squares of patches in the order of their windows; back(x): and back */
pl_tid pl_t_windows(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    if (c->b->tower->p->window_every == 0)
        return c->arg[0];
    pl_tid at = pl_net_input(g, PL_T_I32, p.ne[1] / 4, 1, 1, 1);
    pl_tid x = pl_net_reshape(g, c->arg[0], p.ne[0] * 4, p.ne[1] / 4, 1, 1);
    return pl_net_reshape(g, pl_net_get_rows(g, x, at), p.ne[0], p.ne[1], 1, 1);
}

pl_tid pl_t_back(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    if (c->b->tower->p->window_every == 0)
        return c->arg[0];
    return pl_net_get_rows(g, c->arg[0], pl_net_input(g, PL_T_I32, p.ne[1], 1, 1, 1));
}
