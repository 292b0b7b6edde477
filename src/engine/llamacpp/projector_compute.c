/* tools/mtmd/clip.cpp: load_tensors, reserve_compute_meta. */
#include "engine/llamacpp/projector_compute.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/graph_alloc.h"
#include "domain/graph_place.h"
#include "engine/llamacpp/graph_recipe.h"
#include "engine/llamacpp/graph_split.h"
#include "engine/llamacpp/graph_tower.h"

#define PL_TOWER_ARENA_MAX (64 * PL_MIB)

/* load_tensors: the two matrices of the feed-forward are told by their shape. */
static bool pl_tower_swapped(const struct pl_model *m, const struct pl_projector *p)
{
    const struct pl_tensor *down = pl_model_tensor(
        m, p->kind->of == PL_OF_VISION ? "v.blk.0.ffn_down.weight" : "a.blk.0.ffn_down.weight");
    return down != NULL && p->kind->of == PL_OF_VISION && down->ne[0] == p->n_embd &&
           p->n_ff != p->n_embd;
}

/* One graph: which picture, where, and with which kernel of attention. */
struct pl_towering {
    const struct pl_model *m;
    const struct pl_projector *p;
    const struct pl_used_device *at; /* NULL: the host */
    bool flash;                      /* -fa: "auto" is on, every backend's kernel takes it */
};

static void pl_tower_build(const struct pl_towering *w, const struct pl_sight *sight,
                           struct pl_net_graph *g)
{
    const struct pl_model *m = w->m;
    const struct pl_projector *p = w->p;
    const struct pl_resolved r = {.flash_attn = w->flash};
    struct pl_net net = {.n_layer = (uint32_t)p->n_layer};
    struct pl_tower tower = {.p = p, .sight = *sight, .swapped = pl_tower_swapped(m, p)};
    tower.px = p->kind->of == PL_OF_VISION ? sight->nx / p->patch : sight->nx;
    tower.py = p->kind->of == PL_OF_VISION ? sight->ny / p->patch : sight->ny;
    net.layer = pl_arena_alloc(g->arena, p->n_layer + 1, sizeof(*net.layer));
    struct pl_build b = {.g = g,
                         .m = m,
                         .r = &r,
                         .net = &net,
                         .n_pos = 1,
                         .prefix = p->kind->of == PL_OF_VISION ? "v." : "a.",
                         .tower = &tower};
    b.index = pl_weight_index_new(g->arena, m);
    if (b.index == NULL || net.layer == NULL || p->head == 0)
        g->failed = true;
    else
        pl_recipe_run(&b, p->kind->graph);
}

/* The weights are where the projector lies; the rest is found by the engine's scheduler. */
static void pl_tower_weights_at(struct pl_net_graph *g, int16_t backend)
{
    for (pl_tid t = 1; t < g->n; t++) {
        if (pl_net_at(g, t)->flags & PL_T_WEIGHT)
            pl_net_at(g, t)->backend = backend;
    }
}

/* ggml-cpu.c, ggml_graph_plan: the right side of a product with half floats or blocks is converted
 * to the weights' partner type; half floats and 34 bytes for 32 values are the widest. */
static uint64_t pl_tower_work(const struct pl_net_graph *g)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < g->n_order; i++) {
        const struct pl_t *t = pl_net_at(g, g->order[i]);
        if (t->op != PL_OP_MUL_MAT || pl_net_at(g, t->src[0])->type == PL_T_F32)
            continue;
        bool half = pl_net_at(g, t->src[0])->type == PL_T_F16;
        uint64_t n = pl_net_elements(g, t->src[1]), bytes = half ? pl_mul_sat(n, 2) : n / 32 * 34;
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* Of tensors in the buffer where the projector lies. */
static uint64_t pl_tower_align(const struct pl_used_device *at)
{
    return at == NULL ? PL_GRAPH_ALIGN : at->alignment > 0 ? at->alignment : 128;
}

static bool pl_tower_exceeds(const struct pl_net_graph *g, uint64_t range)
{
    for (pl_tid t = 1; t < g->n && range > 0; t++) {
        if (pl_net_bytes(g, t) > range)
            return true;
    }
    return false;
}

static bool pl_tower_compute(const struct pl_towering *w, const struct pl_sight *sight,
                             uint64_t ret[2], uint64_t *ret_work, bool *ret_exceeds)
{
    struct pl_arena arena;
    struct pl_net_graph g;
    struct pl_place_plan plan = {.n_buffer = 1, .align = {PL_GRAPH_ALIGN}};
    struct pl_split_rules rules = {
        .n_backend = 2, .op_offload = true, .n_copies = 1, .device = w->at};
    uint64_t bytes[2] = {0};
    if (w->p->kind->graph == NULL)
        return false;
    pl_arena_init(&arena, PL_TOWER_ARENA_MAX);
    pl_net_init(&g, &arena);
    pl_tower_build(w, sight, &g);
    bool ok = !g.failed;
    *ret_exceeds = ok && w->at != NULL && pl_tower_exceeds(&g, w->at->range_max);
    *ret_work = ok && w->at == NULL ? pl_tower_work(&g) : 0;
    if (ok && w->at != NULL) {
        plan = (struct pl_place_plan){
            .n_buffer = 2, .align = {pl_tower_align(w->at), PL_GRAPH_ALIGN}
        };
        pl_tower_weights_at(&g, 0);
        ok = pl_net_split(&g, &rules, &plan);
    }
    ok = ok && pl_net_place(&g, &plan, bytes);
    ret[0] = bytes[0];
    ret[1] = bytes[1];
    pl_arena_done(&arena);
    return ok;
}

/* What the graph of a usual tower holds at once: a layer's widest rows, for every position; the
 * picture and its unfolded patches. */
static uint64_t pl_tower_usual(const struct pl_projector *p, const struct pl_sight *sight)
{
    uint64_t n = pl_mul_sat(pl_projector_patches(p, sight), sight->n);
    uint64_t row = pl_add_sat(pl_mul_sat(5, p->n_embd), p->n_ff);
    uint64_t raw = pl_mul_sat(pl_mul_sat(sight->nx, sight->ny), pl_mul_sat(12, sight->n));
    return pl_add_sat(pl_mul_sat(pl_mul_sat(n, row), 4), raw);
}

static void pl_projector_weights(const struct pl_model *m, uint64_t alignment,
                                 struct pl_projector_bytes *ret)
{
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        uint64_t bytes = m->tensor[i].bytes, padded = bytes;
        (void)pl_pad_u64(bytes, alignment, &padded);
        ret->weights = pl_add_sat(ret->weights, padded);
        ret->largest = bytes > ret->largest ? bytes : ret->largest;
    }
}

/* The largest image's graph on the host alone, without flash attention. */
static uint64_t pl_tower_fallback(const struct pl_towering *w)
{
    struct pl_towering plain = {.m = w->m, .p = w->p, .flash = false};
    uint64_t bytes[2] = {0}, work = 0;
    bool exceeds = false;
    return pl_tower_compute(&plain, &w->p->most, bytes, &work, &exceeds)
               ? pl_add_sat(bytes[0], work)
               : UINT64_MAX / 64;
}

/* --no-warmup: the buffer is made for the first image, whatever its size. */
static bool pl_projector_warmed(const struct pl_settings *s)
{
    bool warm = true;
    for (uint32_t i = 0; i < s->n_pass; i++)
        warm = pl_streq(s->pass[i], "--no-warmup") ? false
               : pl_streq(s->pass[i], "--warmup")  ? true
                                                   : warm;
    return warm;
}

int pl_projector_bytes(const struct pl_model *m, uint32_t i, const struct pl_settings *s,
                       const struct pl_used_device *at, struct pl_projector_bytes *ret,
                       struct pl_err *err)
{
    struct pl_projector p;
    int rc = pl_projector_read(m, i, s, &p, err);
    if (rc < 0)
        return rc;
    struct pl_projector_bytes b = {0};
    struct pl_towering w = {.m = m, .p = &p, .at = at, .flash = s->flash_attn != PL_OFF};
    uint64_t work = 0;
    if (i == 0) /* the tensors of both towers, once */
        pl_projector_weights(m, pl_tower_align(at), &b);
    bool exceeds = false, warm_exceeds = false;
    b.followed = pl_tower_compute(&w, &p.warm, b.warm, &work, &warm_exceeds) &&
                 pl_tower_compute(&w, &p.most, b.most, &b.work, &exceeds);
    if (b.followed && (exceeds || warm_exceeds))
        b.fallback = pl_tower_fallback(&w);
    if (!b.followed) {
        b.warm[0] = pl_tower_usual(&p, &p.warm);
        b.most[0] = pl_tower_usual(&p, &p.most);
        b.warm[1] = b.most[1] = 0;
    }
    for (int k = 0; k < 2; k++)
        b.most[k] = b.most[k] > b.warm[k] ? b.most[k] : b.warm[k];
    if (!pl_projector_warmed(s))
        b.warm[0] = b.warm[1] = 0;
    /* three copies of a float for each colour: fitted, in the batch, as the graph's input */
    b.picture = pl_mul_sat(pl_mul_sat(p.most.nx, p.most.ny), pl_mul_sat(36, p.most.n));
    b.answer =
        pl_mul_sat(pl_mul_sat(pl_projector_tokens(&p, &p.most), p.n_out), pl_mul_sat(8, p.most.n));
    *ret = b;
    return 0;
}
