/* Bytes of the caches that a context holds beside the weights: K and V, indexer keys, recurrent
 * state. Exact, per layer, so that they can be placed. Pure. */
#ifndef PL_ENGINE_LLAMACPP_CACHE_H
#define PL_ENGINE_LLAMACPP_CACHE_H

#include "domain/settings.h"
#include "engine/llamacpp/arch.h"

#include <stddef.h>

struct pl_layer_cache {
    uint64_t global;    /* K and V of every token, indexer keys, compressed caches */
    uint64_t window;    /* K and V of a sliding layer */
    uint64_t recurrent; /* state; grows with slots, not with context */
};

/* Of one layer. What does not fit 64 bits saturates. */
struct pl_layer_cache pl_llamacpp_layer_cache(const struct pl_net *net, const struct pl_resolved *r,
                                              uint32_t il);

/* Of all layers. */
struct pl_layer_cache pl_llamacpp_cache(const struct pl_net *net, const struct pl_resolved *r);

/* Cells of a sliding layer's cache, per stream. */
uint64_t pl_llamacpp_window_cells(const struct pl_net *net, const struct pl_resolved *r);

/* How it comes about, in one clause with figures: "5 layers keep 32768 tokens (320 MiB), 25 slide
 * over 1536 (75 MiB)". */
void pl_llamacpp_cache_text(const struct pl_net *net, const struct pl_resolved *r, char *buf,
                            size_t size);

#endif
