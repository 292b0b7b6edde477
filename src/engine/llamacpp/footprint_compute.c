#include "engine/llamacpp/footprint_compute.h"

#include "base/checked.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/graph_compute.h"

/* An encoder whose graph is not followed (gemma-embedding2): its output matrix makes an embedding,
 * no row of logits. */
static bool pl_encodes(const struct pl_net *net)
{
    return net->arch->memory == PL_MEMORY_NONE && net->arch->causal == 0;
}

/* What any graph needs: masks, a handful of activations, a feed-forward, attention. Seen beside the
 * engine on the architectures that are not followed: 0.70 to 1.44 of it where nothing but layers of
 * the usual kinds is in them. */
static uint64_t pl_usual_bytes(const struct pl_net *net, const struct pl_resolved *r, uint64_t rows)
{
    uint64_t ff = net->n_ff, heads = 1, widest = 0, cache = 0;
    for (uint32_t il = 0; il < net->n_layer; il++) {
        const struct pl_layer *l = &net->layer[il];
        uint64_t q = (uint64_t)l->n_head * l->head_k;
        uint64_t kv = (uint64_t)l->n_head_kv * ((uint64_t)l->head_k + l->head_v);
        heads = l->n_head > heads ? l->n_head : heads;
        widest = q > widest ? q : widest;
        cache = kv > cache ? kv : cache;
    }
    uint64_t routed = pl_mul_sat(net->n_ff_exp, net->n_expert_used);
    ff = routed > ff ? routed : ff;
    uint64_t row = pl_add_sat(pl_add_sat(6 * net->n_embd, pl_mul_sat(3, ff)), 2 * widest);
    if (pl_encodes(net)) /* what is mixed into every layer, and parts of it */
        row = pl_add_sat(row, pl_mul_sat(net->n_embd_per_layer, net->n_layer) / 2 * 3);
    uint64_t total = pl_mul_sat(pl_mul_sat(row, rows), 4);
    bool attends = net->arch->memory != PL_MEMORY_RECURRENT; /* else there is no mask either */
    uint64_t cell = attends ? pl_mul_sat(r->n_ctx_seq, rows) : 0;
    total = pl_add_sat(total, pl_mul_sat(cell, r->flash_attn ? 2 : 4 * (heads + 1)));
    if (r->flash_attn && r->type_k == 0) /* caches of f32 are cast layer by layer */
        total = pl_add_sat(total, pl_mul_sat(pl_mul_sat(cache, r->n_ctx_seq), 2 * r->n_stream));
    uint64_t outputs = r->n_outputs < rows ? r->n_outputs : rows;
    if (r->sampling) /* once more, and a row that is always there */
        outputs = pl_add_sat(pl_mul_sat(outputs, 2), 1);
    return pl_encodes(net) ? total
                           : pl_add_sat(total, pl_mul_sat(pl_mul_sat(net->n_vocab, outputs), 4));
}

/* In tenths of one f32 per cell and token: what choosing cells for sparse attention takes beside,
 * as seen over 24 files and eight settings, and their mutations. */
struct pl_sparse {
    uint64_t low, likely, high;
};

static struct pl_sparse pl_sparse_of(const struct pl_net *net)
{
    if (net->arch->indexer == PL_INDEXER_EXPERTS)
        return (struct pl_sparse){0, 20, 60};
    if (net->arch->memory == PL_MEMORY_DSA)
        return (struct pl_sparse){20, 48, 68};
    if (net->arch->memory == PL_MEMORY_DSV4)
        return (struct pl_sparse){2, 12, 45};
    if (net->arch->indexer != PL_INDEXER_NONE)
        return (struct pl_sparse){0, 60, 400};
    return (struct pl_sparse){0, 0, 0};
}

/* Lightning attention weighs every token of a batch with every other, head by head. */
static uint64_t pl_lightning_bytes(const struct pl_net *net, uint64_t rows)
{
    uint64_t heads = 0;
    if (net->arch->recurrent != PL_RECURRENT_LIGHTNING)
        return 0;
    for (uint32_t il = 0; il < net->n_layer; il++)
        heads = net->layer[il].n_head > heads ? net->layer[il].n_head : heads;
    return pl_mul_sat(pl_mul_sat(heads, rows), rows * 4);
}

struct pl_quantity pl_llamacpp_compute_usual(const struct pl_net *net, const struct pl_resolved *r)
{
    uint64_t rows = r->n_ctx < r->n_ubatch ? r->n_ctx : r->n_ubatch;
    uint64_t usual = pl_usual_bytes(net, r, rows), cells = pl_mul_sat(r->n_ctx_seq, rows);
    uint64_t tenth = pl_mul_sat(cells, 4) / 10, lightning = pl_lightning_bytes(net, rows);
    struct pl_sparse s = pl_sparse_of(net);
    bool sparse = s.high > 0;
    uint64_t low = pl_add_sat(usual / 20 *
                                  (sparse            ? 7
                                   : pl_encodes(net) ? 5
                                                     : 13),
                              pl_mul_sat(tenth, s.low));
    uint64_t likely = pl_add_sat(usual, pl_mul_sat(tenth, s.likely));
    uint64_t high = pl_add_sat(pl_add_sat(usual, usual / 2), pl_mul_sat(tenth, s.high));
    if (!r->flash_attn &&
        net->mla) /* scores of latent heads, up to three times over: mutations.tsv */
        high = pl_add_sat(high, pl_mul_sat(2, usual));
    likely = pl_add_sat(likely, lightning);
    high = pl_add_sat(high, pl_mul_sat(3, lightning));
    if (high >= UINT64_MAX / 4)
        return PL_QUANTITY_UNKNOWN("the compute buffer of this batch is beyond any memory");
    return pl_between(
        low, likely, high, PL_SOURCE_ASSUMED,
        sparse ? "this graph is not followed: as usual, and what choosing cells took "
                 "on small files of its kind"
        : pl_encodes(net)
            ? "this graph is not followed: as usual, which an encoder missed by up to 70 %"
            : "this graph is not followed: as usual, which missed by up to 44 %");
}

/* Where a draft may be taken back, the states after each of the last tokens are written too: at
 * most those of one layer lie in the buffer at once. */
static struct pl_quantity pl_with_snapshots(const struct pl_net *net, const struct pl_resolved *r,
                                            uint64_t bytes, bool version_known)
{
    uint64_t state = 0, miss = version_known ? 0 : bytes / 8;
    for (uint32_t il = 0; il < net->n_layer; il++)
        state = net->layer[il].n_state > state ? net->layer[il].n_state : state;
    state = pl_mul_sat(pl_mul_sat(state, r->n_seq), pl_mul_sat(r->n_rollback, 4));
    return pl_between(bytes - miss, bytes, pl_add_sat(pl_add_sat(bytes, miss), state),
                      PL_SOURCE_DERIVED,
                      "graph allocation followed, and states that a draft may be taken back to");
}

struct pl_quantity pl_llamacpp_compute(const struct pl_model *m, const struct pl_net *net,
                                       const struct pl_resolved *r, bool version_known,
                                       uint64_t *ret_decode)
{
    struct pl_compute c;
    bool followed = pl_graph_compute(m, net, r, &c);
    if (ret_decode != NULL)
        *ret_decode = followed ? c.decode : 0;
    if (!followed)
        return pl_llamacpp_compute_usual(net, r);
    if (r->n_rollback > 0)
        return pl_with_snapshots(net, r, c.bytes + c.loose, version_known);
    if (pl_sparse_of(net).high > 0)
        return pl_between(c.bytes - c.bytes / 10 * 3, c.bytes,
                          pl_add_sat(c.bytes, c.bytes / 8 + c.loose), PL_SOURCE_DERIVED,
                          "graph allocation followed; of attention to chosen cells it was up to "
                          "22 % too large in changed geometries");
    if (version_known && c.loose > 0)
        return pl_between(c.bytes, c.bytes, pl_add_sat(c.bytes, c.loose), PL_SOURCE_DERIVED,
                          "graph allocation followed, llama.cpp " PL_LLAMACPP_PROVED
                          "; in 6 of 708 cases scanned states were kept twice");
    if (version_known)
        return pl_exact(c.bytes, PL_SOURCE_DERIVED,
                        "graph allocation followed, llama.cpp " PL_LLAMACPP_PROVED);
    uint64_t miss = c.bytes / 8;
    return pl_between(
        c.bytes - miss, c.bytes, pl_add_sat(pl_add_sat(c.bytes, miss), c.loose), PL_SOURCE_DERIVED,
        "graph allocation of llama.cpp " PL_LLAMACPP_PROVED "; other versions differ a little");
}

bool pl_llamacpp_idle_bytes(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, uint64_t prompt, uint64_t depth,
                            uint64_t whole, uint64_t decode, uint64_t *ret)
{
    /* Two inputs for mixed batches are never written by text; the mask is written as far as the
     * cache is filled (in steps of 256 cells); a shorter prompt makes a smaller graph, whose
     * tensors lie at the buffer's beginning. */
    struct pl_resolved small = *r;
    struct pl_compute full = {.bytes = whole}, used;
    uint64_t filled = 0, batch = r->n_ctx < r->n_ubatch ? r->n_ctx : r->n_ubatch;
    small.n_ubatch = prompt < batch ? prompt > 0 ? prompt : 1 : batch;
    if ((whole == 0 && !pl_graph_compute(m, net, r, &full)) ||
        !pl_graph_compute_batch(m, net, &small, decode, &used))
        return false;
    if (!pl_pad_u64(depth, 256, &filled) || filled > r->n_ctx_seq)
        filled = r->n_ctx_seq;
    uint64_t cell = pl_mul_sat(small.n_ubatch, r->flash_attn ? 2 : 4);
    uint64_t mask = net->has_cache ? pl_mul_sat(r->n_ctx_seq - filled, cell) : 0;
    uint64_t mixed = pl_mul_sat(2 * net->n_embd, small.n_ubatch * 4);
    *ret = pl_add_sat(pl_sub_floor(full.bytes, used.bytes), pl_add_sat(mixed, mask));
    return true;
}
