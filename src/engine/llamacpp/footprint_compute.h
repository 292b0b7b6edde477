/* The compute buffer as a part of the footprint. Pure. */
#ifndef PL_ENGINE_LLAMACPP_FOOTPRINT_COMPUTE_H
#define PL_ENGINE_LLAMACPP_FOOTPRINT_COMPUTE_H

#include "domain/model.h"
#include "domain/quantity.h"
#include "domain/settings.h"
#include "engine/llamacpp/arch.h"

#include <stdbool.h>
#include <stdint.h>

/* On the host alone. Exact where the graph is followed and the engine's version is the proved one;
 * unknown where there is no recipe for the architecture. */
struct pl_quantity pl_llamacpp_compute(const struct pl_model *m, const struct pl_net *net,
                                       const struct pl_resolved *r, bool version_known,
                                       uint64_t *ret_decode);

/* The same where the graph is not followed: what any graph needs, in a wide interval. */
struct pl_quantity pl_llamacpp_compute_usual(const struct pl_net *net, const struct pl_resolved *r);

/* Bytes of the compute buffer that serving text does not touch, so that they are reserved and not
 * resident: prompts of at most `prompt` tokens, caches never fuller than `depth`. whole: the buffer
 * where it is known, decode: what pl_llamacpp_compute said; 0 = to be computed. False where the
 * graph is not followed. */
bool pl_llamacpp_idle_bytes(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, uint64_t prompt, uint64_t depth,
                            uint64_t whole, uint64_t decode, uint64_t *ret);

#endif
