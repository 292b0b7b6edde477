/* Branch and bound over the components, without recursion. */
#include "plan/search.h"

#include <string.h>

#define PL_ASK_EVERY 256u /* nodes between two looks at the clock */

/* What is known at a depth: the first `depth` components of the order have their items. */
struct pl_node {
    uint64_t *hot;   /* by line: peaks of the hot ones */
    uint64_t *group; /* by group and line: largest of the warm ones */
    uint64_t *total; /* by line */
    pl_wide *sum;    /* by test */
    uint32_t next;   /* position in the item list of the component at this depth */
    bool orders;     /* some load peak is above its peak: an order has to be found */
};

struct pl_walk {
    struct pl_search *s;
    struct pl_node *node; /* by depth */
    uint32_t *choice;     /* by depth: in the order of the search */
    struct pl_engines engines;
};

int64_t pl_stage_sum(const struct pl_search *s, uint32_t k, const uint32_t *choice)
{
    int64_t sum = 0;
    for (uint32_t c = 0; c < s->p->n_component; c++)
        sum += s->stage[k].value[choice[c]];
    return sum;
}

struct pl_walk *pl_walk_make(const struct pl_problem *p, struct pl_arena *arena)
{
    uint32_t n = p->n_component, lines = p->n_line;
    struct pl_walk *w = pl_arena_alloc(arena, 1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->node = pl_arena_alloc(arena, (size_t)n + 1, sizeof(*w->node));
    w->choice = pl_arena_alloc(arena, (size_t)n + 1, sizeof(*w->choice));
    if (w->node == NULL || w->choice == NULL)
        return NULL;
    for (uint32_t d = 0; d <= n; d++) {
        struct pl_node *x = &w->node[d];
        size_t groups = (size_t)(p->n_group > 0 ? p->n_group : 1) * lines;
        x->hot = pl_arena_alloc(arena, lines + 1, sizeof(*x->hot));
        x->total = pl_arena_alloc(arena, lines + 1, sizeof(*x->total));
        x->group = pl_arena_alloc(arena, groups + 1, sizeof(*x->group));
        x->sum = pl_arena_alloc(arena, PL_TESTS_MAX, sizeof(*x->sum));
        if (x->hot == NULL || x->total == NULL || x->group == NULL || x->sum == NULL)
            return NULL;
    }
    return w;
}

/* Loads after adding an item to those of node a; b is the node below it. */
static void pl_node_loads(struct pl_walk *w, uint32_t depth, const struct pl_item *i)
{
    const struct pl_problem *p = w->s->p;
    const struct pl_node *a = &w->node[depth];
    struct pl_node *b = &w->node[depth + 1];
    size_t line_bytes = p->n_line * sizeof(*b->hot);
    b->orders = a->orders;
    for (uint32_t l = 0; i->peak != NULL && i->serve == PL_SERVE_HOT && l < p->n_line; l++)
        b->orders = b->orders || i->load[l] > i->peak[l] || i->steady[l] > i->peak[l];
    if (p->shares) {
        pl_engines_of(p, w->choice, depth + 1, &w->engines);
        pl_engines_load(p, &w->engines, depth + 1 < p->n_component, b->total);
        b->orders = true; /* a warm item may stand for a hot process */
        return;
    }
    memcpy(b->total, a->total, line_bytes);
    memcpy(b->hot, a->hot, line_bytes);
    memcpy(b->group, a->group, line_bytes * p->n_group);
    for (uint32_t l = 0; i->peak != NULL && l < p->n_line; l++) {
        uint64_t more = i->peak[l];
        if (i->serve == PL_SERVE_WARM) {
            uint64_t *most = &b->group[(size_t)i->group * p->n_line + l];
            uint64_t take = i->peak[l] > i->load[l] ? i->peak[l] : i->load[l];
            more = take > *most ? take - *most : 0;
            *most += more;
        }
        b->total[l] += more;
    }
}

/* Can the choice up to here still lead to a better plan? */
static bool pl_node_open(struct pl_walk *w, uint32_t depth, uint32_t item)
{
    struct pl_search *s = w->s;
    struct pl_node *a = &w->node[depth], *b = &w->node[depth + 1];
    for (uint32_t t = 0; t < s->n_test; t++) {
        const struct pl_test *x = &s->test[t];
        b->sum[t] = a->sum[t] + x->price[item];
        if (b->sum[t] + x->constant + x->rest[depth + 1] < x->threshold)
            return false;
    }
    w->choice[depth] = item;
    pl_node_loads(w, depth, &s->p->item[item]);
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        if (b->total[l] > s->room[l])
            return false;
    }
    if (!b->orders)
        return true;
    /* fewer engines can only be easier to load, so no order now is no order later */
    pl_engines_of(s->p, w->choice, depth + 1, &w->engines);
    return pl_engines_order(s->p, &w->engines, s->full, NULL, NULL);
}

/* A whole choice that passed every test (the plain ones are exact there): the new incumbent. False:
 * nothing better can come in this stage. */
static bool pl_leaf(struct pl_walk *w)
{
    struct pl_search *s = w->s;
    uint32_t n = s->p->n_component;
    for (uint32_t d = 0; d < n; d++)
        s->best->choice[s->order[d]] = w->choice[d];
    s->best->feasible = true;
    s->found = true;
    const struct pl_stage *stage = &s->stage[s->now];
    if (stage->kind == PL_STAGE_SUM)
        s->best->best[s->now] = pl_stage_sum(s, s->now, s->best->choice);
    if (stage->kind == PL_STAGE_HEADROOM) {
        pl_least_headroom(s->p, w->node[n].total, &s->best->head, &s->best->line);
    }
    for (uint32_t t = 0; t < s->n_test; t++) {
        struct pl_test *x = &s->test[t];
        pl_test_constant(s, x);
        if (x->goal == (int32_t)s->now)
            x->threshold = (pl_wide)(s->best->best[s->now] + 1) * ((pl_wide)1 << x->shift);
    }
    return stage->kind == PL_STAGE_SUM && !s->first; /* else the first will do */
}

void pl_search_run(struct pl_search *s)
{
    struct pl_walk *w = s->walk;
    uint32_t n = s->p->n_component, depth = 0;
    w->s = s;
    w->node[0].next = 0;
    for (;;) {
        struct pl_node *x = &w->node[depth];
        if (depth == n) {
            if (!pl_leaf(w))
                return;
            depth--;
            continue;
        }
        uint32_t c = s->order[depth];
        if (x->next >= s->n_list[c]) {
            if (depth == 0)
                return;
            depth--;
            continue;
        }
        uint32_t item = s->list[s->p->first[c] + x->next++];
        if (s->best->nodes == s->stop_at && s->stop_at > 0)
            return;
        s->best->nodes++;
        if (s->best->nodes % PL_ASK_EVERY == 0 && s->limits != NULL && s->limits->expired != NULL &&
            s->limits->expired(s->limits->ctx)) {
            s->expired = true;
            return;
        }
        if (pl_node_open(w, depth, item))
            w->node[++depth].next = 0;
    }
}
