#include "engine/llamacpp/speed_experts.h"

#include "base/str.h"

#define PL_EXPERTS_ANY_LEAST 8 /* the row of any mixture speaks of those with so many a token */

static const struct pl_expert_floor pl_expert_floors[] = {
#include "experts.inc"
};

const struct pl_expert_floor *pl_llamacpp_expert_floor(const struct pl_model *m)
{
    uint64_t own = pl_model_arch_u64(m, "expert_used_count", 0);
    uint64_t all = pl_model_arch_u64(m, "expert_count", 0);
    uint64_t layers = pl_model_arch_u64(m, "block_count", 0);
    if (own == 0 || all == 0 || m->arch == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof(pl_expert_floors) / sizeof(pl_expert_floors[0]); i++) {
        const struct pl_expert_floor *f = &pl_expert_floors[i];
        bool this = f->arch != NULL
                        ? pl_streq(f->arch, m->arch) && f->n_layer == layers && f->n_expert == all
                        : own >= PL_EXPERTS_ANY_LEAST;
        if (this && own > f->least)
            return f;
    }
    return NULL;
}
