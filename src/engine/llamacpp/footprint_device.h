/* The pools of the devices a model is spread over, and what changes on the host then. Private to
 * footprint.c. */
#ifndef PL_ENGINE_LLAMACPP_FOOTPRINT_DEVICE_H
#define PL_ENGINE_LLAMACPP_FOOTPRINT_DEVICE_H

#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/placement.h"

/* What the engine refuses of this model, placed so: -EINVAL (exit 2). */
int pl_footprint_refused(const struct pl_model *m, const struct pl_settings *s,
                         const struct pl_net *net, const struct pl_resolved *r,
                         const struct pl_placement *place, struct pl_err *err);

/* What --backend-sampling adds to the parts of f: rows beside the logits, and the samplers' part of
 * the graph, where the output layer is. */
void pl_footprint_sampling(const struct pl_net *net, const struct pl_resolved *r,
                           const struct pl_placement *place, struct pl_footprint *f);

/* What is served, how and where. */
struct pl_device_ask {
    const struct pl_model *m;
    const struct pl_net *net;
    const struct pl_settings *s;
    const struct pl_resolved *r;
    const struct pl_placement *place;
    const struct pl_placed *placed;
    bool version_known; /* of the engine: the one that formulas were compared with */
};

/* Adds a pool for each device to f, whose first pool is the host with its compute part as if there
 * were no devices; replaces that part. */
void pl_footprint_device_pools(const struct pl_device_ask *a, struct pl_footprint *f);

#endif
