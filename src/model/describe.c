#include "model/describe.h"

#include "base/checked.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* Key suffixes: llama.cpp, src/llama-arch.cpp. */
static const struct {
    const char *key, *name;
} pl_shapes[PL_SHAPES] = {
    [PL_SHAPE_CONTEXT] = {"context_length",           "context_length"     },
    [PL_SHAPE_BLOCKS] = {"block_count",              "blocks"             },
    [PL_SHAPE_EMBEDDING] = {"embedding_length",         "embedding_length"   },
    [PL_SHAPE_FEED_FORWARD] = {"feed_forward_length",      "feed_forward_length"},
    [PL_SHAPE_HEADS] = {"attention.head_count",     "heads"              },
    [PL_SHAPE_HEADS_KV] = {"attention.head_count_kv",  "heads_kv"           },
    [PL_SHAPE_KEY_LENGTH] = {"attention.key_length",     "key_length"         },
    [PL_SHAPE_VALUE_LENGTH] = {"attention.value_length",   "value_length"       },
    [PL_SHAPE_SLIDING_WINDOW] = {"attention.sliding_window", "sliding_window"     },
    [PL_SHAPE_EXPERTS] = {"expert_count",             "experts"            },
    [PL_SHAPE_EXPERTS_USED] = {"expert_used_count",        "experts_used"       },
};

const char *pl_shape_name(enum pl_shape shape)
{
    return pl_shapes[shape].name;
}

const char *pl_model_kind_name(enum pl_model_kind kind)
{
    static const char *const names[] = {"model", "projector", "adapter", "imatrix", "vocabulary"};
    return names[kind];
}

/* Smallest and largest value of a per-layer key; both the value of a scalar. */
static struct pl_fact pl_fact_of(const struct pl_model *m, const char *suffix)
{
    struct pl_fact f = {0};
    const struct pl_kv *kv = pl_model_arch_kv(m, suffix);
    uint64_t n = kv == NULL ? 0 : kv->type == PL_KV_ARRAY && kv->ints != NULL ? kv->count : 1;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v = UINT64_MAX;
        if (kv->type != PL_KV_ARRAY)
            v = pl_model_arch_u64(m, suffix, UINT64_MAX);
        else if (kv->ints != NULL && kv->ints[i] >= 0)
            v = (uint64_t)kv->ints[i];
        if (v == UINT64_MAX)
            continue;
        f.low = !f.known || v < f.low ? v : f.low;
        f.high = !f.known || v > f.high ? v : f.high;
        f.known = true;
    }
    return f;
}

static int pl_type_by_bytes(const void *a, const void *b)
{
    const struct pl_type_total *x = a, *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void pl_describe_types(const struct pl_model *m, struct pl_description *d)
{
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        uint32_t k = 0;
        while (k < d->n_type && d->type[k].type->id != t->type)
            k++;
        if (k == d->n_type) {
            const struct pl_tensor_type *type = pl_tensor_type(t->type);
            if (type == NULL || k == PL_DESCRIBE_TYPES_MAX)
                continue;
            d->type[d->n_type++] = (struct pl_type_total){.type = type};
        }
        uint64_t n = t->ne[0];
        for (int dim = 1; dim < PL_TENSOR_DIMS_MAX; dim++)
            n = pl_mul_sat(n, t->ne[dim]);
        d->type[k].count++;
        d->type[k].bytes = pl_add_sat(d->type[k].bytes, t->bytes);
        d->type[k].parameters = pl_add_sat(d->type[k].parameters, n);
    }
    qsort(d->type, d->n_type, sizeof(d->type[0]), pl_type_by_bytes);
}

static struct pl_fact pl_count_of(const struct pl_model *m, const char *key)
{
    const struct pl_kv *kv = pl_model_kv(m, key);
    struct pl_fact f = {0};
    if (kv != NULL && kv->type == PL_KV_ARRAY)
        f = (struct pl_fact){true, kv->count, kv->count};
    return f;
}

static void pl_describe_tokenizer(const struct pl_model *m, struct pl_tokenizer *t)
{
    t->model = pl_model_str(m, "tokenizer.ggml.model", NULL);
    t->pre = pl_model_str(m, "tokenizer.ggml.pre", NULL);
    t->vocabulary = pl_count_of(m, "tokenizer.ggml.tokens");
    t->merges = pl_count_of(m, "tokenizer.ggml.merges");
    t->present = t->model != NULL || t->vocabulary.known;
    for (uint64_t i = 0; i < m->n_kv; i++) {
        const struct pl_kv *kv = &m->kv[i];
        if (kv->type != PL_KV_STR || !pl_starts(kv->key, "tokenizer.chat_template"))
            continue;
        if (pl_streq(kv->key, "tokenizer.chat_template")) {
            t->chat_template = true;
            t->chat_template_bytes = kv->count;
        }
        t->chat_templates++;
    }
}

static enum pl_model_kind pl_describe_kind(const struct pl_model *m, const struct pl_tokenizer *t)
{
    const char *type = pl_model_str(m, "general.type", "model");
    if (pl_streq(type, "imatrix"))
        return PL_MODEL_IMATRIX;
    if (pl_streq(type, "adapter") || pl_streq(m->arch, "controlvector"))
        return PL_MODEL_ADAPTER;
    if (pl_streq(type, "mmproj") || pl_streq(type, "clip-vision") || pl_streq(m->arch, "clip"))
        return PL_MODEL_PROJECTOR;
    return m->n_tensor == 0 && t->present ? PL_MODEL_VOCABULARY : PL_MODEL_WHOLE;
}

void pl_model_describe(const struct pl_model *m, struct pl_description *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->parameters = pl_model_parameters(m);
    ret->parameters_active = pl_model_parameters_active(m);
    ret->tensor_bytes = pl_model_tensor_bytes(m);
    pl_describe_types(m, ret);
    pl_describe_tokenizer(m, &ret->tokenizer);
    ret->kind = pl_describe_kind(m, &ret->tokenizer);
    for (int i = 0; i < PL_SHAPES; i++)
        ret->shape[i] = pl_fact_of(m, pl_shapes[i].key);
    ret->tied_output = pl_model_tensor(m, "token_embd.weight") != NULL &&
                       pl_model_tensor(m, "output.weight") == NULL;
    pl_model_warn(m, ret);
}
