/* Tensor element types as GGUF numbers them, and those that only other containers have. */
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

/* Types without a number in GGUF (F8_E4M3, U8 ...) have ids from here on; no GGUF file may name
 * one.
 */
#define PL_TYPE_FOREIGN 1000u

/* The type that safetensors calls so ("BF16", "F8_E4M3"), or NULL. */
const struct pl_tensor_type *pl_tensor_type_stored(const char *name);

/* Bytes of n elements in rows of `row` elements; false when the row is not a whole number of blocks
 * or the product overflows. */
bool pl_tensor_type_bytes(const struct pl_tensor_type *t, uint64_t row, uint64_t rows,
                          uint64_t *ret);

#endif
