/* Weights as PyTorch and bitsandbytes hold them. Private to footprint.c. */
#ifndef PL_ENGINE_TRANSFORMERS_FOOTPRINT_WEIGHTS_H
#define PL_ENGINE_TRANSFORMERS_FOOTPRINT_WEIGHTS_H

#include "domain/checkpoint.h"
#include "domain/model.h"

#include <stdbool.h>
#include <stdint.h>

/* How the linear weights are held; the rest has the type of `wide` bytes. */
enum pl_held { PL_HELD_WIDE = 0, PL_HELD_INT8, PL_HELD_4BIT, PL_HELD_STORED };

struct pl_held_as {
    enum pl_held linear;
    uint64_t wide;     /* bytes of an element of what is not quantised: 2 or 4 */
    bool double_quant; /* of 4 bit */
    bool experts_too;  /* stacked experts are split into linear modules, and quantised */
};

struct pl_held_sum {
    uint64_t quantised; /* packed elements */
    uint64_t scales;    /* and what goes with them */
    uint64_t wide;      /* bytes of the rest */
    uint64_t reserved;  /* device memory that PyTorch's allocator takes for all of it */
    uint64_t full;      /* all of it at 16 or 32 bits, as it comes from the file */
    uint64_t n_quantised, n_wide;
    uint64_t largest;        /* of one tensor as held */
    uint64_t largest_wide;   /* of one tensor before it is quantised */
    uint64_t largest_linear; /* the same of a quantised one: written out again for large products */
};

void pl_transformers_weights(const struct pl_model *m, const struct pl_held_as *as,
                             struct pl_held_sum *ret);

#endif
