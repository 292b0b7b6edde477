/* Branch and bound over the components, without recursion. */
#include "plan/search.h"

#include <string.h>

#define PL_ASK_EVERY 256u /* nodes between two looks at the clock */

/* What is known at a depth: the first `depth` components of the order have their items. Items that
 * share a process or a file with another component are tied, and counted by engines.c. */
struct pl_node {
    uint64_t *hot;    /* by line: peaks of the hot ones, without the tied */
    uint64_t *group;  /* by group and line: largest of the warm ones, without the tied */
    uint64_t *steady; /* by line: of all that may be hot, at most */
    uint64_t *need;   /* by line: the largest that one of them needs beyond, at most */
    uint64_t *total;  /* by line */
    pl_wide *sum;     /* by test */
    uint32_t next;    /* position in the item list of the component at this depth */
    uint32_t n_tied;
    bool orders; /* some load peak is above its peak: an order has to be found */
};

struct pl_walk {
    struct pl_search *s;
    struct pl_node *node; /* by depth */
    uint32_t *choice;     /* by depth: in the order of the search */
    uint32_t *tied;       /* those of the choice that are tied */
    uint64_t *group;      /* scratch */
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
    w->tied = pl_arena_alloc(arena, (size_t)n + 1, sizeof(*w->tied));
    size_t groups = (size_t)(p->n_group > 0 ? p->n_group : 1) * lines;
    w->group = pl_arena_alloc(arena, groups + 1, sizeof(*w->group));
    if (w->node == NULL || w->choice == NULL || w->tied == NULL || w->group == NULL)
        return NULL;
    for (uint32_t d = 0; d <= n; d++) {
        struct pl_node *x = &w->node[d];
        x->hot = pl_arena_alloc(arena, 4 * (size_t)lines + 1, sizeof(*x->hot));
        x->group = pl_arena_alloc(arena, groups + 1, sizeof(*x->group));
        x->sum = pl_arena_alloc(arena, PL_TESTS_MAX, sizeof(*x->sum));
        if (x->hot == NULL || x->group == NULL || x->sum == NULL)
            return NULL;
        x->total = x->hot + lines;
        x->steady = x->total + lines;
        x->need = x->steady + lines;
    }
    return w;
}

static void pl_node_needs(const struct pl_problem *p, const struct pl_item *i, struct pl_node *b)
{
    for (uint32_t l = 0; l < p->n_line; l++) {
        uint64_t load = i->load[l] + (i->file != NULL ? i->file[l] : 0);
        uint64_t more = load > i->steady[l] ? load - i->steady[l] : 0;
        b->steady[l] += i->steady[l];
        b->need[l] = more > b->need[l] ? more : b->need[l];
        b->orders = b->orders || i->load[l] > i->peak[l] || i->steady[l] > i->peak[l];
    }
}

static void pl_node_add(const struct pl_problem *p, const struct pl_item *i, struct pl_node *b)
{
    for (uint32_t l = 0; i->serve == PL_SERVE_HOT && l < p->n_line; l++)
        b->hot[l] += i->peak[l];
    for (uint32_t l = 0; i->serve == PL_SERVE_WARM && l < p->n_line; l++) {
        uint64_t *most = &b->group[(size_t)i->group * p->n_line + l];
        uint64_t take = i->peak[l] > i->load[l] ? i->peak[l] : i->load[l];
        *most = take > *most ? take : *most;
    }
}

/* Loads after adding an item to those of node a; b is the node below it. */
static void pl_node_loads(struct pl_walk *w, uint32_t depth, uint32_t item)
{
    const struct pl_problem *p = w->s->p;
    const struct pl_item *i = &p->item[item];
    const struct pl_node *a = &w->node[depth];
    struct pl_node *b = &w->node[depth + 1];
    size_t line_bytes = p->n_line * sizeof(*b->hot);
    const uint64_t *group = b->group;
    memcpy(b->hot, a->hot, 4 * line_bytes);
    memcpy(b->group, a->group, line_bytes * p->n_group);
    b->orders = a->orders;
    b->n_tied = a->n_tied;
    bool tied = i->peak != NULL && w->s->tied[item];
    if (tied) {
        w->tied[b->n_tied++] = item;
        b->orders = true; /* a warm item may stand for a hot process */
    } else if (i->peak != NULL) {
        pl_node_add(p, i, b);
    }
    if (tied || (i->peak != NULL && i->serve == PL_SERVE_HOT))
        pl_node_needs(p, i, b);
    memcpy(b->total, b->hot, line_bytes);
    if (b->n_tied > 0) {
        memcpy(w->group, b->group, line_bytes * p->n_group);
        pl_engines_of(p, w->tied, b->n_tied, &w->engines);
        pl_engines_add(p, &w->engines, depth + 1 < p->n_component, b->total, w->group);
        group = w->group;
    }
    for (uint32_t g = 0; g < p->n_group; g++) {
        for (uint32_t l = 0; l < p->n_line; l++)
            b->total[l] += group[(size_t)g * p->n_line + l];
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
    pl_node_loads(w, depth, item);
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        if (b->total[l] > s->room[l])
            return false;
    }
    bool tight = false;
    for (uint32_t l = 0; b->orders && l < s->p->n_line; l++)
        tight = tight || b->steady[l] + b->need[l] > s->full[l];
    if (!tight) /* the neediest has room beside all others: any order will do */
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
