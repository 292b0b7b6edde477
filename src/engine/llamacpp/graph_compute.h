/* The compute buffers of a model under given settings: every graph that the engine reserves, built
 * by its recipe and placed by the allocator's model. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_COMPUTE_H
#define PL_ENGINE_LLAMACPP_GRAPH_COMPUTE_H

#include "domain/model.h"
#include "domain/settings.h"
#include "engine/llamacpp/arch.h"
#include "engine/llamacpp/graph_build.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_compute {
    uint64_t bytes;  /* of the host's buffer */
    uint64_t decode; /* what the graph of one token per slot takes of it */
    uint64_t loose;  /* what the engine was seen to take above: one set of scanned states at most */
    uint32_t n_node; /* operations of the larger graph */
    char lacks[48];  /* a weight that is missing, or what of the recipe could not be run */
};

/* False when there is no recipe for the architecture, a weight that the recipe needs is missing, or
 * the allocator's model cannot follow; ret->lacks then says which weight, where it is one. */
bool pl_graph_compute(const struct pl_model *m, const struct pl_net *net,
                      const struct pl_resolved *r, struct pl_compute *ret);

/* The same with another r->n_ubatch than the one that `decode` is of, where net has no window: the
 * graph of one token per slot does not change then, and only the full batch's is built. */
bool pl_graph_compute_batch(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, uint64_t decode, struct pl_compute *ret);

/* The same for the context of the layers that predict several tokens (--spec-type draft-mtp); net's
 * layers there must own a cache. */
bool pl_graph_compute_draft(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, struct pl_compute *ret);

/* Does the engine build such a graph for the architecture? */
bool pl_graph_has_draft(const char *arch);

/* Where devices take part. */
struct pl_compute_where {
    const struct pl_placement *place;
    bool op_offload;    /* --op-offload */
    bool flash_dropped; /* pl_graph_flash_stays said no */
    bool pipeline; /* several devices work on several batches at once: inputs exist four times */
    /* is a host weight converted for the host's own kernels? NULL: none is */
    bool (*converted)(const struct pl_tensor *t, const void *with);
    const void *converted_with;
};

/* Bytes of the compute buffer of every place. False as above. */
bool pl_graph_compute_placed(const struct pl_model *m, const struct pl_net *net,
                             const struct pl_resolved *r, const struct pl_compute_where *where,
                             uint64_t ret[PL_PLACES_MAX]);

/* llama-context.cpp, resolve_fused_ops: flash attention that was not asked for is dropped where a
 * layer's would not run on the layer's own device. True where the graph is not followed. */
bool pl_graph_flash_stays(const struct pl_model *m, const struct pl_net *net,
                          const struct pl_resolved *r, const struct pl_compute_where *where);

/* One batch; the graph is left in g for those who look at it. */
bool pl_graph_build(const struct pl_model *m, const struct pl_net *net, const struct pl_resolved *r,
                    const struct pl_graph_batch *batch, const struct pl_compute_where *where,
                    struct pl_net_graph *g);

#endif
