/* Which layers of a model tell the same: the allocator's state repeats from layer to layer, so the
 * first few of each kind and the last ones make the same buffer as all. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_LAYERS_H
#define PL_ENGINE_LLAMACPP_GRAPH_LAYERS_H

#include "domain/model.h"
#include "engine/llamacpp/arch.h"
#include "engine/llamacpp/placement.h"

#include <stdbool.h>

/* A flag per layer: may be left out. NULL: no memory, or none may. `place`: NULL = all on the host.
 */
const bool *pl_graph_layers_alike(struct pl_arena *a, const struct pl_model *m,
                                  const struct pl_net *net, const struct pl_placement *place);

#endif
