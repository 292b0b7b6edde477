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

static bool pl_kv_is_int(enum pl_kv_type t)
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
    case PL_KV_BOOL:
        return true;
    case PL_KV_F32:
    case PL_KV_F64:
    case PL_KV_STR:
    case PL_KV_ARRAY:
    case PL_KV_TYPES:
        break;
    }
    return false;
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
    } else if (pl_kv_is_int(kv->type)) {
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
        bool routed = total > 0 && used <= total && strstr(m->tensor[i].name, "_exps.") != NULL;
        n = pl_add_sat(n, routed ? pl_mul_sat(elements / total, used) : elements);
    }
    return n;
}

/* llama.h, enum llama_ftype: the numbers in general.file_type. */
static const struct {
    uint64_t id;
    const char *name;
} pl_file_types[] = {
    {0,  "F32"    },
    {1,  "F16"    },
    {2,  "Q4_0"   },
    {3,  "Q4_1"   },
    {7,  "Q8_0"   },
    {8,  "Q5_0"   },
    {9,  "Q5_1"   },
    {10, "Q2_K"   },
    {11, "Q3_K_S" },
    {12, "Q3_K_M" },
    {13, "Q3_K_L" },
    {14, "Q4_K_S" },
    {15, "Q4_K_M" },
    {16, "Q5_K_S" },
    {17, "Q5_K_M" },
    {18, "Q6_K"   },
    {19, "IQ2_XXS"},
    {20, "IQ2_XS" },
    {21, "Q2_K_S" },
    {22, "IQ3_XS" },
    {23, "IQ3_XXS"},
    {24, "IQ1_S"  },
    {25, "IQ4_NL" },
    {26, "IQ3_S"  },
    {27, "IQ3_M"  },
    {28, "IQ2_S"  },
    {29, "IQ2_M"  },
    {30, "IQ4_XS" },
    {31, "IQ1_M"  },
    {32, "BF16"   },
    {36, "TQ1_0"  },
    {37, "TQ2_0"  },
    {38, "MXFP4"  },
    {39, "NVFP4"  },
    {40, "Q1_0"   },
    {41, "Q2_0"   },
};

const char *pl_model_file_type(const struct pl_model *m)
{
    const struct pl_kv *kv = pl_model_kv(m, "general.file_type");
    if (kv == NULL || !pl_kv_is_int(kv->type))
        return "unknown";
    for (size_t i = 0; i < sizeof(pl_file_types) / sizeof(pl_file_types[0]); i++) {
        if (pl_file_types[i].id == kv->u)
            return pl_file_types[i].name;
    }
    return "unknown";
}
