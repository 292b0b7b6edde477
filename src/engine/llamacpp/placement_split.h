/* Tensors that several devices share: -sm tensor and -sm row. Pure. */
#ifndef PL_ENGINE_LLAMACPP_PLACEMENT_SPLIT_H
#define PL_ENGINE_LLAMACPP_PLACEMENT_SPLIT_H

#include "engine/llamacpp/placement.h"

/* Can the engine share this model so? -EINVAL (exit 2) where it refuses, -ENOTSUP (exit 3) where
 * the shares are not known. share: what -ts says, or NULL. Fills p->share. */
int pl_place_split(struct pl_placement *p, const struct pl_net *net, const struct pl_settings *s,
                   struct pl_err *err);

/* Adds a tensor that p places on device `place` to the devices that share it. */
void pl_place_share_tensor(const struct pl_placement *p, const struct pl_model *m,
                           const struct pl_net *net, const struct pl_tensor *t, uint8_t place,
                           struct pl_placed *sum);

/* The same for the cache and the recurrent state of a layer. */
void pl_place_share_cache(const struct pl_placement *p, const struct pl_model *m,
                          const struct pl_net *net, uint32_t il, struct pl_layer_cache c,
                          struct pl_placed *sum);

#endif
