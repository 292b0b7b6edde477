#include "model/mix_rules.h"

#include "base/str.h"
#include "domain/tensor_type.h"

#include <string.h>

/* ggml.h, enum ggml_type. */
enum {
    T_F32 = 0,
    T_F16 = 1,
    T_Q4_0 = 2,
    T_Q4_1 = 3,
    T_Q5_0 = 6,
    T_Q5_1 = 7,
    T_Q8_0 = 8,
    T_Q2_K = 10,
    T_Q3_K = 11,
    T_Q4_K = 12,
    T_Q5_K = 13,
    T_Q6_K = 14,
    T_IQ2_XXS = 16,
    T_IQ2_XS = 17,
    T_IQ3_XXS = 18,
    T_IQ1_S = 19,
    T_IQ4_NL = 20,
    T_IQ3_S = 21,
    T_IQ2_S = 22,
    T_IQ4_XS = 23,
    T_IQ1_M = 29,
    T_BF16 = 30,
    T_TQ1_0 = 34,
    T_TQ2_0 = 35,
    T_MXFP4 = 39,
    T_Q2_0 = 42,
};

/* Mixes as bits, by llama.h's enum llama_ftype. */
#define M(file_type) (1ull << (file_type))
#define M_Q4_0 M(2)
#define M_Q8_0 M(7)
#define M_Q5_0 M(8)
#define M_Q2_K M(10)
#define M_Q3_K_S M(11)
#define M_Q3_K_M M(12)
#define M_Q3_K_L M(13)
#define M_Q4_K_S M(14)
#define M_Q4_K_M M(15)
#define M_Q5_K_M M(17)
#define M_IQ2_XXS M(19)
#define M_IQ2_XS M(20)
#define M_Q2_K_S M(21)
#define M_IQ3_XS M(22)
#define M_IQ3_XXS M(23)
#define M_IQ1_S M(24)
#define M_IQ4_NL M(25)
#define M_IQ3_S M(26)
#define M_IQ3_M M(27)
#define M_IQ2_S M(28)
#define M_IQ2_M M(29)
#define M_IQ4_XS M(30)
#define M_IQ1_M M(31)
#define M_TQ1_0 M(36)
#define M_TQ2_0 M(37)
#define M_MXFP4 M(38)
#define M_Q2_0 M(41)
/* the low mixes have rules of their own; so has MXFP4_MOE */
#define M_LOW (M_IQ1_S | M_IQ1_M | M_IQ2_XXS | M_IQ2_XS | M_IQ2_S | M_IQ2_M)
#define M_REST (~(M_LOW | M_MXFP4))

enum pl_class {
    PL_CLASS_OTHER = 0,
    PL_CLASS_OUTPUT,    /* output.weight, and token_embd.weight of a tied model */
    PL_CLASS_EMBEDDING, /* the token embedding otherwise */
    PL_CLASS_VALUE,     /* attn_v, attn_qkv, attn_kv_b */
    PL_CLASS_KEY,
    PL_CLASS_QUERY,
    PL_CLASS_ATTN_OUT,
    PL_CLASS_DOWN,
    PL_CLASS_GATE_UP,
};

/* Conditions of a rule; all that are named must hold. i is the running index of the class, or the
 * layer for the feed-forward classes of a mixture of experts; n the number of layers. */
enum {
    IF_GQA4 = 1 << 0,    /* n_head / n_head_kv >= 4 */
    IF_EXPERT4 = 1 << 1, /* four experts or more */
    IF_E8 = 1 << 2,      /* exactly eight experts */
    IF_NO_IMATRIX = 1 << 3,
    IF_IMATRIX = 1 << 4,
    IF_FALCON = 1 << 5,
    IF_FIRST2 = 1 << 6,  /* i < 2 */
    IF_FIRST4 = 1 << 7,  /* i < 4 */
    IF_16TH = 1 << 8,    /* i < n/16 */
    IF_8TH = 1 << 9,     /* i < n/8 */
    IF_MORE = 1 << 10,   /* the first and last eighth and every third between */
    IF_MIDDLE = 1 << 11, /* neither the first nor the last eighth */
};
#define IF_INDEX ((uint32_t)(IF_FIRST2 | IF_FIRST4 | IF_16TH | IF_8TH | IF_MORE | IF_MIDDLE))

struct pl_mix_rule {
    enum pl_class class;
    uint64_t mixes;
    uint32_t when;
    uint32_t type; /* 0 (F32) = keep the default and stop looking */
};

/* The first row that matches decides; without one the mix's default type stands. Same order as the
 * branches of llama_tensor_get_type_impl. */
static const struct pl_mix_rule pl_mix_rules[] = {
    {PL_CLASS_EMBEDDING, M_IQ1_S | M_IQ1_M | M_IQ2_XXS | M_IQ2_XS,           0,                      T_Q2_K   },
    {PL_CLASS_EMBEDDING, M_IQ2_S | M_IQ2_M | M_IQ3_XXS,                      0,                      T_IQ3_S  },
    {PL_CLASS_EMBEDDING, M_TQ1_0 | M_TQ2_0 | M_Q2_0,                         0,                      T_Q4_K   },

    {PL_CLASS_VALUE,     M_LOW,                                              IF_GQA4,                T_Q4_K   },
    {PL_CLASS_VALUE,     M_LOW,                                              IF_EXPERT4,             T_Q4_K   },
    {PL_CLASS_VALUE,     M_IQ2_S | M_IQ2_M,                                  0,                      T_IQ3_S  },
    {PL_CLASS_VALUE,     M_LOW,                                              0,                      T_Q2_K   },
    {PL_CLASS_VALUE,     M_REST,                                             IF_E8,                  T_Q8_0   },
    {PL_CLASS_VALUE,     M_Q2_K | M_Q2_K_S | M_IQ3_XXS | M_IQ3_XS | M_IQ3_S, IF_GQA4,                T_Q4_K   },
    {PL_CLASS_VALUE,     M_Q2_K,                                             0,                      T_Q3_K   },
    {PL_CLASS_VALUE,     M_IQ3_XXS,                                          IF_NO_IMATRIX,          T_IQ3_S  },
    {PL_CLASS_VALUE,     M_IQ3_M,                                            0,                      T_Q4_K   },
    {PL_CLASS_VALUE,     M_Q3_K_M,                                           IF_FIRST2,              T_Q5_K   },
    {PL_CLASS_VALUE,     M_Q3_K_M,                                           0,                      T_Q4_K   },
    {PL_CLASS_VALUE,     M_Q3_K_L,                                           0,                      T_Q5_K   },
    {PL_CLASS_VALUE,     M_IQ4_NL | M_IQ4_XS,                                IF_GQA4,                T_Q5_K   },
    {PL_CLASS_VALUE,     M_Q4_K_M | M_Q5_K_M,                                IF_MORE,                T_Q6_K   },
    {PL_CLASS_VALUE,     M_Q4_K_S,                                           IF_FIRST4,              T_Q5_K   },

    {PL_CLASS_KEY,       M_LOW,                                              IF_E8,                  T_Q4_K   },
    {PL_CLASS_KEY,       M_REST,                                             IF_E8,                  T_Q8_0   },
    {PL_CLASS_KEY,       M_IQ3_XS,                                           0,                      T_IQ3_XXS},
    {PL_CLASS_KEY,       M_IQ3_XXS,                                          0,                      T_IQ2_S  },
    {PL_CLASS_QUERY,     M_IQ3_XS,                                           0,                      T_IQ3_XXS},
    {PL_CLASS_QUERY,     M_IQ3_XXS,                                          0,                      T_IQ2_S  },

    {PL_CLASS_ATTN_OUT,  M_LOW,                                              IF_E8,                  T_Q5_K   },
    {PL_CLASS_ATTN_OUT,  M_IQ1_S | M_IQ1_M,                                  0,                      T_IQ2_XXS},
    {PL_CLASS_ATTN_OUT,  M_IQ2_S | M_IQ2_M,                                  0,                      T_IQ3_S  },
    {PL_CLASS_ATTN_OUT,  M_Q3_K_L,                                           IF_FALCON,              T_Q4_K   },
    {PL_CLASS_ATTN_OUT,  M_REST,                                             IF_FALCON,              0        },
    {PL_CLASS_ATTN_OUT,
     M_Q2_K | M_IQ3_XS | M_IQ3_XXS | M_Q3_K_S | M_Q3_K_M | M_IQ4_NL | M_Q4_K_S | M_Q4_K_M |
         M_IQ3_S | M_IQ3_M | M_IQ4_XS,
     IF_E8,                                                                                          T_Q5_K   },
    {PL_CLASS_ATTN_OUT,  M_REST,                                             IF_E8,                  0        },
    {PL_CLASS_ATTN_OUT,  M_Q2_K,                                             0,                      T_Q3_K   },
    {PL_CLASS_ATTN_OUT,  M_IQ3_XXS,                                          0,                      T_IQ3_S  },
    {PL_CLASS_ATTN_OUT,  M_Q3_K_M | M_IQ3_M,                                 0,                      T_Q4_K   },
    {PL_CLASS_ATTN_OUT,  M_Q3_K_L,                                           0,                      T_Q5_K   },

    {PL_CLASS_DOWN,      M_IQ2_S | M_IQ2_M,                                  IF_8TH,                 T_IQ3_S  },
    {PL_CLASS_DOWN,      M_LOW,                                              IF_8TH,                 T_Q2_K   },
    {PL_CLASS_DOWN,      M_Q2_K,                                             0,                      T_Q3_K   },
    {PL_CLASS_DOWN,      M_Q2_K_S,                                           IF_8TH,                 T_Q4_K   },
    {PL_CLASS_DOWN,      M_IQ3_XXS,                                          IF_NO_IMATRIX | IF_8TH, T_Q4_K   },
    {PL_CLASS_DOWN,      M_IQ3_XXS,                                          IF_NO_IMATRIX,          T_Q3_K   },
    {PL_CLASS_DOWN,      M_Q3_K_M,                                           IF_16TH,                T_Q5_K   },
    {PL_CLASS_DOWN,      M_Q3_K_M,                                           IF_FALCON | IF_MORE,    T_Q4_K   },
    {PL_CLASS_DOWN,      M_Q3_K_M,                                           IF_FALCON,              T_Q3_K   },
    {PL_CLASS_DOWN,      M_Q3_K_M,                                           0,                      T_Q4_K   },
    {PL_CLASS_DOWN,      M_IQ3_M,                                            IF_8TH,                 T_Q4_K   },
    {PL_CLASS_DOWN,      M_IQ3_M,                                            IF_E8 | IF_MORE,        T_Q4_K   },
    {PL_CLASS_DOWN,      M_Q3_K_L,                                           IF_FALCON,              T_Q4_K   },
    {PL_CLASS_DOWN,      M_Q3_K_L,                                           0,                      T_Q5_K   },
    {PL_CLASS_DOWN,      M_Q4_K_M,                                           IF_FALCON | IF_16TH,    T_Q6_K   },
    {PL_CLASS_DOWN,      M_Q4_K_M,                                           IF_FALCON | IF_MORE,    T_Q5_K   },
    {PL_CLASS_DOWN,      M_Q4_K_M,                                           IF_FALCON,              T_Q4_K   },
    {PL_CLASS_DOWN,      M_Q4_K_M | M_Q5_K_M,                                IF_MORE,                T_Q6_K   },
    {PL_CLASS_DOWN,      M_IQ4_NL | M_IQ4_XS,                                IF_NO_IMATRIX | IF_8TH, T_Q5_K   },
    {PL_CLASS_DOWN,      M_Q4_K_S,                                           IF_FALCON,              0        },
    {PL_CLASS_DOWN,      M_Q4_K_S,                                           IF_8TH,                 T_Q5_K   },
    {PL_CLASS_DOWN,      M_Q4_0,                                             IF_IMATRIX | IF_8TH,    T_Q4_1   },
    {PL_CLASS_DOWN,      M_Q5_0,                                             IF_IMATRIX | IF_8TH,    T_Q5_1   },

    {PL_CLASS_GATE_UP,   M_IQ3_XS,                                           IF_MIDDLE,              T_IQ3_XXS},
};

#define PL_MIX_RULES (sizeof(pl_mix_rules) / sizeof(pl_mix_rules[0]))

static bool pl_mix_70b(const struct pl_mix_facts *f);

void pl_mix_walk_start(struct pl_mix_walk *w, const struct pl_mix *mix,
                       const struct pl_mix_facts *f)
{
    uint64_t bit = M(mix->file_type);
    w->mix = mix;
    w->facts = f;
    w->n_value = w->value = w->down = w->gate = w->up = 0;
    w->tied = true;
    w->eighty = pl_mix_70b(f);
    w->fixed = 0;
    w->fixed |= f->n_head_kv > 0 && f->n_head / f->n_head_kv >= 4 ? IF_GQA4 : 0;
    w->fixed |= f->n_expert >= 4 ? IF_EXPERT4 : 0;
    w->fixed |= f->n_expert == 8 ? IF_E8 : 0;
    w->fixed |= f->imatrix ? IF_IMATRIX : IF_NO_IMATRIX;
    w->fixed |= pl_streq(f->arch, "falcon") ? IF_FALCON : 0;
    memset(w->n_rule, 0, sizeof(w->n_rule));
    for (size_t r = 0; r < PL_MIX_RULES; r++) {
        const struct pl_mix_rule *rule = &pl_mix_rules[r];
        if ((rule->mixes & bit) != 0 && (rule->when & ~w->fixed & ~IF_INDEX) == 0 &&
            w->n_rule[rule->class] < PL_MIX_CLASS_RULES)
            w->rule[rule->class][w->n_rule[rule->class]++] = rule;
    }
}

static enum pl_class pl_mix_class(const char *name)
{
    static const struct {
        const char *part;
        enum pl_class class;
    } parts[] = {
        {"attn_v.weight",      PL_CLASS_VALUE   },
        {"attn_qkv.weight",    PL_CLASS_VALUE   },
        {"attn_kv_b.weight",   PL_CLASS_VALUE   },
        {"attn_k.weight",      PL_CLASS_KEY     },
        {"attn_q.weight",      PL_CLASS_QUERY   },
        {"attn_output.weight", PL_CLASS_ATTN_OUT},
        {"ffn_down",           PL_CLASS_DOWN    },
        {"ffn_gate",           PL_CLASS_GATE_UP },
        {"ffn_up",             PL_CLASS_GATE_UP },
    };
    if (pl_streq(name, "output.weight"))
        return PL_CLASS_OUTPUT;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(name, parts[i].part) != NULL)
            return parts[i].class;
    }
    return PL_CLASS_OTHER;
}

void pl_mix_walk_count(struct pl_mix_walk *w, const struct pl_mix_traits *t, uint64_t n)
{
    w->tied &= !t->output;
    w->n_value += t->class == PL_CLASS_VALUE ? n : 0;
}

static bool pl_name_has(const char *name, const char *const *parts)
{
    for (; *parts != NULL; parts++) {
        if (strstr(name, *parts) != NULL)
            return true;
    }
    return false;
}

static uint32_t pl_dims(const struct pl_tensor *t)
{
    uint32_t n = PL_TENSOR_DIMS_MAX;
    while (n > 1 && t->ne[n - 1] == 1)
        n--;
    return n;
}

/* llama-quant.cpp, tensor_allows_quantization. */
static bool pl_mix_quantised(const struct pl_tensor *t)
{
    static const char *const kept[] = {"_norm.weight",
                                       "ffn_gate_inp.weight",
                                       "ffn_gate_tid2eid.weight",
                                       "altup",
                                       "laurel",
                                       "per_layer_model_proj",
                                       "ssm_conv1d",
                                       "shortconv.conv.weight",
                                       "indexer.k_proj.weight",
                                       "indexer.q_proj.weight",
                                       "time_mix_first.weight",
                                       "time_mix_w0.weight",
                                       "time_mix_w1.weight",
                                       "time_mix_w2.weight",
                                       "time_mix_v0.weight",
                                       "time_mix_v1.weight",
                                       "time_mix_v2.weight",
                                       "time_mix_a0.weight",
                                       "time_mix_a1.weight",
                                       "time_mix_a2.weight",
                                       "time_mix_g1.weight",
                                       "time_mix_g2.weight",
                                       "time_mix_decay_w1.weight",
                                       "time_mix_decay_w2.weight",
                                       "time_mix_lerp_fused.weight",
                                       "attn_rel_b.weight",
                                       ".position_embd",
                                       ".patch_embd",
                                       ".patch_merger",
                                       ".rel_pos",
                                       "sam.pos_embd",
                                       "sam.neck.",
                                       "sam.net_",
                                       "a.rvq.codebook",
                                       "mm.a.code_embd",
                                       NULL};
    return pl_ends(t->name, "weight") && pl_dims(t) >= 2 && !pl_name_has(t->name, kept) &&
           !pl_streq(t->name, "position_embd.weight") && !pl_streq(t->name, "token_types.weight");
}

/* conversion/base.py: kept as F32 by the converter, whatever the file type. */
static bool pl_mix_stored_f32(const struct pl_tensor *t)
{
    static const char *const f32[] = {"ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight",
                                      "position_embd",       "token_types",
                                      "ssm_conv1d",          "shortconv.conv",
                                      "time_mix_first",      "time_mix_w1",
                                      "time_mix_w2",         "time_mix_decay_w1",
                                      "time_mix_decay_w2",   "time_mix_lerp_fused",
                                      "altup_correct_coef",  "altup_predict_coef",
                                      "indexer.proj",        NULL};
    return pl_dims(t) < 2 || pl_ends(t->name, "_norm.weight") || !pl_ends(t->name, ".weight") ||
           pl_name_has(t->name, f32);
}

static bool pl_mix_more(uint64_t i, uint64_t n)
{
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

/* The conditions that hold for index i of n. */
static uint32_t pl_mix_holds(uint64_t i, uint64_t n)
{
    uint32_t h = 0;
    h |= i < 2 ? IF_FIRST2 : 0;
    h |= i < 4 ? IF_FIRST4 : 0;
    h |= i < n / 16 ? IF_16TH : 0;
    h |= i < n / 8 ? IF_8TH : 0;
    h |= pl_mix_more(i, n) ? IF_MORE : 0;
    h |= i >= n / 8 && i < 7 * n / 8 ? IF_MIDDLE : 0;
    return h;
}

static uint32_t pl_mix_rule_type(const struct pl_mix_walk *w, enum pl_class class, uint64_t i,
                                 uint64_t n)
{
    if (w->n_rule[class] == 0)
        return w->mix->default_type;
    uint32_t holds = w->fixed | pl_mix_holds(i, n);
    for (uint32_t r = 0; r < w->n_rule[class]; r++) {
        const struct pl_mix_rule *rule = w->rule[class][r];
        if ((rule->when & ~holds) == 0)
            return rule->type != T_F32 ? rule->type : w->mix->default_type;
    }
    return w->mix->default_type;
}

/* Eighty layers with grouped heads: what llama.cpp calls the 70B type. */
static bool pl_mix_70b(const struct pl_mix_facts *f)
{
    static const char *const eighty[] = {"qwen2", "deci", "olmo", NULL};
    if (f->n_layer != 80)
        return false;
    for (size_t i = 0; eighty[i] != NULL; i++) {
        if (pl_streq(f->arch, eighty[i]))
            return true;
    }
    return pl_streq(f->arch, "llama") && f->n_head != f->n_head_kv;
}

static uint32_t pl_mix_value_type(struct pl_mix_walk *w)
{
    uint32_t type = pl_mix_rule_type(w, PL_CLASS_VALUE, w->value++, w->n_value);
    bool low = (M(w->mix->file_type) & M_LOW) != 0;
    if (!low && w->eighty && (type == T_Q3_K || type == T_Q4_K))
        type = T_Q5_K;
    return type;
}

static uint32_t pl_mix_output_type(const struct pl_mix_walk *w, const uint64_t *ne)
{
    const struct pl_tensor_type *type = pl_tensor_type(w->mix->default_type);
    uint64_t bit = M(w->mix->file_type);
    if (bit == M_MXFP4 || bit == M_Q8_0 || (w->fixed & IF_FALCON) != 0 ||
        ne[0] % type->block_elements != 0)
        return T_Q8_0;
    return (bit & (M_LOW | M_IQ3_XXS)) != 0 ? T_Q5_K : T_Q6_K;
}

/* Feed-forward classes: with experts the index is the layer, except in the low mixes. */
static uint32_t pl_mix_ffn_type(struct pl_mix_walk *w, const struct pl_mix_traits *t, int64_t layer)
{
    uint64_t *count = t->class == PL_CLASS_DOWN ? &w->down : t->up ? &w->up : &w->gate;
    bool low = (M(w->mix->file_type) & M_LOW) != 0;
    uint64_t i = (*count)++;
    if (w->facts->n_expert > 1 && !low && layer >= 0)
        i = (uint64_t)layer;
    return pl_mix_rule_type(w, (enum pl_class)t->class, i, w->facts->n_layer);
}

/* llama-quant.cpp, tensor_type_fallback: rows that are not whole blocks. */
static uint32_t pl_mix_fallback(uint32_t type, const uint64_t *ne)
{
    const struct pl_tensor_type *wanted = pl_tensor_type(type);
    if (ne[0] % wanted->block_elements == 0)
        return type;
    switch (type) {
    case T_IQ1_S:
    case T_IQ1_M:
    case T_IQ2_XXS:
    case T_IQ2_XS:
    case T_IQ2_S:
    case T_IQ3_XXS:
    case T_IQ3_S:
    case T_IQ4_XS:
        type = T_IQ4_NL;
        break;
    case T_Q2_0:
    case T_Q2_K:
    case T_Q3_K:
    case T_TQ1_0:
    case T_TQ2_0:
        type = T_Q4_0;
        break;
    case T_Q4_K:
        type = T_Q5_0;
        break;
    case T_Q5_K:
        type = T_Q5_1;
        break;
    case T_Q6_K:
        type = T_Q8_0;
        break;
    default:
        return type; /* llama-quantize stops here; the caller finds that it cannot be sized */
    }
    return ne[0] % pl_tensor_type(type)->block_elements == 0 ? type : T_F16;
}

/* Whole blocks of 256 suit every type. */
#define PL_MIX_BLOCK_MOST 256u

void pl_mix_traits(const struct pl_tensor *t, struct pl_mix_traits *ret)
{
    *ret = (struct pl_mix_traits){
        .class = (uint8_t)pl_mix_class(t->name),
        .token = pl_streq(t->name, "token_embd.weight") ||
                 pl_streq(t->name, "per_layer_token_embd.weight"),
        .output = pl_streq(t->name, "output.weight"),
        .stored_f32 = pl_mix_stored_f32(t),
        .quantised = pl_mix_quantised(t),
        .up = strstr(t->name, "ffn_up") != NULL,
    };
}

uint32_t pl_mix_walk_type(struct pl_mix_walk *w, const struct pl_mix_traits *t, const uint64_t *ne,
                          int64_t layer)
{
    uint32_t base = w->mix->default_type;
    bool plain = base == T_F32 || base == T_F16 || base == T_BF16;
    /* the quantiser takes what the converter kept as F32, where no rule of its own spares it */
    if (t->stored_f32 && (plain || !t->quantised))
        return T_F32;
    if (plain)
        return base;
    if (!t->quantised)
        return T_F16;
    enum pl_class class = !t->token ? (enum pl_class)t->class
                          : w->tied ? PL_CLASS_OUTPUT
                                    : PL_CLASS_EMBEDDING;
    uint32_t type = base;
    if (class == PL_CLASS_OUTPUT)
        type = pl_mix_output_type(w, ne);
    else if (M(w->mix->file_type) == M_MXFP4)
        type = ne[2] > 1 ? T_MXFP4 : T_Q8_0;
    else if (class == PL_CLASS_VALUE)
        type = pl_mix_value_type(w);
    else if (class == PL_CLASS_DOWN || class == PL_CLASS_GATE_UP)
        type = pl_mix_ffn_type(w, t, layer);
    else
        type = pl_mix_rule_type(w, class, 0, w->facts->n_layer);
    return ne[0] % PL_MIX_BLOCK_MOST == 0 ? type : pl_mix_fallback(type, ne);
}
