/* Tensor element types as GGUF numbers them. */
#ifndef PL_DOMAIN_TENSOR_TYPE_H
#define PL_DOMAIN_TENSOR_TYPE_H

#include <stdbool.h>
#include <stdint.h>

struct pl_tensor_type {
    uint32_t id; /* ggml_type */
    const char *name;
    uint32_t block_elements, block_bytes;
    bool removed; /* retired upstream: known by name, cannot be sized */
};

/* The type with that id or name (any case), or NULL when unknown. Static. */
const struct pl_tensor_type *pl_tensor_type(uint32_t id);
const struct pl_tensor_type *pl_tensor_type_named(const char *name);

/* Bytes of n elements in rows of `row` elements; false when the row is not a whole number of blocks
 * or the product overflows. */
bool pl_tensor_type_bytes(const struct pl_tensor_type *t, uint64_t row, uint64_t rows,
                          uint64_t *ret);

#endif
