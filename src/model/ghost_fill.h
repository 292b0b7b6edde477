/* Made-up weights for ghosts: random bits under small finite scales, so that a real engine computes
 * with real work and no NaN. Only ghost.c includes this. */
#ifndef PL_MODEL_GHOST_FILL_H
#define PL_MODEL_GHOST_FILL_H

#include "domain/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_ghost_fill {
    uint64_t state;     /* of the generator; seeded per tensor */
    const void *layout; /* internal */
    uint64_t keep, set; /* of every 8 bytes, for plain numbers */
    uint32_t block_bytes;
};

/* Tensors that even a ghost of zeros must hold numbers in: an engine divides by RoPE's factors. */
bool pl_ghost_fill_always(const struct pl_tensor *t);

/* Prepares to fill tensor t, the index-th of the file. The same seed gives the same bytes. Returns
 * false when the type's layout is not known; the tensor then stays zero. */
bool pl_ghost_fill_start(struct pl_ghost_fill *f, const struct pl_tensor *t, uint64_t index,
                         uint64_t seed);

/* Bytes per call that keep blocks whole: a multiple of the block and of 8, at most `most`. */
size_t pl_ghost_fill_chunk(const struct pl_ghost_fill *f, size_t most);

/* The next n bytes of the tensor; out has room for n rounded up to 8. Every n but the last is a
 * chunk as above. */
void pl_ghost_fill_next(struct pl_ghost_fill *f, uint8_t *out, size_t n);

#endif
