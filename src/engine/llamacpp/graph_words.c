/* The functions of the recipe language. */
#include "engine/llamacpp/graph_altup.h"
#include "engine/llamacpp/graph_recipe.h"
#include "engine/llamacpp/graph_recurrent.h"
#include "engine/llamacpp/graph_tower.h"

#include "base/str.h"

#include <string.h>

typedef pl_tid (*pl_word_fn)(struct pl_call *c);

/* A draft without a table of its own reads its target's (models/eagle3.cpp). */
static pl_tid pl_w_borrowed(struct pl_call *c)
{
    const struct pl_net *net = c->b->net;
    const uint64_t ne[4] = {net->n_embd, net->n_vocab, 1, 1};
    if (net->arch->memory != PL_MEMORY_DRAFT)
        return 0;
    return pl_net_external(c->b->g, "target", PL_T_F16, ne);
}

static pl_tid pl_w_embd(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    if (pl_call_has(c, "drafted")) { /* a layer that predicts may have a table of its own */
        pl_tid own = pl_b_weight(c->b, "nextn.embed_tokens", ".weight");
        own = own != 0 ? own : pl_b_weight(c->b, "out.token_embd", ".weight");
        own = own != 0 ? own : pl_w_borrowed(c);
        return pl_net_get_rows(g, own, pl_net_input(g, PL_T_I32, c->b->batch.n_tokens, 1, 1, 1));
    }
    return pl_b_embd(c->b, !pl_call_has(c, "unmixed"));
}

static pl_tid pl_w_concat(struct pl_call *c)
{
    return pl_net_concat(c->b->g, c->arg[0], c->arg[1], 0);
}

static pl_tid pl_w_rms(struct pl_call *c)
{
    return pl_b_norm(c->b, c->arg[0], c->word[1], PL_NORM_RMS);
}

static pl_tid pl_w_norm(struct pl_call *c)
{
    return pl_b_norm(c->b, c->arg[0], c->word[1], PL_NORM_LAYER);
}

static pl_tid pl_w_mm(struct pl_call *c)
{
    return pl_b_mm(c->b, c->arg[0], c->word[1]);
}

static pl_tid pl_w_qkv(struct pl_call *c)
{
    struct pl_qkv r = pl_b_qkv(c->b, c->arg[0]);
    c->result[1] = r.k;
    c->result[2] = r.v;
    return r.q;
}

static pl_tid pl_w_rope(struct pl_call *c)
{
    return pl_b_rope(c->b, c->arg[0]);
}

/* attn(q,k,v[,words]): sinks, nocache, nowo, konly, mla (values from v_mla) */
static pl_tid pl_w_attn(struct pl_call *c)
{
    struct pl_attention how = {
        .cached = !pl_call_has(c, "nocache"),
        .k_only = pl_call_has(c, "konly"),
        .project = !pl_call_has(c, "nowo"),
        .wo = "attn_output",
        .sinks = pl_b_weight(c->b, "attn_sinks", ".weight"),
        .v_mla = pl_call_has(c, "mla") ? pl_b_weight(c->b, "attn_v_b", ".weight") : 0,
        .bias = c->n_arg > 3 ? c->arg[3] : 0,
    };
    return pl_b_attention(c->b, (struct pl_qkv){c->arg[0], c->arg[1], c->arg[2]}, &how);
}

/* prefix(dec.): the layers' weights are named so (models/t5.cpp) */
static pl_tid pl_w_prefix(struct pl_call *c)
{
    c->b->prefix = pl_arena_strdup(c->b->g->arena, c->word[0]);
    if (c->b->prefix == NULL || pl_b_key(c->b, "decoder_block_count", c->b->net->n_layer) !=
                                    c->b->net->n_layer) /* other layers, not followed */
        c->b->g->failed = true;
    return 0;
}

/* posbias(b): a number for each head and distance; the first layer's where a layer has none
 * (src/llama-graph.cpp, build_pos_bias) */
static pl_tid pl_w_posbias(struct pl_call *c)
{
    struct pl_build *b = c->b;
    struct pl_net_graph *g = b->g;
    pl_tid table = pl_b_weight(b, "attn_rel_b", ".weight");
    uint64_t il = b->il;
    b->il = 0;
    table = table != 0 ? table : pl_b_weight(b, "attn_rel_b", ".weight");
    b->il = il;
    if (c->arg[0] == 0 || table == 0) {
        g->failed = true;
        return 0;
    }
    const struct pl_t p = *pl_net_at(g, c->arg[0]);
    pl_tid t = pl_net_reshape(g, c->arg[0], p.ne[0] * p.ne[1], 1, 1, 1);
    t = pl_net_get_rows(g, table, t);
    t = pl_net_reshape(g, t, pl_net_at(g, table)->ne[0], p.ne[0], p.ne[1], 1);
    return pl_net_cont(g, pl_net_permute(g, t, 2, 0, 1, 3));
}

/* cross(n,e): attention of a decoder's tokens to what an encoder made */
static pl_tid pl_w_cross(struct pl_call *c)
{
    struct pl_build *b = c->b;
    struct pl_net_graph *g = b->g;
    const struct pl_layer *l = pl_b_layer(b);
    uint64_t n = b->batch.n_tokens, head = l->head_v, enc = b->net->n_ctx_train;
    if (b->cross_mask == 0)
        b->cross_mask = pl_net_input(g, b->r->flash_attn ? PL_T_F16 : PL_T_F32, enc, n, 1, 1);
    pl_tid q = pl_b_mm(b, c->arg[0], "cross_attn_q"), k = pl_b_mm(b, c->arg[1], "cross_attn_k");
    pl_tid v = pl_b_mm(b, c->arg[1], "cross_attn_v");
    struct pl_attention how = {
        .cross = true, .project = true, .wo = "cross_attn_o", .mask = b->cross_mask};
    return pl_b_attention(b,
                          (struct pl_qkv){pl_net_reshape(g, q, head, l->n_head, n, 1),
                                          pl_net_reshape(g, k, head, l->n_head_kv, enc, 1),
                                          pl_net_reshape(g, v, head, l->n_head_kv, enc, 1)},
                          &how);
}

static pl_tid pl_w_add(struct pl_call *c)
{
    return pl_net_with(c->b->g, PL_OP_ADD, c->arg[0], c->arg[1]);
}

static pl_tid pl_w_mul(struct pl_call *c)
{
    pl_tid by = c->arg[1];
    if (by == 0)
        by = pl_b_weight(c->b, c->word[1], c->n_arg > 2 ? c->word[2] : ".weight");
    return pl_net_with(c->b->g, PL_OP_MUL, c->arg[0], by);
}

static pl_tid pl_w_div(struct pl_call *c)
{
    return pl_net_with(c->b->g, PL_OP_DIV, c->arg[0], c->arg[1]);
}

static pl_tid pl_w_addw(struct pl_call *c)
{
    return pl_net_with(c->b->g, PL_OP_ADD, c->arg[0],
                       pl_b_weight(c->b, c->word[1], c->n_arg > 2 ? c->word[2] : ".weight"));
}

static pl_tid pl_w_scale(struct pl_call *c)
{
    return pl_net_same(c->b->g, PL_OP_SCALE, c->arg[0]);
}

static pl_tid pl_w_unary(struct pl_call *c)
{
    return pl_net_same(c->b->g, PL_OP_UNARY, c->arg[0]);
}

static pl_tid pl_w_l2(struct pl_call *c)
{
    return pl_net_same(c->b->g, PL_OP_L2_NORM, c->arg[0]);
}

static pl_tid pl_w_sqr(struct pl_call *c)
{
    return pl_net_same(c->b->g, PL_OP_SQR, c->arg[0]);
}

static pl_tid pl_w_softmax(struct pl_call *c)
{
    return pl_net_same(c->b->g, PL_OP_SOFT_MAX, c->arg[0]);
}

static pl_tid pl_w_cont(struct pl_call *c)
{
    return pl_net_cont(c->b->g, c->arg[0]);
}

static pl_tid pl_w_glu(struct pl_call *c)
{
    return pl_net_glu(c->b->g, c->arg[0], c->arg[1]);
}

static pl_tid pl_w_rows(struct pl_call *c)
{
    return pl_b_rows(c->b, c->arg[0]);
}

static pl_tid pl_w_copy(struct pl_call *c)
{
    return c->arg[0];
}

static pl_tid pl_w_expand(struct pl_call *c)
{
    pl_net_expand(c->b->g, c->arg[0]);
    return c->arg[0];
}

static pl_tid pl_w_input(struct pl_call *c)
{
    struct pl_build *b = c->b;
    if (pl_streq(c->word[0], "scale"))
        return pl_net_input(b->g, PL_T_F32, 1, 1, b->batch.n_tokens, 1);
    if (pl_streq(c->word[0], "state")) /* hidden states of the model, for a draft */
        return pl_net_input(b->g, PL_T_F32, b->net->n_embd, b->batch.n_tokens, 1, 1);
    if (pl_streq(c->word[0], "encoded")) /* of a whole context, while no encoder has run */
        return pl_net_input(b->g, PL_T_F32, b->net->n_embd, b->net->n_ctx_train, 1, 1);
    if (pl_streq(c->word[0], "buckets")) /* of distances: to each cell, or to each token */
        return pl_net_input(b->g, PL_T_I32,
                            pl_call_has(c, "nocache") ? b->batch.n_tokens : b->cells.base,
                            b->batch.n_tokens, 1, 1);
    if (pl_streq(c->word[0], "scale_rows"))
        return pl_net_input(b->g, PL_T_F32, 1, b->batch.n_tokens, 1, 1);
    return 0;
}

static enum pl_act pl_w_act(const struct pl_call *c)
{
    static const struct {
        const char *name;
        enum pl_act act;
    } acts[] = {
        {"silu",    PL_ACT_SILU   },
        {"gelu",    PL_ACT_GELU   },
        {"relu",    PL_ACT_RELU   },
        {"relu2",   PL_ACT_RELU2  },
        {"halves",  PL_ACT_HALVES },
        {"oai",     PL_ACT_OAI    },
        {"clamped", PL_ACT_CLAMPED},
        {"unary",   PL_ACT_UNARY  }
    };
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (pl_call_has(c, acts[i].name))
            return acts[i].act;
    }
    return PL_ACT_SILU;
}

/* ffn(x,act[,seq][,shexp|chexp]) */
static pl_tid pl_w_ffn(struct pl_call *c)
{
    struct pl_ffn how = {
        .act = pl_w_act(c),
        .gate_after_up = pl_call_has(c, "seq"),
        .tail = pl_call_has(c, "shexp") ? "_shexp" : "",
        .no_down = pl_call_has(c, "nodown"),
    };
    return pl_b_ffn(c->b, c->arg[0], &how);
}

/* models/bert.cpp: where one matrix holds gate and input, it is wider than the feed-forward */
static pl_tid pl_w_bertffn(struct pl_call *c)
{
    struct pl_build *b = c->b;
    pl_tid up = pl_b_weight(b, "ffn_up", ".weight");
    bool gated = pl_b_weight(b, "ffn_gate", ".weight") != 0;
    struct pl_ffn how = {.act = PL_ACT_GELU, .tail = ""};
    if (up != 0 && !gated && pl_net_at(b->g, up)->ne[1] != pl_b_layer(b)->n_ff)
        how.act = PL_ACT_HALVES;
    return pl_b_ffn(b, c->arg[0], &how);
}

/* moe(x,act[,norm|hnorm][,scale][,sigmoid|weight|softplus|hgating][,before]...) */
static pl_tid pl_w_moe(struct pl_call *c)
{
    struct pl_build *b = c->b;
    double scale = pl_b_real(b, "expert_weights_scale", 0);
    struct pl_moe how = {
        .act = pl_w_act(c),
        .norm_w = pl_call_has(c, "norm"),
        .scaled = (scale > 0 || scale < 0) && !(scale >= 1 && scale <= 1),
        .gating = 1,
        .before = pl_call_has(c, "before"),
        .select_sigmoid = pl_call_has(c, "sigselect"),
        .set = pl_call_has(c, "chexps") ? "chexps" : "exps",
        .use_bias_probs = true,
        .n_expert = pl_b_key(b, "expert_count", 0),
        .n_used = pl_b_key(b, "expert_used_count", 0),
    };
    if (pl_call_has(c, "hnorm"))
        how.norm_w = pl_b_key(b, "expert_weights_norm", 0) != 0;
    if (pl_call_has(c, "sigmoid"))
        how.gating = 2;
    if (pl_call_has(c, "weight"))
        how.gating = 3;
    if (pl_call_has(c, "softplus"))
        how.gating = 4;
    if (pl_call_has(c, "hgating"))
        how.gating = (int)pl_b_key(b, "expert_gating_func", (uint64_t)how.gating);
    for (uint32_t i = 1; i < c->n_arg; i++) {
        if (c->arg[i] != 0)
            how.probs = c->arg[i];
    }
    return pl_b_moe(b, c->arg[0], &how);
}

/* The product with the output matrix, or with the embedding where the two are one. None where rows
 * are pooled: 0.7.0 keeps no logits then. */
static pl_tid pl_w_head(struct pl_call *c)
{
    bool own = pl_b_weight(c->b, "out.output", ".weight") != 0;
    c->b->hidden = c->arg[0];
    c->b->ended = c->b->r->embedding && c->b->r->pooling != PL_POOLING_NONE;
    if (c->b->ended)
        return 0;
    pl_tid borrowed = own ? 0 : pl_w_borrowed(c);
    if (borrowed != 0)
        return pl_net_mul_mat(c->b->g, borrowed, c->arg[0]);
    return pl_b_mm(c->b, c->arg[0], own ? "out.output" : "out.token_embd");
}

static pl_tid pl_w_pos(struct pl_call *c)
{
    uint64_t n = 1;
    if (pl_parse_u64(c->word[0], &n))
        c->b->n_pos = n;
    return 0;
}

static pl_tid pl_w_names(struct pl_call *c, const char **list, uint32_t *n)
{
    for (uint32_t i = 0; i < c->n_arg && *n < PL_SCALED_MAX; i++) {
        list[*n] = pl_arena_strdup(c->b->g->arena, c->word[i]);
        if (list[*n] == NULL)
            c->b->g->failed = true;
        else
            (*n)++;
    }
    return 0;
}

/* scaled(moe,shexp): whose scales the engine's graph uses beside attention's */
static pl_tid pl_w_scaled(struct pl_call *c)
{
    return pl_w_names(c, c->b->scaled, &c->b->n_scaled);
}

/* unbiased(output): whose biases it does not */
static pl_tid pl_w_unbiased(struct pl_call *c)
{
    return pl_w_names(c, c->b->unbiased, &c->b->n_unbiased);
}

/* unscaled(attn_qkv): whose it does not */
static pl_tid pl_w_unscaled(struct pl_call *c)
{
    return pl_w_names(c, c->b->unscaled, &c->b->n_unscaled);
}

static pl_tid pl_w_every(struct pl_call *c)
{
    if (!pl_parse_u64(c->word[0], &c->b->every))
        c->b->every = pl_b_key(c->b, c->word[0], 0);
    return 0;
}

/* heads(x): [n] -> [head_k, n / head_k]; heads(x,v): head_v */
static pl_tid pl_w_heads(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    const struct pl_layer *l = pl_b_layer(c->b);
    uint64_t head = pl_call_has(c, "v") ? l->head_v : l->head_k;
    if (c->arg[0] == 0 || head == 0)
        return 0;
    uint64_t n = pl_net_at(g, c->arg[0])->ne[0];
    return pl_net_reshape(g, c->arg[0], head, n / head, c->b->batch.n_tokens, 1);
}

/* flat(x): merges the first two dimensions */
static pl_tid pl_w_flat(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    if (c->arg[0] == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, c->arg[0]);
    return pl_net_reshape(g, c->arg[0], p.ne[0] * p.ne[1], p.ne[2] * p.ne[3], 1, 1);
}

/* Learned positions: looked up and added */
static pl_tid pl_w_posembd(struct pl_call *c)
{
    return pl_net_get_rows(c->b->g, pl_b_weight(c->b, "position_embd", ".weight"), pl_b_pos(c->b));
}

/* The first row of the segment types, added to every token. */
static pl_tid pl_w_typeembd(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    pl_tid types = pl_b_weight(c->b, "token_types", ".weight");
    if (types == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, types);
    pl_tid row = pl_net_view_2d(g, types, c->b->net->n_embd, 1, p.nb[1], 0);
    return pl_net_with(g, PL_OP_ADD, c->arg[0], row);
}

/* gateheads(a,g): a gate per head, or one per value (models/laguna.cpp, models/step35.cpp) */
static pl_tid pl_w_gateheads(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    if (c->arg[0] == 0 || c->arg[1] == 0)
        return 0;
    const struct pl_t a = *pl_net_at(g, c->arg[0]), gate = *pl_net_at(g, c->arg[1]);
    uint64_t heads = pl_b_layer(c->b)->n_head;
    if (gate.ne[0] != heads || heads == 0)
        return pl_net_with(g, PL_OP_MUL, c->arg[0], c->arg[1]);
    pl_tid x = pl_net_reshape(g, c->arg[0], a.ne[0] / heads, heads, a.ne[1], 1);
    pl_tid by = pl_net_reshape(g, c->arg[1], 1, heads, a.ne[1], 1);
    x = pl_net_with(g, PL_OP_MUL, x, by);
    return pl_net_reshape(g, x, a.ne[0], a.ne[1], 1, 1);
}

/* headgate(a,g): a gate per head, its sigmoid taken head by head; the result lies flat */
static pl_tid pl_w_headgate(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    uint64_t heads = pl_b_layer(c->b)->n_head;
    if (c->arg[0] == 0 || c->arg[1] == 0 || heads == 0)
        return 0;
    const struct pl_t a = *pl_net_at(g, c->arg[0]);
    pl_tid x = pl_net_reshape(g, c->arg[0], a.ne[0] / heads, heads, a.ne[1], 1);
    pl_tid by = pl_net_reshape(g, c->arg[1], 1, heads, a.ne[1], 1);
    x = pl_net_with(g, PL_OP_MUL, x, pl_net_same(g, PL_OP_UNARY, by));
    return pl_net_cont_4d(g, x, a.ne[0], a.ne[1], 1, 1);
}

static pl_tid pl_w_mamba(struct pl_call *c)
{
    return pl_b_mamba(c->b, c->arg[0]);
}

static pl_tid pl_w_mamba2(struct pl_call *c)
{
    return pl_b_mamba2(c->b, c->arg[0]);
}

static pl_tid pl_w_mamba_plamo(struct pl_call *c)
{
    return pl_b_mamba_plamo(c->b, c->arg[0]);
}

static pl_tid pl_w_shortconv(struct pl_call *c)
{
    return pl_b_shortconv(c->b, c->arg[0]);
}

static pl_tid pl_w_delta(struct pl_call *c)
{
    return pl_b_delta_net(c->b, c->arg[0], pl_call_has(c, "wide"));
}

static pl_tid pl_w_kda(struct pl_call *c)
{
    return pl_b_kda(c->b, c->arg[0], pl_call_has(c, "bounded"));
}

static pl_tid pl_w_lightning(struct pl_call *c)
{
    return pl_b_lightning(c->b, c->arg[0]);
}

/* latent(x[,norope][,wholeq][,sparse][,knorm][,nowo][,scale]) */
static pl_tid pl_w_latent(struct pl_call *c)
{
    struct pl_latent_use use = {.rope = !pl_call_has(c, "norope"),
                                .whole_q = pl_call_has(c, "wholeq"),
                                .sparse = pl_call_has(c, "sparse"),
                                .key_norm = pl_call_has(c, "knorm"),
                                .no_wo = pl_call_has(c, "nowo"),
                                .flat_q = pl_call_has(c, "flatq")};
    for (uint32_t i = 1; i < c->n_arg; i++)
        use.scale = c->arg[i] != 0 ? c->arg[i] : use.scale;
    return pl_b_latent(c->b, c->arg[0], &use);
}

/* blockattn(n,q,k,v): attention to chosen blocks, before its last product */
static pl_tid pl_w_blockattn(struct pl_call *c)
{
    return pl_b_chosen_attention(c->b, c->arg[0], (struct pl_qkv){c->arg[1], c->arg[2], c->arg[3]});
}

/* whole(): every layer counts, though others are like it */
static pl_tid pl_w_whole(struct pl_call *c)
{
    c->b->skip = NULL;
    return 0;
}

/* groupnorm(x,weight): each group of the row by itself */
static pl_tid pl_w_groupnorm(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    pl_tid w = pl_b_weight(c->b, c->word[1], ".weight");
    if (c->arg[0] == 0 || w == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, c->arg[0]);
    uint64_t groups = pl_b_key(c->b, "attention.group_norm_groups", 1);
    groups = groups > 0 && p.ne[0] % groups == 0 ? groups : 1;
    pl_tid t = pl_net_reshape(g, c->arg[0], p.ne[0] / groups, groups, p.ne[1], 1);
    t = pl_net_reshape(g, pl_net_same(g, PL_OP_RMS_NORM, t), p.ne[0], p.ne[1], 1, 1);
    return pl_net_with(g, PL_OP_MUL, t, w);
}

/* x,first=rwkv(x,first,6|7[,ffn]); ffn: without the feed-forward, which is an ordinary one */
static pl_tid pl_w_rwkv(struct pl_call *c)
{
    pl_tid first = c->arg[1];
    struct pl_rwkv_use use = {.seven = pl_call_has(c, "7"),
                              .mix_alone = pl_call_has(c, "ffn"),
                              .last = c->b->il + 1 == c->b->net->n_layer};
    pl_tid x = pl_b_rwkv(c->b, c->arg[0], &use, &first);
    c->result[1] = first;
    return x;
}

/* shut(l,n): n of the logits are overwritten (models/chameleon.cpp: those of images) */
static pl_tid pl_w_shut(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    uint64_t n = 0;
    if (c->arg[0] == 0 || !pl_parse_u64(c->word[1], &n))
        return 0;
    const struct pl_t p = *pl_net_at(g, c->arg[0]);
    pl_tid low = pl_net_same(g, PL_OP_CLAMP, pl_net_new(g, PL_T_F32, n, 1, 1, 1));
    return pl_net_op(g, PL_OP_OTHER, p.type, p.ne, c->arg[0], low);
}

/* whole_words(l): logits of a draft's smaller vocabulary, spread over its target's
 * (models/eagle3.cpp) */
static pl_tid pl_w_whole_words(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    pl_tid to = pl_b_weight(c->b, "out.d2t", "");
    if (c->arg[0] == 0 || to == 0)
        return c->arg[0];
    const struct pl_t p = *pl_net_at(g, c->arg[0]);
    uint64_t all = c->b->net->n_vocab;
    pl_tid t = pl_net_same(g, PL_OP_FILL, pl_net_new(g, PL_T_F32, 1, all, p.ne[1], 1));
    t = pl_net_set_rows(g, t, pl_net_reshape(g, c->arg[0], 1, p.ne[0], p.ne[1], 1),
                        pl_net_reshape(g, to, p.ne[0], 1, 1, 1));
    return pl_net_reshape(g, t, all, p.ne[1], 1, 1);
}

/* keep(x): read by others once the graph has run */
static pl_tid pl_w_keep(struct pl_call *c)
{
    if (c->arg[0] != 0)
        pl_net_at(c->b->g, c->arg[0])->flags |= PL_T_OUTPUT;
    return c->arg[0];
}

static pl_tid pl_w_noflash(struct pl_call *c)
{
    c->b->no_flash = true;
    return 0;
}

static pl_tid pl_w_softcap(struct pl_call *c)
{
    c->b->softcap = true;
    return 0;
}

/* halfheads(q): queries and a gate lie side by side in each head (models/qwen3next.cpp): gives both
 */
static pl_tid pl_w_halfheads(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    const struct pl_layer *l = pl_b_layer(c->b);
    uint64_t n = c->b->batch.n_tokens, head = l->head_k, row = head * 8;
    bool plain = pl_call_has(c, "reshaped");
    if (c->arg[0] == 0 || head == 0)
        return 0;
    pl_tid x = c->arg[0];
    if (plain)
        x = pl_net_reshape(g, x, head * 2, l->n_head, n, 1);
    c->result[1] = pl_net_view_3d(g, x, head, l->n_head, n, row, row * l->n_head, head * 4);
    return pl_net_view_3d(g, x, head, l->n_head, n, row, row * l->n_head, 0);
}

/* wide(x): contiguous, heads merged */
static pl_tid pl_w_wide(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    if (c->arg[0] == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, c->arg[0]);
    return pl_net_cont_4d(g, c->arg[0], p.ne[0] * p.ne[1], p.ne[2] * p.ne[3], 1, 1);
}

/* plrows([scaled]): embeddings of all layers, looked up before the layers (models/gemma4.cpp) */
static pl_tid pl_w_plrows(struct pl_call *c)
{
    struct pl_build *b = c->b;
    pl_tid t = pl_net_get_rows(b->g, pl_b_weight(b, "per_layer_token_embd", ".weight"),
                               pl_net_input(b->g, PL_T_I32, b->batch.n_tokens, 1, 1, 1));
    if (pl_call_has(c, "scaled")) {
        uint64_t row = pl_b_key(b, "embedding_length_per_layer_input", 0);
        t = pl_net_reshape(b->g, t, row, b->net->n_layer, b->batch.n_tokens, 1);
        t = pl_net_same(b->g, PL_OP_SCALE, t);
    }
    pl_net_expand(b->g, t);
    return t;
}

/* plinputs(x,p): an embedding of its own for every layer, [n, tokens, layers] */
static pl_tid pl_w_plinputs(struct pl_call *c)
{
    struct pl_build *b = c->b;
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens, layers = b->net->n_layer;
    uint64_t row = pl_b_key(b, "embedding_length_per_layer_input", 0);
    pl_tid own = c->arg[1];
    if (!pl_call_has(c, "scaled"))
        own = pl_net_reshape(g, pl_net_same(g, PL_OP_SCALE, own), row, layers, n, 1);
    pl_tid t = pl_net_same(g, PL_OP_SCALE, pl_b_mm(b, c->arg[0], "per_layer_model_proj"));
    t = pl_net_reshape(g, t, row, layers, n, 1);
    t = pl_net_with(g, PL_OP_ADD, pl_b_norm(b, t, "per_layer_proj_norm", PL_NORM_RMS), own);
    t = pl_net_permute(g, pl_net_same(g, PL_OP_SCALE, t), 0, 2, 1, 3);
    return pl_net_cont(g, t);
}

/* plslice(p): that of this layer */
static pl_tid pl_w_plslice(struct pl_call *c)
{
    struct pl_net_graph *g = c->b->g;
    if (c->arg[0] == 0)
        return 0;
    const struct pl_t p = *pl_net_at(g, c->arg[0]);
    return pl_net_view_2d(g, c->arg[0], p.ne[0], p.ne[1], p.nb[1], c->b->il * p.nb[2]);
}

static pl_tid pl_w_altup_stack(struct pl_call *c)
{
    return pl_b_altup_stack(c->b, c->arg[0]);
}

static pl_tid pl_w_altup_merge(struct pl_call *c)
{
    return pl_b_altup_merge(c->b, c->arg[0]);
}

static pl_tid pl_w_altup_predict(struct pl_call *c)
{
    return pl_b_altup_predict(c->b, c->arg[0]);
}

static pl_tid pl_w_altup_active(struct pl_call *c)
{
    return pl_b_altup_active(c->b, c->arg[0]);
}

static pl_tid pl_w_altup_correct(struct pl_call *c)
{
    return pl_b_altup_correct(c->b, c->arg[0], c->arg[1]);
}

static pl_tid pl_w_altup_extend(struct pl_call *c)
{
    return pl_b_altup_extend(c->b, c->arg[0], c->arg[1]);
}

static pl_tid pl_w_altup_largest(struct pl_call *c)
{
    return pl_b_altup_largest(c->b, c->arg[0]);
}

static const struct {
    const char *name;
    pl_word_fn fn;
} pl_words[] = {
    {"mamba",         pl_w_mamba        },
    {"mamba2",        pl_w_mamba2       },
    {"mamba_plamo",   pl_w_mamba_plamo  },
    {"shortconv",     pl_w_shortconv    },
    {"delta",         pl_w_delta        },
    {"lightning",     pl_w_lightning    },
    {"kda",           pl_w_kda          },
    {"latent",        pl_w_latent       },
    {"noflash",       pl_w_noflash      },
    {"shut",          pl_w_shut         },
    {"prefix",        pl_w_prefix       },
    {"posbias",       pl_w_posbias      },
    {"cross",         pl_w_cross        },
    {"keep",          pl_w_keep         },
    {"whole_words",   pl_w_whole_words  },
    {"blockattn",     pl_w_blockattn    },
    {"whole",         pl_w_whole        },
    {"softcap",       pl_w_softcap      },
    {"rwkv",          pl_w_rwkv         },
    {"groupnorm",     pl_w_groupnorm    },
    {"halfheads",     pl_w_halfheads    },
    {"wide",          pl_w_wide         },
    {"altup_stack",   pl_w_altup_stack  },
    {"altup_merge",   pl_w_altup_merge  },
    {"altup_predict", pl_w_altup_predict},
    {"altup_active",  pl_w_altup_active },
    {"altup_correct", pl_w_altup_correct},
    {"altup_extend",  pl_w_altup_extend },
    {"altup_largest", pl_w_altup_largest},
    {"plrows",        pl_w_plrows       },
    {"plinputs",      pl_w_plinputs     },
    {"plslice",       pl_w_plslice      },
    {"posembd",       pl_w_posembd      },
    {"bertffn",       pl_w_bertffn      },
    {"typeembd",      pl_w_typeembd     },
    {"gateheads",     pl_w_gateheads    },
    {"headgate",      pl_w_headgate     },
    {"embd",          pl_w_embd         },
    {"concat",        pl_w_concat       },
    {"rms",           pl_w_rms          },
    {"norm",          pl_w_norm         },
    {"mm",            pl_w_mm           },
    {"qkv",           pl_w_qkv          },
    {"rope",          pl_w_rope         },
    {"attn",          pl_w_attn         },
    {"add",           pl_w_add          },
    {"mul",           pl_w_mul          },
    {"div",           pl_w_div          },
    {"addw",          pl_w_addw         },
    {"scale",         pl_w_scale        },
    {"silu",          pl_w_unary        },
    {"gelu",          pl_w_unary        },
    {"sigmoid",       pl_w_unary        },
    {"tanh",          pl_w_unary        },
    {"relu",          pl_w_unary        },
    {"softplus",      pl_w_unary        },
    {"exp",           pl_w_unary        },
    {"l2",            pl_w_l2           },
    {"sqr",           pl_w_sqr          },
    {"softmax",       pl_w_softmax      },
    {"cont",          pl_w_cont         },
    {"glu",           pl_w_glu          },
    {"rows",          pl_w_rows         },
    {"copy",          pl_w_copy         },
    {"expand",        pl_w_expand       },
    {"input",         pl_w_input        },
    {"ffn",           pl_w_ffn          },
    {"moe",           pl_w_moe          },
    {"head",          pl_w_head         },
    {"pos",           pl_w_pos          },
    {"every",         pl_w_every        },
    {"scaled",        pl_w_scaled       },
    {"unscaled",      pl_w_unscaled     },
    {"unbiased",      pl_w_unbiased     },
    {"heads",         pl_w_heads        },
    {"flat",          pl_w_flat         },
};

bool pl_call_run(struct pl_call *c)
{
    for (size_t i = 0; i < sizeof(pl_words) / sizeof(pl_words[0]); i++) {
        if (pl_streq(pl_words[i].name, c->fn)) {
            c->result[0] = pl_words[i].fn(c);
            return !c->b->g->failed;
        }
    }
    if (c->b->tower != NULL)
        return pl_tower_call(c);
    return false;
}
