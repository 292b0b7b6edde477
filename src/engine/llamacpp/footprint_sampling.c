#include "engine/llamacpp/footprint_device.h"

#include "base/checked.h"

/* Values of a row of logits that the steps of a slot's sampler chain hold at once, at most: soft
 * max, sums, differences and masks of the whole vocabulary, and an order of it, where no step
 * before them has left a few candidates (src/llama-sampler.cpp, ..._backend_apply). */
#define PL_SAMPLER_ROWS 8u

void pl_footprint_sampling(const struct pl_net *net, const struct pl_resolved *r,
                           const struct pl_placement *place, struct pl_footprint *f)
{
    uint8_t at = place->devices.n > 0 ? place->layer[place->n_layer] : PL_PLACE_HOST;
    if (!r->sampling)
        return;
    uint64_t words = pl_mul_sat(net->n_vocab, 4), width = r->n_seq;
    uint64_t sampled = pl_mul_sat(pl_add_sat(pl_mul_sat(words, 3), 4), width);
    struct pl_quantity *out = &f->pool[PL_PLACE_HOST].part[PL_PART_OUTPUT];
    if (pl_known(*out))
        *out =
            pl_between(pl_add_sat(out->low, sampled), pl_add_sat(out->likely, sampled),
                       pl_add_sat(out->high, pl_mul_sat(sampled / width, r->n_outputs)),
                       PL_SOURCE_DERIVED, "rows of logits, and their probabilities and candidates");
    struct pl_quantity *c = &f->pool[at < f->n_pool ? at : PL_PLACE_HOST].part[PL_PART_COMPUTE];
    if (pl_known(*c))
        *c = pl_between(c->low, c->likely,
                        pl_add_sat(c->high, pl_mul_sat(pl_mul_sat(words, PL_SAMPLER_ROWS), width)),
                        c->source, "graph, and the samplers of every slot (--backend-sampling)");
}
