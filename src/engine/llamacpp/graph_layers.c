#include "engine/llamacpp/graph_layers.h"

#include "base/checked.h"
#include "base/str.h"

#include <string.h>

/* kept of each kind: equal to all layers on every file that was tried */
#define PL_ALIKE_FIRST 4u
#define PL_ALIKE_LAST 2u

PL_WRAPS static uint64_t pl_mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 1099511628211u; /* FNV-1a, by words */
}

PL_WRAPS static void pl_mark_add(uint64_t *sum, uint64_t mark)
{
    *sum += mark;
}

/* What a tensor adds to its layer: tensors come in any order, so their marks are summed up. */
static uint64_t pl_tensor_mark(const struct pl_tensor *t, const char *suffix, bool placed)
{
    uint64_t h = 14695981039346656037u;
    for (const char *s = suffix; *s != '\0'; s++)
        h = pl_mix(h, (unsigned char)*s);
    for (int i = 0; i < PL_TENSOR_DIMS_MAX; i++)
        h = pl_mix(h, t->ne[i]);
    return placed ? pl_mix(h, t->type) : h; /* copies between places have the weight's bytes */
}

static uint64_t pl_layer_mark(const struct pl_net *net, const struct pl_placement *place,
                              uint32_t il)
{
    const struct pl_layer *l = &net->layer[il];
    const uint64_t facts[] = {(uint64_t)l->kind,
                              l->n_head,
                              l->n_head_kv,
                              l->head_k,
                              l->head_v,
                              l->n_ff,
                              l->n_rot,
                              l->ratio,
                              l->windowed,
                              l->owns_kv,
                              l->moe,
                              il < net->n_layer_dense_lead,
                              place != NULL ? place->layer[il] : 0};
    uint64_t h = 7;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        h = pl_mix(h, facts[i]);
    return h;
}

static bool pl_tensor_layer(const struct pl_tensor *t, uint64_t *ret_il, const char **ret_suffix)
{
    const char *dot = pl_starts(t->name, "blk.") ? strchr(t->name + 4, '.') : NULL;
    char number[12];
    *ret_suffix = dot;
    return dot != NULL &&
           pl_slice(number, sizeof(number), t->name + 4, (size_t)(dot - t->name) - 4) &&
           pl_parse_u64(number, ret_il);
}

const bool *pl_graph_layers_alike(struct pl_arena *a, const struct pl_model *m,
                                  const struct pl_net *net, const struct pl_placement *place)
{
    uint32_t n = net->n_layer;
    bool *skip = pl_arena_alloc(a, n, sizeof(*skip));
    uint64_t *mark = pl_arena_alloc(a, n, sizeof(*mark));
    /* what lies around a recurrence drifts on through the buffer: no layer tells the same there */
    bool drifts = net->arch->memory == PL_MEMORY_RECURRENT || net->arch->memory == PL_MEMORY_HYBRID;
    if (skip == NULL || mark == NULL || drifts || (place != NULL && place->n_rule > 0))
        return NULL;
    for (uint32_t il = 0; il < n; il++)
        mark[il] = pl_layer_mark(net, place, il);
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        uint64_t il = 0;
        const char *suffix = NULL;
        if (pl_streq(m->tensor[i].name, "per_layer_token_embd.weight"))
            return NULL; /* what is kept for all layers lies in between: no layer tells the same */
        if (pl_tensor_layer(&m->tensor[i], &il, &suffix) && il < n)
            pl_mark_add(&mark[il], pl_tensor_mark(&m->tensor[i], suffix, place != NULL));
    }
    for (uint32_t il = 0; il + PL_ALIKE_LAST < n; il++) {
        uint32_t before = 0;
        for (uint32_t k = il; k > 0 && before < PL_ALIKE_FIRST; k--)
            before += mark[k - 1] == mark[il];
        skip[il] = before >= PL_ALIKE_FIRST;
    }
    return skip;
}
