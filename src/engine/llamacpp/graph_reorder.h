/* The order in which a Vulkan device evaluates its part of a graph: ggml-vulkan.cpp,
 * ggml_vk_graph_optimize. Operations that do not wait for each other are drawn together, so that
 * they may run at once; more tensors live at the same time then. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_REORDER_H
#define PL_ENGINE_LLAMACPP_GRAPH_REORDER_H

#include "domain/graph_ops.h"

/* The n operations in the new order, of the net's arena; what is fused keeps what it reads until it
 * is done, so that there may be more of them. NULL marks the net failed. */
const pl_tid *pl_net_reorder(struct pl_net_graph *g, const pl_tid *order, uint32_t *n);

#endif
