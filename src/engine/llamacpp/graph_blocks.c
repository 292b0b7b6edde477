/* src/llama-graph.cpp: build_norm, build_lora_mm, build_ffn, build_moe_ffn, build_inp_embd. */
#include "engine/llamacpp/graph_build.h"

#include "base/checked.h"
#include "base/str.h"

#include <string.h>

struct pl_weight_index {
    const struct pl_tensor **slot;
    uint64_t mask;
};

PL_WRAPS static uint64_t pl_name_hash(const char *s)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h;
}

const struct pl_weight_index *pl_weight_index_new(struct pl_arena *a, const struct pl_model *m)
{
    struct pl_weight_index *x = pl_arena_alloc(a, 1, sizeof(*x));
    uint64_t size = 64;
    while (size < m->n_tensor * 2)
        size *= 2;
    if (x == NULL || (x->slot = pl_arena_alloc(a, size, sizeof(*x->slot))) == NULL)
        return NULL;
    x->mask = size - 1;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        uint64_t at = pl_name_hash(m->tensor[i].name) & x->mask;
        while (x->slot[at] != NULL)
            at = (at + 1) & x->mask;
        x->slot[at] = &m->tensor[i];
    }
    return x;
}

/* Where a weight lies; one that lies in several places is taken from its layer's. */
static pl_tid pl_b_placed(struct pl_build *b, pl_tid t, const struct pl_tensor *tensor)
{
    if (t == 0)
        return 0;
    struct pl_t *p = pl_net_at(b->g, t);
    p->flags |= PL_T_WEIGHT;
    if (b->place == NULL)
        return t;
    uint32_t at = pl_place_tensor(b->place, tensor), wanted = PL_PLACE_HOST;
    if (b->in_layer)
        wanted = b->place->layer[b->il];
    else if (b->after)
        wanted = b->place->layer[b->place->n_layer];
    if (!(at & (1u << wanted))) {
        for (wanted = 0; wanted < b->place->n_place && !(at & (1u << wanted)); wanted++)
            continue;
    }
    if (wanted >= b->place->n_place)
        wanted = PL_PLACE_HOST;
    p->backend = pl_b_backend(b, wanted);
    if (wanted == PL_PLACE_HOST && b->converted != NULL && b->converted(tensor, b->converted_with))
        p->flags |= PL_T_CONVERTED;
    return t;
}

int16_t pl_b_backend(const struct pl_build *b, uint32_t place)
{
    if (b->place == NULL)
        return 0;
    return (int16_t)(place == PL_PLACE_HOST ? b->place->n_place - 1 : place - 1);
}

/* A weight of the whole model is one tensor per place, whoever reads it. */
static pl_tid pl_b_shared(struct pl_build *b, const struct pl_tensor *tensor)
{
    pl_tid t =
        pl_b_placed(b, pl_net_external(b->g, tensor->name, tensor->type, tensor->ne), tensor);
    for (uint32_t i = 0; i < b->n_shared && t != 0; i++) {
        const struct pl_t *old = pl_net_at(b->g, b->shared[i]);
        if (old->name == tensor->name && old->backend == pl_net_at(b->g, t)->backend)
            return b->shared[i];
    }
    if (t != 0 && b->n_shared < PL_SHARED_MAX)
        b->shared[b->n_shared++] = t;
    return t;
}

pl_tid pl_b_weight(struct pl_build *b, const char *name, const char *suffix)
{
    char full[128], il[PL_DIGITS_MAX];
    bool out = pl_starts(name, "out.");
    bool fits = b->in_layer && !out
                    ? pl_join(full, sizeof(full), b->prefix != NULL ? b->prefix : "", "blk.",
                              pl_digits(b->il, il), ".", name, suffix, NULL)
                    : pl_join(full, sizeof(full), out ? name + 4 : name, suffix, NULL);
    if (!fits)
        return 0;
    for (uint64_t at = pl_name_hash(full) & b->index->mask; b->index->slot[at] != NULL;
         at = (at + 1) & b->index->mask) {
        const struct pl_tensor *t = b->index->slot[at];
        if (pl_streq(t->name, full))
            return b->in_layer && !pl_starts(name, "out.")
                       ? pl_b_placed(b, pl_net_external(b->g, t->name, t->type, t->ne), t)
                       : pl_b_shared(b, t);
    }
    return 0;
}

static bool pl_b_listed(const char *const *list, uint32_t n, const char *word)
{
    for (uint32_t i = 0; i < n; i++) {
        if (pl_streq(list[i], word))
            return true;
    }
    return false;
}

/* "ffn", "moe" or "shexp" for a feed-forward's weights, else the name. */
static const char *pl_b_kind(const char *name)
{
    if (!pl_starts(name, "ffn_"))
        return name;
    return strstr(name, "exps") != NULL ? "moe" : strstr(name, "shexp") != NULL ? "shexp" : "ffn";
}

pl_tid pl_b_weight_scale(struct pl_build *b, const char *name)
{
    const char *kind = pl_b_kind(name);
    bool named =
        pl_b_listed(b->scaled, b->n_scaled, kind) || pl_b_listed(b->scaled, b->n_scaled, name);
    if (kind != name ? !named : pl_b_listed(b->unscaled, b->n_unscaled, name))
        return 0;
    return pl_b_weight(b, name, ".scale");
}

pl_tid pl_b_weight_bias(struct pl_build *b, const char *name)
{
    if (pl_b_listed(b->unbiased, b->n_unbiased, pl_b_kind(name)))
        return 0;
    return pl_b_weight(b, name, ".bias");
}

uint64_t pl_b_key(const struct pl_build *b, const char *key, uint64_t absent)
{
    return pl_model_layer_u64(b->m, key, b->il, absent);
}

double pl_b_real(const struct pl_build *b, const char *key, double absent)
{
    const struct pl_kv *kv = pl_model_arch_kv(b->m, key);
    return kv != NULL && pl_kv_class(kv->type) == PL_KV_REAL ? kv->f : absent;
}

const struct pl_layer *pl_b_layer(const struct pl_build *b)
{
    return &b->net->layer[b->il];
}

/* A weight that the recipe needs is not there. The name may be of a statement: it is kept. */
static pl_tid pl_b_lacks(struct pl_build *b, const char *weight)
{
    if (b->g->lacks == NULL)
        b->g->lacks = pl_arena_strdup(b->g->arena, weight);
    b->g->failed = true;
    return 0;
}

pl_tid pl_b_norm(struct pl_build *b, pl_tid x, const char *weight, enum pl_norm_kind kind)
{
    pl_tid t = pl_net_same(b->g, kind == PL_NORM_RMS ? PL_OP_RMS_NORM : PL_OP_NORM, x);
    /* llama-context.cpp, graph_get_cb: small batches and full offload keep norms with their layer
     */
    if (t != 0 && b->place != NULL && b->in_layer && !pl_streq(weight, "-") &&
        (b->batch.n_tokens < 32 || b->place->n_gpu_layers > b->place->n_layer))
        pl_net_at(b->g, t)->backend = pl_b_backend(b, b->place->layer[b->il]);
    pl_tid w = pl_b_weight(b, weight, ".weight"), bias = pl_b_weight(b, weight, ".bias");
    if (w == 0) /* a few files name it so */
        w = pl_b_weight(b, weight, "");
    if (w == 0 && bias == 0 && !pl_streq(weight, "-"))
        return pl_b_lacks(b, weight);
    if (w != 0)
        t = pl_net_with(b->g, PL_OP_MUL, t, w);
    if (bias != 0)
        t = pl_net_with(b->g, PL_OP_ADD, t, bias);
    return t;
}

pl_tid pl_b_mm(struct pl_build *b, pl_tid x, const char *weight)
{
    pl_tid w = pl_b_weight(b, weight, ".weight");
    if (w == 0)
        return pl_b_lacks(b, weight);
    pl_tid t = pl_net_mul_mat(b->g, w, x);
    pl_tid scale = pl_b_weight_scale(b, weight), bias = pl_b_weight_bias(b, weight);
    if (scale != 0)
        t = pl_net_with(b->g, PL_OP_MUL, t, scale);
    if (bias != 0)
        t = pl_net_with(b->g, PL_OP_ADD, t, bias);
    return t;
}

static pl_tid pl_b_unary(struct pl_build *b, pl_tid x)
{
    return pl_net_same(b->g, PL_OP_UNARY, x);
}

/* Product with an optional bias and then an optional scale, the order of build_ffn. */
static pl_tid pl_b_ffn_mm(struct pl_build *b, pl_tid x, const char *name)
{
    pl_tid t = pl_net_mul_mat(b->g, pl_b_weight(b, name, ".weight"), x);
    pl_tid bias = pl_b_weight_bias(b, name), scale = pl_b_weight_scale(b, name);
    if (bias != 0)
        t = pl_net_with(b->g, PL_OP_ADD, t, bias);
    if (scale != 0)
        t = pl_net_with(b->g, PL_OP_MUL, t, scale);
    return t;
}

/* src/llama-graph.cpp: with a limit, the parts of swiglu are steps of their own. */
static pl_tid pl_b_clamped_glu(struct pl_build *b, pl_tid gate, pl_tid up)
{
    gate = pl_net_same(b->g, PL_OP_CLAMP, pl_b_unary(b, gate));
    return pl_net_with(b->g, PL_OP_MUL, gate, pl_net_same(b->g, PL_OP_CLAMP, up));
}

pl_tid pl_b_ffn(struct pl_build *b, pl_tid x, const struct pl_ffn *how)
{
    enum pl_act act = how->act;
    bool gate_after_up = how->gate_after_up;
    const char *tail = how->tail;
    char up_name[48], gate_name[48], down_name[48];
    (void)PL_FMT(up_name, "ffn_up%s", tail);
    (void)PL_FMT(gate_name, "ffn_gate%s", tail);
    (void)PL_FMT(down_name, "ffn_down%s", tail);
    bool gated = pl_b_weight(b, gate_name, ".weight") != 0;
    pl_tid up = pl_b_weight(b, up_name, ".weight") != 0 ? pl_b_ffn_mm(b, x, up_name) : x;
    pl_tid t = up;
    if (gated)
        t = pl_b_ffn_mm(b, gate_after_up ? up : x, gate_name);
    bool parallel = gated && !gate_after_up;
    if (act == PL_ACT_CLAMPED && parallel) {
        t = pl_b_clamped_glu(b, t, up);
        parallel = false;
    } else if (act == PL_ACT_HALVES) {
        t = pl_net_glu(b->g, t, 0);
    } else if (parallel && (act == PL_ACT_SILU || act == PL_ACT_GELU || act == PL_ACT_RELU ||
                            act == PL_ACT_OAI)) {
        t = pl_net_glu(b->g, t, up);
        parallel = false;
    } else {
        t = pl_b_unary(b, t);
        if (act == PL_ACT_RELU2)
            t = pl_net_same(b->g, PL_OP_SQR, t);
        pl_tid scales = pl_b_weight(b, "ffn", ".act.scales");
        if (act == PL_ACT_GELU && scales != 0)
            t = pl_net_with(b->g, PL_OP_DIV, t, scales);
    }
    if (parallel)
        t = pl_net_with(b->g, PL_OP_MUL, t, up);
    /* a model of experts read as a dense one has no weights here at all (refact) */
    bool ends = how->no_down || pl_b_weight(b, down_name, ".weight") == 0;
    return ends ? t : pl_b_ffn_mm(b, t, down_name);
}

/* build_lora_mm_id, then a bias per expert */
static pl_tid pl_b_mm_id(struct pl_build *b, pl_tid x, pl_tid ids, const char *kind,
                         const char *set)
{
    char name[48];
    (void)PL_FMT(name, "ffn_%s_%s", kind, set);
    pl_tid w = pl_b_weight(b, name, ".weight");
    if (w == 0)
        return 0;
    pl_tid t = pl_net_mul_mat_id(b->g, w, x, ids);
    pl_tid scale = pl_b_weight_scale(b, name), bias = pl_b_weight_bias(b, name);
    if (scale != 0) {
        uint64_t n = pl_net_at(b->g, scale)->ne[0];
        pl_tid s = pl_net_reshape(b->g, scale, 1, n, 1, 1);
        s = pl_net_repeat(b->g, s, 1, n, pl_net_at(b->g, x)->ne[2], 1);
        s = pl_net_get_rows(b->g, s, ids);
        t = pl_net_with(b->g, PL_OP_MUL, t, s);
    }
    if (bias != 0) {
        t = pl_net_with(b->g, PL_OP_ADD_ID, t, bias);
        pl_net_also(b->g, t, ids);
    }
    return t;
}

/* Only the groups of experts with the best two members take part (DeepSeek V3). */
static pl_tid pl_b_moe_groups(struct pl_build *b, pl_tid probs, uint64_t n_expert)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = pl_net_at(g, probs)->ne[1], groups = pl_b_key(b, "expert_group_count", 0);
    uint64_t used = pl_b_key(b, "expert_group_used_count", 0);
    if (groups <= 1 || n_expert % groups != 0)
        return probs;
    uint64_t per = n_expert / groups;
    pl_tid grouped = pl_net_reshape(g, probs, per, groups, n, 1);
    pl_tid best = pl_net_top_k(g, grouped, 2);
    pl_tid score = pl_net_get_rows(g, pl_net_reshape(g, grouped, 1, per, groups, n), best);
    score = pl_net_sum_rows(g, pl_net_reshape(g, score, 2, groups, n, 1));
    score = pl_net_reshape(g, score, groups, n, 1, 1);
    pl_tid chosen = pl_net_top_k(g, score, used);
    pl_tid kept = pl_net_get_rows(g, grouped, chosen);
    pl_tid all = pl_net_set_rows(g, pl_net_same(g, PL_OP_FILL, grouped), kept, chosen);
    return pl_net_reshape(g, all, n_expert, n, 1, 1);
}

static pl_tid pl_b_moe_weights(struct pl_build *b, pl_tid probs, pl_tid chosen,
                               const struct pl_moe *how)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens, used = how->n_used;
    uint64_t rows = pl_net_at(g, probs)->ne[1];
    n = rows;
    pl_tid w = pl_net_get_rows(g, pl_net_reshape(g, probs, 1, how->n_expert, n, 1), chosen);
    if (how->gating == 3) {
        w = pl_net_same(g, PL_OP_SOFT_MAX, pl_net_reshape(g, w, used, n, 1, 1));
        w = pl_net_reshape(g, w, 1, used, n, 1);
    }
    if (how->norm_w) {
        w = pl_net_reshape(g, w, used, n, 1, 1);
        pl_tid sum = pl_net_same(g, PL_OP_CLAMP, pl_net_sum_rows(g, w));
        w = pl_net_with(g, PL_OP_DIV, w, sum);
        w = pl_net_reshape(g, w, 1, used, n, 1);
    }
    if (how->scaled)
        w = pl_net_same(g, PL_OP_SCALE, w);
    return w;
}

/* The experts themselves: x is [n_embd, 1, tokens] */
static pl_tid pl_b_experts(struct pl_build *b, pl_tid x, pl_tid chosen, const struct pl_moe *how)
{
    struct pl_net_graph *g = b->g;
    pl_tid both = pl_b_mm_id(b, x, chosen, "gate_up", how->set), up, t;
    bool gated = true;
    if (both != 0) {
        const struct pl_t p = *pl_net_at(g, both);
        uint64_t half = p.ne[0] / 2;
        t = pl_net_view_3d(g, both, half, p.ne[1], p.ne[2], p.nb[1], p.nb[2], 0);
        up = pl_net_view_3d(g, both, half, p.ne[1], p.ne[2], p.nb[1], p.nb[2], half * p.nb[0]);
    } else {
        up = pl_b_mm_id(b, x, chosen, "up", how->set);
        t = pl_b_mm_id(b, x, chosen, "gate", how->set);
        gated = t != 0;
        t = gated ? t : up;
    }
    if (gated && how->act == PL_ACT_CLAMPED) {
        t = pl_b_clamped_glu(b, t, up);
    } else if (gated) {
        t = pl_net_glu(g, t, up);
    } else {
        t = pl_b_unary(b, t);
        if (how->act == PL_ACT_RELU2)
            t = pl_net_same(g, PL_OP_SQR, t);
    }
    return pl_b_mm_id(b, t, chosen, "down", how->set);
}

/* The chosen experts' results, one after the other, added up. */
static pl_tid pl_b_moe_sum(struct pl_build *b, pl_tid experts, uint64_t n_used)
{
    struct pl_net_graph *g = b->g;
    if (experts == 0 || n_used == 0 || n_used > 64) {
        g->failed = true;
        return 0;
    }
    const struct pl_t p = *pl_net_at(g, experts);
    pl_tid one[64];
    for (uint64_t i = 0; i < n_used; i++) {
        one[i] = pl_net_view_2d(g, experts, p.ne[0], p.ne[2], p.nb[2], i * p.nb[1]);
        pl_net_expand(g, one[i]);
    }
    pl_tid sum = one[0];
    for (uint64_t i = 1; i < n_used; i++) {
        sum = pl_net_with(g, PL_OP_ADD, sum, one[i]);
        pl_net_expand(g, sum);
    }
    return n_used == 1 ? pl_net_cont(g, sum) : sum;
}

pl_tid pl_b_moe(struct pl_build *b, pl_tid x, const struct pl_moe *how)
{
    struct pl_net_graph *g = b->g;
    if (x == 0) {
        g->failed = true;
        return 0;
    }
    uint64_t n_embd = pl_net_at(g, x)->ne[0], n = pl_net_at(g, x)->ne[1];
    pl_tid logits = how->probs;
    if (logits == 0)
        logits = pl_net_mul_mat(g, pl_b_weight(b, "ffn_gate_inp", ".weight"), x);
    pl_tid bias = pl_b_weight(b, "ffn_gate_inp", ".bias");
    if (bias != 0)
        logits = pl_net_with(g, PL_OP_ADD, logits, bias);
    pl_tid probs = logits;
    if (how->gating == 1)
        probs = pl_net_same(g, PL_OP_SOFT_MAX, logits);
    else if (how->gating == 2)
        probs = pl_b_unary(b, logits);
    else if (how->gating == 4)
        probs = pl_net_same(g, PL_OP_SQRT, pl_b_unary(b, logits));
    pl_tid selection = probs, extra = pl_b_weight(b, "exp_probs_b", ".bias");
    if (extra == 0)
        extra = pl_b_weight(b, "exp_probs_b", "");
    if (extra != 0 && how->use_bias_probs)
        selection = pl_net_with(g, PL_OP_ADD, probs, extra);
    if (how->before)
        selection = logits;
    if (how->select_sigmoid)
        selection = pl_b_unary(b, logits);
    selection = pl_b_moe_groups(b, selection, how->n_expert);
    pl_tid chosen = pl_net_top_k(g, selection, how->n_used);
    pl_tid weights = pl_b_moe_weights(b, probs, chosen, how);
    pl_net_expand(g, weights);
    x = pl_net_reshape(g, x, n_embd, 1, n, 1);
    if (how->before)
        x = pl_net_with(g, PL_OP_MUL, pl_net_repeat(g, x, n_embd, how->n_used, n, 1), weights);
    pl_tid experts = pl_b_experts(b, x, chosen, how);
    if (!how->before)
        experts = pl_net_with(g, PL_OP_MUL, experts, weights);
    pl_net_expand(g, experts);
    return pl_b_moe_sum(b, experts, how->n_used);
}

/* Token embeddings; beside them an input for embeddings given instead of tokens, and the scatter of
 * batches that mix both, are built and not used by text alone: they keep their memory
 * (ggml_build_forward_select; the third is in the scheduler's dump of build 11669). */
pl_tid pl_b_embd(struct pl_build *b, bool mixed)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens;
    pl_tid table = pl_b_weight(b, "out.token_embd", ".weight");
    pl_tid x = pl_net_get_rows(g, table, pl_net_input(g, PL_T_I32, n, 1, 1, 1));
    pl_net_expand(g, x);
    b->embd = x;
    pl_tid looked_up = 0;
    if (mixed) {
        looked_up = pl_net_get_rows(g, table, pl_net_input(g, PL_T_I32, n, 1, 1, 1));
        pl_net_expand(g, looked_up);
    }
    pl_net_expand(g, pl_net_input(g, PL_T_F32, b->net->n_embd, n, 1, 1));
    if (!mixed)
        return x;
    pl_tid slots = pl_net_input(g, PL_T_I64, n, 1, 1, 1);
    pl_tid given = pl_net_input(g, PL_T_F32, b->net->n_embd, n, 1, 1);
    pl_net_expand(g, pl_net_set_rows(g, pl_net_same(g, PL_OP_DUP, given), looked_up, slots));
    return x;
}

pl_tid pl_b_rows(struct pl_build *b, pl_tid x)
{
    if (b->out_ids == 0)
        b->out_ids = pl_net_input(b->g, PL_T_I32, b->batch.n_outputs, 1, 1, 1);
    return pl_net_get_rows(b->g, x, b->out_ids);
}
