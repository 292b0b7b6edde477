/* ggml/src/ggml-alloc.c, ggml_gallocr_alloc_graph_impl, node by node. */
#include "domain/graph_place.h"

#include "base/checked.h"
#include "domain/graph_alloc.h"

struct pl_slot {
    uint32_t children, views;
    uint64_t offset, bytes;
    uint8_t buffer;
    bool placed;
};

struct pl_placing {
    struct pl_net_graph *net;
    const struct pl_place_plan *plan;
    struct pl_slot *slot; /* by tensor */
    struct pl_graph *buffer;
};

static bool pl_same_layout(const struct pl_t *a, const struct pl_t *b)
{
    if (a->type != b->type)
        return false;
    for (int i = 0; i < 4; i++) {
        if (a->ne[i] != b->ne[i] || a->nb[i] != b->nb[i])
            return false;
    }
    return true;
}

static void pl_slot_take_over(struct pl_placing *w, pl_tid t, pl_tid from)
{
    struct pl_slot *s = &w->slot[t], *f = &w->slot[from];
    struct pl_graph *a = &w->buffer[f->buffer];
    uint64_t bytes = pl_graph_round(a, pl_net_bytes(w->net, t));
    s->buffer = f->buffer;
    s->offset = f->offset;
    s->bytes = bytes;
    f->placed = false;
    if (f->bytes > bytes)
        pl_graph_give(a, (struct pl_place){f->offset + bytes, f->bytes - bytes});
}

/* Tries to put t where an operand dies. */
static bool pl_slot_reuse(struct pl_placing *w, pl_tid t)
{
    const struct pl_t *p = pl_net_at(w->net, t);
    for (int i = 0; i < PL_T_SRC_MAX; i++) {
        pl_tid from = p->src[i];
        if (from == 0 || !w->slot[from].placed)
            continue;
        const struct pl_t *q = pl_net_at(w->net, from);
        bool output = (q->flags & PL_T_OUTPUT) ||
                      (q->view_src != 0 && (pl_net_at(w->net, q->view_src)->flags & PL_T_OUTPUT));
        if (output || !pl_same_layout(p, q) || w->slot[from].children != 1 ||
            w->slot[from].views != 0)
            continue;
        pl_slot_take_over(w, t, from);
        return true;
    }
    return false;
}

static void pl_slot_place(struct pl_placing *w, pl_tid t, uint8_t buffer)
{
    const struct pl_t *p = pl_net_at(w->net, t);
    struct pl_slot *s = &w->slot[t];
    if ((p->flags & PL_T_EXTERNAL) || p->view_src != 0 || s->placed)
        return;
    s->placed = true;
    if (pl_op_inplace(p->op) && pl_slot_reuse(w, t))
        return;
    struct pl_place at = pl_graph_take(&w->buffer[buffer], pl_net_bytes(w->net, t));
    s->buffer = buffer;
    s->offset = at.offset;
    s->bytes = at.bytes;
}

static void pl_slot_free(struct pl_placing *w, pl_tid t)
{
    struct pl_slot *s = &w->slot[t];
    if (pl_net_at(w->net, t)->flags & PL_T_OUTPUT)
        return;
    pl_graph_give(&w->buffer[s->buffer], (struct pl_place){s->offset, s->bytes});
    s->placed = false;
}

/* One operand has been used once more. */
static void pl_slot_used(struct pl_placing *w, pl_tid t)
{
    struct pl_slot *s = &w->slot[t];
    s->children--;
    if (s->children != 0 || s->views != 0)
        return;
    pl_tid owner = pl_net_at(w->net, t)->view_src;
    if (owner != 0) {
        struct pl_slot *o = &w->slot[owner];
        o->views--;
        if (o->views == 0 && o->children == 0 && o->placed)
            pl_slot_free(w, owner);
    } else if (s->placed) {
        pl_slot_free(w, t);
    }
}

static uint8_t pl_buffer_at(const uint8_t *list, uint32_t i)
{
    return list != NULL ? list[i] : 0;
}

static void pl_place_inputs(struct pl_placing *w)
{
    const struct pl_net_graph *g = w->net;
    for (uint32_t i = 0; i < g->n_leaf; i++)
        pl_slot_place(w, g->leaf[i], pl_buffer_at(w->plan->of_leaf, i));
    for (uint32_t i = 0; i < g->n_order; i++) {
        const struct pl_t *p = pl_net_at(g, g->order[i]);
        uint8_t b = pl_buffer_at(w->plan->of_node, i);
        if (p->view_src != 0 && p->op != PL_OP_NONE)
            w->slot[p->view_src].views++;
        if (p->flags & PL_T_INPUT)
            pl_slot_place(w, g->order[i], b);
        for (int k = 0; k < PL_T_SRC_MAX; k++) {
            if (p->src[k] == 0)
                continue;
            w->slot[p->src[k]].children++;
            if (pl_net_at(g, p->src[k])->flags & PL_T_INPUT)
                pl_slot_place(w, p->src[k], b);
        }
    }
}

bool pl_net_place(struct pl_net_graph *g, const struct pl_place_plan *plan, uint64_t *ret_bytes)
{
    struct pl_placing w = {.net = g, .plan = plan};
    w.slot = pl_arena_alloc(g->arena, (size_t)g->n + 1, sizeof(*w.slot));
    w.buffer = pl_arena_alloc(g->arena, plan->n_buffer, sizeof(*w.buffer));
    if (g->failed || w.slot == NULL || w.buffer == NULL)
        return false;
    for (uint32_t b = 0; b < plan->n_buffer; b++)
        pl_graph_start(&w.buffer[b], plan->align[b]);
    pl_place_inputs(&w);
    for (uint32_t i = 0; i < g->n_order; i++) {
        const struct pl_t *p = pl_net_at(g, g->order[i]);
        uint8_t b = pl_buffer_at(plan->of_node, i);
        for (int k = 0; k < PL_T_SRC_MAX; k++) {
            if (p->src[k] != 0)
                pl_slot_place(&w, p->src[k], b);
        }
        pl_slot_place(&w, g->order[i], b);
        for (int k = 0; k < PL_T_SRC_MAX; k++) {
            if (p->src[k] != 0)
                pl_slot_used(&w, p->src[k]);
        }
    }
    for (uint32_t b = 0; b < plan->n_buffer; b++) {
        ret_bytes[b] = w.buffer[b].high;
        g->failed = g->failed || w.buffer[b].failed;
    }
    return !g->failed;
}
