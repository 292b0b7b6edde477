#include "domain/tensor_type.h"

#include "base/checked.h"

#include <stddef.h>
#include <strings.h>

/* Generated from data/quants.tsv (class "type" and "type-removed"); see tools/gen-data. */
static const struct pl_tensor_type pl_types[] = {
#include "tensor_types.inc"
};

const struct pl_tensor_type *pl_tensor_type(uint32_t id)
{
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
