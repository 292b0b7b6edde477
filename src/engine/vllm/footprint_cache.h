/* The cache of vLLM: blocks, groups of layers, and how many sequences they hold. Private to
 * footprint.c. Mirrors vllm/v1/core/kv_cache_utils.py and vllm/v1/kv_cache_interface.py. */
#ifndef PL_ENGINE_VLLM_FOOTPRINT_CACHE_H
#define PL_ENGINE_VLLM_FOOTPRINT_CACHE_H

#include "domain/checkpoint.h"

struct pl_vllm_cache {
    uint64_t block;   /* tokens */
    uint64_t bytes;   /* of an element */
    uint64_t tp;      /* devices that share the heads */
    uint64_t len;     /* tokens of a sequence */
    uint64_t batched; /* tokens of a step: a window keeps them beside itself */
    /* computed */
    uint64_t page;   /* bytes of a block in one layer of one device */
    uint64_t layers; /* of one group: a block takes a page in each */
    uint64_t groups;
    uint64_t per_request; /* blocks that a sequence of len tokens takes */
    bool hybrid;          /* layers with a window and layers without */
};

/* Fills what is computed. False when the layers keep no cache by token at all. */
bool pl_vllm_cache_shape(const struct pl_checkpoint *c, struct pl_vllm_cache *k);

/* Blocks that fit in so many bytes of one device; tokens they hold, as the engine reports them. */
uint64_t pl_vllm_cache_blocks(const struct pl_vllm_cache *k, uint64_t bytes);
uint64_t pl_vllm_cache_tokens(const struct pl_vllm_cache *k, uint64_t blocks);

/* The longest sequence that so many blocks hold. */
uint64_t pl_vllm_cache_longest(const struct pl_checkpoint *c, const struct pl_vllm_cache *k,
                               uint64_t blocks);

#endif
