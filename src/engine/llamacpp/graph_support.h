/* What a device can evaluate, and what therefore stays on the host: each backend's own
 * supports_op. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_SUPPORT_H
#define PL_ENGINE_LLAMACPP_GRAPH_SUPPORT_H

#include "domain/graph_ops.h"
#include "engine/llamacpp/devices.h"

/* May this device evaluate t? Of the reasons to refuse, those that graphs of language models meet;
 * the host takes everything. */
bool pl_device_supports(const struct pl_net_graph *g, pl_tid t, const struct pl_used_device *d);

#endif
