/* How fast llama-server decodes. Pure. */
#ifndef PL_ENGINE_LLAMACPP_SPEED_H
#define PL_ENGINE_LLAMACPP_SPEED_H

#include "domain/model.h"
#include "domain/quantity.h"
#include "domain/settings.h"

/* Tokens per second of one slot at `depth` tokens of context, from the bytes a token reads and the
 * memory bandwidth; never above that roofline. Unknown when the bandwidth is. */
struct pl_rate pl_llamacpp_decode_rate(const struct pl_model *m, const struct pl_resolved *r,
                                       uint64_t kv_bytes, uint64_t depth, struct pl_rate bandwidth);

#endif
