/* Fewer experts a token than a mixture was trained with (--override-kv
 * ARCH.expert_used_count=int:N): faster, and below some number the text falls apart. Pure. */
#ifndef PL_ENGINE_LLAMACPP_SPEED_EXPERTS_H
#define PL_ENGINE_LLAMACPP_SPEED_EXPERTS_H

#include "domain/model.h"

/* A row of data/experts.tsv. */
struct pl_expert_floor {
    const char *arch;           /* NULL: of any */
    uint64_t n_layer, n_expert; /* 0: any */
    uint64_t least;             /* experts a token that were seen to do */
    const char *why, *source;
};

/* What is recorded for m, as its file says it is: NULL for what is no mixture, and for one whose
 * own number is not above the recorded one. */
const struct pl_expert_floor *pl_llamacpp_expert_floor(const struct pl_model *m);

#endif
