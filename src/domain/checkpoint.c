#include "domain/checkpoint.h"

#include "base/checked.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

static bool pl_has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

static bool pl_has_any(const char *name, const char *const *parts)
{
    for (; *parts != NULL; parts++) {
        if (pl_has(name, *parts))
            return true;
    }
    return false;
}

uint64_t pl_tensor_elements(const struct pl_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        if (!pl_mul_u64(n, t->ne[i], &n))
            return 0;
    }
    return n;
}

enum pl_role pl_checkpoint_role(const struct pl_tensor *t)
{
    /* what quantisers store beside or instead of a weight (GPTQ, AWQ, compressed-tensors, FP8,
     * bitsandbytes) */
    static const char *const packed[] = {
        "qweight",       "qzeros",       "g_idx",       "weight_packed",
        "weight_scale",  "weight_shape", "input_scale", "weight_zero_point",
        "absmax",        "quant_map",    "quant_state", "weight.SCB",
        "weight_format", "scale_inv",    "k_scale",     "v_scale",
        "_blocks",       "_scales",      NULL};
    static const char *const made[] = {"rope_freqs", "rope_factors", "rotary_emb.inv_freq", NULL};
    static const char *const tables[] = {"embed_tokens",   "token_embd",
                                         "tok_embeddings", "word_embeddings",
                                         "position_embd",  "position_embeddings",
                                         ".wte.",          ".wpe.",
                                         "token_types",    "token_type_embeddings",
                                         "embed_in.",      "shared.weight",
                                         "per_layer_embd", NULL};
    static const char *const others[] = {"norm",    "conv1d", "ssm_conv",  "ssm_a",     ".A_log",
                                         "dt_bias", "ln_f",   "layernorm", "pos_embed", NULL};
    const char *name = t->name;
    if (pl_has_any(name, made))
        return PL_ROLE_NONE;
    if (pl_has_any(name, packed) || pl_ends(name, ".scales"))
        return PL_ROLE_QUANT;
    if (pl_has_any(name, tables) || pl_starts(name, "wte.") || pl_starts(name, "wpe."))
        return PL_ROLE_EMBEDDING;
    if (pl_streq(name, "output.weight") || pl_ends(name, "lm_head.weight") ||
        pl_ends(name, "embed_out.weight"))
        return PL_ROLE_HEAD;
    if (pl_has_any(name, others) || pl_ends(name, ".bias"))
        return PL_ROLE_OTHER;
    if (t->n_dims == 2)
        return PL_ROLE_LINEAR;
    return t->n_dims == 3 && pl_has(name, "exp") ? PL_ROLE_EXPERTS : PL_ROLE_OTHER;
}

const struct pl_tensor *pl_checkpoint_spare_head(const struct pl_model *m)
{
    const struct pl_kv *says = pl_model_kv(m, "config.tie_word_embeddings");
    const struct pl_tensor *head = NULL;
    if (says == NULL || says->type != PL_KV_BOOL || says->u == 0)
        return NULL;
    for (uint64_t i = 0; i < m->n_tensor && head == NULL; i++)
        head = pl_checkpoint_role(&m->tensor[i]) == PL_ROLE_HEAD ? &m->tensor[i] : NULL;
    for (uint64_t i = 0; i < m->n_tensor && head != NULL; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        if (pl_checkpoint_role(t) == PL_ROLE_EMBEDDING && t->ne[0] == head->ne[0] &&
            t->ne[1] == head->ne[1])
            return head;
    }
    return NULL;
}

static int pl_checkpoint_missing(const struct pl_model *m, const char *what, struct pl_err *err)
{
    (void)pl_fail(err, -ENOTSUP, "%.80s: cannot tell: %s is not in its header", m->arch, what);
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

/* State of a recurrent layer, by the keys that GGUF gives it. */
static void pl_checkpoint_recurrent(const struct pl_model *m, struct pl_checkpoint *c)
{
    uint64_t conv = pl_model_arch_u64(m, "ssm.conv_kernel", 0);
    uint64_t inner = pl_model_arch_u64(m, "ssm.inner_size", 0);
    uint64_t state = pl_model_arch_u64(m, "ssm.state_size", 0);
    uint64_t groups = pl_model_arch_u64(m, "ssm.group_count", 0);
    if (conv == 0 || inner == 0 || state == 0)
        return;
    c->conv_state = pl_mul_sat(conv, pl_add_sat(inner, pl_mul_sat(2, pl_mul_sat(groups, state))));
    c->recurrent_state = pl_mul_sat(inner, state);
}

/* Where no header says it: one layer in so many sees everything, the others a window. As the
 * models' own config.json have it (gemma2, gpt-oss: layer_types alternate; gemma3:
 * sliding_window_pattern 6; cohere2: sliding_window_pattern 4). */
static uint64_t pl_checkpoint_full_every(const char *arch)
{
    static const struct {
        const char *arch;
        uint64_t every;
    } known[] = {
        {"gemma2",  2},
        {"gemma3",  6},
        {"gpt-oss", 2},
        {"cohere2", 4}
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (pl_streq(known[i].arch, arch))
            return known[i].every;
    }
    return 0;
}

static void pl_checkpoint_layers(const struct pl_model *m, struct pl_checkpoint *c)
{
    const struct pl_kv *pattern = pl_model_arch_kv(m, "attention.sliding_window_pattern");
    uint64_t every = pl_model_arch_u64(m, "full_attention_interval", 0);
    c->window = pl_model_arch_u64(m, "attention.sliding_window", 0);
    uint64_t full = pl_checkpoint_full_every(m->arch);
    bool listed = pattern != NULL && pattern->ints != NULL && pattern->count >= c->n_layer;
    c->window_known = c->window == 0 || listed || full > 0;
    bool by_layer = pl_model_arch_kv(m, "attention.head_count_kv_by_layer") != NULL;
    for (uint64_t il = 0; il < c->n_layer; il++) {
        c->n_head_kv[il] = c->latent > 0
                               ? c->n_head
                               : pl_model_layer_u64(m, "attention.head_count_kv", il, c->n_head);
        if (by_layer)
            c->n_head_kv[il] = pl_model_layer_u64(m, "attention.head_count_kv_by_layer", il, 0);
        if (every > 0 && (il + 1) % every != 0)
            c->n_head_kv[il] = 0;
        c->n_recurrent += c->n_head_kv[il] == 0 && c->recurrent_state > 0;
        if (c->window > 0)
            c->window_of[il] = listed ? pattern->ints[il] != 0 : full == 0 || (il + 1) % full != 0;
    }
}

/* The widest row of activations that a token has in a feed-forward block. */
static void pl_checkpoint_wide(const struct pl_model *m, struct pl_checkpoint *c)
{
    uint64_t experts = pl_mul_sat(pl_model_arch_u64(m, "expert_feed_forward_length", 0),
                                  c->n_expert_used > 0 ? c->n_expert_used : 1);
    for (uint64_t il = 0; il < c->n_layer; il++) {
        uint64_t ff = pl_model_layer_u64(m, "feed_forward_length", il, 0);
        c->n_ff = ff > c->n_ff ? ff : c->n_ff;
    }
    c->n_ff = experts > c->n_ff ? experts : c->n_ff;
}

static void pl_checkpoint_tensors(const struct pl_model *m, struct pl_checkpoint *c)
{
    const struct pl_tensor *spare = pl_checkpoint_spare_head(m);
    bool head = false;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        enum pl_role role = t != spare ? pl_checkpoint_role(t) : PL_ROLE_NONE;
        head |= role == PL_ROLE_HEAD;
        c->stored_quantised |= role == PL_ROLE_QUANT;
        if (role == PL_ROLE_EMBEDDING && c->n_vocab == 0 && t->n_dims == 2)
            c->n_vocab = t->ne[1];
        if (role != PL_ROLE_NONE && role != PL_ROLE_QUANT)
            c->parameters = pl_add_sat(c->parameters, pl_tensor_elements(t));
    }
    c->tied = !head;
}

int pl_checkpoint_read(const struct pl_model *m, struct pl_checkpoint *ret, struct pl_err *err)
{
    struct pl_checkpoint *c = ret;
    *c = (struct pl_checkpoint){0};
    c->n_layer = pl_model_arch_u64(m, "block_count", 0);
    c->n_embd = pl_model_arch_u64(m, "embedding_length", 0);
    c->n_head = pl_model_arch_u64(m, "attention.head_count", 0);
    c->n_ctx_train = pl_model_arch_u64(m, "context_length", 0);
    c->n_expert = pl_model_arch_u64(m, "expert_count", 0);
    c->n_expert_used = pl_model_arch_u64(m, "expert_used_count", 0);
    if (c->n_layer == 0)
        return pl_checkpoint_missing(m, "the number of layers", err);
    if (c->n_layer > PL_CHECKPOINT_LAYERS_MAX)
        return pl_exit_as(
            err,
            pl_fail(err, -EBADMSG, "%.80s: %llu layers", m->arch, (unsigned long long)c->n_layer),
            PL_EXIT_USAGE);
    for (uint64_t il = 0; c->n_head == 0 && il < c->n_layer; il++) /* the first may have none */
        c->n_head = pl_model_layer_u64(m, "attention.head_count", il, 0);
    if (c->n_embd == 0)
        return pl_checkpoint_missing(m, "the width of its rows", err);
    uint64_t head = c->n_head > 0 ? c->n_embd / c->n_head : 0;
    c->head_dim_k = pl_model_arch_u64(m, "attention.key_length", head);
    c->head_dim_v = pl_model_arch_u64(m, "attention.value_length", head);
    c->latent = pl_model_arch_u64(m, "attention.kv_lora_rank", 0);
    if (c->latent > 0) {
        /* GGUF keeps the compressed lengths as those of its one key head */
        c->latent_rope = pl_sub_floor(c->head_dim_k, c->latent);
        c->head_dim_k = pl_model_arch_u64(m, "attention.key_length_mla", c->head_dim_k);
        c->head_dim_v = pl_model_arch_u64(m, "attention.value_length_mla", c->head_dim_v);
    }
    pl_checkpoint_recurrent(m, c);
    pl_checkpoint_layers(m, c);
    pl_checkpoint_wide(m, c);
    pl_checkpoint_tensors(m, c);
    return 0;
}

void pl_checkpoint_kv(const struct pl_checkpoint *c, uint64_t n, uint64_t bytes, uint64_t *ret_low,
                      uint64_t *ret_likely, uint64_t *ret_high)
{
    uint64_t head = pl_add_sat(c->head_dim_k, c->head_dim_v);
    *ret_low = *ret_likely = *ret_high = 0;
    for (uint64_t il = 0; il < c->n_layer; il++) {
        uint64_t row = pl_mul_sat(pl_mul_sat(c->n_head_kv[il], head), bytes);
        uint64_t kept = c->window_of[il] && n > c->window ? c->window : n;
        uint64_t all = pl_mul_sat(row, n), windowed = pl_mul_sat(row, kept);
        *ret_low = pl_add_sat(*ret_low, windowed);
        *ret_likely = pl_add_sat(*ret_likely, c->window_known ? windowed : all);
        *ret_high = pl_add_sat(*ret_high, c->window_known ? windowed : all);
    }
}
