/* How large the buffer of a graph becomes: every tensor placed by the allocator's model, freed
 * after its last use, results over their operands where the engine does so. Pure. */
#ifndef PL_DOMAIN_GRAPH_PLACE_H
#define PL_DOMAIN_GRAPH_PLACE_H

#include "domain/graph_ops.h"

#define PL_PLACE_BUFFERS_MAX 18

/* One buffer per backend. `of_node` and `of_leaf` name the buffer of each member of the order and
 * of the leaves; NULL: all in the first. Adds no tensors; marks the net failed when the allocator's
 * model cannot follow. ret_bytes has n_buffer members. */
struct pl_place_plan {
    uint32_t n_buffer;
    uint64_t align[PL_PLACE_BUFFERS_MAX];
    const uint8_t *of_node, *of_leaf;
};
bool pl_net_place(struct pl_net_graph *g, const struct pl_place_plan *plan, uint64_t *ret_bytes);

#endif
