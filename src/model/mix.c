#include "model/mix.h"

#include "base/checked.h"
#include "base/str.h"
#include "domain/tensor_type.h"
#include "model/mix_rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_MIX_TENSORS_MAX 65536u
#define PL_MIX_NAME_MAX 24

/* Generated from data/quants.tsv (class "mix"); see tools/gen-data. */
static const struct pl_mix pl_mix_table[] = {
#include "mixes.inc"
};
#define PL_MIXES (sizeof(pl_mix_table) / sizeof(pl_mix_table[0]))

const struct pl_mix *pl_mixes(size_t *ret_n)
{
    *ret_n = PL_MIXES;
    return pl_mix_table;
}

/* tools/quantize/quantize.cpp: the names without a size mean the medium one. */
static const char *const pl_mix_short[][2] = {
    {"Q3_K",  "Q3_K_M"   },
    {"Q4_K",  "Q4_K_M"   },
    {"Q5_K",  "Q5_K_M"   },
    {"FP16",  "F16"      },
    {"FP32",  "F32"      },
    {"MXFP4", "MXFP4_MOE"},
};

/* "q4-k-m" -> "Q4_K_M"; false when it is too long to be a name. */
static bool pl_mix_spell(const char *name, char out[PL_MIX_NAME_MAX])
{
    size_t n = strlen(name);
    if (n == 0 || n >= PL_MIX_NAME_MAX)
        return false;
    for (size_t i = 0; i <= n; i++)
        out[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    return true;
}

const struct pl_mix *pl_mix_named(const char *name)
{
    char wanted[PL_MIX_NAME_MAX];
    if (!pl_mix_spell(name, wanted))
        return NULL;
    const char *full = wanted;
    for (size_t i = 0; i < sizeof(pl_mix_short) / sizeof(pl_mix_short[0]); i++) {
        if (pl_streq(wanted, pl_mix_short[i][0]))
            full = pl_mix_short[i][1];
    }
    for (size_t i = 0; i < PL_MIXES; i++) {
        if (pl_streq(pl_mix_table[i].name, full))
            return &pl_mix_table[i];
    }
    return NULL;
}

const char *pl_mix_nearest(const char *name)
{
    const char *names[PL_MIXES + 1];
    char wanted[PL_MIX_NAME_MAX];
    if (!pl_mix_spell(name, wanted))
        return NULL;
    for (size_t i = 0; i < PL_MIXES; i++)
        names[i] = pl_mix_table[i].name;
    names[PL_MIXES] = NULL;
    return pl_nearest(wanted, names);
}

/* "blk.12.attn_v.weight" -> 12; -1 for tensors outside the blocks. */
static int64_t pl_tensor_layer(const char *name)
{
    int64_t layer = 0;
    if (!pl_starts(name, "blk.") || !isdigit((unsigned char)name[4]))
        return -1;
    for (const char *c = name + 4; isdigit((unsigned char)*c); c++) {
        layer = layer * 10 + (*c - '0');
        if (layer > INT32_MAX)
            return -1;
    }
    return layer;
}

/* llama-quantize visits tensors by layer, then by name; the counters in the rules depend on it. */
static int pl_mix_order(const void *a, const void *b)
{
    const struct pl_tensor *const *x = a;
    const struct pl_tensor *const *y = b;
    int64_t lx = pl_tensor_layer((*x)->name);
    int64_t ly = pl_tensor_layer((*y)->name);
    if (lx != ly)
        return lx < ly ? -1 : 1;
    return strcmp((*x)->name, (*y)->name);
}

static int pl_mix_size(struct pl_tensor *t, struct pl_err *err)
{
    const struct pl_tensor_type *type = pl_tensor_type(t->type);
    if (type == NULL || type->removed)
        return pl_fail(err, -EINVAL, "%s: tensor type %u cannot be sized", t->name, t->type);
    if (t->ne[0] % type->block_elements != 0)
        return pl_fail(err, -EINVAL, "%s: rows of %llu elements do not fit blocks of %u (%s)",
                       t->name, (unsigned long long)t->ne[0], type->block_elements, type->name);
    uint64_t rows = pl_mul_sat(pl_mul_sat(t->ne[1], t->ne[2]), t->ne[3]);
    if (!pl_tensor_type_bytes(type, t->ne[0], rows, &t->bytes))
        return pl_fail(err, -ERANGE, "%s: its size overflows", t->name);
    return 0;
}

int pl_mix_apply(const struct pl_mix *mix, const struct pl_mix_facts *facts,
                 struct pl_tensor *tensor, uint64_t n, struct pl_err *err)
{
    if (n > PL_MIX_TENSORS_MAX)
        return pl_fail(err, -E2BIG, "more than %u tensors", PL_MIX_TENSORS_MAX);
    struct pl_tensor **order = calloc(n > 0 ? n : 1, sizeof(*order));
    if (order == NULL)
        return pl_fail(err, -ENOMEM, "no memory for %llu tensors", (unsigned long long)n);
    struct pl_mix_walk walk;
    struct pl_mix_traits t;
    pl_mix_walk_start(&walk, mix, facts);
    for (uint64_t i = 0; i < n; i++) {
        order[i] = &tensor[i];
        pl_mix_traits(&tensor[i], &t);
        pl_mix_walk_count(&walk, &t, 1);
    }
    qsort(order, n, sizeof(struct pl_tensor *), pl_mix_order);
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        pl_mix_traits(order[i], &t);
        order[i]->type = pl_mix_walk_type(&walk, &t, order[i]->ne, pl_tensor_layer(order[i]->name));
        rc = pl_mix_size(order[i], err);
    }
    free(order);
    return rc;
}
