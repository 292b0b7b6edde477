/* src/llama-context.cpp: sched_reserve, graph_reserve. */
#include "engine/llamacpp/graph_compute.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/graph_alloc.h"
#include "engine/llamacpp/graph_layers.h"
#include "engine/llamacpp/graph_place.h"
#include "engine/llamacpp/graph_recipe.h"
#include "engine/llamacpp/graph_split.h"

#define PL_GRAPH_ARENA_MAX (256 * PL_MIB)
#define PL_DEVICE_ALIGN 128 /* ggml-cuda.cu; Vulkan asks for less */

/* src/llama-kv-cache-iswa.cpp: the window's cache is as long as the window of each slot and one
 * physical batch, in steps of 256 cells. */
static struct pl_graph_cells pl_cells(const struct pl_net *net, const struct pl_resolved *r)
{
    struct pl_graph_cells c = {.base = r->n_ctx_seq};
    if (net->window == PL_WINDOW_NONE)
        return c;
    uint64_t want = pl_add_sat(pl_mul_sat(net->n_swa, r->kv_unified ? r->n_seq : 1), r->n_ubatch);
    c.window = want < c.base ? want : c.base;
    if (r->swa_full)
        c.window = c.base;
    (void)pl_pad_u64(c.window, 256, &c.window);
    return c;
}

bool pl_graph_build(const struct pl_model *m, const struct pl_net *net, const struct pl_resolved *r,
                    const struct pl_graph_batch *batch, const struct pl_compute_where *where,
                    struct pl_net_graph *g)
{
    struct pl_build b = {
        .g = g, .m = m, .r = r, .net = net, .cells = pl_cells(net, r), .batch = *batch, .n_pos = 1};
    if (where != NULL) {
        b.place = where->place;
        b.converted = where->converted;
        b.converted_with = where->converted_with;
    }
    const char *text = pl_recipe(net->arch->name);
    b.skip = pl_graph_layers_alike(g->arena, m, net, b.place);
    b.index = pl_weight_index_new(g->arena, m);
    if (text == NULL || b.index == NULL || net->n_layer == 0) {
        g->failed = true;
        return false;
    }
    pl_recipe_run(&b, text);
    return !g->failed;
}

static bool pl_graph_bytes(const struct pl_model *m, const struct pl_net *net,
                           const struct pl_resolved *r, const struct pl_graph_batch *batch,
                           struct pl_compute *c)
{
    struct pl_arena arena;
    struct pl_net_graph g;
    struct pl_place_plan plan = {.n_buffer = 1, .align = {PL_GRAPH_ALIGN}};
    uint64_t bytes = 0;
    pl_arena_init(&arena, PL_GRAPH_ARENA_MAX);
    pl_net_init(&g, &arena);
    bool ok = pl_graph_build(m, net, r, batch, NULL, &g) && pl_net_place(&g, &plan, &bytes);
    if (!ok && g.lacks != NULL)
        (void)pl_text_cut(c->lacks, sizeof(c->lacks), g.lacks);
    if (ok && bytes > c->bytes)
        c->bytes = bytes;
    if (ok && g.n_order > c->n_node)
        c->n_node = g.n_order;
    if (ok && g.scanned > c->loose)
        c->loose = g.scanned;
    pl_arena_done(&arena);
    return ok;
}

/* The batches that the engine reserves for: a full one, and one token per slot. */
static void pl_graph_batches(const struct pl_resolved *r, struct pl_graph_batch ret[2])
{
    uint64_t n = r->n_ctx < r->n_ubatch ? r->n_ctx : r->n_ubatch;
    ret[0] = (struct pl_graph_batch){.n_seqs = r->n_seq};
    ret[0].n_outputs = n < r->n_outputs ? n : r->n_outputs;
    /* graph_reserve rounds the batch up to whole rows per sequence */
    ret[0].n_tokens = (n + r->n_seq - 1) / r->n_seq * r->n_seq;
    ret[1] = (struct pl_graph_batch){r->n_seq, r->n_seq, r->n_seq};
}

bool pl_graph_compute(const struct pl_model *m, const struct pl_net *net,
                      const struct pl_resolved *r, struct pl_compute *ret)
{
    struct pl_graph_batch batch[2];
    pl_graph_batches(r, batch);
    *ret = (struct pl_compute){0};
    return pl_graph_bytes(m, net, r, &batch[0], ret) && pl_graph_bytes(m, net, r, &batch[1], ret);
}

static bool pl_graph_placed(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, const struct pl_compute_where *where,
                            const struct pl_graph_batch *batch, uint64_t ret[PL_PLACES_MAX])
{
    struct pl_arena arena;
    struct pl_net_graph g;
    uint32_t n = where->place->n_place;
    struct pl_split_rules rules = {.n_backend = n,
                                   .op_offload = where->op_offload,
                                   .reorders = where->reorders,
                                   .n_copies = where->pipeline ? PL_SPLIT_COPIES : 1};
    struct pl_place_plan plan = {.n_buffer = n};
    uint64_t bytes[PL_PLACES_MAX] = {0};
    for (uint32_t p = 0; p < n; p++) {
        uint64_t usual = p == PL_PLACE_HOST ? PL_GRAPH_ALIGN : PL_DEVICE_ALIGN;
        plan.align[p == PL_PLACE_HOST ? n - 1 : p - 1] =
            where->align[p] > 0 ? where->align[p] : usual;
    }
    pl_arena_init(&arena, PL_GRAPH_ARENA_MAX);
    pl_net_init(&g, &arena);
    bool ok = pl_graph_build(m, net, r, batch, where, &g) && pl_net_split(&g, &rules, &plan) &&
              pl_net_place(&g, &plan, bytes);
    for (uint32_t p = 0; ok && p < n; p++) {
        uint64_t mine = bytes[p == PL_PLACE_HOST ? n - 1 : p - 1];
        ret[p] = mine > ret[p] ? mine : ret[p];
    }
    pl_arena_done(&arena);
    return ok;
}

bool pl_graph_compute_placed(const struct pl_model *m, const struct pl_net *net,
                             const struct pl_resolved *r, const struct pl_compute_where *where,
                             uint64_t ret[PL_PLACES_MAX])
{
    struct pl_graph_batch batch[2];
    pl_graph_batches(r, batch);
    for (uint32_t p = 0; p < PL_PLACES_MAX; p++)
        ret[p] = 0;
    return pl_graph_placed(m, net, r, where, &batch[0], ret) &&
           pl_graph_placed(m, net, r, where, &batch[1], ret);
}
