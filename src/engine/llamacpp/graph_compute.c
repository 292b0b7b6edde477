/* src/llama-context.cpp: sched_reserve, graph_reserve. */
#include "engine/llamacpp/graph_compute.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/graph_alloc.h"
#include "domain/graph_place.h"
#include "engine/llamacpp/graph_layers.h"
#include "engine/llamacpp/graph_pooling.h"
#include "engine/llamacpp/graph_recipe.h"
#include "engine/llamacpp/graph_split.h"

#define PL_GRAPH_ARENA_MAX (256 * PL_MIB)

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
        b.no_flash = where->flash_dropped;
        b.converted = where->converted;
        b.converted_with = where->converted_with;
    }
    char draft[PL_WORD_MAX] = "";
    b.draft = batch->draft;
    (void)PL_FMT(draft, "mtp:%s", net->arch->name);
    const char *text = pl_recipe(b.draft ? draft : net->arch->name);
    if (batch->known != NULL) {
        b.skip = batch->known->skip;
        b.index = batch->known->index;
    } else {
        b.skip = b.draft ? NULL : pl_graph_layers_alike(g->arena, m, net, b.place);
        b.index = pl_weight_index_new(g->arena, m);
    }
    if (text == NULL || b.index == NULL || net->n_layer == 0) {
        g->failed = true;
        return false;
    }
    pl_recipe_run(&b, text);
    if (r->sampling && !g->failed)
        pl_b_sampling(&b);
    if (r->embedding && !g->failed)
        pl_b_pooling(&b, b.hidden);
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
    ret[1] =
        (struct pl_graph_batch){.n_tokens = r->n_seq, .n_seqs = r->n_seq, .n_outputs = r->n_seq};
}

/* Both graphs, or where decode is known the full batch's alone. */
static bool pl_graph_compute_known(const struct pl_model *m, const struct pl_net *net,
                                   const struct pl_resolved *r, uint64_t decode,
                                   struct pl_compute *ret)
{
    struct pl_graph_batch batch[2];
    struct pl_compute step = {.bytes = decode};
    struct pl_arena arena;
    pl_arena_init(&arena, PL_GRAPH_ARENA_MAX);
    const struct pl_graph_known known = {.skip = pl_graph_layers_alike(&arena, m, net, NULL),
                                         .index = pl_weight_index_new(&arena, m)};
    pl_graph_batches(r, batch);
    batch[0].known = batch[1].known = &known;
    *ret = (struct pl_compute){0};
    bool ok = pl_graph_bytes(m, net, r, &batch[0], ret);
    if (ok && batch[0].n_tokens == batch[1].n_tokens && batch[0].n_outputs == batch[1].n_outputs)
        step = *ret;
    else if (ok && decode == 0)
        ok = pl_graph_bytes(m, net, r, &batch[1], &step);
    ret->decode = step.bytes;
    ret->bytes = step.bytes > ret->bytes ? step.bytes : ret->bytes;
    ret->n_node = step.n_node > ret->n_node ? step.n_node : ret->n_node;
    ret->loose = step.loose > ret->loose ? step.loose : ret->loose;
    if (!ok && step.lacks[0] != '\0')
        (void)PL_FMT(ret->lacks, "%s", step.lacks);
    pl_arena_done(&arena);
    return ok;
}

bool pl_graph_compute(const struct pl_model *m, const struct pl_net *net,
                      const struct pl_resolved *r, struct pl_compute *ret)
{
    return pl_graph_compute_known(m, net, r, 0, ret);
}

bool pl_graph_compute_batch(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, uint64_t decode, struct pl_compute *ret)
{
    return pl_graph_compute_known(m, net, r, net->window == PL_WINDOW_NONE ? decode : 0, ret);
}

bool pl_graph_compute_draft(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, struct pl_compute *ret)
{
    struct pl_graph_batch batch[2];
    pl_graph_batches(r, batch);
    *ret = (struct pl_compute){0};
    batch[0].draft = batch[1].draft = true;
    return pl_graph_bytes(m, net, r, &batch[0], ret) && pl_graph_bytes(m, net, r, &batch[1], ret);
}

bool pl_graph_has_draft(const char *arch)
{
    char name[PL_WORD_MAX];
    return PL_FMT(name, "mtp:%s", arch) && pl_recipe(name) != NULL;
}

static bool pl_graph_split(const struct pl_model *m, const struct pl_net *net,
                           const struct pl_resolved *r, const struct pl_compute_where *where,
                           const struct pl_graph_batch *batch, struct pl_net_graph *g,
                           struct pl_place_plan *plan)
{
    const struct pl_used_device *device = where->place->devices.one;
    uint32_t n = where->place->n_place;
    struct pl_split_rules rules = {.n_backend = n,
                                   .op_offload = where->op_offload,
                                   .device = device,
                                   .n_copies = where->pipeline ? PL_SPLIT_COPIES : 1};
    *plan = (struct pl_place_plan){.n_buffer = n};
    for (uint32_t p = 0; p + 1 < n; p++)
        plan->align[p] = device[p].alignment;
    plan->align[n - 1] = PL_GRAPH_ALIGN;
    return pl_graph_build(m, net, r, batch, where, g) && pl_net_split(g, &rules, plan);
}

static bool pl_graph_placed(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, const struct pl_compute_where *where,
                            const struct pl_graph_batch *batch, uint64_t ret[PL_PLACES_MAX])
{
    struct pl_arena arena;
    struct pl_net_graph g;
    struct pl_place_plan plan;
    uint32_t n = where->place->n_place;
    uint64_t bytes[PL_PLACES_MAX] = {0};
    pl_arena_init(&arena, PL_GRAPH_ARENA_MAX);
    pl_net_init(&g, &arena);
    bool ok = pl_graph_split(m, net, r, where, batch, &g, &plan) && pl_net_place(&g, &plan, bytes);
    for (uint32_t p = 0; ok && p < n; p++) {
        uint64_t mine = bytes[p == PL_PLACE_HOST ? n - 1 : p - 1];
        ret[p] = mine > ret[p] ? mine : ret[p];
    }
    pl_arena_done(&arena);
    return ok;
}

bool pl_graph_flash_stays(const struct pl_model *m, const struct pl_net *net,
                          const struct pl_resolved *r, const struct pl_compute_where *where)
{
    struct pl_graph_batch one = {.n_tokens = r->n_seq, .n_seqs = r->n_seq, .n_outputs = r->n_seq};
    struct pl_arena arena;
    struct pl_net_graph g;
    struct pl_place_plan plan;
    bool stays = true;
    pl_arena_init(&arena, PL_GRAPH_ARENA_MAX);
    pl_net_init(&g, &arena);
    if (pl_graph_split(m, net, r, where, &one, &g, &plan)) {
        for (uint32_t i = 0; i < g.n_order && stays; i++) {
            const struct pl_t *t = pl_net_at(&g, g.order[i]);
            uint32_t place = where->place->layer[t->layer];
            int home = (int)(place == PL_PLACE_HOST ? where->place->n_place - 1 : place - 1);
            stays = t->op != PL_OP_FLASH_ATTN || t->backend == home;
        }
    }
    pl_arena_done(&arena);
    return stays;
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
