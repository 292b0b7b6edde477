/* Which backend evaluates what, and what is copied between them: ggml/src/ggml-backend.cpp,
 * ggml_backend_sched_split_graph. Pure.
 *
 * Backends are numbered as the engine ranks them: devices first, the host last. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_SPLIT_H
#define PL_ENGINE_LLAMACPP_GRAPH_SPLIT_H

#include "domain/graph_ops.h"
#include "domain/graph_place.h"
#include "engine/llamacpp/devices.h"

#define PL_SPLIT_COPIES 4u   /* GGML_SCHED_MAX_COPIES */
#define PL_OFFLOAD_BATCH 32u /* rows from which a device takes a product with a host weight */

struct pl_split_rules {
    uint32_t n_backend; /* devices and the host */
    bool op_offload;    /* devices take products with host weights in large batches */
    uint32_t n_copies;  /* of inputs: 1, or PL_SPLIT_COPIES where devices work in a pipeline */
    const struct pl_used_device *device; /* by backend, but the host's; what they can evaluate, and
                                            whether in an order of their own (graph_reorder.h) */
};

/* Assigns every tensor (pl_t.backend), inserts the copies, and fills the plan's lists. The members
 * of the order and of the leaves become those of the engine's own copy of the graph. */
bool pl_net_split(struct pl_net_graph *g, const struct pl_split_rules *rules,
                  struct pl_place_plan *plan);

#endif
