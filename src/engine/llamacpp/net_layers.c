/* Per layer: src/llama-hparams.cpp, and what src/models/ fills is_swa_impl and is_recr_impl with.
 */
#include "base/checked.h"
#include "base/str.h"
#include "engine/llamacpp/net_impl.h"
#include "engine/llamacpp/weights.h"

#include <errno.h>
#include <string.h>

#define PL_INDEXER_ALL_BELOW 1048576u /* src/models/glm-dsa.cpp: GLM 5.2 has a longer context */

/* A key with one value or one per layer: src/llama-model-loader.cpp, get_key_or_arr. */
struct pl_per_layer {
    const struct pl_kv *kv;
    uint64_t layers; /* of the file; with loops they repeat */
    uint64_t absent;
};

static int pl_per_layer_open(const struct pl_model *m, const struct pl_net *net, const char *key,
                             uint64_t absent, struct pl_per_layer *ret, struct pl_err *err)
{
    uint64_t layers = pl_model_arch_u64(m, "block_count", 0);
    *ret = (struct pl_per_layer){pl_model_arch_kv(m, key), layers, absent};
    if (ret->kv == NULL || ret->kv->type != PL_KV_ARRAY)
        return pl_net_u32(m, key, absent, &absent, err);
    /* the trunk alone, or all: which of them an architecture wants was settled before it wrote */
    if ((ret->kv->count != layers && ret->kv->count != net->n_layer) || ret->kv->ints == NULL)
        return pl_net_bad(m, "holds an array of another length than block_count:", key, err);
    for (uint64_t i = 0; i < ret->kv->count; i++) {
        if (ret->kv->ints[i] < 0 || ret->kv->ints[i] > PL_WIDTH_MAX)
            return pl_net_bad(m, "holds a width no model has:", key, err);
    }
    return 0;
}

static uint32_t pl_per_layer_get(const struct pl_per_layer *p, uint32_t il)
{
    uint64_t at = il % p->layers;
    if (p->kv == NULL)
        return (uint32_t)p->absent;
    if (p->kv->type != PL_KV_ARRAY)
        return (uint32_t)p->kv->u;
    return at < p->kv->count ? (uint32_t)p->kv->ints[at] : 0;
}

static int pl_layers_heads(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    struct pl_per_layer head, kv, ff;
    int rc = pl_per_layer_open(m, net, "attention.head_count", 0, &head, err);
    if (rc == 0)
        rc = pl_per_layer_open(m, net, "attention.head_count_kv", 0, &kv, err);
    if (rc == 0)
        rc = pl_per_layer_open(m, net, "feed_forward_length", 0, &ff, err);
    if (rc < 0)
        return rc;
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        struct pl_layer *l = &net->layer[il];
        l->n_head = pl_per_layer_get(&head, il);
        l->n_head_kv = kv.kv != NULL ? pl_per_layer_get(&kv, il) : l->n_head;
        l->n_ff = pl_per_layer_get(&ff, il);
        l->nextn = il >= net->n_layer;
        if (l->nextn && net->arch->router != 0)
            l->n_head = l->n_head_kv = 1;
    }
    return 0;
}

/* Head sizes and rotated widths, with their twins for sliding layers. */
static int pl_layers_widths(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    uint64_t n_head = net->layer[0].n_head, even = n_head > 0 ? net->n_embd / n_head : 0;
    uint64_t k = 0, v = 0, rot = 0, k_swa = 0, v_swa = 0, rot_swa = 0;
    int rc = pl_net_u32(m, "attention.key_length", even, &k, err);
    if (rc == 0)
        rc = pl_net_u32(m, "attention.value_length", even, &v, err);
    if (rc == 0)
        rc = pl_net_u32(m, "rope.dimension_count", k, &rot, err);
    if (rc == 0)
        rc = pl_net_u32(m, "attention.key_length_swa", k, &k_swa, err);
    if (rc == 0)
        rc = pl_net_u32(m, "attention.value_length_swa", v, &v_swa, err);
    if (rc == 0)
        rc = pl_net_u32(m, "rope.dimension_count_swa", rot, &rot_swa, err);
    if (rc < 0)
        return rc;
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        struct pl_layer *l = &net->layer[il];
        l->head_k = (uint32_t)(l->windowed ? k_swa : k);
        l->head_v = (uint32_t)(l->windowed ? v_swa : v);
        l->n_rot = (uint32_t)(l->windowed ? rot_swa : rot);
    }
    return 0;
}

/* llama_hparams::set_swa_pattern */
static bool pl_in_period(uint64_t period, bool dense_first, uint32_t il)
{
    if (period == 0)
        return true;
    return dense_first ? il % period != 0 : il % period < period - 1;
}

static int pl_layers_window(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    const char *key = "attention.sliding_window_pattern";
    const struct pl_kv *kv = pl_model_arch_kv(m, key);
    const struct pl_arch *a = net->arch;
    bool array = kv != NULL && kv->type == PL_KV_ARRAY, any = false;
    if (net->window == PL_WINDOW_NONE)
        return 0;
    bool keyed = a->pattern == PL_PATTERN_PERIOD || a->pattern == PL_PATTERN_ARRAY;
    if (keyed && array && (kv->ints == NULL || kv->count > PL_NET_LAYERS_MAX))
        return pl_net_bad(m, "holds an array of another length than block_count:", key, err);
    if (a->pattern == PL_PATTERN_ARRAY && kv == NULL)
        return pl_net_bad(m, "lacks", key, err);
    uint64_t period = pl_model_arch_u64(m, key, a->period);
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        struct pl_layer *l = &net->layer[il];
        if (keyed && array)
            l->windowed = il < kv->count && kv->ints[il] != 0;
        else if (a->pattern == PL_PATTERN_ARRAY)
            l->windowed = period != 0; /* one value for all */
        else if (a->pattern == PL_PATTERN_PERIOD)
            l->windowed = !l->nextn && pl_in_period(period, a->dense_first != 0, il);
        else if (a->pattern == PL_PATTERN_ATTENTION)
            l->windowed = l->kind == PL_LAYER_ATTENTION;
        else
            l->windowed = a->pattern == PL_PATTERN_EVERY;
        any = any || l->windowed;
    }
    if (!any && a->memory == PL_MEMORY_KV)
        return pl_net_bad(m, "gives a window and no layer that slides", NULL, err);
    return 0;
}

static int pl_layers_recurrent(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    const struct pl_arch *a = net->arch;
    struct pl_per_layer flags = {0};
    uint64_t interval = pl_model_arch_u64(m, "full_attention_interval", a->interval);
    bool by_interval = a->recurrent_layers == PL_RECURRENT_LAYERS_INTERVAL;
    if (by_interval) {
        int rc = pl_per_layer_open(m, net, "attention.recurrent_layers", 0, &flags, err);
        if (rc < 0)
            return rc;
        if (flags.kv == NULL && interval == 0)
            return pl_net_bad(m, "divides by", "full_attention_interval", err);
    }
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        struct pl_layer *l = &net->layer[il];
        bool recurrent = false, attends = true;
        switch (a->recurrent_layers) {
        case PL_RECURRENT_LAYERS_NONE:
            break;
        case PL_RECURRENT_LAYERS_EVERY:
            recurrent = true;
            break;
        case PL_RECURRENT_LAYERS_BOTH:
            l->kind = PL_LAYER_BOTH;
            continue;
        case PL_RECURRENT_LAYERS_NO_KV:
            recurrent = l->n_head_kv == 0;
            break;
        case PL_RECURRENT_LAYERS_NO_KV_NO_FF:
            recurrent = l->n_head_kv == 0 && l->n_ff == 0;
            attends = l->n_ff == 0;
            break;
        case PL_RECURRENT_LAYERS_INTERVAL:
            recurrent = flags.kv != NULL ? pl_per_layer_get(&flags, il) != 0
                                         : !l->nextn && (il + 1) % interval != 0;
            break;
        }
        l->kind = recurrent ? PL_LAYER_RECURRENT
                  : attends ? PL_LAYER_ATTENTION
                            : PL_LAYER_FEED_FORWARD;
    }
    return 0;
}

/* llama_hparams::n_embd_r + n_embd_s; src/models/qwen4exp.cpp keeps more for its embedding layers
 */
static bool pl_state_values(const struct pl_net *net, uint64_t *ret)
{
    uint64_t conv = net->d_conv > 0 ? net->d_conv - 1 : 0, r = 0, s = 0, inner = 0, groups = 0;
    uint64_t n_head = net->layer[0].n_head, head = net->layer[0].head_k;
    bool ok = true;
    switch (net->arch->recurrent) {
    case PL_RECURRENT_NONE:
        break;
    case PL_RECURRENT_MAMBA:
        ok = pl_mul_u64(2 * net->n_group, net->d_state, &groups) &&
             pl_add_u64(net->d_inner, groups, &inner) && pl_mul_u64(conv, inner, &r) &&
             pl_mul_u64(net->d_state, net->d_inner, &s);
        break;
    case PL_RECURRENT_RWKV:
        s = net->n_embd * net->head_wkv;
        break;
    case PL_RECURRENT_SHORTCONV:
        r = net->n_embd * (net->l_cache > 0 ? net->l_cache - 1 : 0);
        break;
    case PL_RECURRENT_KDA:
        inner = n_head * net->head_kda;
        ok = pl_mul_u64(3 * (net->d_conv > 0 ? conv : 3), inner, &r) &&
             pl_mul_u64(inner, net->head_kda, &s);
        break;
    case PL_RECURRENT_LIGHTNING:
        ok = pl_mul_u64(head * head, n_head, &s);
        break;
    }
    return ok && pl_add_u64(r, s, ret);
}

/* The rows that a layer with per-layer embeddings remembers: llama_hparams::ple_conv_state */
static bool pl_state_ple(const struct pl_model *m, const struct pl_net *net, uint32_t il,
                         uint64_t *ret)
{
    const struct pl_kv *layers = pl_model_arch_kv(m, "ple.layers");
    uint64_t kernel = pl_model_arch_u64(m, "ple.conv_kernel", 0), wide = 0;
    *ret = 0;
    if (layers == NULL || layers->type != PL_KV_ARRAY || layers->ints == NULL || kernel == 0)
        return true;
    for (uint64_t i = 0; i < layers->count; i++) {
        if (layers->ints[i] == (int64_t)il)
            return pl_mul_u64(kernel - 1, pl_model_arch_u64(m, "ple.ngram_size", 0), &wide) &&
                   pl_mul_u64(wide, net->n_hyper * net->n_embd, ret);
    }
    return true;
}

static int pl_layers_state(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    uint64_t state = 0, shifts = 0;
    if (!pl_state_values(net, &state))
        return pl_net_bad(m, "holds a recurrent state no model has", NULL, err);
    if (net->arch->recurrent == PL_RECURRENT_RWKV) {
        int rc = pl_net_u32(m, "token_shift_count", 2, &shifts, err);
        if (rc < 0)
            return rc;
        state += shifts * net->n_embd; /* both under 2^48 */
    }
    for (uint32_t il = 0; il < net->n_layer; il++) {
        struct pl_layer *l = &net->layer[il];
        uint64_t ple = 0;
        if (l->kind != PL_LAYER_RECURRENT && l->kind != PL_LAYER_BOTH)
            continue;
        if (!pl_state_ple(m, net, il, &ple) || !pl_add_u64(state, ple, &l->n_state) ||
            l->n_state > UINT64_MAX / 4096)
            return pl_net_bad(m, "holds a recurrent state no model has", NULL, err);
    }
    return 0;
}

/* Layers with a cache of their own: llama_hparams::has_kv and the filters of create_memory */
static int pl_layers_own(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    uint64_t owners = net->n_layer_all, shared = 0;
    if (net->arch->kv_from == PL_KV_FROM_FIRST20 && owners > 20)
        owners = 20;
    if (net->arch->kv_from == PL_KV_FROM_SHARED) {
        shared = pl_model_arch_u64(m, "attention.shared_kv_layers", 0);
        if (shared >= owners || owners - shared < 2)
            return pl_net_bad(m, "leaves no layer with a cache:", "attention.shared_kv_layers",
                              err);
        owners -= shared;
    }
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        struct pl_layer *l = &net->layer[il];
        bool attends = l->kind == PL_LAYER_ATTENTION || l->kind == PL_LAYER_BOTH;
        l->owns_kv =
            net->has_cache && attends && il < owners && (!l->nextn || net->arch->router != 0);
    }
    return 0;
}

static bool pl_indexer_has(const struct pl_net *net, const struct pl_per_layer *types, uint32_t il)
{
    const struct pl_layer *l = &net->layer[il];
    switch (net->arch->indexer) {
    case PL_INDEXER_NONE:
        return false;
    case PL_INDEXER_TRUNK:
        return true;
    case PL_INDEXER_TYPES:
        if (l->windowed)
            return false;
        if (types->kv != NULL)
            return pl_per_layer_get(types, il) != 0;
        return net->n_ctx_train < PL_INDEXER_ALL_BELOW || il < 2 || (il - 2) % 4 == 0;
    case PL_INDEXER_EXPERTS:
        return il >= net->n_layer_dense_lead;
    case PL_INDEXER_ATTENTION:
        return l->kind == PL_LAYER_ATTENTION;
    case PL_INDEXER_RATIO:
        return l->ratio == PL_RATIO_CSA;
    }
    return false;
}

static int pl_layers_sparse(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    struct pl_per_layer types = {0};
    const struct pl_kv *ratios = pl_model_arch_kv(m, "attention.compress_ratios");
    int rc = 0;
    if (net->arch->indexer == PL_INDEXER_TYPES)
        rc = pl_per_layer_open(m, net, "attention.indexer.types", 0, &types, err);
    if (rc < 0)
        return rc;
    if (net->arch->memory == PL_MEMORY_DSV4 &&
        (ratios == NULL || ratios->type != PL_KV_ARRAY || ratios->ints == NULL ||
         ratios->count < net->n_layer_all))
        return pl_net_bad(m, "lacks a ratio for every layer in", "attention.compress_ratios", err);
    for (uint32_t il = 0; il < net->n_layer; il++) {
        struct pl_layer *l = &net->layer[il];
        if (net->arch->memory == PL_MEMORY_DSV4) {
            int64_t ratio = ratios->ints[il];
            if (ratio != 0 && ratio != PL_RATIO_CSA && ratio != PL_RATIO_HCA)
                return pl_net_bad(m, "holds a ratio other than 0, 4 and 128 in",
                                  "attention.compress_ratios", err);
            l->ratio = (uint32_t)ratio;
        }
        if (pl_indexer_has(net, &types, il))
            l->n_indexer = (uint32_t)net->indexer_head * net->arch->indexer_keys;
    }
    return 0;
}

/* Which layers the file gives routed experts. */
static void pl_layers_experts(const struct pl_model *m, struct pl_net *net)
{
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        uint64_t il = 0;
        if (strstr(m->tensor[i].name, "_exps.") != NULL &&
            pl_tensor_layer(m->tensor[i].name, &il) && il < net->n_layer_all)
            net->layer[il].moe = true;
    }
}

int pl_net_layers(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    int rc = pl_layers_heads(m, net, err);
    if (rc == 0)
        rc = pl_layers_recurrent(m, net, err);
    if (rc == 0)
        rc = pl_layers_window(m, net, err);
    if (rc == 0)
        rc = pl_layers_widths(m, net, err);
    if (rc == 0)
        rc = pl_layers_state(m, net, err);
    if (rc == 0)
        rc = pl_layers_own(m, net, err);
    if (rc == 0)
        rc = pl_layers_sparse(m, net, err);
    if (rc == 0)
        pl_layers_experts(m, net);
    return rc;
}
