#include "domain/tensor_type.h"

#include "base/checked.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Generated from data/quants.tsv (class "type" and "type-removed"); see tools/gen-data. */
static const struct pl_tensor_type pl_types[] = {
#include "tensor_types.inc"
};

/* huggingface/safetensors, safetensors/src/tensor.rs, enum Dtype: what GGUF has no number for. */
static const struct pl_tensor_type pl_foreign[] = {
    {PL_TYPE_FOREIGN + 0,  "F8_E4M3",     1, 1, false},
    {PL_TYPE_FOREIGN + 1,  "F8_E5M2",     1, 1, false},
    {PL_TYPE_FOREIGN + 2,  "F8_E8M0",     1, 1, false},
    {PL_TYPE_FOREIGN + 3,  "F4",          2, 1, false},
    {PL_TYPE_FOREIGN + 4,  "F6_E2M3",     4, 3, false},
    {PL_TYPE_FOREIGN + 5,  "F6_E3M2",     4, 3, false},
    {PL_TYPE_FOREIGN + 6,  "BOOL",        1, 1, false},
    {PL_TYPE_FOREIGN + 7,  "U8",          1, 1, false},
    {PL_TYPE_FOREIGN + 8,  "U16",         1, 2, false},
    {PL_TYPE_FOREIGN + 9,  "U32",         1, 4, false},
    {PL_TYPE_FOREIGN + 10, "U64",         1, 8, false},
    {PL_TYPE_FOREIGN + 11, "C64",         1, 8, false},
    {PL_TYPE_FOREIGN + 12, "F8_E4M3FNUZ", 1, 1, false},
    {PL_TYPE_FOREIGN + 13, "F8_E5M2FNUZ", 1, 1, false},
};
#define PL_FOREIGN (sizeof(pl_foreign) / sizeof(pl_foreign[0]))

const struct pl_tensor_type *pl_tensor_type_stored(const char *name)
{
    static const char *const shared[] = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8"};
    for (unsigned i = 0; i < PL_FOREIGN; i++) {
        if (strcmp(pl_foreign[i].name, name) == 0)
            return &pl_foreign[i];
    }
    for (unsigned i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        if (strcmp(shared[i], name) == 0)
            return pl_tensor_type_named(name);
    }
    return NULL;
}

const struct pl_tensor_type *pl_tensor_type(uint32_t id)
{
    if (id >= PL_TYPE_FOREIGN)
        return id - PL_TYPE_FOREIGN < PL_FOREIGN ? &pl_foreign[id - PL_TYPE_FOREIGN] : NULL;
    for (unsigned i = 0; i < sizeof(pl_types) / sizeof(pl_types[0]); i++) {
        if (pl_types[i].id == id)
            return &pl_types[i];
    }
    return NULL;
}

const struct pl_tensor_type *pl_tensor_type_named(const char *name)
{
    for (unsigned i = 0; i < sizeof(pl_types) / sizeof(pl_types[0]); i++) {
        if (strcasecmp(pl_types[i].name, name) == 0)
            return &pl_types[i];
    }
    return NULL;
}

bool pl_tensor_type_bytes(const struct pl_tensor_type *t, uint64_t row, uint64_t rows,
                          uint64_t *ret)
{
    uint64_t n = 0;
    if (t->removed || t->block_elements == 0 || row % t->block_elements != 0)
        return false;
    return pl_mul_u64(row / t->block_elements, t->block_bytes, &n) && pl_mul_u64(n, rows, ret);
}
