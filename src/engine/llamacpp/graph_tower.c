/* tools/mtmd/clip.cpp: build_inp, build_vit, build_attn, build_ffn; ggml.c: convolutions. */
#include "engine/llamacpp/graph_tower.h"

#include "base/checked.h"
#include "base/str.h"

#define PL_T_BF16 30u

typedef pl_tid (*pl_tower_fn)(struct pl_call *c);

static uint64_t pl_t_patches(const struct pl_build *b)
{
    return pl_projector_patches(b->tower->p, &b->tower->sight);
}

static struct pl_t pl_t_of(const struct pl_build *b, pl_tid t)
{
    return t != 0 ? *pl_net_at(b->g, t) : (struct pl_t){0};
}

/* Output size of a convolution; 0 where the kernel is wider than what it goes over. */
static uint64_t pl_conv_size(uint64_t n, uint64_t k, uint64_t stride, uint64_t pad)
{
    uint64_t wide = pl_add_sat(n, 2 * pad);
    return k == 0 || stride == 0 || wide < k ? 0 : (wide - k) / stride + 1;
}

static uint32_t pl_conv_type(uint32_t kernel)
{
    return kernel == PL_T_BF16 ? PL_T_F32 : PL_T_F16;
}

/* ggml_conv_2d without padding: [W, H, channels, n] */
static pl_tid pl_conv_2d(struct pl_build *b, pl_tid kernel, pl_tid x, uint64_t stride)
{
    struct pl_net_graph *g = b->g;
    struct pl_t k = pl_t_of(b, kernel), p = pl_t_of(b, x);
    uint64_t w = pl_conv_size(p.ne[0], k.ne[0], stride, 0);
    uint64_t h = pl_conv_size(p.ne[1], k.ne[1], stride, 0);
    if (w == 0 || h == 0) {
        g->failed = true;
        return 0;
    }
    uint64_t row = pl_mul_sat(pl_mul_sat(k.ne[0], k.ne[1]), k.ne[2]);
    const uint64_t ne[4] = {row, w, h, p.ne[3]};
    pl_tid t = pl_net_op(g, PL_OP_IM2COL, pl_conv_type(k.type), ne, kernel, x);
    t = pl_net_reshape(g, t, row, pl_mul_sat(pl_mul_sat(w, h), p.ne[3]), 1, 1);
    t = pl_net_mul_mat(g, t, pl_net_reshape(g, kernel, row, k.ne[3], 1, 1));
    t = pl_net_reshape(g, t, w, h, p.ne[3], k.ne[3]);
    return pl_net_cont(g, pl_net_permute(g, t, 0, 1, 3, 2));
}

/* weight(name[,suffix]) */
static pl_tid pl_t_weight(struct pl_call *c)
{
    return pl_b_weight(c->b, c->word[0], c->n_arg > 1 ? c->word[1] : "");
}

static pl_tid pl_t_raw(struct pl_build *b)
{
    const struct pl_sight *s = &b->tower->sight;
    bool sees = b->tower->p->kind->of == PL_OF_VISION;
    return pl_net_input(b->g, PL_T_F32, s->nx, s->ny, sees ? 3 : 1, sees ? s->n : 1);
}

/* patches(): [n_embd, patches, n], with the bias where there is one */
static pl_tid pl_t_build_inp(struct pl_call *c)
{
    struct pl_build *b = c->b;
    struct pl_net_graph *g = b->g;
    const struct pl_tower *w = b->tower;
    pl_tid x = pl_conv_2d(b, pl_b_weight(b, "v.patch_embd", ".weight"), pl_t_raw(b), w->p->patch);
    x = pl_net_reshape(g, x, pl_t_patches(b), w->p->n_embd, w->sight.n, 1);
    x = pl_net_cont(g, pl_net_transpose(g, x));
    pl_tid bias = pl_b_weight(b, "v.patch_embd", ".bias");
    return bias != 0 ? pl_net_with(g, PL_OP_ADD, x, bias) : x;
}

/* patches2(): a still picture is given twice, as two frames in time (models/qwen2vl.cpp) */
static pl_tid pl_t_build_inp2(struct pl_call *c)
{
    struct pl_build *b = c->b;
    pl_tid raw = pl_t_raw(b);
    uint64_t patch = b->tower->p->patch;
    pl_tid one = pl_conv_2d(b, pl_b_weight(b, "v.patch_embd", ".weight"), raw, patch);
    pl_tid two = pl_conv_2d(b, pl_b_weight(b, "v.patch_embd", ".weight.1"), raw, patch);
    return pl_net_with(b->g, PL_OP_ADD, one, two);
}

static pl_tid pl_t_order2(struct pl_call *c)
{
    return pl_t_squares(c->b, c->arg[0] != 0 ? pl_net_permute(c->b->g, c->arg[0], 1, 2, 0, 3) : 0);
}

static pl_tid pl_t_order2p(struct pl_call *c)
{
    return pl_t_squares(c->b, c->arg[0]);
}

/* interp(): learned positions, stretched to the picture's sides where they differ */
static pl_tid pl_t_interp(struct pl_call *c)
{
    struct pl_build *b = c->b;
    struct pl_net_graph *g = b->g;
    const struct pl_tower *w = b->tower;
    pl_tid t = pl_b_weight(b, "v.position_embd", ".weight");
    struct pl_t p = pl_t_of(b, t);
    uint64_t side = 0;
    while ((side + 1) * (side + 1) <= p.ne[1] && side < PL_NET_TENSORS_MAX)
        side++;
    if (t == 0 || side == 0 || (w->px == side && w->py == side))
        return t;
    t = pl_net_reshape(g, t, w->p->n_embd, side, side, 1);
    t = pl_net_permute(g, t, 2, 0, 1, 3);
    const uint64_t ne[4] = {w->px, w->py, w->p->n_embd, 1};
    t = t != 0 ? pl_net_op(g, PL_OP_OTHER, PL_T_F32, ne, t, 0) : 0;
    t = pl_net_permute(g, t, 1, 2, 0, 3);
    return pl_net_cont_4d(g, t, w->p->n_embd, w->px * w->py, 1, 1);
}

/* posrows(): learned positions, looked up (models/llava.cpp) */
static pl_tid pl_t_posrows(struct pl_call *c)
{
    struct pl_build *b = c->b;
    uint64_t n = pl_t_patches(b) + (pl_b_weight(b, "v.class_embd", "") != 0 ? 1 : 0);
    return pl_net_get_rows(b->g, pl_b_weight(b, "v.position_embd", ".weight"),
                           pl_net_input(b->g, PL_T_I32, n, 1, 1, 1));
}

/* posview(): the first of them, as many as there are */
static pl_tid pl_t_posview(struct pl_call *c)
{
    struct pl_build *b = c->b;
    pl_tid t = pl_b_weight(b, "a.position_embd", ".weight");
    struct pl_t p = pl_t_of(b, t);
    if (p.ne[1] < pl_t_patches(b)) {
        b->g->failed = true;
        return 0;
    }
    return pl_net_view_2d(b->g, t, p.ne[0], pl_t_patches(b), p.nb[1], 0);
}

/* tokens(x): the rows of the patches, without the class */
static pl_tid pl_t_tokens(struct pl_call *c)
{
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    pl_tid x = pl_net_reshape(c->b->g, c->arg[0], p.ne[0], p.ne[1], 1, 1);
    return pl_net_get_rows(c->b->g, x,
                           pl_net_input(c->b->g, PL_T_I32, pl_t_patches(c->b), 1, 1, 1));
}

/* positions(n): n numbers for each patch */
static pl_tid pl_t_positions(struct pl_call *c)
{
    uint64_t n = 1;
    (void)pl_parse_u64(c->word[0], &n);
    return pl_net_input(c->b->g, PL_T_I32, pl_mul_sat(n, pl_t_patches(c->b)), 1, 1, 1);
}

static pl_tid pl_t_concat(struct pl_call *c)
{
    return pl_net_concat(c->b->g, c->arg[0], c->arg[1], 1);
}

static pl_tid pl_t_repeat_batch(struct pl_call *c)
{
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    return pl_net_repeat(c->b->g, c->arg[0], p.ne[0], 1, c->b->tower->sight.n, 1);
}

/* dropcls(x): the last row of each picture is left out */
static pl_tid pl_t_dropcls(struct pl_call *c)
{
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    return pl_net_view_3d(c->b->g, c->arg[0], p.ne[0], pl_t_patches(c->b), c->b->tower->sight.n,
                          p.nb[1], p.nb[2], 0);
}

static pl_tid pl_t_flat(struct pl_call *c)
{
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    return pl_net_reshape(c->b->g, c->arg[0], p.ne[0], p.ne[1] * p.ne[2], 1, 1);
}

static pl_tid pl_t_unflat(struct pl_call *c)
{
    struct pl_t p = pl_t_of(c->b, c->arg[0]);
    uint64_t n = c->b->tower->p->kind->of == PL_OF_VISION ? c->b->tower->sight.n : 1;
    return pl_net_reshape(c->b->g, c->arg[0], p.ne[0], p.ne[1] / n, n, 1);
}

static pl_tid pl_t_norm(struct pl_call *c)
{
    const struct pl_projector *p = c->b->tower->p;
    bool rms = p->kind->norm == PL_NORM_OF_RMS ||
               (p->kind->norm == PL_NORM_OF_6B && p->n_embd == 3200 && p->n_layer == 45);
    return pl_b_norm(c->b, c->arg[0], c->word[1], rms ? PL_NORM_RMS : PL_NORM_LAYER);
}

/* A part of a fused product, head by head. */
static pl_tid pl_t_part(struct pl_build *b, pl_tid t, uint64_t which, uint64_t n_pos, uint64_t n)
{
    const struct pl_projector *p = b->tower->p;
    struct pl_t all = pl_t_of(b, t);
    const uint64_t ne[4] = {p->head, p->n_head, n_pos, n};
    const uint64_t nb[4] = {4, p->head * 4, all.nb[1], all.nb[1] * n_pos};
    return pl_net_view(b->g, t, ne, nb, which * p->n_head * p->head * 4);
}

/* Normed by row, or by head, as the weight's width tells. */
static pl_tid pl_t_qk_norm(struct pl_call *c, pl_tid x, const char *name, bool by_head)
{
    const struct pl_projector *p = c->b->tower->p;
    pl_tid w = pl_b_weight(c->b, name, ".weight");
    if (w == 0 || (pl_t_of(c->b, w).ne[0] == p->head) != by_head)
        return x;
    bool rms = p->kind->norm == PL_NORM_OF_RMS ||
               (p->kind->norm == PL_NORM_OF_6B && p->n_embd == 3200 && p->n_layer == 45);
    return pl_b_norm(c->b, x, name, rms ? PL_NORM_RMS : PL_NORM_LAYER);
}

/* q,k,v=tqkv(n) */
static pl_tid pl_t_qkv(struct pl_call *c)
{
    struct pl_build *b = c->b;
    const struct pl_projector *p = b->tower->p;
    uint64_t n = p->kind->of == PL_OF_VISION ? b->tower->sight.n : 1;
    uint64_t n_pos = pl_t_of(b, c->arg[0]).ne[1] / n;
    if (c->arg[0] == 0 || p->head == 0)
        return 0;
    pl_tid x[3] = {0};
    if (pl_b_weight(b, "attn_qkv", ".weight") != 0) {
        pl_tid all = pl_b_mm(b, c->arg[0], "attn_qkv");
        for (uint64_t i = 0; i < 3; i++)
            x[i] = pl_t_part(b, all, i, n_pos, n);
        x[0] = pl_t_qk_norm(c, x[0], "attn_q_norm", true);
        x[1] = pl_t_qk_norm(c, x[1], "attn_k_norm", true);
    } else {
        x[0] = pl_t_qk_norm(c, pl_b_mm(b, c->arg[0], "attn_q"), "attn_q_norm", false);
        x[1] = pl_t_qk_norm(c, pl_b_mm(b, c->arg[0], "attn_k"), "attn_k_norm", false);
        x[2] = pl_b_mm(b, c->arg[0], "attn_v");
        for (int i = 0; i < 3; i++)
            x[i] = pl_net_reshape(b->g, x[i], p->head, i == 0 ? p->n_head : p->n_head_kv, n_pos, n);
        x[0] = pl_t_qk_norm(c, x[0], "attn_q_norm", true);
        x[1] = pl_t_qk_norm(c, x[1], "attn_k_norm", true);
    }
    c->result[1] = x[1];
    c->result[2] = x[2];
    return x[0];
}

/* Without flash attention: scores of every pair, and V turned round. */
static pl_tid pl_t_scores(struct pl_build *b, pl_tid q, pl_tid k, pl_tid v, pl_tid mask)
{
    struct pl_net_graph *g = b->g;
    v = pl_net_cont(g, pl_net_permute(g, v, 1, 2, 0, 3));
    pl_tid t = pl_net_mul_mat(g, k, q);
    t = mask != 0 ? pl_net_with(g, PL_OP_SOFT_MAX, t, mask) : pl_net_same(g, PL_OP_SOFT_MAX, t);
    t = pl_net_permute(g, pl_net_mul_mat(g, v, t), 0, 2, 1, 3);
    struct pl_t p = pl_t_of(b, t);
    return pl_net_cont_4d(g, t, p.ne[0] * p.ne[1], p.ne[2] * p.ne[3], 1, 1);
}

/* a=tattn(q,k,v[,mask]) */
static pl_tid pl_t_attention(struct pl_call *c)
{
    struct pl_build *b = c->b;
    struct pl_net_graph *g = b->g;
    for (int i = 0; i < 3; i++) {
        if (c->arg[i] == 0) {
            g->failed = true;
            return 0;
        }
        pl_net_expand(g, c->arg[i]);
    }
    pl_tid mask = c->n_arg > 3 ? c->arg[3] : 0, t;
    pl_tid q = pl_net_permute(g, c->arg[0], 0, 2, 1, 3);
    pl_tid k = pl_net_permute(g, c->arg[1], 0, 2, 1, 3);
    if (b->r->flash_attn) {
        pl_tid v = pl_net_permute(g, c->arg[2], 0, 2, 1, 3);
        k = pl_net_cast(g, k, PL_T_F16);
        v = pl_net_cast(g, v, PL_T_F16);
        struct pl_t qq = pl_t_of(b, q);
        const uint64_t ne[4] = {pl_t_of(b, v).ne[0], qq.ne[2], qq.ne[1], qq.ne[3]};
        t = pl_net_op(g, PL_OP_FLASH_ATTN, PL_T_F32, ne, q, k);
        pl_net_also(g, t, v);
        pl_net_also(g, t, mask);
        struct pl_t p = pl_t_of(b, t);
        t = pl_net_reshape(g, t, p.ne[0] * p.ne[1], p.ne[2] * p.ne[3], 1, 1);
    } else {
        t = pl_t_scores(b, q, k, c->arg[2], mask);
    }
    return pl_b_mm(b, t, "attn_out");
}

/* f=tffn(n) */
static pl_tid pl_t_ffn(struct pl_call *c)
{
    struct pl_build *b = c->b;
    const char *up_name = b->tower->swapped ? "ffn_down" : "ffn_up";
    const char *down_name = b->tower->swapped ? "ffn_up" : "ffn_down";
    pl_tid up = pl_b_mm(b, c->arg[0], up_name), t;
    if (pl_b_weight(b, "ffn_gate", ".weight") != 0)
        t = pl_net_glu(b->g, pl_b_mm(b, c->arg[0], "ffn_gate"), up);
    else
        t = pl_net_same(b->g, PL_OP_UNARY, up);
    return pl_b_mm(b, t, down_name);
}

/* One half of each head turned by a, the other by b: two operations of the whole, as 0.7.0 counts
 * its nodes. */
static pl_tid pl_t_rope2d(struct pl_call *c)
{
    pl_tid one = pl_net_with(c->b->g, PL_OP_ROPE, c->arg[0], c->arg[1]);
    return pl_net_with(c->b->g, PL_OP_ROPE, one, c->arg[2]);
}

static pl_tid pl_t_mrope(struct pl_call *c)
{
    return pl_net_with(c->b->g, PL_OP_ROPE, c->arg[0], c->arg[1]);
}

static pl_tid pl_t_wmask(struct pl_call *c)
{
    uint64_t n = pl_t_patches(c->b);
    return pl_net_input(c->b->g, c->b->r->flash_attn ? PL_T_F16 : PL_T_F32, n, n, 1, 1);
}

static pl_tid pl_t_sound(struct pl_call *c)
{
    return pl_t_raw(c->b);
}

/* conv1d(x,name,stride): half a kernel of padding at each end */
static pl_tid pl_t_conv1d(struct pl_call *c)
{
    struct pl_build *b = c->b;
    struct pl_net_graph *g = b->g;
    pl_tid kernel = pl_b_weight(b, c->word[1], ".weight"),
           bias = pl_b_weight(b, c->word[1], ".bias");
    struct pl_t k = pl_t_of(b, kernel), p = pl_t_of(b, c->arg[0]);
    uint64_t stride = 1;
    (void)pl_parse_u64(c->word[2], &stride);
    uint64_t n = pl_conv_size(p.ne[0], k.ne[0], stride, k.ne[0] / 2);
    if (n == 0) {
        g->failed = true;
        return 0;
    }
    const uint64_t ne[4] = {pl_mul_sat(k.ne[0], k.ne[1]), n, p.ne[2], 1};
    pl_tid t = pl_net_op(g, PL_OP_IM2COL, pl_conv_type(k.type), ne, kernel, c->arg[0]);
    t = pl_net_reshape(g, t, ne[0], n * p.ne[2], 1, 1);
    t = pl_net_mul_mat(g, t, pl_net_reshape(g, kernel, ne[0], k.ne[2], 1, 1));
    t = pl_net_reshape(g, t, n, k.ne[2], p.ne[2], 1);
    return bias != 0 ? pl_net_with(g, PL_OP_ADD, t, bias) : t;
}

static pl_tid pl_t_turned(struct pl_call *c)
{
    return pl_net_cont(c->b->g, pl_net_transpose(c->b->g, c->arg[0]));
}

static pl_tid pl_t_turned_weight(struct pl_call *c)
{
    return pl_net_cont(c->b->g,
                       pl_net_transpose(c->b->g, pl_b_weight(c->b, c->word[0], ".weight")));
}

static pl_tid pl_t_product(struct pl_call *c)
{
    return pl_net_mul_mat(c->b->g, c->arg[0], c->arg[1]);
}

bool pl_tower_full(const struct pl_build *b)
{
    uint64_t every = b->tower != NULL ? b->tower->p->window_every : 0;
    return every == 0 || (b->il + 1) % every == 0;
}

static const struct {
    const char *name;
    pl_tower_fn fn;
} pl_tower_words[] = {
    {"weight",    pl_t_weight       },
    {"patches",   pl_t_build_inp    },
    {"patches2",  pl_t_build_inp2   },
    {"order2",    pl_t_order2       },
    {"order2p",   pl_t_order2p      },
    {"interp",    pl_t_interp       },
    {"posrows",   pl_t_posrows      },
    {"posview",   pl_t_posview      },
    {"tokens",    pl_t_tokens       },
    {"positions", pl_t_positions    },
    {"concat",    pl_t_concat       },
    {"repeatb",   pl_t_repeat_batch },
    {"dropcls",   pl_t_dropcls      },
    {"flatb",     pl_t_flat         },
    {"unflat",    pl_t_unflat       },
    {"tnorm",     pl_t_norm         },
    {"tqkv",      pl_t_qkv          },
    {"tattn",     pl_t_attention    },
    {"tffn",      pl_t_ffn          },
    {"rope2d",    pl_t_rope2d       },
    {"mrope",     pl_t_mrope        },
    {"wmask",     pl_t_wmask        },
    {"sound",     pl_t_sound        },
    {"conv1d",    pl_t_conv1d       },
    {"turned",    pl_t_turned       },
    {"turnedw",   pl_t_turned_weight},
    {"product",   pl_t_product      },
    {"shuffle",   pl_t_shuffle      },
    {"shufflehw", pl_t_shuffle_hw   },
    {"group",     pl_t_group        },
    {"ungroup",   pl_t_ungroup      },
    {"unfold",    pl_t_unfold       },
    {"breaks",    pl_t_breaks       },
    {"avgpool",   pl_t_avgpool      },
    {"fours",     pl_t_fours        },
    {"deepstack", pl_t_deepstack    },
    {"stacked",   pl_t_stacked      },
    {"stack",     pl_t_stack        },
    {"halve",     pl_t_halve        },
    {"windows",   pl_t_windows      },
    {"back",      pl_t_back         },
};

bool pl_tower_call(struct pl_call *c)
{
    for (size_t i = 0; i < sizeof(pl_tower_words) / sizeof(pl_tower_words[0]); i++) {
        if (pl_streq(pl_tower_words[i].name, c->fn)) {
            c->result[0] = pl_tower_words[i].fn(c);
            return !c->b->g->failed;
        }
    }
    return false;
}
