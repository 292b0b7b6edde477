/* The order in which a Vulkan device evaluates its part of a graph: ggml-vulkan.cpp,
 * ggml_vk_graph_optimize. Operations that do not wait for each other are drawn together, so that
 * they may run at once; more tensors live at the same time then. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_REORDER_H
#define PL_ENGINE_LLAMACPP_GRAPH_REORDER_H

#include "engine/llamacpp/graph_ops.h"

/* Reorders n operations in place. */
void pl_net_reorder(struct pl_net_graph *g, pl_tid *order, uint32_t n);

#endif
