/* What looks wrong in a model, one rule a function. A rule only speaks when the file itself shows
 * the fault; it never guesses at what the weights hold. */
#include "base/checked.h"
#include "base/str.h"
#include "model/describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PL_ENGINE_NAME_MAX 63u /* ggml.h, GGML_MAX_NAME less its NUL */

__attribute__((format(printf, 2, 3))) static void pl_warn(struct pl_description *d, const char *fmt,
                                                          ...)
{
    if (d->n_warning >= PL_WARNINGS_MAX)
        return;
    char text[2 * PL_WARNING_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)pl_text_cut(d->warning[d->n_warning++], PL_WARNING_TEXT_MAX, text);
}

static void pl_warn_container(const struct pl_model *m, struct pl_description *d)
{
    bool host_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    if (m->big_endian != host_big)
        pl_warn(d, "%s-endian file on a %s-endian machine: engines here cannot use it",
                m->big_endian ? "big" : "little", host_big ? "big" : "little");
    if (m->ghost && m->n_file > 0)
        pl_warn(d, pl_model_kv(m, "plimsoll.ghost") != NULL
                       ? "ghost: the file has the geometry of the model but no real weights"
                       : "nearly all of the file is a hole: a ghost, or an unfinished download");
    if (pl_model_kv(m, "general.architecture") == NULL && d->kind == PL_MODEL_WHOLE)
        pl_warn(d, "no general.architecture: engines refuse the file");
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        if (strlen(m->tensor[i].name) > PL_ENGINE_NAME_MAX) {
            pl_warn(d, "tensor '%.80s' has a name of over %u bytes: llama.cpp refuses the file",
                    m->tensor[i].name, PL_ENGINE_NAME_MAX);
            break;
        }
    }
}

/* llama.cpp wants every tensor to begin where the one before it in the table ends, padded. */
static void pl_warn_layout(const struct pl_model *m, struct pl_description *d)
{
    uint64_t expected = 0;
    bool told = false;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        if (i == 0 || t->split != m->tensor[i - 1].split)
            expected = 0;
        if (t->offset != expected && !told) {
            pl_warn(d,
                    "tensor '%.80s' does not follow the one before it: llama.cpp refuses the file",
                    t->name);
            told = true;
        }
        expected = t->offset;
        if (!pl_add_u64(expected, t->bytes, &expected) ||
            !pl_pad_u64(expected, m->file[t->split].alignment, &expected))
            return;
    }
}

static void pl_warn_trailing(const struct pl_model *m, struct pl_description *d)
{
    uint64_t end[PL_SPLITS_MAX] = {0};
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        uint64_t last = pl_add_sat(t->offset, t->bytes);
        end[t->split] = last > end[t->split] ? last : end[t->split];
    }
    for (uint32_t f = 0; f < m->n_file; f++) {
        uint64_t used = pl_add_sat(m->file[f].data_offset, end[f]), padded = UINT64_MAX;
        (void)pl_pad_u64(used, m->file[f].alignment, &padded);
        if (m->file[f].bytes > padded)
            pl_warn(d, "%" PRIu64 " bytes follow the last tensor%s", m->file[f].bytes - padded,
                    m->n_file > 1 ? " of a part" : "");
    }
}

static void pl_warn_tokenizer(const struct pl_model *m, struct pl_description *d)
{
    const struct pl_tokenizer *t = &d->tokenizer;
    if (!t->present) {
        pl_warn(d, "no tokenizer: engines cannot turn text into tokens for it");
        return;
    }
    bool none = t->model != NULL && (pl_streq(t->model, "none") || pl_streq(t->model, "no_vocab"));
    if (!none && !t->vocabulary.known)
        pl_warn(d, "the tokenizer has no list of tokens");
    if (t->model != NULL && pl_streq(t->model, "gpt2") && !t->merges.known)
        pl_warn(d, "a BPE tokenizer without merges");
    static const char *const parallel[] = {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"};
    for (int i = 0; i < 2 && t->vocabulary.known; i++) {
        const struct pl_kv *kv = pl_model_kv(m, parallel[i]);
        if (kv != NULL && kv->type == PL_KV_ARRAY && kv->count != t->vocabulary.high)
            pl_warn(d, "%s has %" PRIu64 " entries, the vocabulary %" PRIu64, parallel[i],
                    kv->count, t->vocabulary.high);
    }
}

static void pl_warn_vocabulary(const struct pl_model *m, struct pl_description *d)
{
    const struct pl_tensor *embd = pl_model_tensor(m, "token_embd.weight");
    uint64_t declared = pl_model_arch_u64(m, "vocab_size", UINT64_MAX);
    const struct pl_fact *v = &d->tokenizer.vocabulary;
    if (embd == NULL)
        pl_warn(d, "no tensor token_embd.weight");
    else if (v->known && v->high != embd->ne[1])
        pl_warn(d, "the tokenizer has %" PRIu64 " tokens, token_embd.weight %" PRIu64 " rows",
                v->high, embd->ne[1]);
    else if (!v->known && declared != UINT64_MAX && declared != embd->ne[1])
        pl_warn(d, "vocab_size is %" PRIu64 ", token_embd.weight has %" PRIu64 " rows", declared,
                embd->ne[1]);
    if (embd != NULL && d->shape[PL_SHAPE_EMBEDDING].known &&
        embd->ne[0] != d->shape[PL_SHAPE_EMBEDDING].high)
        pl_warn(d, "embedding_length is %" PRIu64 ", token_embd.weight has rows of %" PRIu64,
                d->shape[PL_SHAPE_EMBEDDING].high, embd->ne[0]);
    if (embd == NULL && pl_model_tensor(m, "output.weight") == NULL)
        pl_warn(d, "neither output.weight nor token_embd.weight: nothing to compute logits with");
}

/* N of "blk.N.", or false. */
static bool pl_block_of(const char *name, uint64_t *ret)
{
    if (!pl_starts(name, "blk."))
        return false;
    uint64_t n = 0;
    const char *s = name + 4;
    for (; *s >= '0' && *s <= '9' && n < 1000000; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    *ret = n;
    return s > name + 4 && *s == '.';
}

static void pl_warn_blocks(const struct pl_model *m, struct pl_description *d)
{
    uint64_t found = 0, n = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        if (pl_block_of(m->tensor[i].name, &n) && n + 1 > found)
            found = n + 1;
    }
    const struct pl_fact *blocks = &d->shape[PL_SHAPE_BLOCKS];
    if (!blocks->known || blocks->high == 0)
        pl_warn(d, "no %s.block_count: engines refuse the file", m->arch);
    else if (found > 0 && found != blocks->high)
        pl_warn(d, "block_count is %" PRIu64 ", the tensors have %" PRIu64 " blocks", blocks->high,
                found);
    if (!d->shape[PL_SHAPE_CONTEXT].known || d->shape[PL_SHAPE_CONTEXT].high == 0)
        pl_warn(d, "the context length is %s",
                d->shape[PL_SHAPE_CONTEXT].known ? "0" : "not given");
}

/* Value of a layer; 0 when absent. The key is looked up once: there may be thousands of layers. */
static uint64_t pl_layer_of(const struct pl_kv *kv, uint64_t layer)
{
    int64_t v = 0;
    if (kv != NULL && kv->type == PL_KV_ARRAY)
        v = kv->ints != NULL && layer < kv->count ? kv->ints[layer] : 0;
    else if (kv != NULL && kv->type != PL_KV_STR)
        v = (int64_t)kv->u;
    return v < 0 ? 0 : (uint64_t)v;
}

static void pl_warn_head_groups(const struct pl_model *m, struct pl_description *d)
{
    const struct pl_kv *all = pl_model_arch_kv(m, "attention.head_count");
    const struct pl_kv *kv = pl_model_arch_kv(m, "attention.head_count_kv");
    uint64_t blocks = d->shape[PL_SHAPE_BLOCKS].known ? d->shape[PL_SHAPE_BLOCKS].high : 1;
    blocks = blocks < PL_KV_INTS_MAX ? blocks : PL_KV_INTS_MAX;
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t heads = pl_layer_of(all, i), groups = pl_layer_of(kv, i);
        if (groups > 0 && heads % groups != 0) {
            pl_warn(d,
                    "block %" PRIu64 ": %" PRIu64 " heads are no multiple of %" PRIu64 " KV heads",
                    i, heads, groups);
            break;
        }
    }
}

static void pl_warn_heads(const struct pl_model *m, struct pl_description *d)
{
    const struct pl_fact *heads = &d->shape[PL_SHAPE_HEADS], *key = &d->shape[PL_SHAPE_KEY_LENGTH];
    const struct pl_fact *embd = &d->shape[PL_SHAPE_EMBEDDING];
    if (!key->known && embd->known && heads->known && heads->high > 0 &&
        embd->high % heads->high != 0)
        pl_warn(d, "embedding_length %" PRIu64 " is no multiple of %" PRIu64 " heads", embd->high,
                heads->high);
    uint64_t rope = pl_model_arch_u64(m, "rope.dimension_count", 0);
    uint64_t head = key->known                                       ? key->high
                    : embd->known && heads->known && heads->high > 0 ? embd->high / heads->high
                                                                     : UINT64_MAX;
    if (rope > head)
        pl_warn(d, "rope.dimension_count %" PRIu64 " exceeds the head's %" PRIu64, rope, head);
    else if (rope % 2 != 0)
        pl_warn(d, "rope.dimension_count %" PRIu64 " is odd", rope);
}

static void pl_warn_experts(const struct pl_model *m, struct pl_description *d)
{
    const struct pl_fact *all = &d->shape[PL_SHAPE_EXPERTS];
    const struct pl_fact *used = &d->shape[PL_SHAPE_EXPERTS_USED];
    bool tensors = false;
    for (uint64_t i = 0; i < m->n_tensor && !tensors; i++)
        tensors = strstr(m->tensor[i].name, "_exps.") != NULL;
    if (all->known && used->known && used->high > all->high)
        pl_warn(d, "%" PRIu64 " experts used of %" PRIu64, used->high, all->high);
    if (tensors && (!all->known || all->high == 0))
        pl_warn(d, "there are expert tensors, but no %s.expert_count", m->arch);
}

/* The main type of the mix must be there at all. That it is not the largest share is normal: small
 * models keep much in other types. */
static void pl_warn_file_type(const struct pl_model *m, struct pl_description *d)
{
    const struct pl_file_type *file = pl_model_file_type_of(m);
    if (file == NULL || d->n_type == 0)
        return;
    for (uint32_t i = 0; i < d->n_type; i++) {
        if (d->type[i].type->id == file->type)
            return;
    }
    pl_warn(d, "general.file_type says %s, but no tensor is of that type; most bytes are %s",
            file->name, d->type[0].type->name);
}

void pl_model_warn(const struct pl_model *m, struct pl_description *d)
{
    if (m->format != NULL) /* its names and its order are not GGUF's */
        return;
    pl_warn_container(m, d);
    if (m->n_file > 0) { /* else it comes from the catalogue */
        pl_warn_layout(m, d);
        pl_warn_trailing(m, d);
    }
    if (d->kind != PL_MODEL_WHOLE)
        return;
    pl_warn_file_type(m, d);
    pl_warn_tokenizer(m, d);
    pl_warn_vocabulary(m, d);
    pl_warn_blocks(m, d);
    pl_warn_head_groups(m, d);
    pl_warn_heads(m, d);
    pl_warn_experts(m, d);
}
