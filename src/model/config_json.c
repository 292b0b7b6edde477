/* config.json of a checkpoint into keys with GGUF's names (model/safetensors.h). A model that sees
 * or hears keeps the language part's numbers below "text_config", "llm_config" or
 * "thinker_config.text_config". */
#include "base/checked.h"
#include "base/json.h"
#include "base/str.h"
#include "model/safetensors.h"

#include <errno.h>
#include <string.h>

#define PL_CONFIG_KEYS_MAX 64u
#define PL_CONFIG_LAYERS_MAX PL_KV_INTS_MAX
#define PL_CONFIG_NAMES_MAX 5

struct pl_config {
    struct pl_model *m;
    pl_jval text, root; /* the language part; the whole */
    const char *arch;
    bool no_memory;
};

/* What GGUF's key is called in config.json; the first that is there counts. */
static const struct pl_config_key {
    const char *key;
    const char *names[PL_CONFIG_NAMES_MAX];
} pl_config_keys[] = {
    {"block_count",                {"num_hidden_layers", "n_layer", "num_layers", "n_layers"}                 },
    {"embedding_length",           {"hidden_size", "n_embd", "d_model", "model_dim"}                          },
    {"feed_forward_length",        {"intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size"}     },
    {"attention.head_count",       {"num_attention_heads", "n_head", "num_heads", "n_heads"}                  },
    {"context_length",             {"max_position_embeddings", "n_positions", "max_seq_len", "seq_length"}    },
    {"vocab_size",                 {"vocab_size", "padded_vocab_size"}                                        },
    {"expert_count",               {"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"}},
    {"expert_used_count",
     {"num_experts_per_tok", "num_experts_per_token", "moe_top_k", "top_k_experts"}                           },
    {"expert_feed_forward_length", {"moe_intermediate_size", "expert_ffn_hidden_size"}                        },
    {"attention.kv_lora_rank",     {"kv_lora_rank"}                                                           },
    {"full_attention_interval",    {"full_attention_interval"}                                                },
    {"ssm.state_size",             {"linear_key_head_dim", "mamba_d_state", "ssm_state_size", "state_size"}   },
    {"ssm.conv_kernel",
     {"linear_conv_kernel_dim", "mamba_d_conv", "conv_kernel", "conv_kernel_size"}                            },
    {"ssm.group_count",            {"linear_num_key_heads", "mamba_n_groups", "n_groups"}                     },
};

static struct pl_kv *pl_config_new(struct pl_config *c, const char *prefix, const char *suffix,
                                   enum pl_kv_type type)
{
    char key[160];
    static struct pl_kv spare; /* beyond the limit: written and forgotten */
    if (c->m->n_kv >= PL_CONFIG_KEYS_MAX)
        return &spare;
    struct pl_kv *kv = &c->m->kv[c->m->n_kv];
    bool fits = PL_FMT(key, "%s.%s", prefix, suffix);
    *kv = (struct pl_kv){.key = fits ? pl_arena_strdup(&c->m->arena, key) : NULL,
                         .type = type,
                         .element = type,
                         .count = 1};
    if (kv->key == NULL) {
        c->no_memory = true;
        return &spare;
    }
    c->m->n_kv++;
    return kv;
}

static void pl_config_put(struct pl_config *c, const char *suffix, uint64_t v)
{
    if (v <= INT64_MAX)
        pl_config_new(c, c->arch, suffix, PL_KV_U64)->u = v;
}

static void pl_config_str(struct pl_config *c, const char *prefix, const char *suffix,
                          const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    char *copy = pl_arena_strndup(&c->m->arena, text, strnlen(text, 200));
    if (copy == NULL) {
        c->no_memory = true;
        return;
    }
    pl_text_clean(copy);
    struct pl_kv *kv = pl_config_new(c, prefix, suffix, PL_KV_STR);
    kv->str = copy;
    kv->count = strlen(copy);
}

/* A number of the language part, or of the whole. */
static bool pl_config_u64(const struct pl_config *c, const char *name, uint64_t *ret)
{
    return pl_ju64(pl_jget(c->text, name), ret) || pl_ju64(pl_jget(c->root, name), ret);
}

static pl_jval pl_config_get(const struct pl_config *c, const char *name)
{
    pl_jval v = pl_jget(c->text, name);
    return v != NULL ? v : pl_jget(c->root, name);
}

static uint64_t pl_config_or(const struct pl_config *c, const char *name, uint64_t absent)
{
    uint64_t v = absent;
    return pl_config_u64(c, name, &v) ? v : absent;
}

static void pl_config_numbers(struct pl_config *c)
{
    for (size_t i = 0; i < sizeof(pl_config_keys) / sizeof(pl_config_keys[0]); i++) {
        const struct pl_config_key *k = &pl_config_keys[i];
        uint64_t v = 0;
        for (int n = 0; n < PL_CONFIG_NAMES_MAX && k->names[n] != NULL; n++) {
            if (pl_config_u64(c, k->names[n], &v)) {
                pl_config_put(c, k->key, v);
                break;
            }
        }
    }
    uint64_t inner = 0;
    if (!pl_mul_u64(pl_config_or(c, "linear_num_value_heads", 0),
                    pl_config_or(c, "linear_value_head_dim", 0), &inner) ||
        inner == 0)
        inner = pl_config_or(c, "mamba_d_inner", 0);
    if (inner == 0 && !pl_mul_u64(pl_config_or(c, "mamba_num_heads", 0),
                                  pl_config_or(c, "mamba_head_dim", 0), &inner))
        inner = 0;
    if (inner == 0 &&
        !pl_mul_u64(pl_config_or(c, "expand", 0), pl_config_or(c, "hidden_size", 0), &inner))
        inner = 0;
    if (inner > 0)
        pl_config_put(c, "ssm.inner_size", inner);
}

static void pl_config_heads(struct pl_config *c)
{
    uint64_t dim = 0, kv = 0;
    uint64_t lora = pl_config_or(c, "kv_lora_rank", 0),
             rope = pl_config_or(c, "qk_rope_head_dim", 0);
    if (pl_config_u64(c, "num_key_value_heads", &kv) || pl_config_u64(c, "num_kv_heads", &kv) ||
        pl_config_u64(c, "multi_query_group_num", &kv))
        pl_config_put(c, "attention.head_count_kv", kv);
    else if (pl_jbool(pl_config_get(c, "multi_query"), false))
        pl_config_put(c, "attention.head_count_kv", 1);
    if (lora > 0) { /* as GGUF keeps it: the compressed length, and that of a head beside */
        pl_config_put(c, "attention.key_length", pl_add_sat(lora, rope));
        pl_config_put(c, "attention.value_length", lora);
        pl_config_put(c, "attention.key_length_mla",
                      pl_add_sat(pl_config_or(c, "qk_nope_head_dim", 0), rope));
        pl_config_put(c, "attention.value_length_mla", pl_config_or(c, "v_head_dim", 0));
    } else if (pl_config_u64(c, "head_dim", &dim) || pl_config_u64(c, "kv_channels", &dim)) {
        pl_config_put(c, "attention.key_length", dim);
        pl_config_put(c, "attention.value_length", pl_config_or(c, "v_head_dim", dim));
    }
}

static int64_t *pl_config_layers(struct pl_config *c, const char *suffix, uint64_t n)
{
    int64_t *one = pl_arena_alloc(&c->m->arena, (size_t)n, sizeof(*one));
    if (one == NULL) {
        c->no_memory = true;
        return NULL;
    }
    struct pl_kv *kv = pl_config_new(c, c->arch, suffix, PL_KV_ARRAY);
    kv->element = PL_KV_I64;
    kv->count = n;
    kv->ints = one;
    return one;
}

/* "layer_types" says of each layer what it attends to; older ones say every how many. */
static void pl_config_windows(struct pl_config *c)
{
    uint64_t window = 0, layers = pl_model_arch_u64(c->m, "block_count", 0), every = 0;
    pl_jval types = pl_config_get(c, "layer_types");
    bool listed = layers > 0 && pl_jlen(types) == layers && layers <= PL_CONFIG_LAYERS_MAX;
    bool any = false;
    if ((pl_config_u64(c, "sliding_window", &window) ||
         pl_config_u64(c, "attention_chunk_size", &window)) &&
        pl_jbool(pl_config_get(c, "use_sliding_window"), true) && window > 0)
        pl_config_put(c, "attention.sliding_window", window);
    if (!pl_config_u64(c, "sliding_window_pattern", &every))
        (void)pl_config_u64(c, "_sliding_window_pattern", &every);
    if (!listed && (every == 0 || layers == 0 || layers > PL_CONFIG_LAYERS_MAX))
        return;
    int64_t *slides = pl_config_layers(c, "attention.sliding_window_pattern", layers);
    for (uint64_t il = 0; slides != NULL && il < layers; il++) {
        const char *type = pl_jstr(pl_jat(types, il), "");
        slides[il] = listed ? pl_starts(type, "sliding") || pl_starts(type, "chunked")
                            : (il + 1) % every != 0;
        any |= listed && pl_starts(type, "linear");
    }
    if (!any || pl_model_arch_kv(c->m, "full_attention_interval") != NULL)
        return;
    uint64_t kv = pl_model_arch_u64(c->m, "attention.head_count_kv",
                                    pl_model_arch_u64(c->m, "attention.head_count", 0));
    int64_t *heads = pl_config_layers(c, "attention.head_count_kv_by_layer", layers);
    for (uint64_t il = 0; heads != NULL && il < layers; il++)
        heads[il] = pl_starts(pl_jstr(pl_jat(types, il), ""), "linear") ? 0 : (int64_t)kv;
}

/* Types and quantisation: what the engines look at first. */
static void pl_config_types(struct pl_config *c)
{
    pl_jval q = pl_jget(c->root, "quantization_config");
    uint64_t v = 0;
    if (!pl_jis_object(q))
        q = pl_jget(c->root, "compression_config");
    if (!pl_jis_object(q))
        q = pl_jget(c->text, "quantization_config");
    pl_jval dtype = pl_config_get(c, "torch_dtype");
    pl_config_str(c, "config", "dtype",
                  pl_jstr(dtype != NULL ? dtype : pl_config_get(c, "dtype"), NULL));
    pl_jval tied = pl_config_get(c, "tie_word_embeddings");
    if (tied != NULL) /* where it is not said, what is depends on the architecture */
        pl_config_new(c, "config", "tie_word_embeddings", PL_KV_BOOL)->u = pl_jbool(tied, false);
    if (!pl_jis_object(q))
        return;
    const char *method = pl_jstr(pl_jget(q, "quant_method"), NULL);
    if (method == NULL && (pl_jbool(pl_jget(q, "load_in_4bit"), false) ||
                           pl_jbool(pl_jget(q, "load_in_8bit"), false)))
        method = "bitsandbytes";
    pl_config_str(c, "config", "quant_method", method);
    if (pl_ju64(pl_jget(q, "bits"), &v) ||
        (pl_jbool(pl_jget(q, "load_in_4bit"), false) && (v = 4)) ||
        (pl_jbool(pl_jget(q, "load_in_8bit"), false) && (v = 8)))
        pl_config_new(c, "config", "quant_bits", PL_KV_U64)->u = v;
    if (pl_ju64(pl_jget(q, "group_size"), &v))
        pl_config_new(c, "config", "quant_group", PL_KV_U64)->u = v;
}

static pl_jval pl_config_text_part(pl_jval root)
{
    static const char *const names[] = {"text_config", "llm_config", "language_config"};
    pl_jval thinker = pl_jget(root, "thinker_config");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        pl_jval v = pl_jget(thinker != NULL ? thinker : root, names[i]);
        if (pl_jis_object(v))
            return v;
    }
    return root;
}

/* model_type is a plain word; anything else is not taken for a name. */
static int pl_config_arch(struct pl_config *c, const char *name, struct pl_err *err)
{
    char word[64];
    const char *type = pl_jstr(pl_jget(c->root, "model_type"), "unknown");
    if (!pl_take_name(word, sizeof(word), type, strlen(type)) || strchr(word, '.') != NULL) {
        (void)pl_fail(err, -EBADMSG, "model_type is no plain word");
        pl_err_at(err, name, 0, 0);
        return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
    }
    c->arch = c->m->arch = pl_arena_strdup(&c->m->arena, word);
    return c->arch != NULL ? 0 : pl_fail(err, -ENOMEM, "no memory for the header");
}

int pl_config_read(struct pl_model *m, const char *text, size_t len, const char *name,
                   struct pl_err *err)
{
    struct pl_config c = {.m = m};
    struct pl_jdoc *doc = NULL;
    int rc = pl_jdoc_parse(text, len, name, &doc, err);
    if (rc < 0)
        return pl_exit_as(err, rc == -EINVAL ? -EBADMSG : rc, PL_EXIT_USAGE);
    c.root = pl_jdoc_root(doc);
    c.text = pl_config_text_part(c.root);
    m->kv = pl_arena_alloc(&m->arena, PL_CONFIG_KEYS_MAX, sizeof(*m->kv));
    if (!pl_jis_object(c.root)) {
        rc = pl_fail(err, -EBADMSG, "config.json: not an object");
        pl_err_at(err, name, 0, 0);
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    } else if (m->kv == NULL) {
        rc = pl_fail(err, -ENOMEM, "no memory for the header");
    } else {
        rc = pl_config_arch(&c, name, err);
    }
    if (rc == 0) {
        pl_config_str(&c, "general", "architecture", c.arch);
        pl_config_numbers(&c);
        pl_config_heads(&c);
        pl_config_windows(&c);
        pl_config_types(&c);
        if (c.no_memory)
            rc = pl_fail(err, -ENOMEM, "no memory for the header");
    }
    (void)pl_jdoc_free(doc);
    return rc;
}
