#include "domain/model.h"

#include "base/checked.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct pl_model *pl_model_free(struct pl_model *m)
{
    if (m != NULL) {
        pl_arena_done(&m->arena);
        free(m);
    }
    return NULL;
}

const struct pl_kv *pl_model_kv(const struct pl_model *m, const char *key)
{
    for (uint64_t i = 0; i < m->n_kv; i++) {
        if (pl_streq(m->kv[i].key, key))
            return &m->kv[i];
    }
    return NULL;
}

const struct pl_kv *pl_model_arch_kv(const struct pl_model *m, const char *suffix)
{
    size_t n = strlen(m->arch);
    for (uint64_t i = 0; i < m->n_kv; i++) {
        const char *key = m->kv[i].key;
        if (strncmp(key, m->arch, n) == 0 && key[n] == '.' && pl_streq(key + n + 1, suffix))
            return &m->kv[i];
    }
    return NULL;
}

enum pl_kv_class pl_kv_class(enum pl_kv_type t)
{
    switch (t) {
    case PL_KV_U8:
    case PL_KV_I8:
    case PL_KV_U16:
    case PL_KV_I16:
    case PL_KV_U32:
    case PL_KV_I32:
    case PL_KV_U64:
    case PL_KV_I64:
        return PL_KV_WHOLE;
    case PL_KV_BOOL:
        return PL_KV_TRUTH;
    case PL_KV_F32:
    case PL_KV_F64:
        return PL_KV_REAL;
    case PL_KV_STR:
        return PL_KV_TEXT;
    case PL_KV_ARRAY:
    case PL_KV_TYPES:
        break;
    }
    return PL_KV_OTHER;
}

uint64_t pl_model_layer_u64(const struct pl_model *m, const char *suffix, uint64_t layer,
                            uint64_t absent)
{
    const struct pl_kv *kv = pl_model_arch_kv(m, suffix);
    if (kv == NULL)
        return absent;
    int64_t v = -1;
    if (kv->type == PL_KV_ARRAY) {
        if (kv->ints == NULL || layer >= kv->count)
            return absent;
        v = kv->ints[layer];
    } else if (pl_kv_class(kv->type) == PL_KV_WHOLE || kv->type == PL_KV_BOOL) {
        v = (int64_t)kv->u;
    }
    return v < 0 ? absent : (uint64_t)v;
}

uint64_t pl_model_arch_u64(const struct pl_model *m, const char *suffix, uint64_t absent)
{
    return pl_model_layer_u64(m, suffix, 0, absent);
}

const char *pl_model_str(const struct pl_model *m, const char *key, const char *absent)
{
    const struct pl_kv *kv = pl_model_kv(m, key);
    return kv != NULL && kv->type == PL_KV_STR && kv->str != NULL ? kv->str : absent;
}

const struct pl_tensor *pl_model_tensor(const struct pl_model *m, const char *name)
{
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        if (pl_streq(m->tensor[i].name, name))
            return &m->tensor[i];
    }
    return NULL;
}

static uint64_t pl_tensor_elements(const struct pl_tensor *t)
{
    uint64_t n = 1;
    for (int d = 0; d < PL_TENSOR_DIMS_MAX; d++)
        n = pl_mul_sat(n, t->ne[d]);
    return n;
}

uint64_t pl_model_tensor_bytes(const struct pl_model *m)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++)
        n = pl_add_sat(n, m->tensor[i].bytes);
    return n;
}

uint64_t pl_model_parameters(const struct pl_model *m)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++)
        n = pl_add_sat(n, pl_tensor_elements(&m->tensor[i]));
    return n;
}

uint64_t pl_model_parameters_active(const struct pl_model *m)
{
    uint64_t total = pl_model_arch_u64(m, "expert_count", 0);
    uint64_t used = pl_model_arch_u64(m, "expert_used_count", 0);
    uint64_t n = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        uint64_t elements = pl_tensor_elements(&m->tensor[i]);
        bool routed = used > 0 && used <= total && strstr(m->tensor[i].name, "_exps.") != NULL;
        n = pl_add_sat(n, routed ? pl_mul_sat(elements / total, used) : elements);
    }
    return n;
}

/* Generated from data/quants.tsv (class "mix"); see tools/gen-data. */
static const struct pl_file_type pl_file_types[] = {
#include "mixes.inc"
};

const struct pl_file_type *pl_model_file_type_of(const struct pl_model *m)
{
    const struct pl_kv *kv = pl_model_kv(m, "general.file_type");
    if (kv == NULL || (pl_kv_class(kv->type) != PL_KV_WHOLE && kv->type != PL_KV_BOOL))
        return NULL;
    for (size_t i = 0; i < sizeof(pl_file_types) / sizeof(pl_file_types[0]); i++) {
        if (pl_file_types[i].id == kv->u)
            return &pl_file_types[i];
    }
    return NULL;
}

const char *pl_model_file_type(const struct pl_model *m)
{
    const struct pl_file_type *t = pl_model_file_type_of(m);
    return t != NULL ? t->name : "unknown";
}
