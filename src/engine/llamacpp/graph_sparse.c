/* Sparse attention over a compressed cache: an indexer with keys of its own scores every cell, and
 * attention is masked to the best of them. src/models/deepseek32.cpp, glm-dsa.cpp and
 * build_attn_inp_k_dsa in src/llama-graph.cpp; shapes as build 11669 reserves them. */
#include "engine/llamacpp/graph_build.h"

#define F 4u /* bytes of an f32 */

/* Both sides of the score are turned by the same Hadamard matrix. */
static pl_tid pl_b_index_turned(struct pl_build *b, pl_tid x)
{
    uint64_t head = b->net->indexer_head;
    if (b->chosen.turn == 0)
        b->chosen.turn = pl_net_input(b->g, PL_T_F32, head, head, 1, 1);
    return pl_net_mul_mat(b->g, b->chosen.turn, x);
}

void pl_b_index_store(struct pl_build *b, pl_tid x)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens, head = b->net->indexer_head;
    if (pl_b_layer(b)->n_indexer == 0)
        return;
    pl_tid k = pl_net_mul_mat(g, pl_b_weight(b, "indexer.attn_k", ".weight"), x);
    k = pl_net_reshape(g, pl_b_norm(b, k, "indexer.k_norm", PL_NORM_LAYER), head, 1, n, 1);
    k = pl_b_index_turned(b, pl_b_rope(b, k));
    b->chosen.cache = pl_b_cache(b, b->r->type_k, head);
    pl_b_store(b, b->chosen.cache, k, &b->chosen.rows, false);
}

/* The best cells of every token: [cells, tokens, 1, streams] */
static pl_tid pl_b_index_top(struct pl_build *b, pl_tid x, pl_tid qr, uint64_t streams)
{
    struct pl_net_graph *g = b->g;
    uint64_t n = b->batch.n_tokens, per = n / streams, head = b->net->indexer_head;
    uint64_t heads = pl_b_key(b, "attention.indexer.head_count", 0), cells = b->cells.base;
    uint64_t best = pl_b_key(b, "attention.indexer.top_k", 0), row = head * heads * F;
    pl_tid q = pl_net_mul_mat(g, pl_b_weight(b, "indexer.attn_q_b", ".weight"), qr);
    q = pl_b_index_turned(b, pl_b_rope(b, pl_net_reshape(g, q, head, heads, n, 1)));
    q = pl_net_view(g, q, (const uint64_t[4]){head, heads, per, streams},
                    (const uint64_t[4]){F, head * F, row, row * per}, 0);
    pl_tid w = pl_net_mul_mat(g, pl_b_weight(b, "indexer.proj", ".weight"), x);
    uint64_t all = heads * F * per;
    w = pl_net_view(g, w, (const uint64_t[4]){heads, per, 1, streams},
                    (const uint64_t[4]){F, heads * F, all, all}, 0);
    if (b->chosen.mask == 0)
        b->chosen.mask = pl_net_input(g, PL_T_F16, cells, per, 1, streams);
    const uint64_t ne[4] = {cells, per, 1, streams};
    const uint64_t top[4] = {best < cells ? best : cells, per, 1, streams};
    pl_tid score =
        pl_net_op(g, PL_OP_OTHER, PL_T_F32, ne, q, pl_b_read(b, b->chosen.cache, head, 1, false));
    pl_net_also(g, score, pl_net_same(g, PL_OP_SCALE, w));
    pl_net_also(g, score, b->chosen.mask);
    return pl_net_cont(g, pl_net_op(g, PL_OP_TOP_K, PL_T_I32, top, score, 0));
}

pl_tid pl_b_index_mask(struct pl_build *b, pl_tid x, pl_tid qr)
{
    struct pl_net_graph *g = b->g;
    uint64_t cells = b->cells.base, streams = b->r->kv_unified ? 1 : b->batch.n_seqs;
    uint64_t per = b->batch.n_tokens / streams;
    /* not an input: made for each layer, and all of them placed before anything runs */
    pl_tid open = pl_net_new(g, PL_T_F32, 1, cells, per, streams);
    if (pl_b_layer(b)->n_indexer > 0) /* else the cells that the layer before has chosen */
        b->chosen.top = pl_b_index_top(b, x, qr, streams);
    pl_tid mask = pl_b_mask(b, true, false);
    if (b->chosen.top == 0 || mask == 0 || open == 0) {
        g->failed = true;
        return 0;
    }
    uint64_t best = pl_net_at(g, b->chosen.top)->ne[0], e = pl_net_at(g, mask)->nb[0];
    uint64_t row = best * F, line = cells * e;
    pl_tid top = pl_net_view(g, b->chosen.top, (const uint64_t[4]){best, per, streams, 1},
                             (const uint64_t[4]){F, row, row * per, row * per * streams}, 0);
    pl_tid into = pl_net_view(g, pl_net_same(g, PL_OP_FILL, mask),
                              (const uint64_t[4]){1, cells, per, streams},
                              (const uint64_t[4]){e, e, line, line * per}, 0);
    pl_tid t = pl_net_set_rows(g, into, pl_net_same(g, PL_OP_FILL, open), top);
    t = pl_net_view(g, t, (const uint64_t[4]){cells, per, 1, streams},
                    (const uint64_t[4]){e, line, line * per, line * per}, 0);
    return pl_net_with(g, PL_OP_ADD, t, mask);
}
