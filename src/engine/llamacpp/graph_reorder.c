#include "engine/llamacpp/graph_reorder.h"

#include <string.h>

#define PL_AHEAD 20u       /* operations looked at beyond the first that is left */
#define PL_AHEAD_FUSED 15u /* ... for one that is fused */
#define PL_AHEAD_ROWS 10u

struct pl_reorder {
    struct pl_net_graph *g;
    const pl_tid *node;
    uint32_t n, first; /* first: not yet taken */
    bool *used;
    bool *in_set;
    bool *done;    /* by tensor: in the new order */
    uint32_t *set; /* taken together */
    uint32_t n_set;
    pl_tid *out;
    uint32_t n_out, n_taken; /* taken: of them, those given */
};

static const struct pl_t *pl_node(const struct pl_reorder *r, uint32_t i)
{
    return pl_net_at(r->g, r->node[i]);
}

static bool pl_is_empty(const struct pl_t *t)
{
    return t->op == PL_OP_NONE || (t->op >= PL_OP_VIEW && t->op <= PL_OP_TRANSPOSE);
}

static pl_tid pl_memory_of(const struct pl_reorder *r, pl_tid t)
{
    pl_tid owner = pl_net_at(r->g, t)->view_src;
    return owner != 0 ? owner : t;
}

/* Does node a read what node c writes into memory of another tensor? */
static bool pl_reads_written(const struct pl_reorder *r, const struct pl_t *a, const struct pl_t *c)
{
    for (int k = 0; k < PL_T_SRC_MAX && c->view_src != 0 && !pl_is_empty(c); k++) {
        if (a->src[k] != 0 && pl_memory_of(r, a->src[k]) == c->view_src)
            return true;
    }
    return false;
}

/* Must node a wait for node c: its operand, the same memory, or one reads what the other writes? */
static bool pl_depends(const struct pl_reorder *r, uint32_t a, uint32_t c)
{
    const struct pl_t *t = pl_node(r, a), *s = pl_node(r, c);
    for (int k = 0; k < PL_T_SRC_MAX; k++) {
        if (t->src[k] == r->node[c])
            return true;
    }
    return pl_reads_written(r, t, s) || pl_reads_written(r, s, t) ||
           pl_memory_of(r, r->node[a]) == pl_memory_of(r, r->node[c]);
}

/* Sequences that the backend fuses and leaves as they are: the routing of experts. */
static const uint8_t pl_patterns[][13] = {
    {PL_OP_SOFT_MAX,  PL_OP_RESHAPE,  PL_OP_ARGSORT,   PL_OP_VIEW, PL_OP_GET_ROWS, PL_OP_RESHAPE,
     PL_OP_SUM_ROWS, PL_OP_CLAMP, PL_OP_DIV, PL_OP_RESHAPE},
    {PL_OP_UNARY, PL_OP_RESHAPE,  PL_OP_ADD,                                   PL_OP_ARGSORT, PL_OP_VIEW, PL_OP_GET_ROWS,
     PL_OP_RESHAPE, PL_OP_SUM_ROWS, PL_OP_CLAMP, PL_OP_DIV, PL_OP_RESHAPE},
    {PL_OP_UNARY,      PL_OP_SQRT,       PL_OP_RESHAPE,                      PL_OP_ADD, PL_OP_ARGSORT, PL_OP_VIEW, PL_OP_GET_ROWS,
     PL_OP_RESHAPE, PL_OP_SUM_ROWS, PL_OP_CLAMP, PL_OP_DIV, PL_OP_RESHAPE},
    {PL_OP_SOFT_MAX,  PL_OP_RESHAPE,      PL_OP_ARGSORT,PL_OP_VIEW, PL_OP_GET_ROWS},
    {PL_OP_ARGSORT, PL_OP_VIEW,                   PL_OP_GET_ROWS,                    PL_OP_RESHAPE, PL_OP_SOFT_MAX, PL_OP_RESHAPE},
    {PL_OP_RMS_NORM,      PL_OP_MUL,       PL_OP_ROPE,                      PL_OP_VIEW, PL_OP_SET_ROWS},
    {PL_OP_ROPE,PL_OP_VIEW,PL_OP_SET_ROWS},
};

/* Length of the pattern that begins at i, or 0. */
static uint32_t pl_pattern_at(const struct pl_reorder *r, uint32_t i)
{
    for (size_t p = 0; p < sizeof(pl_patterns) / sizeof(pl_patterns[0]); p++) {
        uint32_t len = 0;
        while (len < sizeof(pl_patterns[p]) && pl_patterns[p][len] != 0)
            len++;
        bool is = i + len <= r->n;
        for (uint32_t k = 0; is && k < len; k++)
            is = !r->used[i + k] && pl_node(r, i + k)->op == pl_patterns[p][k];
        if (is)
            return len;
    }
    return 0;
}

static void pl_put_out(struct pl_reorder *r, uint32_t i)
{
    r->out[r->n_out++] = r->node[i];
    r->n_taken++;
    r->done[r->node[i]] = true;
    r->used[i] = true;
}

static void pl_next_first(struct pl_reorder *r)
{
    while (r->first < r->n && r->used[r->first])
        r->first++;
}

static void pl_take(struct pl_reorder *r, uint32_t i)
{
    r->set[r->n_set++] = i;
    r->in_set[i] = true;
}

/* A pair that the backend fuses may stand one after the other. */
static bool pl_fused_pair(const struct pl_reorder *r, uint32_t c, uint32_t j)
{
    static const uint8_t pairs[][2] = {
        {PL_OP_RMS_NORM,   PL_OP_MUL   },
        {PL_OP_MUL_MAT,    PL_OP_ADD   },
        {PL_OP_MUL_MAT_ID, PL_OP_ADD_ID},
        {PL_OP_MUL_MAT_ID, PL_OP_MUL   },
        {PL_OP_ADD,        PL_OP_ADD   },
        {PL_OP_SSM_CONV,   PL_OP_ADD   },
        {PL_OP_SSM_CONV,   PL_OP_UNARY },
    };
    if (j != c + 1 || c != r->set[r->n_set - 1])
        return false;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pl_node(r, c)->op == pairs[i][0] && pl_node(r, j)->op == pairs[i][1])
            return true;
    }
    return false;
}

static uint32_t pl_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* An operand that needs no waiting: a weight or input, or done before. */
static bool pl_at_hand(const struct pl_reorder *r, pl_tid t)
{
    return t == 0 || pl_net_at(r->g, t)->op == PL_OP_NONE;
}

/* A rotation with its view and its write into the cache, made consecutive. */
static void pl_take_rows(struct pl_reorder *r, uint32_t rope)
{
    uint32_t view = 0;
    if (pl_node(r, rope)->op != PL_OP_ROPE)
        return;
    for (uint32_t k = rope + 1; k < pl_least(rope + PL_AHEAD_ROWS, r->n); k++) {
        const struct pl_t *t = pl_node(r, k);
        if (view == 0 && t->op == PL_OP_VIEW && t->src[0] == r->node[rope]) {
            view = k;
        } else if (view != 0 && t->op == PL_OP_SET_ROWS && t->src[0] == r->node[view]) {
            pl_take(r, view);
            pl_take(r, k);
            r->used[view] = r->used[k] = true;
            return;
        }
    }
}

/* After a norm and its weight: the rotation that reads it. Returns its place, or j. */
static uint32_t pl_take_rope(struct pl_reorder *r, uint32_t j)
{
    if (j == 0 || pl_node(r, j)->op != PL_OP_MUL || pl_node(r, j - 1)->op != PL_OP_RMS_NORM)
        return j;
    for (uint32_t k = j + 1; k < pl_least(j + PL_AHEAD_FUSED, r->n); k++) {
        const struct pl_t *t = pl_node(r, k);
        if (t->op == PL_OP_ROPE && t->src[0] == r->node[j] && pl_at_hand(r, t->src[1]) &&
            pl_at_hand(r, t->src[2])) {
            pl_take(r, k);
            r->used[k] = true;
            return k;
        }
    }
    return j;
}

/* Three in a row: `before` then j, then the next `op` that reads j. */
static void pl_take_third(struct pl_reorder *r, uint32_t j, uint8_t before, uint8_t mine,
                          uint8_t op, bool any)
{
    if (j == 0 || pl_node(r, j)->op != mine || pl_node(r, j - 1)->op != before)
        return;
    for (uint32_t k = j + 1; k < pl_least(j + PL_AHEAD_FUSED, r->n); k++) {
        const struct pl_t *t = pl_node(r, k);
        if (t->op == op && t->src[0] == r->node[j] &&
            (any || pl_at_hand(r, t->src[1]) || r->done[t->src[1]])) {
            pl_take(r, k);
            r->used[k] = true;
            return;
        }
    }
}

/* Operations that wait for nothing but what is done. */
static void pl_take_ready(struct pl_reorder *r)
{
    uint32_t end = pl_least(r->first + PL_AHEAD, r->n);
    for (uint32_t j = r->first + 1; j < end; j++) {
        if (r->used[j] || pl_is_empty(pl_node(r, j)) || pl_pattern_at(r, j) > 0)
            continue;
        bool ready = true;
        for (uint32_t c = r->first; c < j && ready; c++)
            ready = r->used[c] || !pl_depends(r, j, c) || pl_fused_pair(r, c, j);
        if (!ready)
            continue;
        pl_take(r, j);
        pl_take_rows(r, pl_take_rope(r, j));
        pl_take_third(r, j, PL_OP_MUL_MAT_ID, PL_OP_ADD_ID, PL_OP_MUL, false);
        pl_take_third(r, j, PL_OP_MUL_MAT, PL_OP_ADD, PL_OP_ADD, false);
        pl_take_third(r, j, PL_OP_SSM_CONV, PL_OP_ADD, PL_OP_UNARY, true);
    }
}

/* Then the views of what is taken. */
static void pl_take_views(struct pl_reorder *r)
{
    uint32_t end = pl_least(r->first + PL_AHEAD, r->n);
    if (pl_node(r, r->set[r->n_set - 1])->op == PL_OP_ADD)
        return;
    for (uint32_t j = r->first + 1; j < end; j++) {
        if (r->used[j] || !pl_is_empty(pl_node(r, j)))
            continue;
        bool ready = true;
        for (uint32_t c = r->first; c < j && ready; c++)
            ready = r->used[c] || !pl_depends(r, j, c) || r->in_set[c];
        if (ready)
            pl_take(r, j);
    }
}

/* A routing that is fused writes its result while it still reads the scores: a view without an
 * operation behind it keeps them. */
static void pl_keep_read(struct pl_reorder *r, pl_tid first)
{
    pl_tid read = pl_net_at(r->g, first)->src[0];
    if (read == 0)
        return;
    const struct pl_t p = *pl_net_at(r->g, read);
    pl_tid view = pl_net_new(r->g, p.type, p.ne[0], p.ne[1], p.ne[2], p.ne[3]);
    if (view == 0)
        return;
    struct pl_t *v = pl_net_at(r->g, view);
    v->view_src = p.view_src != 0 ? p.view_src : read;
    v->src[0] = read;
    v->backend = p.backend;
    r->out[r->n_out++] = view;
}

static void pl_take_pattern(struct pl_reorder *r, uint32_t len)
{
    uint32_t from = r->first;
    bool routing = false;
    for (uint32_t k = 0; k < len; k++) {
        routing = routing || pl_node(r, from + k)->op == PL_OP_ARGSORT;
        pl_put_out(r, from + k);
    }
    if (routing)
        pl_keep_read(r, r->node[from]);
}

const pl_tid *pl_net_reorder(struct pl_net_graph *g, const pl_tid *order, uint32_t *n)
{
    struct pl_reorder r = {.g = g, .node = order, .n = *n};
    r.used = pl_arena_alloc(g->arena, r.n + 1, sizeof(bool));
    r.in_set = pl_arena_alloc(g->arena, r.n + 1, sizeof(bool));
    r.done = pl_arena_alloc(g->arena, (size_t)g->n + 1, sizeof(bool));
    r.set = pl_arena_alloc(g->arena, (size_t)r.n * 3 + 1, sizeof(uint32_t));
    r.out = pl_arena_alloc(g->arena, (size_t)r.n * 2 + 1, sizeof(pl_tid));
    if (r.used == NULL || r.in_set == NULL || r.done == NULL || r.set == NULL || r.out == NULL) {
        g->failed = true;
        return NULL;
    }
    while (r.first < r.n) {
        uint32_t len = pl_pattern_at(&r, r.first);
        r.n_set = 0;
        if (len > 0) {
            pl_take_pattern(&r, len);
            pl_next_first(&r);
            continue;
        }
        pl_take(&r, r.first);
        pl_take_ready(&r);
        pl_take_views(&r);
        for (uint32_t k = 0; k < r.n_set; k++) {
            r.in_set[r.set[k]] = false;
            if (r.n_out < r.n * 2)
                pl_put_out(&r, r.set[k]);
        }
        pl_next_first(&r);
    }
    g->failed = g->failed || r.n_taken != r.n;
    *n = r.n_out;
    return g->failed ? NULL : r.out;
}
