#include "engine/llamacpp/terms.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/tensor_type.h"
#include "engine/llamacpp/cache.h"
#include "engine/llamacpp/placement.h"
#include "engine/llamacpp/repack.h"
#include "engine/llamacpp/weights.h"

#include <string.h>

#define PL_TERM_TYPES_MAX 12 /* element types that one model mixes */

struct pl_terms_of {
    const struct pl_model *m;
    const struct pl_net *net;
    const struct pl_placement *place;
    const struct pl_footprint *f;
    const struct pl_resolved *r;
    const struct pl_cpu *cpu;
    enum pl_tri lazy;
    struct pl_terms *to;
};

static struct pl_term *pl_term_new(struct pl_terms_of *w, uint8_t place, enum pl_part part,
                                   const char *source)
{
    static struct pl_term spare; /* beyond the limit: written and forgotten */
    struct pl_term *t = w->to->n < PL_TERMS_MAX ? &w->to->term[w->to->n++] : &spare;
    *t = (struct pl_term){.part = part, .source = source, .known = true};
    (void)PL_FMT(t->pool, "%s", w->f->pool[place].pool);
    return t;
}

/* Tensors of one element type that lie in one place, converted or not. */
struct pl_term_group {
    uint32_t type;
    uint64_t tensors, bytes;
};

static void pl_group_add(struct pl_term_group *g, uint32_t *n, const struct pl_tensor *t)
{
    uint32_t i = 0;
    while (i < *n && g[i].type != t->type)
        i++;
    if (i == PL_TERM_TYPES_MAX)
        return;
    if (i == *n)
        g[(*n)++] = (struct pl_term_group){.type = t->type};
    g[i].tensors++;
    g[i].bytes = pl_add_sat(g[i].bytes, t->bytes);
}

static bool pl_term_converted(const struct pl_terms_of *w, const struct pl_tensor *t)
{
    return pl_place_repack(w->place, t) && pl_repack_is_matrix(t) &&
           pl_repack_matrix(t, w->cpu) == PL_REPACK_YES;
}

/* Does the place hold this tensor, converted (want) or as it is? */
static uint32_t pl_term_holds(const struct pl_terms_of *w, uint8_t place, const struct pl_tensor *t,
                              bool want)
{
    uint32_t mask = pl_place_tensor(w->place, t);
    bool mapped = w->r->load_mode == PL_LOAD_MMAP || w->r->load_mode == PL_LOAD_MMAP_MLOCK;
    if ((mask >> place & 1) == 0 || (mask == 1 && pl_llamacpp_lazy(w->net, w->lazy, t)))
        return 0;
    if (!want && pl_llamacpp_read_twice(w->net, w->place, w->cpu, mapped, t))
        return 2;
    bool converted = place == PL_PLACE_HOST && pl_term_converted(w, t);
    bool copy = want && place == PL_PLACE_HOST && mask == 1 && w->net->tied &&
                pl_streq(t->name, "token_embd.weight") && pl_place_repack(w->place, t) &&
                pl_repack_matrix(t, w->cpu) == PL_REPACK_YES;
    return (converted == want ? 1u : 0u) + (copy ? 1u : 0u);
}

static void pl_terms_tensors(struct pl_terms_of *w, uint8_t place, bool converted)
{
    struct pl_term_group g[PL_TERM_TYPES_MAX];
    uint32_t n = 0;
    for (uint64_t i = 0; i < w->m->n_tensor; i++) {
        uint32_t times = pl_term_holds(w, place, &w->m->tensor[i], converted);
        for (uint32_t k = 0; k < times; k++)
            pl_group_add(g, &n, &w->m->tensor[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct pl_tensor_type *type = pl_tensor_type(g[i].type);
        struct pl_term *t = pl_term_new(w, place, converted ? PL_PART_REPACK : PL_PART_WEIGHTS,
                                        converted ? "ggml/src/ggml-cpu/repack.cpp"
                                                  : "src/llama-model.cpp, load_tensors");
        t->bytes = g[i].bytes;
        (void)PL_FMT(t->formula, "%llu tensor%s of %s, %u bytes for %u values%s",
                     (unsigned long long)g[i].tensors, g[i].tensors == 1 ? "" : "s",
                     type != NULL ? type->name : "?", type != NULL ? type->block_bytes : 0,
                     type != NULL ? type->block_elements : 0,
                     converted ? ", in the kernels' layout" : "");
    }
}

/* "(512 K F16 + 512 V F16)": what a cell of the layer holds. */
static void pl_term_cell(const struct pl_terms_of *w, const struct pl_layer *l, char *out,
                         size_t size)
{
    const char *k = pl_tensor_type(w->r->type_k)->name, *v = pl_tensor_type(w->r->type_v)->name;
    unsigned long long width = (unsigned long long)l->head_k * l->n_head_kv;
    if (w->net->mla || w->net->arch->memory == PL_MEMORY_DSV4)
        (void)pl_fmt(out, size, "%llu compressed values of K in %s", width, k);
    else
        (void)pl_fmt(out, size, "(%u x %u of K in %s + %u x %u of V in %s)", l->n_head_kv,
                     l->head_k, k, l->n_head_kv, l->head_v, v);
}

static void pl_term_kv(struct pl_terms_of *w, uint8_t place, uint32_t il, uint32_t layers,
                       uint64_t each)
{
    const struct pl_layer *l = &w->net->layer[il];
    struct pl_term *t = pl_term_new(w, place, PL_PART_KV,
                                    l->windowed ? "src/llama-kv-cache-iswa.cpp, constructor"
                                                : "src/llama-kv-cache.cpp, constructor");
    char cell[160];
    uint64_t cells = l->windowed ? pl_llamacpp_window_cells(w->net, w->r) : w->r->n_ctx_seq;
    pl_term_cell(w, l, cell, sizeof(cell));
    t->bytes = pl_mul_sat(each, layers);
    (void)PL_FMT(t->formula, "%u layer%s x %llu cells%s x %llu cache%s x %s%s%s", layers,
                 layers == 1 ? "" : "s", (unsigned long long)cells,
                 l->windowed ? " (window + batch)" : "", (unsigned long long)w->r->n_stream,
                 w->r->n_stream == 1 ? "" : "s", cell,
                 l->n_indexer > 0 ? ", and its indexer's keys" : "",
                 l->ratio > 0 ? ", and its compressed caches" : "");
}

static bool pl_layers_alike(const struct pl_layer *a, const struct pl_layer *b)
{
    return a->windowed == b->windowed && a->owns_kv == b->owns_kv && a->head_k == b->head_k &&
           a->head_v == b->head_v && a->n_head_kv == b->n_head_kv && a->n_state == b->n_state &&
           a->n_indexer == b->n_indexer && a->ratio == b->ratio;
}

/* Layers of one place that are alike make one term. */
static void pl_terms_caches(struct pl_terms_of *w, uint8_t place)
{
    const struct pl_net *net = w->net;
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        uint32_t same = 0;
        bool first = true;
        for (uint32_t k = 0; k < net->n_layer_all; k++) {
            if (pl_place_cache(w->place, k) != place ||
                !pl_layers_alike(&net->layer[k], &net->layer[il]))
                continue;
            same++;
            first = first && k >= il;
        }
        if (!first || pl_place_cache(w->place, il) != place)
            continue;
        struct pl_layer_cache c = pl_llamacpp_layer_cache(net, w->r, il);
        uint64_t kv = pl_add_sat(c.global, c.window);
        if (kv > 0)
            pl_term_kv(w, place, il, same, kv);
        if (c.recurrent == 0)
            continue;
        struct pl_term *t =
            pl_term_new(w, place, PL_PART_RECURRENT, "src/llama-memory-recurrent.cpp, constructor");
        t->bytes = pl_mul_sat(c.recurrent, same);
        (void)PL_FMT(t->formula, "%u layer%s x %llu slot%s x %llu values x 4 bytes", same,
                     same == 1 ? "" : "s", (unsigned long long)w->r->n_seq,
                     w->r->n_seq == 1 ? "" : "s",
                     (unsigned long long)(c.recurrent / 4 / (w->r->n_seq > 0 ? w->r->n_seq : 1)));
    }
}

/* Parts that have one term: what is in it, in the part's own words and the settings' figures. */
static void pl_terms_part(struct pl_terms_of *w, uint8_t place, enum pl_part part)
{
    const struct pl_quantity *q = &w->f->pool[place].part[part];
    const struct pl_resolved *r = w->r;
    static const char *const sources[PL_PARTS] = {
        [PL_PART_COMPUTE] = "src/llama-context.cpp, graph_reserve; ggml/src/ggml-alloc.c",
        [PL_PART_OUTPUT] = "src/llama-context.cpp, output_reserve",
        [PL_PART_RUNTIME] = "measured on llama-server",
        [PL_PART_PROJECTOR] = "tools/mtmd/clip.cpp, load_tensors, reserve_compute_meta",
        [PL_PART_PROMPT_CACHE] = "tools/server, server_prompt_cache",
    };
    if (pl_known(*q) && q->high == 0)
        return;
    struct pl_term *t = pl_term_new(w, place, part, sources[part] != NULL ? sources[part] : "");
    const char *why = q->why != NULL ? q->why : "";
    t->bytes = q->likely;
    t->known = pl_known(*q);
    if (part == PL_PART_COMPUTE && t->known)
        (void)PL_FMT(t->formula, "the largest graph reserved: %llu tokens, %llu rows of logits",
                     (unsigned long long)r->n_ubatch, (unsigned long long)r->n_outputs);
    else if (part == PL_PART_OUTPUT && t->known && r->embedding)
        (void)PL_FMT(
            t->formula, "%llu rows x (%llu tokens of vocabulary + %llu of an embedding) x 4",
            (unsigned long long)(r->pooling == PL_POOLING_NONE && r->n_batch > r->n_seq ? r->n_batch
                                                                                        : r->n_seq),
            (unsigned long long)w->net->n_vocab,
            (unsigned long long)(w->net->n_embd_out > 0 ? w->net->n_embd_out : w->net->n_embd));
    else if (part == PL_PART_OUTPUT && t->known)
        (void)PL_FMT(t->formula, "%llu rows x %llu tokens of vocabulary x 4 bytes",
                     (unsigned long long)r->n_seq, (unsigned long long)w->net->n_vocab);
    else
        (void)PL_FMT(t->formula, "%s", why);
}

static void pl_terms_pool(struct pl_terms_of *w, uint8_t place)
{
    static const enum pl_part single[] = {PL_PART_COMPUTE, PL_PART_OUTPUT,       PL_PART_RUNTIME,
                                          PL_PART_EXTRA,   PL_PART_PROMPT_CACHE, PL_PART_PROJECTOR,
                                          PL_PART_DRAFT};
    pl_terms_tensors(w, place, false);
    if (place == PL_PLACE_HOST)
        pl_terms_tensors(w, place, true);
    pl_terms_caches(w, place);
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
        pl_terms_part(w, place, single[i]);
}

int pl_llamacpp_terms(const struct pl_model *m, const struct pl_settings *s,
                      const struct pl_llamacpp_host *host, const struct pl_footprint *f,
                      const struct pl_resolved *r, struct pl_terms *ret, struct pl_err *err)
{
    static const struct pl_used_devices none;
    struct pl_net net = {0};
    struct pl_placement place = {0};
    ret->n = 0;
    int rc = pl_llamacpp_net(m, &net, err);
    if (rc == 0)
        rc = pl_llamacpp_place(m, &net, s, host->devices != NULL ? host->devices : &none,
                               r->n_gpu_layers, NULL, &place, err);
    struct pl_terms_of w = {m, &net, &place, f, r, host->cpu, s->lazy, ret};
    for (uint32_t i = 0; rc == 0 && i < f->n_pool && i < place.n_place; i++)
        pl_terms_pool(&w, (uint8_t)i);
    pl_placement_done(&place);
    pl_net_done(&net);
    return rc;
}
