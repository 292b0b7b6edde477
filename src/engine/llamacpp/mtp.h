/* The second context of --spec-type draft-mtp: a cache for the layers that predict several tokens,
 * which the model's own context leaves out, and a graph of one such layer. Pure. */
#ifndef PL_ENGINE_LLAMACPP_MTP_H
#define PL_ENGINE_LLAMACPP_MTP_H

#include "domain/quantity.h"
#include "engine/llamacpp/placement.h"

struct pl_mtp {
    uint64_t kv[PL_PLACES_MAX];
    uint64_t output; /* logits, hidden states and what sampling on the backend keeps; host */
    struct pl_quantity compute;
    uint8_t place; /* of the layers, and so of most of the graph */
};

/* type_k, type_v: of its cache (-ctkd, -ctvd). -EINVAL (exit 2) for a model without such layers,
 * -ENOTSUP (exit 3) for architectures whose second context was not seen. */
int pl_llamacpp_mtp(const struct pl_model *m, const struct pl_net *net, const struct pl_resolved *r,
                    uint32_t type_k, uint32_t type_v, const struct pl_placement *place,
                    struct pl_mtp *ret, struct pl_err *err);

#endif
