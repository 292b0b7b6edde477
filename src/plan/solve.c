#include "plan/search.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool pl_ratio_more(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return (pl_uwide)a * d > (pl_uwide)c * b;
}

void pl_least_headroom(const struct pl_problem *p, const uint64_t *load, uint64_t *ret_head,
                       uint64_t *ret_line)
{
    *ret_head = 0;
    *ret_line = 0;
    for (uint32_t l = 0; l < p->n_line; l++) {
        const struct pl_line *x = &p->line[l];
        if (x->policy >= 0 || x->missing || x->ceiling == PL_NO_LIMIT || x->ceiling == 0)
            continue;
        uint64_t head = pl_sub_floor(x->ceiling, load[l] + x->reserve);
        if (*ret_line == 0 || pl_ratio_more(*ret_head, *ret_line, head, x->ceiling)) {
            *ret_head = head;
            *ret_line = x->ceiling;
        }
    }
}

bool pl_headroom_room(struct pl_search *s, uint64_t head, uint64_t line, bool strict)
{
    for (uint32_t l = 0; line > 0 && l < s->p->n_line; l++) {
        const struct pl_line *x = &s->p->line[l];
        if (x->policy >= 0 || x->missing || x->ceiling == PL_NO_LIMIT || x->ceiling == 0)
            continue;
        /* headroom needed: above ceiling * head / line, or not below it */
        pl_uwide all = (pl_uwide)x->ceiling * head;
        uint64_t need = (uint64_t)(all / line);
        if (strict || (pl_uwide)need * line < all)
            need++;
        if (need > x->ceiling || x->reserve > x->ceiling - need)
            return false;
        uint64_t most = x->ceiling - need - x->reserve;
        if (most < s->room[l])
            s->room[l] = most;
    }
    return true;
}

/* Least load of each item on each line, whatever else is chosen: shares of what is charged once. */
static void pl_relax(struct pl_search *s)
{
    const struct pl_problem *p = s->p;
    uint64_t in_group[PL_PLAN_COMPONENTS_MAX] = {0}, in_instance[PL_PLAN_COMPONENTS_MAX] = {0};
    int32_t group_of[PL_PLAN_COMPONENTS_MAX];
    memset(group_of, 0xff, sizeof(group_of));
    for (uint32_t c = 0; c < p->n_component; c++) {
        bool group[PL_PLAN_COMPONENTS_MAX] = {false}, instance[PL_PLAN_COMPONENTS_MAX] = {false};
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++) {
            const struct pl_item *x = &p->item[i];
            if (x->group >= 0 && !group[x->group]) {
                group[x->group] = true;
                in_group[x->group]++;
            }
            if (x->instance >= 0 && !instance[x->instance]) {
                instance[x->instance] = true;
                in_instance[x->instance]++;
            }
            if (x->instance >= 0 && x->group >= 0)
                group_of[x->instance] =
                    group_of[x->instance] < 0 || group_of[x->instance] == x->group ? x->group : -2;
        }
    }
    for (uint32_t i = 0; i < p->n_item; i++) {
        const struct pl_item *x = &p->item[i];
        uint64_t *r = s->relaxed + (size_t)i * p->n_line;
        for (uint32_t l = 0; x->peak != NULL && l < p->n_line; l++) {
            bool warm = x->serve == PL_SERVE_WARM;
            uint64_t v = x->peak[l];
            if (warm && x->instance < 0 && x->load[l] > v)
                v = x->load[l];
            if (x->file != NULL) /* another may hold the pages */
                v = pl_sub_floor(v, x->file[l]);
            if (x->instance >= 0)
                v = warm && group_of[x->instance] == -2 ? 0 : v / in_instance[x->instance];
            r[l] = warm ? v / in_group[x->group] : v;
        }
    }
}

/* Leaves out what cannot be chosen at all: forbidden, or too large alone. */
static void pl_filter(struct pl_search *s)
{
    const struct pl_problem *p = s->p;
    for (uint32_t i = 0; i < p->n_item; i++) {
        const struct pl_item *x = &p->item[i];
        s->off[i] = !pl_item_allowed(p, s->active, x);
        for (uint32_t l = 0; x->peak != NULL && !s->off[i] && l < p->n_line; l++)
            s->off[i] = x->peak[l] > s->room[l] || x->load[l] > s->room[l];
    }
}

static int pl_search_make(struct pl_search *s, struct pl_arena *arena, bool **ret_keep)
{
    const struct pl_problem *p = s->p;
    size_t n = p->n_component, m = p->n_item;
    s->relaxed = pl_arena_alloc(arena, m * p->n_line + 1, sizeof(*s->relaxed));
    s->off = pl_arena_alloc(arena, m + 1, sizeof(*s->off));
    s->order = pl_arena_alloc(arena, n + 1, sizeof(*s->order));
    s->list = pl_arena_alloc(arena, m + 1, sizeof(*s->list));
    s->n_list = pl_arena_alloc(arena, n + 1, sizeof(*s->n_list));
    s->best->choice = pl_arena_alloc(arena, n + 1, sizeof(*s->best->choice));
    s->spare = pl_arena_alloc(arena, m + 1, sizeof(*s->spare));
    *ret_keep = pl_arena_alloc(arena, m + 1, sizeof(**ret_keep));
    bool ok = s->relaxed != NULL && s->off != NULL && s->order != NULL && s->list != NULL &&
              s->n_list != NULL && s->best->choice != NULL && s->spare != NULL && *ret_keep != NULL;
    for (uint32_t t = 0; ok && t < PL_TESTS_MAX; t++) {
        s->test[t].price = pl_arena_alloc(arena, m + 1, sizeof(pl_wide));
        s->test[t].rest = pl_arena_alloc(arena, n + 2, sizeof(pl_wide));
        ok = s->test[t].price != NULL && s->test[t].rest != NULL;
    }
    s->walk = ok ? pl_walk_make(p, arena) : NULL;
    return s->walk != NULL ? 0 : -ENOMEM;
}

/* After a stage: what its choice is worth in the terms to come, and the room it fixes. */
static void pl_stage_won(struct pl_search *s, uint32_t n_stage)
{
    struct pl_engines e;
    uint64_t load[PL_LINES_MAX];
    for (uint32_t k = s->now + 1; k < n_stage; k++) {
        if (s->stage[k].kind == PL_STAGE_SUM)
            s->best->best[k] = pl_stage_sum(s, k, s->best->choice);
    }
    pl_engines_of(s->p, s->best->choice, s->p->n_component, &e);
    pl_engines_load(s->p, &e, false, load);
    pl_least_headroom(s->p, load, &s->best->head, &s->best->line);
}

static void pl_rooms(struct pl_search *s, bool *ret_short)
{
    *ret_short = false;
    for (uint32_t l = 0; l < s->p->n_line; l++)
        *ret_short = !pl_line_room(s->p, s->active, l, &s->room[l]) || *ret_short;
    memcpy(s->full, s->room, sizeof(s->full));
}

int pl_solve(const struct pl_problem *p, const struct pl_active *active,
             const struct pl_stage *stage, uint32_t n_stage, const struct pl_solve_limits *limits,
             struct pl_arena *arena, struct pl_solution *ret, struct pl_err *err)
{
    static const struct pl_stage any = {.kind = PL_STAGE_ORDER, .term = PL_TERM_FILE_ORDER};
    *ret = (struct pl_solution){.complete = true};
    struct pl_search *s = pl_arena_alloc(arena, 1, sizeof(*s));
    bool *keep = NULL, no_room = false;
    if (s == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the search");
    *s = (struct pl_search){.p = p,
                            .active = active,
                            .stage = n_stage > 0 ? stage : &any,
                            .limits = limits,
                            .best = ret};
    if (pl_search_make(s, arena, &keep) < 0)
        return pl_fail(err, -ENOMEM, "no memory for the search");
    pl_rooms(s, &no_room);
    if (no_room)
        return 0;
    pl_relax(s);
    pl_filter(s);
    uint32_t n = n_stage > 0 ? n_stage : 1;
    for (s->now = 0; s->now < n; s->now++) {
        pl_stage_solve(s, keep);
        if (!ret->feasible)
            return 0; /* the first stage finds any choice there is */
        pl_stage_won(s, n);
        pl_rooms(s, &no_room);
        for (uint32_t k = 0; k <= s->now; k++) {
            if (s->stage[k].kind == PL_STAGE_HEADROOM)
                (void)pl_headroom_room(s, s->best->head, s->best->line, false);
        }
    }
    return 0;
}
