/* src/llama-model.cpp, create_memory (LLAMA_CONTEXT_TYPE_MTP: a plain cache that holds the layers
 * beyond the trunk alone); common/speculative.cpp, common_speculative_init_result. */
#include "engine/llamacpp/mtp.h"

#include "base/checked.h"
#include "base/str.h"
#include "engine/llamacpp/footprint_compute.h"
#include "engine/llamacpp/graph_compute.h"

#include <errno.h>
#include <string.h>

static int pl_mtp_supported(const struct pl_net *net, struct pl_err *err)
{
    if (net->arch->nextn == PL_NEXTN_UNREAD || net->n_layer == net->n_layer_all) {
        (void)pl_fail(err, -EINVAL,
                      "--spec-type draft-mtp: the model has no layers that predict several tokens");
        (void)pl_hint(err, "the engine refuses it too: name another kind, or give such a file "
                           "with --model-draft");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (pl_graph_has_draft(net->arch->name))
        return 0;
    (void)pl_fail(err, -ENOTSUP,
                  "cannot tell: what --spec-type draft-mtp keeps for architecture '%s'",
                  net->arch->name);
    (void)pl_hint(err, "leave it out for an estimate without it");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

/* Followed with a few bytes of doubt: tensors for the hidden states may be kept beside. */
static struct pl_quantity pl_mtp_compute(const struct pl_model *m, const struct pl_net *net,
                                         const struct pl_resolved *r)
{
    struct pl_resolved small = *r;
    struct pl_compute c;
    small.n_outputs = r->n_seq;
    if (!pl_graph_compute_draft(m, net, &small, &c))
        return pl_llamacpp_compute_usual(net, &small);
    return pl_between(c.bytes - c.bytes / 8, c.bytes, pl_add_sat(c.bytes, c.bytes / 8),
                      PL_SOURCE_DERIVED, "graph of one such layer followed");
}

int pl_llamacpp_mtp(const struct pl_model *m, const struct pl_net *net, const struct pl_resolved *r,
                    uint32_t type_k, uint32_t type_v, const struct pl_placement *place,
                    struct pl_mtp *ret, struct pl_err *err)
{
    struct pl_resolved own = *r;
    struct pl_net beside = *net;
    struct pl_arena arena;
    int rc = pl_mtp_supported(net, err);
    *ret = (struct pl_mtp){0};
    if (rc < 0)
        return rc;
    pl_arena_init(&arena, PL_NET_LAYERS_MAX * sizeof(*net->layer) + 4096);
    beside.layer = pl_arena_alloc(&arena, net->n_layer_all, sizeof(*net->layer));
    if (beside.layer == NULL) {
        pl_arena_done(&arena);
        return pl_fail(err, -ENOMEM, "out of memory");
    }
    memcpy(beside.layer, net->layer, net->n_layer_all * sizeof(*net->layer));
    own.type_k = type_k;
    own.type_v = type_v;
    for (uint32_t il = net->n_layer; il < net->n_layer_all; il++) {
        uint8_t at = pl_place_cache(place, il);
        beside.layer[il].owns_kv = true; /* in this context */
        beside.layer[il].n_indexer = 0;  /* attention is dense there */
        struct pl_layer_cache c = pl_llamacpp_layer_cache(&beside, &own, il);
        ret->kv[at] = pl_add_sat(ret->kv[at], pl_add_sat(c.global, c.window));
        ret->place = place->layer[il];
    }
    /* llama-context.cpp, output_reserve: a row of logits and of hidden state for each slot, and
     * with sampling on the backend (--spec-draft-backend-sampling, on) its probabilities and
     * candidates */
    uint64_t row = pl_add_sat(pl_mul_sat(net->n_vocab, 4), pl_add_sat(net->n_embd, 1));
    ret->output = pl_mul_sat(pl_mul_sat(row, r->n_seq), sizeof(float));
    ret->compute = pl_mtp_compute(m, &beside, &own);
    pl_arena_done(&arena);
    return 0;
}
