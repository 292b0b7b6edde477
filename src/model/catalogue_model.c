/* A catalogue row and a mix as a model: the keys and the tensor table that the converter and
 * llama-quantize would have written, by the tables of tensor_table.h. */
#include "model/catalogue.h"

#include "base/checked.h"
#include "base/str.h"
#include "domain/whisper.h"
#include "model/catalogue_layers.h"
#include "model/gguf_write.h"
#include "model/mix.h"
#include "model/names.h"
#include "model/outline.h"
#include "model/tensor_table.h"
#include "model/tokenizer.h"
#include "model/whisper.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_CATALOGUE_MEMORY_MAX (32ull << 20)
#define PL_CATALOGUE_KEYS_MAX 64u
/* What no file of the tokenizer says; see data/tokenizers.tsv, "bpe". */
#define PL_CATALOGUE_TOKEN_BYTES 45u
/* Where the row does not know them; they weigh nothing. */
#define PL_CATALOGUE_ROPE_BASE 10000.0
#define PL_CATALOGUE_RMS_EPS 1e-5
#define PL_CATALOGUE_NAME_MAX 64u
#define PL_CATALOGUE_ALIGNMENT 32u

/* What is being built; a failed allocation is remembered, and said once at the end. */
struct pl_build {
    struct pl_model *m;
    const struct pl_catalogue_row *row;
    const struct pl_mix *mix;
    const struct pl_tokenizer_row *tokenizer;
    struct pl_outline *outline; /* in the model's arena */
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
    (void)PL_FMT(full, "%s%s", key[0] == '.' ? b->row->gguf_arch : "", key);
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

/* Per layer as an array, or one number where all layers agree. */
static int pl_build_layers(struct pl_build *b, const struct pl_key_rule *r, struct pl_err *err)
{
    uint64_t n = b->row->n_layer + (pl_streq(r->type, "trunk") ? 0 : b->row->mtp_layers);
    bool bools = pl_streq(r->type, "bools"), same = !bools;
    int64_t *ints = pl_arena_alloc(&b->m->arena, n, sizeof(*ints));
    if (ints == NULL || n == 0)
        return n == 0 ? 0 : pl_fail(err, -ENOMEM, "no memory for %s", r->key);
    for (uint64_t i = 0; i < n; i++) {
        struct pl_row_layer l = {b->row, (int64_t)i};
        int rc = pl_shape_eval(r->value, true, pl_row_layer_value, &l, &ints[i], NULL, err);
        if (rc < 0)
            return rc;
        same &= ints[i] == ints[0];
    }
    if (same) {
        pl_build_u32(b, r->key, (uint64_t)ints[0]);
        return 0;
    }
    pl_build_array(b, r->key, bools ? PL_KV_BOOL : PL_KV_U32, n);
    b->m->kv[b->m->n_kv - 1].ints = ints;
    return 0;
}

/* Four equal numbers (rope sections). */
static int pl_build_sections(struct pl_build *b, const struct pl_key_rule *r)
{
    static const int64_t zero[4] = {0};
    pl_build_array(b, r->key, PL_KV_I32, 4);
    b->m->kv[b->m->n_kv - 1].ints = zero;
    return 0;
}

static int pl_build_real(struct pl_build *b, const struct pl_key_rule *r)
{
    const struct pl_catalogue_row *row = b->row;
    double v = 0;
    if (pl_streq(r->value, "rope_base"))
        v = row->rope_base > 0 ? row->rope_base : PL_CATALOGUE_ROPE_BASE;
    else if (pl_streq(r->value, "rms_eps"))
        v = row->rms_eps > 0 ? row->rms_eps : PL_CATALOGUE_RMS_EPS;
    else
        (void)pl_parse_double(r->value, &v);
    pl_build_f32(b, r->key, v);
    return 0;
}

static int pl_build_rule_key(struct pl_build *b, const struct pl_key_rule *r, struct pl_err *err)
{
    struct pl_row_layer l = {b->row, -1};
    int64_t v = 1;
    int rc = 0;
    if (r->when != NULL)
        rc = pl_shape_eval(r->when, true, pl_row_layer_value, &l, &v, NULL, err);
    if (rc < 0 || v == 0)
        return rc;
    if (pl_streq(r->type, "f32"))
        return pl_build_real(b, r);
    if (pl_streq(r->type, "layers") || pl_streq(r->type, "trunk") || pl_streq(r->type, "bools"))
        return pl_build_layers(b, r, err);
    if (pl_streq(r->type, "sections"))
        return pl_build_sections(b, r);
    rc = pl_shape_eval(r->value, true, pl_row_layer_value, &l, &v, NULL, err);
    if (rc == 0 && pl_streq(r->type, "bool"))
        pl_build_key(b, r->key, PL_KV_BOOL)->u = v != 0;
    else if (rc == 0)
        pl_build_u32(b, r->key, (uint64_t)v);
    return rc;
}

/* llama-vocab.cpp looks tokens up by their texts when the name says "phi-3", and a made-up
 * vocabulary has none of them: the name goes without its hyphens. */
static void pl_build_name(struct pl_build *b)
{
    char name[80];
    (void)PL_FMT(name, "%s", b->row->display_name);
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '-' && pl_starts(b->row->gguf_arch, "phi") ? ' ' : *c;
    pl_build_str(b, "general.name", name);
}

static int pl_build_arch_keys(struct pl_build *b, struct pl_err *err)
{
    const struct pl_catalogue_row *r = b->row;
    const struct pl_key_rule *rule;
    uint64_t at = 0;
    int rc = 0;
    pl_build_str(b, "general.architecture", r->gguf_arch);
    pl_build_str(b, "general.type", "model");
    pl_build_name(b);
    pl_build_str(b, "general.license", r->licence != NULL ? r->licence : "unknown");
    pl_build_u32(b, "general.file_type", b->mix->file_type);
    pl_build_u32(b, "general.quantization_version", 2); /* ggml.h, GGML_QNT_VERSION */
    while (rc == 0 && (rule = pl_key_rule_next(r->gguf_arch, &at)) != NULL)
        rc = pl_build_rule_key(b, rule, err);
    return rc;
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
    uint64_t whole = b->tokenizer->kv_bytes > 0 ? b->tokenizer->kv_bytes
                                                : tokens->count * PL_CATALOGUE_TOKEN_BYTES;
    uint64_t rest = pl_sub_floor(whole, fixed);
    tokens->text_bytes = pl_sub_floor(rest, n_merge) * tokens->count / (tokens->count + n_merge);
    if (merges != NULL)
        merges->text_bytes = rest - tokens->text_bytes;
}

static int pl_build_no_memory(const struct pl_build *b, struct pl_err *err)
{
    return pl_fail(err, -ENOMEM, "%s: no memory for the model", b->row->id);
}

/* "blk.7" and what follows "blk" in the tables' name. */
static const char *pl_build_tensor_name(struct pl_build *b, const char *name, uint32_t layer)
{
    char text[PL_CATALOGUE_NAME_MAX], digits[12];
    size_t n = 4, d = 0, rest = strlen(name + 3);
    do {
        digits[d++] = (char)('0' + layer % 10);
        layer /= 10;
    } while (layer > 0);
    if (n + d + rest >= sizeof(text)) {
        b->no_memory = true;
        return "";
    }
    memcpy(text, "blk.", n);
    while (d > 0)
        text[n++] = digits[--d];
    memcpy(text + n, name + 3, rest + 1);
    return pl_build_text(b, text);
}

static int pl_build_tensors(struct pl_build *b, struct pl_err *err)
{
    struct pl_model *m = b->m;
    const struct pl_outline *o = b->outline;
    m->tensor = pl_arena_alloc(&m->arena, o->n_tensor + 1, sizeof(*m->tensor));
    if (m->tensor == NULL)
        return pl_build_no_memory(b, err);
    for (uint32_t i = 0; i <= o->n_layer; i++) {
        const struct pl_outline_kind *k = &o->kind[o->of[i]];
        for (uint32_t t = 0; t < k->n; t++) {
            m->tensor[m->n_tensor] = k->tensor[t];
            if (i > 0)
                m->tensor[m->n_tensor].name = pl_build_tensor_name(b, k->tensor[t].name, i - 1);
            m->n_tensor++;
        }
    }
    return 0;
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

static void pl_build_path(struct pl_build *b)
{
    char path[96];
    (void)PL_FMT(path, "%s:%s", b->row->id, b->mix->name);
    for (char *c = strchr(path, ':'); c != NULL && *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    b->m->path = pl_build_text(b, path);
}

static void pl_build_facts(const struct pl_build *b, struct pl_mix_facts *ret)
{
    struct pl_row_layer first = {b->row, 0};
    int64_t n_head = 0;
    (void)pl_shape_eval("n_head", true, pl_row_layer_value, &first, &n_head, NULL, NULL);
    /* as the quantiser reads it: MLA files say one key head, a first layer without attention none
     */
    uint64_t n_head_kv = pl_model_arch_u64(b->m, "attention.head_count_kv", 0);
    *ret = (struct pl_mix_facts){b->row->gguf_arch, b->row->n_layer + b->row->mtp_layers,
                                 (uint64_t)n_head,  n_head_kv,
                                 b->row->n_expert,  b->mix->imatrix};
}

static int pl_build_types(struct pl_build *b, struct pl_err *err)
{
    struct pl_model *m = b->m;
    struct pl_mix_facts facts;
    uint64_t data = 0;
    pl_build_facts(b, &facts);
    int rc = pl_mix_apply(b->mix, &facts, m->tensor, m->n_tensor, err);
    if (rc == 0)
        rc = pl_gguf_lay_out(m->tensor, m->n_tensor, m->alignment, &data, err);
    m->file_bytes = pl_add_sat(pl_build_header_bytes(m), data);
    return rc;
}

/* All but the tensors' types. */
static int pl_build_run(struct pl_build *b, const struct pl_tensor_rule *const *rule,
                        uint64_t n_rule, struct pl_err *err)
{
    struct pl_model *m = b->m;
    const struct pl_catalogue_row *r = b->row;
    m->kv = pl_arena_alloc(&m->arena, PL_CATALOGUE_KEYS_MAX, sizeof(*m->kv));
    b->outline = pl_arena_alloc(&m->arena, 1, sizeof(*b->outline));
    if (m->kv == NULL || b->outline == NULL)
        return pl_build_no_memory(b, err);
    pl_build_path(b);
    m->name = r->display_name;
    m->arch = r->gguf_arch;
    m->version = 3;
    m->ghost = true;
    m->alignment = PL_CATALOGUE_ALIGNMENT;
    int rc = pl_build_arch_keys(b, err);
    if (rc == 0)
        rc = pl_outline_make(r, rule, n_rule, &m->arena, b->outline, err);
    if (rc == 0) {
        pl_build_tokenizer_keys(b);
        pl_build_text_lengths(b);
        rc = pl_build_tensors(b, err);
    }
    return rc == 0 && b->no_memory ? pl_build_no_memory(b, err) : rc;
}

/* "cannot tell": what is missing, and what would do instead. */
static int pl_build_cannot(const struct pl_catalogue_row *row, const char *why, struct pl_err *err)
{
    char text[PL_ERR_WHAT_MAX / 2];
    (void)PL_FMT(text, "%s", why);
    (void)pl_fail(err, -ENOTSUP, "%s: cannot tell: %s", row->id, text);
    if (row->hf_repo != NULL && row->gguf_arch != NULL)
        (void)pl_hint(err, "give a .gguf file of %s instead: its header says it all", row->hf_repo);
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

static int pl_build_rules(const struct pl_catalogue_row *row,
                          const struct pl_tensor_rule *rule[PL_TENSOR_RULES_MAX],
                          uint64_t *ret_n_rule, struct pl_err *err)
{
    char why[120] = "";
    *ret_n_rule = row->gguf_arch != NULL ? pl_tensor_rules(row->gguf_arch, rule) : 0;
    if (row->gguf_arch == NULL)
        (void)PL_FMT(why, "it is no GGUF model");
    else if (*ret_n_rule == 0)
        (void)PL_FMT(why, "the tensors of '%s' are not in the tables", row->gguf_arch);
    else if (row->n_layer == PL_CATALOGUE_UNKNOWN || row->n_layer == 0)
        (void)PL_FMT(why, "how many layers it has is not known");
    else if (row->mtp_layers == PL_CATALOGUE_UNKNOWN)
        (void)PL_FMT(why, "how many layers of its own draft it has is not known");
    else if (row->n_layer + row->mtp_layers > PL_OUTLINE_LAYERS_MAX)
        (void)PL_FMT(why, "more than %u layers", PL_OUTLINE_LAYERS_MAX);
    return why[0] != '\0' ? pl_build_cannot(row, why, err) : 0;
}

/* b.row and b.mix are set; builds b.m. */
static int pl_build_new(struct pl_build *b, struct pl_err *err)
{
    const struct pl_catalogue_row *row = b->row;
    const struct pl_tensor_rule *rule[PL_TENSOR_RULES_MAX];
    uint64_t n_rule = 0;
    struct pl_err why = {0};
    int rc = pl_build_rules(row, rule, &n_rule, err);
    if (rc < 0)
        return rc;
    b->tokenizer = row->tokenizer != NULL ? pl_tokenizer_row(row->tokenizer) : NULL;
    if (b->tokenizer == NULL)
        return pl_fail(err, -EINVAL, "%s: unknown tokenizer", row->id);
    b->m = calloc(1, sizeof(*b->m));
    if (b->m == NULL)
        return pl_build_no_memory(b, err);
    pl_arena_init(&b->m->arena, PL_CATALOGUE_MEMORY_MAX);
    rc = pl_build_run(b, rule, n_rule, &why);
    if (rc == 0)
        return 0;
    b->m = pl_model_free(b->m);
    if (rc == -ENODATA || rc == -ERANGE)
        return pl_build_cannot(row, why.what, err);
    if (err != NULL)
        *err = why;
    return rc;
}

/* NULL where a row names none. */
static const struct pl_mix *pl_catalogue_own(const struct pl_catalogue_row *row)
{
    static const char name[] = "own_quant";
    const char *own = pl_row_extra(row->arch_extra, name, sizeof(name) - 1);
    char quant[PL_NAME_QUANT_MAX];
    if (own == NULL || !PL_FMT(quant, "%.*s", (int)strcspn(own, ";"), own))
        return NULL;
    return pl_mix_named(quant);
}

const char *pl_catalogue_quant(const struct pl_catalogue_row *row)
{
    const struct pl_mix *own = pl_catalogue_own(row);
    return own != NULL ? own->name : PL_CATALOGUE_QUANT;
}

bool pl_catalogue_quant_own(const struct pl_catalogue_row *row, const char *quant)
{
    const struct pl_mix *own = row != NULL ? pl_catalogue_own(row) : NULL;
    return own != NULL && own == pl_mix_named(quant);
}

int pl_catalogue_model(const struct pl_catalogue_row *row, const char *quant, struct pl_model **ret,
                       struct pl_err *err)
{
    if (row->gguf_arch != NULL && pl_streq(row->gguf_arch, PL_WHISPER_ARCH))
        return pl_whisper_model(row, quant, ret, err);
    if (quant == NULL)
        quant = pl_catalogue_quant(row);
    struct pl_build b = {.row = row, .mix = pl_mix_named(quant)};
    if (b.mix == NULL) {
        const char *near = pl_mix_nearest(quant);
        (void)pl_fail(err, -EINVAL, "%s: unknown quantisation '%.40s'", row->id, quant);
        if (near != NULL)
            (void)pl_hint(err, "did you mean %s?", near);
        else
            (void)pl_hint(err, "for example q4_k_m, q8_0, q6_k, iq4_xs or f16");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int rc = pl_build_new(&b, err);
    if (rc < 0)
        return rc;
    struct pl_err why = {0};
    rc = pl_build_types(&b, &why);
    if (rc < 0) {
        (void)pl_model_free(b.m);
        if (rc == -ERANGE)
            return pl_build_cannot(row, why.what, err);
        if (err != NULL)
            *err = why;
        return rc;
    }
    *ret = b.m;
    return 0;
}

int pl_catalogue_outline(const struct pl_catalogue_row *row, struct pl_model **ret,
                         const struct pl_outline **ret_outline, struct pl_mix_facts *ret_facts,
                         struct pl_err *err)
{
    struct pl_build b = {.row = row, .mix = pl_mix_named("F16")};
    int rc = pl_build_new(&b, err);
    if (rc < 0)
        return rc;
    pl_build_facts(&b, ret_facts);
    *ret = b.m;
    *ret_outline = b.outline;
    return 0;
}
