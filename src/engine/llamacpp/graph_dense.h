/* The compute buffer of a dense decoder on one host backend. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_DENSE_H
#define PL_ENGINE_LLAMACPP_GRAPH_DENSE_H

#include "engine/llamacpp/resolve.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the compute buffer that the engine reserves for its largest graph: a full physical batch
 * at the end of a full cache, n_outputs rows of logits. *ret_miss: by how much that may be missed,
 * either way; 0 where the peak lies in a feed-forward, which is followed exactly. Returns false
 * when the allocator's model cannot follow (see graph_alloc.h). */
bool pl_graph_dense_bytes(const struct pl_geometry *g, const struct pl_resolved *r,
                          uint64_t n_outputs, uint64_t *ret_bytes, uint64_t *ret_miss);

#endif
