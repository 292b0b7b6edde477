/* A catalogue row and a mix as a model: the keys and the tensor table that the converter and
 * llama-quantize would have written. Names and shapes: llama.cpp, src/llama-arch.cpp and
 * src/models/{llama,qwen2,qwen3}.cpp. */
#include "model/catalogue.h"

#include "base/checked.h"
#include "base/str.h"
#include "model/gguf_write.h"
#include "model/mix.h"
#include "model/tokenizer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_CATALOGUE_MEMORY_MAX (8ull << 20)
#define PL_CATALOGUE_KEYS_MAX 40u
#define PL_CATALOGUE_BLOCK_MAX 14u /* tensors of one block: qwen2 has twelve, qwen3 eleven */
#define PL_CATALOGUE_NAME_MAX 64u
#define PL_CATALOGUE_ALIGNMENT 32u

/* What is being built; a failed allocation is remembered, and said once at the end. */
struct pl_build {
    struct pl_model *m;
    const struct pl_catalogue_row *row;
    const struct pl_mix *mix;
    const struct pl_tokenizer_row *tokenizer;
    bool no_memory;
};

static const char *pl_build_text(struct pl_build *b, const char *text)
{
    const char *s = pl_arena_strdup(&b->m->arena, text);
    b->no_memory |= s == NULL;
    return s != NULL ? s : "";
}

/* "%s.key" with the architecture in front when the key begins with a dot. */
static struct pl_kv *pl_build_key(struct pl_build *b, const char *key, enum pl_kv_type type)
{
    char full[80];
    static struct pl_kv spare;
    if (b->m->n_kv >= PL_CATALOGUE_KEYS_MAX) {
        b->no_memory = true;
        return &spare;
    }
    (void)PL_FMT(full, "%s%s", key[0] == '.' ? b->row->arch : "", key);
    struct pl_kv *kv = &b->m->kv[b->m->n_kv++];
    *kv = (struct pl_kv){.key = pl_build_text(b, full), .type = type, .count = 1};
    return kv;
}

static void pl_build_u32(struct pl_build *b, const char *key, uint64_t value)
{
    pl_build_key(b, key, PL_KV_U32)->u = value;
}

static void pl_build_f32(struct pl_build *b, const char *key, double value)
{
    pl_build_key(b, key, PL_KV_F32)->f = value;
}

static void pl_build_str(struct pl_build *b, const char *key, const char *text)
{
    struct pl_kv *kv = pl_build_key(b, key, PL_KV_STR);
    kv->str = pl_build_text(b, text);
    kv->count = strlen(text);
}

static void pl_build_array(struct pl_build *b, const char *key, enum pl_kv_type element,
                           uint64_t count)
{
    struct pl_kv *kv = pl_build_key(b, key, PL_KV_ARRAY);
    kv->element = element;
    kv->count = count;
}

static void pl_build_arch_keys(struct pl_build *b)
{
    const struct pl_catalogue_row *r = b->row;
    pl_build_str(b, "general.architecture", r->arch);
    pl_build_str(b, "general.type", "model");
    pl_build_str(b, "general.name", r->display_name);
    pl_build_str(b, "general.license", r->licence);
    pl_build_u32(b, "general.file_type", b->mix->file_type);
    pl_build_u32(b, "general.quantization_version", 2); /* ggml.h, GGML_QNT_VERSION */
    pl_build_u32(b, ".block_count", r->n_layer);
    pl_build_u32(b, ".context_length", r->ctx_train);
    pl_build_u32(b, ".embedding_length", r->n_embd);
    pl_build_u32(b, ".feed_forward_length", r->n_ff);
    pl_build_u32(b, ".attention.head_count", r->n_head);
    pl_build_u32(b, ".attention.head_count_kv", r->n_head_kv);
    pl_build_f32(b, ".rope.freq_base", r->rope_base);
    pl_build_f32(b, ".attention.layer_norm_rms_epsilon", r->rms_eps);
    if (pl_streq(r->arch, "qwen3") || r->head_dim_k * r->n_head != r->n_embd ||
        r->head_dim_v != r->head_dim_k) {
        pl_build_u32(b, ".attention.key_length", r->head_dim_k);
        pl_build_u32(b, ".attention.value_length", r->head_dim_v);
    }
    if (pl_streq(r->arch, "llama"))
        pl_build_u32(b, ".rope.dimension_count", r->head_dim_k);
    pl_build_u32(b, ".vocab_size", r->n_vocab);
}

static void pl_build_tokenizer_keys(struct pl_build *b)
{
    const struct pl_tokenizer_row *t = b->tokenizer;
    pl_build_str(b, "tokenizer.ggml.model", t->model);
    pl_build_str(b, "tokenizer.ggml.pre", t->pre);
    pl_build_array(b, "tokenizer.ggml.tokens", PL_KV_STR, b->row->n_vocab);
    if (pl_streq(t->model, "llama"))
        pl_build_array(b, "tokenizer.ggml.scores", PL_KV_F32, b->row->n_vocab);
    pl_build_array(b, "tokenizer.ggml.token_type", PL_KV_I32, b->row->n_vocab);
    if (t->n_merges > 0)
        pl_build_array(b, "tokenizer.ggml.merges", PL_KV_STR, t->n_merges);
    pl_build_u32(b, "tokenizer.ggml.bos_token_id", t->bos);
    pl_build_u32(b, "tokenizer.ggml.eos_token_id", t->eos);
    pl_build_key(b, "tokenizer.ggml.add_bos_token", PL_KV_BOOL)->u = t->add_bos;
    pl_build_str(b, "tokenizer.chat_template", pl_tokenizer_chat);
}

/* Shares what a published header is longer than ours among the texts of tokens and merges: a merge
 * is a token with a space in it. */
static void pl_build_text_lengths(struct pl_build *b)
{
    struct pl_kv *tokens = NULL, *merges = NULL;
    uint64_t fixed = 0;
    for (uint64_t i = 0; i < b->m->n_kv; i++) {
        struct pl_kv *kv = &b->m->kv[i];
        fixed += pl_gguf_kv_bytes(kv);
        if (pl_streq(kv->key, "tokenizer.ggml.tokens"))
            tokens = kv;
        if (pl_streq(kv->key, "tokenizer.ggml.merges"))
            merges = kv;
    }
    if (tokens == NULL)
        return;
    uint64_t n_merge = merges != NULL ? merges->count : 0;
    uint64_t rest = pl_sub_floor(b->tokenizer->kv_bytes, fixed);
    tokens->text_bytes = pl_sub_floor(rest, n_merge) * tokens->count / (tokens->count + n_merge);
    if (merges != NULL)
        merges->text_bytes = rest - tokens->text_bytes;
}

static void pl_build_tensor(struct pl_build *b, const char *name, uint64_t rows_of, uint64_t rows)
{
    struct pl_tensor *t = &b->m->tensor[b->m->n_tensor++];
    *t = (struct pl_tensor){
        .name = pl_build_text(b, name), .n_dims = rows > 1 ? 2 : 1, .ne = {rows_of, rows, 1, 1}
    };
}

static void pl_build_block(struct pl_build *b, uint64_t layer)
{
    const struct pl_catalogue_row *r = b->row;
    bool bias = pl_streq(r->arch, "qwen2");
    bool norm = pl_streq(r->arch, "qwen3");
    uint64_t q = r->n_head * r->head_dim_k;
    uint64_t k = r->n_head_kv * r->head_dim_k, v = r->n_head_kv * r->head_dim_v;
    const struct {
        const char *name;
        uint64_t rows_of, rows;
        bool there;
    } parts[PL_CATALOGUE_BLOCK_MAX] = {
        {"attn_norm.weight",   r->n_embd,                 1,         true},
        {"attn_q.weight",      r->n_embd,                 q,         true},
        {"attn_q.bias",        q,                         1,         bias},
        {"attn_q_norm.weight", r->head_dim_k,             1,         norm},
        {"attn_k.weight",      r->n_embd,                 k,         true},
        {"attn_k.bias",        k,                         1,         bias},
        {"attn_k_norm.weight", r->head_dim_k,             1,         norm},
        {"attn_v.weight",      r->n_embd,                 v,         true},
        {"attn_v.bias",        v,                         1,         bias},
        {"attn_output.weight", r->n_head * r->head_dim_v, r->n_embd, true},
        {"ffn_norm.weight",    r->n_embd,                 1,         true},
        {"ffn_gate.weight",    r->n_embd,                 r->n_ff,   true},
        {"ffn_up.weight",      r->n_embd,                 r->n_ff,   true},
        {"ffn_down.weight",    r->n_ff,                   r->n_embd, true},
    };
    for (size_t i = 0; i < PL_CATALOGUE_BLOCK_MAX; i++) {
        char name[PL_CATALOGUE_NAME_MAX];
        if (!parts[i].there)
            continue;
        (void)PL_FMT(name, "blk.%llu.%s", (unsigned long long)layer, parts[i].name);
        pl_build_tensor(b, name, parts[i].rows_of, parts[i].rows);
    }
}

static void pl_build_tensors(struct pl_build *b)
{
    const struct pl_catalogue_row *r = b->row;
    pl_build_tensor(b, "token_embd.weight", r->n_embd, r->n_vocab);
    for (uint64_t i = 0; i < r->n_layer; i++)
        pl_build_block(b, i);
    pl_build_tensor(b, "output_norm.weight", r->n_embd, 1);
    if (r->tied == 0)
        pl_build_tensor(b, "output.weight", r->n_embd, r->n_vocab);
    if (r->rope_freqs > 0)
        pl_build_tensor(b, "rope_freqs.weight", r->rope_freqs, 1);
}

/* Length of the header: counts, keys, tensor infos, padded. */
static uint64_t pl_build_header_bytes(const struct pl_model *m)
{
    uint64_t n = 24;
    for (uint64_t i = 0; i < m->n_kv; i++)
        n += pl_gguf_kv_bytes(&m->kv[i]);
    for (uint64_t i = 0; i < m->n_tensor; i++)
        n += pl_gguf_info_bytes(&m->tensor[i]);
    return pl_pad_u64(n, m->alignment, &n) ? n : UINT64_MAX;
}

static int pl_build_run(struct pl_build *b, struct pl_err *err)
{
    struct pl_model *m = b->m;
    const struct pl_catalogue_row *r = b->row;
    char path[96];
    uint64_t data = 0;
    (void)PL_FMT(path, "%s:%s", r->id, b->mix->name);
    for (char *c = strchr(path, ':'); *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    m->kv = pl_arena_alloc(&m->arena, PL_CATALOGUE_KEYS_MAX, sizeof(*m->kv));
    m->tensor = pl_arena_alloc(&m->arena, (size_t)(r->n_layer * PL_CATALOGUE_BLOCK_MAX + 4),
                               sizeof(*m->tensor));
    if (m->kv == NULL || m->tensor == NULL)
        return pl_fail(err, -ENOMEM, "%s: no memory for the model", path);
    m->path = pl_build_text(b, path);
    m->name = r->display_name;
    m->arch = r->arch;
    m->version = 3;
    m->ghost = true;
    m->alignment = PL_CATALOGUE_ALIGNMENT;
    pl_build_arch_keys(b);
    pl_build_tokenizer_keys(b);
    pl_build_text_lengths(b);
    pl_build_tensors(b);
    if (b->no_memory)
        return pl_fail(err, -ENOMEM, "%s: no memory for the model", path);
    const struct pl_mix_facts facts = {r->arch,      r->n_layer, r->n_head,
                                       r->n_head_kv, 0,          b->mix->imatrix};
    int rc = pl_mix_apply(b->mix, &facts, m->tensor, m->n_tensor, err);
    if (rc == 0)
        rc = pl_gguf_lay_out(m->tensor, m->n_tensor, m->alignment, &data, err);
    m->file_bytes = pl_add_sat(pl_build_header_bytes(m), data);
    return rc;
}

int pl_catalogue_model(const struct pl_catalogue_row *row, const char *quant, struct pl_model **ret,
                       struct pl_err *err)
{
    if (quant == NULL)
        quant = PL_CATALOGUE_QUANT;
    struct pl_build b = {
        .row = row, .mix = pl_mix_named(quant), .tokenizer = pl_tokenizer_row(row->tokenizer)};
    if (b.mix == NULL) {
        const char *near = pl_mix_nearest(quant);
        (void)pl_fail(err, -EINVAL, "%s: unknown quantisation '%.40s'", row->id, quant);
        if (near != NULL)
            (void)pl_hint(err, "did you mean %s?", near);
        else
            (void)pl_hint(err, "for example q4_k_m, q8_0, q6_k, iq4_xs or f16");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (b.tokenizer == NULL)
        return pl_fail(err, -EINVAL, "%s: unknown tokenizer '%s'", row->id, row->tokenizer);
    b.m = calloc(1, sizeof(*b.m));
    if (b.m == NULL)
        return pl_fail(err, -ENOMEM, "%s: no memory for the model", row->id);
    pl_arena_init(&b.m->arena, PL_CATALOGUE_MEMORY_MAX);
    int rc = pl_build_run(&b, err);
    if (rc < 0) {
        (void)pl_model_free(b.m);
        return rc;
    }
    *ret = b.m;
    return 0;
}
