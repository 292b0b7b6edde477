#include "engine/llamacpp/graph_split.h"

#include "engine/llamacpp/graph_reorder.h"
#include "engine/llamacpp/graph_support.h"

#include <string.h>

struct pl_splitting {
    struct pl_net_graph *g;
    const struct pl_split_rules *rules;
    int host;         /* number of the host's backend */
    pl_tid *copy;     /* [tensor * n_backend + backend] */
    uint32_t n_first; /* tensors before copies were made */
    /* the new order */
    pl_tid *order, *leaf, *input;
    uint8_t *of_node, *of_leaf;
    uint32_t n_order, n_leaf, n_input, cap;
};

static bool pl_is_view_op(const struct pl_t *t)
{
    return t->op == PL_OP_NONE || (t->op >= PL_OP_VIEW && t->op <= PL_OP_TRANSPOSE);
}

static struct pl_t *pl_at(const struct pl_splitting *s, pl_tid t)
{
    return pl_net_at(s->g, t);
}

/* Whose memory decides: the owner of a view. */
static const struct pl_t *pl_owner(const struct pl_splitting *s, const struct pl_t *t)
{
    return t->view_src != 0 ? pl_at(s, t->view_src) : t;
}

/* ggml-vulkan.cpp, ggml-cuda.cu: the batch by which a device decides to take a product */
static uint64_t pl_op_batch(const struct pl_t *t)
{
    if (t->op == PL_OP_GET_ROWS)
        return 0;
    if (t->op == PL_OP_MUL_MAT)
        return t->ne[1];
    if (t->op == PL_OP_MUL_MAT_ID || t->op == PL_OP_ROPE)
        return t->ne[2];
    return t->ne[1] * t->ne[2] * t->ne[3];
}

static bool pl_can(const struct pl_splitting *s, pl_tid t, int backend)
{
    return backend == s->host || pl_device_supports(s->g, t, &s->rules->device[backend]);
}

/* Where the weight of a product lies; a device takes large batches with the host's weights. -1: the
 * device that has it cannot evaluate this. */
static int pl_backend_by_weight(const struct pl_splitting *s, pl_tid id, const struct pl_t *w)
{
    bool takes = s->rules->op_offload && w->backend == s->host && !(w->flags & PL_T_CONVERTED) &&
                 pl_op_batch(pl_at(s, id)) >= PL_OFFLOAD_BATCH;
    for (int b = 0; takes && b < s->host; b++) {
        if (pl_can(s, id, b))
            return b;
    }
    return pl_can(s, id, w->backend) ? w->backend : -1;
}

static int pl_backend_by_memory(const struct pl_splitting *s, pl_tid id)
{
    const struct pl_t *t = pl_at(s, id);
    const struct pl_t *o = pl_owner(s, t);
    if (o->flags & PL_T_EXTERNAL)
        return o->backend;
    if (t->flags & PL_T_INPUT)
        return s->host;
    if (t->op == PL_OP_ROPE || t->op == PL_OP_FLASH_ATTN || t->op == PL_OP_NONE)
        return -1;
    for (int i = 0; i < PL_T_SRC_MAX; i++) {
        if (t->src[i] == 0)
            continue;
        const struct pl_t *w = pl_at(s, t->src[i]);
        if (!(w->flags & PL_T_WEIGHT) || w->view_src != 0)
            continue;
        return pl_backend_by_weight(s, id, w);
    }
    return -1;
}

/* Adjacent operations go to the same backend: one sweep up or down, with or without the host. */
static void pl_sweep(struct pl_splitting *s, bool down, bool with_host)
{
    int cur = -1;
    uint32_t n = s->g->n_order;
    for (uint32_t k = 0; k < n; k++) {
        pl_tid id = s->g->order[down ? k : n - 1 - k];
        struct pl_t *t = pl_at(s, id);
        if (pl_is_view_op(t))
            continue;
        if (t->backend != -1)
            cur = t->backend == s->host && !with_host ? -1 : t->backend;
        else if (cur != -1 && pl_can(s, id, cur))
            t->backend = (int16_t)cur;
    }
}

/* May this backend read the tensor where it lies? Devices read their own memory alone. */
static bool pl_readable(const struct pl_splitting *s, const struct pl_t *t, int backend)
{
    const struct pl_t *o = pl_owner(s, t);
    int where = (o->flags & PL_T_EXTERNAL) ? o->backend
                : t->backend != -1         ? t->backend
                                           : o->backend;
    return where == backend;
}

/* What no neighbour could take goes where most of its operands are. */
static void pl_assign_left(struct pl_splitting *s, pl_tid id)
{
    struct pl_t *t = pl_at(s, id);
    int most = -1;
    for (int b = 0; b <= s->host; b++) {
        int n = 0;
        if (!pl_can(s, id, b))
            continue;
        for (int k = 0; k < PL_T_SRC_MAX; k++)
            n += t->src[k] != 0 && pl_readable(s, pl_at(s, t->src[k]), b);
        if (n > most) {
            most = n;
            t->backend = (int16_t)b;
        }
    }
}

static void pl_assign(struct pl_splitting *s)
{
    struct pl_net_graph *g = s->g;
    for (uint32_t i = 0; i < g->n_leaf; i++) {
        pl_tid id = g->leaf[i];
        struct pl_t *t = pl_at(s, id);
        if (t->backend == -1)
            t->backend = (int16_t)pl_backend_by_memory(s, id);
    }
    for (uint32_t i = 0; i < g->n_order; i++) {
        pl_tid id = g->order[i];
        struct pl_t *t = pl_at(s, id);
        if (t->backend == -1)
            t->backend = (int16_t)pl_backend_by_memory(s, id);
    }
    pl_sweep(s, true, false);
    pl_sweep(s, false, false);
    pl_sweep(s, true, true);
    pl_sweep(s, false, true);
    for (uint32_t i = 0; i < g->n_order; i++) {
        const struct pl_t *t = pl_at(s, g->order[i]);
        if (t->backend == -1 && !pl_is_view_op(t))
            pl_assign_left(s, g->order[i]);
    }
    for (uint32_t i = 0; i < g->n_order; i++) {
        struct pl_t *t = pl_at(s, g->order[i]);
        if (t->backend == -1 && t->view_src != 0)
            t->backend = pl_at(s, t->view_src)->backend;
        for (int k = 0; k < PL_T_SRC_MAX; k++) {
            struct pl_t *src = t->src[k] != 0 ? pl_at(s, t->src[k]) : NULL;
            if (src != NULL && src->backend == -1)
                src->backend = src->view_src != 0 ? pl_at(s, src->view_src)->backend : t->backend;
        }
        if (t->backend == -1)
            t->backend = 0;
    }
}

static pl_tid pl_copy_of(struct pl_splitting *s, pl_tid t, int backend)
{
    const struct pl_t p = *pl_at(s, t);
    pl_tid c = pl_net_new(s->g, p.type, p.ne[0], p.ne[1], p.ne[2], p.ne[3]);
    if (c == 0)
        return 0;
    struct pl_t *n = pl_at(s, c);
    memcpy(n->nb, p.nb, sizeof(n->nb));
    n->backend = (int16_t)backend;
    if (s->rules->n_copies > 1)
        n->flags = PL_T_INPUT | PL_T_OUTPUT;
    return c;
}

static bool pl_put(struct pl_splitting *s, pl_tid t, int backend)
{
    if (s->n_order == s->cap)
        s->g->failed = true;
    if (s->g->failed)
        return false;
    s->of_node[s->n_order] = (uint8_t)backend;
    s->order[s->n_order++] = t;
    return true;
}

static void pl_put_leaf(struct pl_splitting *s, pl_tid t, int backend)
{
    if (s->n_leaf == s->cap)
        s->g->failed = true;
    if (s->g->failed)
        return;
    s->of_leaf[s->n_leaf] = (uint8_t)backend;
    s->leaf[s->n_leaf++] = t;
}

/* Several batches under way: their inputs exist as often. The first copy is the tensor itself. */
static void pl_pipeline_input(struct pl_splitting *s, pl_tid t)
{
    struct pl_t *p = pl_at(s, t);
    pl_tid *slot = &s->copy[(size_t)t * s->rules->n_backend + (size_t)p->backend];
    if (s->rules->n_copies <= 1 || !(p->flags & PL_T_INPUT) || *slot != 0 || t > s->n_first)
        return;
    *slot = t;
    int backend = p->backend;
    p->flags |= PL_T_OUTPUT;
    pl_put_leaf(s, t, backend);
    for (uint32_t c = 1; c < s->rules->n_copies; c++)
        pl_put_leaf(s, pl_copy_of(s, t, backend), backend);
}

/* The operands of a node that lie elsewhere: copied once per backend, at the split's start. */
static void pl_fetch(struct pl_splitting *s, pl_tid node, int backend, pl_tid *list, uint32_t *n)
{
    for (int k = 0; k < PL_T_SRC_MAX && !s->g->failed; k++) {
        pl_tid src = pl_at(s, node)->src[k];
        if (src == 0 || src > s->n_first)
            continue;
        if (pl_at(s, src)->backend == backend || pl_readable(s, pl_at(s, src), backend))
            continue;
        pl_tid *slot = &s->copy[(size_t)src * s->rules->n_backend + (size_t)backend];
        if (*slot == 0) {
            *slot = pl_copy_of(s, src, backend);
            if (*n < s->cap)
                list[(*n)++] = src;
            for (uint32_t c = 0; c < s->rules->n_copies && s->rules->n_copies > 1; c++)
                pl_put_leaf(s, c == 0 ? *slot : pl_copy_of(s, src, backend), backend);
        }
        pl_at(s, node)->src[k] = *slot;
    }
}

/* A new split begins where a weight would have to be copied: the memory of the one before is free
 * then. */
static bool pl_weight_elsewhere(const struct pl_splitting *s, pl_tid node, int backend)
{
    const struct pl_t *t = pl_at(s, node);
    for (int k = 0; k < PL_T_SRC_MAX; k++) {
        const struct pl_t *w = t->src[k] != 0 ? pl_at(s, t->src[k]) : NULL;
        if (w != NULL && (w->flags & PL_T_WEIGHT) && w->backend != backend &&
            !pl_readable(s, w, backend))
            return true;
    }
    return false;
}

/* Writes one split: what it reads from elsewhere, then its operations. */
static void pl_split_write(struct pl_splitting *s, uint32_t from, uint32_t to, int backend,
                           const pl_tid *inputs, uint32_t n_input)
{
    const pl_tid *order = s->g->order + from;
    uint32_t n = to - from;
    if (backend != s->host && s->rules->device[backend].backend == PL_BACKEND_VULKAN)
        order = pl_net_reorder(s->g, order, &n);
    for (uint32_t i = 0; i < n_input; i++) {
        const struct pl_t p = *pl_at(s, inputs[i]);
        pl_tid dep = pl_net_new(s->g, p.type, p.ne[0], p.ne[1], p.ne[2], p.ne[3]);
        if (dep == 0)
            return;
        struct pl_t *d = pl_at(s, dep); /* keeps the source until it is copied */
        d->view_src = p.view_src != 0 ? p.view_src : inputs[i];
        d->src[0] = inputs[i];
        d->backend = p.backend;
        (void)pl_put(s, dep, p.backend);
        (void)pl_put(s, s->copy[(size_t)inputs[i] * s->rules->n_backend + (size_t)backend],
                     backend);
    }
    for (uint32_t i = 0; i < n && order != NULL; i++)
        (void)pl_put(s, order[i], pl_at(s, order[i])->backend);
}

static void pl_split_all(struct pl_splitting *s)
{
    struct pl_net_graph *g = s->g;
    uint32_t start = 0, n_input = 0, i = 0;
    while (i < g->n_order && pl_is_view_op(pl_at(s, g->order[i])))
        i++;
    int cur = i < g->n_order ? pl_at(s, g->order[i])->backend : s->host;
    for (; i < g->n_order && !g->failed; i++) {
        const struct pl_t *t = pl_at(s, g->order[i]);
        if (pl_is_view_op(t))
            continue;
        if (t->backend != cur || (n_input > 0 && pl_weight_elsewhere(s, g->order[i], cur))) {
            pl_split_write(s, start, i, cur, s->input, n_input);
            start = i;
            n_input = 0;
            cur = t->backend;
        }
        pl_fetch(s, g->order[i], cur, s->input, &n_input);
    }
    pl_split_write(s, start, g->n_order, cur, s->input, n_input);
}

bool pl_net_split(struct pl_net_graph *g, const struct pl_split_rules *rules,
                  struct pl_place_plan *plan)
{
    struct pl_splitting s = {.g = g, .rules = rules, .host = (int)rules->n_backend - 1};
    s.n_first = g->n;
    s.cap = g->n_order * 4 + g->n_leaf * 4 + 64;
    s.copy = pl_arena_alloc(g->arena, ((size_t)g->n + 1) * rules->n_backend, sizeof(*s.copy));
    s.order = pl_arena_alloc(g->arena, s.cap, sizeof(*s.order));
    s.leaf = pl_arena_alloc(g->arena, s.cap, sizeof(*s.leaf));
    s.input = pl_arena_alloc(g->arena, s.cap, sizeof(*s.input));
    s.of_node = pl_arena_alloc(g->arena, s.cap, 1);
    s.of_leaf = pl_arena_alloc(g->arena, s.cap, 1);
    if (g->failed || s.copy == NULL || s.order == NULL || s.leaf == NULL || s.input == NULL ||
        s.of_node == NULL || s.of_leaf == NULL) {
        g->failed = true;
        return false;
    }
    pl_assign(&s);
    for (uint32_t i = 0; i < g->n_leaf; i++)
        pl_pipeline_input(&s, g->leaf[i]);
    pl_split_all(&s);
    for (uint32_t i = 0; i < g->n_leaf; i++)
        pl_put_leaf(&s, g->leaf[i], pl_at(&s, g->leaf[i])->backend);
    g->order = s.order;
    g->n_order = g->cap_order = s.n_order;
    g->leaf = s.leaf;
    g->n_leaf = g->cap_leaf = s.n_leaf;
    plan->of_node = s.of_node;
    plan->of_leaf = s.of_leaf;
    plan->n_buffer = rules->n_backend;
    return !g->failed;
}
