#include "engine/llamacpp/footprint_compute.h"

#include "base/checked.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/graph_compute.h"

struct pl_quantity pl_llamacpp_compute(const struct pl_model *m, const struct pl_net *net,
                                       const struct pl_resolved *r, bool version_known)
{
    struct pl_compute c;
    if (!pl_graph_compute(m, net, r, &c))
        return PL_QUANTITY_UNKNOWN("this architecture's graph is not followed yet");
    if (version_known)
        return pl_exact(c.bytes, PL_SOURCE_DERIVED,
                        "graph allocation followed, llama.cpp " PL_LLAMACPP_PROVED);
    uint64_t miss = c.bytes / 8;
    return pl_between(c.bytes - miss, c.bytes, pl_add_sat(c.bytes, miss), PL_SOURCE_DERIVED,
                      "graph allocation of llama.cpp " PL_LLAMACPP_PROVED
                      "; other versions differ a little");
}

bool pl_llamacpp_idle_bytes(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, uint64_t prompt, uint64_t depth,
                            uint64_t *ret)
{
    /* Two inputs for mixed batches are never written by text; the mask is written as far as the
     * cache is filled (in steps of 256 cells); a shorter prompt makes a smaller graph, whose
     * tensors lie at the buffer's beginning. */
    struct pl_resolved small = *r;
    struct pl_compute full, used;
    uint64_t filled = 0, batch = r->n_ctx < r->n_ubatch ? r->n_ctx : r->n_ubatch;
    small.n_ubatch = prompt < batch ? prompt > 0 ? prompt : 1 : batch;
    if (!pl_graph_compute(m, net, r, &full) || !pl_graph_compute(m, net, &small, &used))
        return false;
    if (!pl_pad_u64(depth, 256, &filled) || filled > r->n_ctx_seq)
        filled = r->n_ctx_seq;
    uint64_t cell = pl_mul_sat(small.n_ubatch, r->flash_attn ? 2 : 4);
    uint64_t mask = net->has_cache ? pl_mul_sat(r->n_ctx_seq - filled, cell) : 0;
    uint64_t mixed = pl_mul_sat(2 * net->n_embd, small.n_ubatch * 4);
    *ret = pl_add_sat(pl_sub_floor(full.bytes, used.bytes), pl_add_sat(mixed, mask));
    return true;
}
