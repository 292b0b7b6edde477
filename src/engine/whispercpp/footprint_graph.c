#include "engine/whispercpp/footprint_graph.h"

#include "base/checked.h"
#include "base/units.h"
#include "domain/graph_ops.h"
#include "domain/graph_place.h"
#include "domain/tensor_type.h"

#define PL_WH_ARENA_MAX (64 * PL_MIB)
#define PL_WH_PAD 256u /* cells of a cache come in steps of it */
/* whisper_sched_graph_init: ggml_tensor_overhead() (an object's head of 32 bytes, a tensor of 336)
 * for WHISPER_MAX_NODES, and ggml_graph_overhead(): a graph of 2048 nodes, whose lists and hash set
 * of 4099 places take 82608 bytes (ggml.c, ggml_graph_nbytes). */
#define PL_WH_META (4096u * 368u + 82608u)

struct pl_wh_build {
    struct pl_net_graph g;
    const struct pl_whisper *w;
    const struct pl_wh_batch *b;
    uint64_t n_state, n_head, n_wide; /* n_wide: of a head */
    uint32_t kv;                      /* type of the caches */
};

uint64_t pl_wh_graph_meta(void)
{
    return PL_WH_META;
}

static pl_tid pl_wh_weight(struct pl_wh_build *b, uint32_t type, uint64_t n0, uint64_t n1,
                           uint64_t n2)
{
    const uint64_t ne[4] = {n0, n1, n2, 1};
    return pl_net_external(&b->g, NULL, type, ne);
}

static pl_tid pl_wh_matrix(struct pl_wh_build *b, uint64_t n_in, uint64_t n_out, pl_tid x)
{
    return pl_net_mul_mat(&b->g, pl_wh_weight(b, b->w->type, n_in, n_out, 1), x);
}

static pl_tid pl_wh_bias(struct pl_wh_build *b, uint64_t n, pl_tid x)
{
    return pl_net_with(&b->g, PL_OP_ADD, x, pl_wh_weight(b, PL_T_F32, n, 1, 1));
}

static pl_tid pl_wh_linear(struct pl_wh_build *b, uint64_t n_in, uint64_t n_out, pl_tid x)
{
    return pl_wh_bias(b, n_out, pl_wh_matrix(b, n_in, n_out, x));
}

static pl_tid pl_wh_norm(struct pl_wh_build *b, pl_tid x)
{
    pl_tid n = pl_net_same(&b->g, PL_OP_NORM, x);
    n = pl_net_with(&b->g, PL_OP_MUL, n, pl_wh_weight(b, PL_T_F32, b->n_state, 1, 1));
    return pl_wh_bias(b, b->n_state, n);
}

static pl_tid pl_wh_heads(struct pl_wh_build *b, pl_tid x, uint64_t n)
{
    pl_tid h = pl_net_reshape(&b->g, x, b->n_wide, b->n_head, n, 1);
    return pl_net_permute(&b->g, h, 0, 2, 1, 3);
}

/* A piece of a cache, written whole. */
static void pl_wh_store(struct pl_wh_build *b, pl_tid x, pl_tid cache)
{
    pl_tid to = pl_net_view(&b->g, cache, (const uint64_t[4]){pl_net_elements(&b->g, x), 1, 1, 1},
                            pl_net_at(&b->g, cache)->nb, 0);
    pl_net_expand(&b->g, pl_net_cpy(&b->g, x, to));
}

/* A cache as heads of n cells. */
static pl_tid pl_wh_cells(struct pl_wh_build *b, pl_tid cache, uint64_t n)
{
    uint64_t e = pl_net_at(&b->g, cache)->nb[0];
    return pl_net_view_3d(&b->g, cache, b->n_wide, n, b->n_head, e * b->n_state, e * b->n_wide, 0);
}

static pl_tid pl_wh_flash(struct pl_wh_build *b, pl_tid q, pl_tid k, pl_tid v, pl_tid mask,
                          uint64_t n)
{
    const uint64_t ne[4] = {b->n_wide, b->n_head, n, 1};
    pl_tid t = pl_net_op(&b->g, PL_OP_FLASH_ATTN, PL_T_F32, ne, q, k);
    pl_net_also(&b->g, t, v);
    pl_net_also(&b->g, t, mask);
    return pl_net_reshape(&b->g, t, b->n_state, n, 1, 1);
}

/* Scores, their softmax, and the sum of values, as one row by token. */
static pl_tid pl_wh_scores(struct pl_wh_build *b, pl_tid q, pl_tid k, pl_tid v, pl_tid mask,
                           uint64_t n)
{
    pl_tid kq = pl_net_mul_mat(&b->g, k, q);
    pl_tid soft = mask != 0 ? pl_net_with(&b->g, PL_OP_SOFT_MAX, kq, mask)
                            : pl_net_same(&b->g, PL_OP_SOFT_MAX, kq);
    pl_tid kqv = pl_net_permute(&b->g, pl_net_mul_mat(&b->g, v, soft), 0, 2, 1, 3);
    return pl_net_cont_4d(&b->g, kqv, b->n_state, n, 1, 1);
}

static pl_tid pl_wh_feed(struct pl_wh_build *b, pl_tid x)
{
    pl_tid f = pl_wh_norm(b, x);
    f = pl_wh_linear(b, b->n_state, 4 * b->n_state, f);
    f = pl_net_same(&b->g, PL_OP_UNARY, f);
    f = pl_wh_linear(b, 4 * b->n_state, b->n_state, f);
    return pl_net_with(&b->g, PL_OP_ADD, f, x);
}

/* ggml_conv_1d_ph: the picture of the sound as columns, times the taps. n: frames that come out. */
static pl_tid pl_wh_conv1d(struct pl_wh_build *b, pl_tid x, uint64_t n_in, uint64_t n)
{
    uint32_t type = b->w->type == PL_T_F32 ? PL_T_F32 : PL_T_F16;
    const uint64_t ne[4] = {3 * n_in, n, 1, 1};
    pl_tid taps = pl_wh_weight(b, type, 3, n_in, b->n_state);
    pl_tid columns = pl_net_op(&b->g, PL_OP_IM2COL, PL_T_F16, ne, taps, x);
    pl_tid y = pl_net_mul_mat(&b->g, pl_net_reshape(&b->g, columns, 3 * n_in, n, 1, 1),
                              pl_net_reshape(&b->g, taps, 3 * n_in, b->n_state, 1, 1));
    y = pl_net_reshape(&b->g, y, n, b->n_state, 1, 1);
    y = pl_net_with(&b->g, PL_OP_ADD, y, pl_wh_weight(b, PL_T_F32, 1, b->n_state, 1));
    return pl_net_same(&b->g, PL_OP_UNARY, y);
}

static void pl_wh_build_conv(struct pl_wh_build *b)
{
    uint64_t n = b->b->n_audio;
    pl_tid x = pl_net_input(&b->g, PL_T_F32, 2 * n, b->w->n_mels, 1, 1);
    x = pl_wh_conv1d(b, x, b->w->n_mels, 2 * n);
    x = pl_wh_conv1d(b, x, b->n_state, n);
    if (x != 0)
        pl_net_at(&b->g, x)->flags |= PL_T_OUTPUT;
    pl_net_expand(&b->g, x);
}

static pl_tid pl_wh_encoder_attention(struct pl_wh_build *b, pl_tid x, uint64_t n)
{
    uint64_t pad = 0;
    pl_tid q = pl_wh_linear(b, b->n_state, b->n_state, x);
    pl_tid k = pl_wh_matrix(b, b->n_state, b->n_state, x);
    pl_tid v = pl_wh_linear(b, b->n_state, b->n_state, x);
    pl_tid heads = pl_wh_heads(b, q, n);
    (void)pl_pad_u64(n, PL_WH_PAD, &pad);
    if (b->b->flash) {
        pl_tid ck = pl_wh_weight(b, b->kv, b->n_state * pad, 1, 1);
        pl_tid cv = pl_wh_weight(b, b->kv, b->n_state * pad, 1, 1);
        if (ck == 0 || cv == 0)
            return 0;
        pl_wh_store(b, k, ck);
        pl_wh_store(b, v, cv);
        return pl_wh_flash(b, heads, pl_wh_cells(b, ck, pad), pl_wh_cells(b, cv, pad), 0, n);
    }
    k = pl_net_cast(&b->g, pl_net_reshape(&b->g, k, b->n_wide, b->n_head, n, 1), b->kv);
    k = pl_net_permute(&b->g, k, 0, 2, 1, 3);
    v = pl_net_reshape(&b->g, v, b->n_wide, b->n_head, n, 1);
    v = pl_net_cast(&b->g, pl_net_permute(&b->g, v, 1, 2, 0, 3), b->kv);
    return pl_wh_scores(b, heads, k, v, 0, n);
}

static void pl_wh_build_encoder(struct pl_wh_build *b)
{
    uint64_t n = b->b->n_audio;
    /* the first graph's result lies in that graph's buffer */
    pl_tid x = pl_net_transpose(&b->g, pl_wh_weight(b, PL_T_F32, n, b->n_state, 1));
    pl_tid where = pl_wh_weight(b, PL_T_F32, b->n_state, n, 1);
    where = pl_net_view_2d(&b->g, where, b->n_state, n, 4 * b->n_state, 0);
    x = pl_net_with(&b->g, PL_OP_ADD, where, pl_net_cont(&b->g, x));
    for (uint64_t i = 0; i < b->w->n_audio_layer && !b->g.failed; i++) {
        pl_tid a = pl_wh_encoder_attention(b, pl_wh_norm(b, x), n);
        a = pl_wh_linear(b, b->n_state, b->n_state, a);
        x = pl_wh_feed(b, pl_net_with(&b->g, PL_OP_ADD, a, x));
    }
    pl_net_expand(&b->g, pl_wh_norm(b, x));
}

static void pl_wh_build_cross(struct pl_wh_build *b)
{
    uint64_t n = b->b->n_audio, pad = 0;
    (void)pl_pad_u64(n, PL_WH_PAD, &pad);
    pl_tid x = pl_wh_weight(b, PL_T_F32, b->n_state, n, 1);
    for (uint64_t i = 0; i < b->w->n_text_layer && !b->g.failed; i++) {
        pl_tid k = pl_wh_matrix(b, b->n_state, b->n_state, x);
        k = pl_net_same(&b->g, PL_OP_SCALE, k);
        pl_tid v = pl_wh_linear(b, b->n_state, b->n_state, x);
        if (!b->b->flash)
            v = pl_net_transpose(&b->g, pl_net_reshape(&b->g, v, b->n_state, n, 1, 1));
        pl_tid ck = pl_wh_weight(b, b->kv, b->n_state * pad, 1, 1);
        pl_tid cv = pl_wh_weight(b, b->kv, b->n_state * pad, 1, 1);
        if (ck == 0 || cv == 0 || v == 0)
            return;
        pl_wh_store(b, k, ck);
        pl_wh_store(b, v, cv);
    }
}

struct pl_wh_masks {
    pl_tid wide, narrow; /* in 32 and in 16 bits */
};

static pl_tid pl_wh_self(struct pl_wh_build *b, pl_tid x, const struct pl_wh_masks *mask)
{
    uint64_t n = b->b->n_token, cells = b->b->n_kv;
    pl_tid q = pl_wh_linear(b, b->n_state, b->n_state, x);
    q = pl_net_same(&b->g, PL_OP_SCALE, q);
    pl_tid k = pl_wh_matrix(b, b->n_state, b->n_state, x);
    k = pl_net_same(&b->g, PL_OP_SCALE, k);
    pl_tid v = pl_wh_linear(b, b->n_state, b->n_state, x);
    if (!b->b->flash)
        v = pl_net_transpose(&b->g, pl_net_reshape(&b->g, v, b->n_state, n, 1, 1));
    pl_tid ck = pl_wh_weight(b, b->kv, b->n_state * cells, 1, 1);
    pl_tid cv = pl_wh_weight(b, b->kv, b->n_state * cells, 1, 1);
    if (ck == 0 || cv == 0 || v == 0)
        return 0;
    pl_wh_store(b, k, ck);
    pl_wh_store(b, v, cv);
    q = pl_wh_heads(b, q, n);
    k = pl_wh_cells(b, ck, cells);
    if (b->b->flash)
        return pl_wh_flash(b, q, k, pl_wh_cells(b, cv, cells), mask->narrow, n);
    uint64_t e = pl_net_at(&b->g, cv)->nb[0];
    v = pl_net_view_3d(&b->g, cv, cells, b->n_wide, b->n_head, e * cells, e * cells * b->n_wide, 0);
    return pl_wh_scores(b, q, k, v, mask->wide, n);
}

static pl_tid pl_wh_across(struct pl_wh_build *b, pl_tid x)
{
    uint64_t n = b->b->n_token, frames = b->b->n_audio, pad = 0;
    (void)pl_pad_u64(frames, PL_WH_PAD, &pad);
    pl_tid q = pl_wh_linear(b, b->n_state, b->n_state, x);
    q = pl_wh_heads(b, q, n);
    pl_tid ck = pl_wh_weight(b, b->kv, b->n_state * pad, 1, 1);
    pl_tid cv = pl_wh_weight(b, b->kv, b->n_state * pad, 1, 1);
    if (ck == 0 || cv == 0)
        return 0;
    if (b->b->flash)
        return pl_wh_flash(b, q, pl_wh_cells(b, ck, pad), pl_wh_cells(b, cv, pad), 0, n);
    uint64_t e = pl_net_at(&b->g, cv)->nb[0];
    pl_tid v = pl_net_view_3d(&b->g, cv, frames, b->n_wide, b->n_head, e * frames,
                              e * frames * b->n_wide, 0);
    return pl_wh_scores(b, q, pl_wh_cells(b, ck, frames), v, 0, n);
}

static void pl_wh_build_decoder(struct pl_wh_build *b)
{
    uint64_t n = b->b->n_token;
    struct pl_wh_masks mask;
    pl_tid words = pl_net_input(&b->g, PL_T_I32, n, 1, 1, 1);
    pl_tid places = pl_net_input(&b->g, PL_T_I32, n, 1, 1, 1);
    mask.wide = pl_net_input(&b->g, PL_T_F32, b->b->n_kv, n, 1, 1);
    mask.narrow = pl_net_cast(&b->g, mask.wide, PL_T_F16);
    pl_tid table = pl_wh_weight(b, b->w->type, b->n_state, b->w->n_vocab, 1);
    pl_tid where = pl_wh_weight(b, PL_T_F32, b->n_state, b->w->n_text_ctx, 1);
    pl_tid x = pl_net_with(&b->g, PL_OP_ADD, pl_net_get_rows(&b->g, table, words),
                           pl_net_get_rows(&b->g, where, places));
    for (uint64_t i = 0; i < b->w->n_text_layer && !b->g.failed; i++) {
        pl_tid a = pl_wh_self(b, pl_wh_norm(b, x), &mask);
        a = pl_wh_linear(b, b->n_state, b->n_state, a);
        x = pl_net_with(&b->g, PL_OP_ADD, a, x);
        a = pl_wh_across(b, pl_wh_norm(b, x));
        a = pl_wh_linear(b, b->n_state, b->n_state, a);
        x = pl_wh_feed(b, pl_net_with(&b->g, PL_OP_ADD, a, x));
    }
    pl_net_expand(&b->g, pl_net_mul_mat(&b->g, table, pl_wh_norm(b, x)));
}

/* ggml-cpu.c, ggml_graph_plan: a product whose right side is not of the type that the left one is
 * multiplied in has it converted, whole. Types of 8 bits with a scale by 32, two numbers of 16 bits
 * where the left type has an offset too; blocks of 256 for the K types. */
static uint64_t pl_wh_converted(uint32_t type, uint64_t n)
{
    switch (type) {
    case 0:
        return 0;
    case 1:
        return pl_mul_sat(n, 2);
    case 3:
    case 7:
        return pl_mul_sat(n / 32, 36);
    case 2:
    case 6:
    case 8:
        return pl_mul_sat(n / 32, 34);
    default:
        return pl_mul_sat(n / 256, 292);
    }
}

static uint64_t pl_wh_work(const struct pl_net_graph *g)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < g->n_order; i++) {
        const struct pl_t *t = pl_net_at(g, g->order[i]);
        if (t->op != PL_OP_MUL_MAT || pl_net_at(g, t->src[1])->type != PL_T_F32)
            continue;
        uint64_t n = pl_wh_converted(pl_net_at(g, t->src[0])->type, pl_net_elements(g, t->src[1]));
        most = n > most ? n : most;
    }
    return most;
}

bool pl_wh_graph_bytes(const struct pl_whisper *w, enum pl_wh_graph which,
                       const struct pl_wh_batch *batch, struct pl_wh_buffer *ret)
{
    static void (*const build[PL_WH_GRAPHS])(struct pl_wh_build *) = {
        pl_wh_build_conv, pl_wh_build_encoder, pl_wh_build_cross, pl_wh_build_decoder};
    struct pl_arena arena;
    struct pl_wh_build b = {.w = w,
                            .b = batch,
                            .n_state = w->n_audio_state,
                            .n_head = which == PL_WH_DECODE ? w->n_text_head : w->n_audio_head,
                            .kv = PL_T_F16};
    struct pl_place_plan plan = {.n_buffer = 1, .align = {batch->align}};
    b.n_wide = b.n_state / b.n_head;
    pl_arena_init(&arena, PL_WH_ARENA_MAX);
    pl_net_init(&b.g, &arena);
    *ret = (struct pl_wh_buffer){0};
    if (!b.g.failed)
        build[which](&b);
    bool ok = !b.g.failed && pl_net_place(&b.g, &plan, &ret->bytes);
    ret->work = ok ? pl_wh_work(&b.g) : 0;
    pl_arena_done(&arena);
    return ok;
}
