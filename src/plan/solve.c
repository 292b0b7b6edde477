#include "plan/search.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_SOLVE_SCRATCH_MAX (256u * 1024u * 1024u)

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

bool pl_headroom_room(struct pl_search *s, bool strict)
{
    for (uint32_t l = 0; s->best->line > 0 && l < s->p->n_line; l++) {
        const struct pl_line *x = &s->p->line[l];
        if (x->policy >= 0 || x->missing || x->ceiling == PL_NO_LIMIT || x->ceiling == 0)
            continue;
        /* headroom needed: above ceiling * head / line, or not below it */
        pl_uwide all = (pl_uwide)x->ceiling * s->best->head;
        uint64_t need = (uint64_t)(all / s->best->line);
        if (strict || (pl_uwide)need * s->best->line < all)
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

/* Price-based: an item whose best plan misses a threshold is in no plan that matters. won: leave
 * out for good what cannot reach terms already won; else only for this stage. */
static void pl_fix(struct pl_search *s, const struct pl_test *t)
{
    for (uint32_t c = 0; c < s->p->n_component; c++) {
        pl_wide most = 0;
        bool any = false;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
            if (!s->off[i] && (!any || t->price[i] > most)) {
                most = t->price[i];
                any = true;
            }
        }
        for (uint32_t i = s->p->first[c]; any && i < s->p->first[c + 1]; i++) {
            if (!s->off[i] && pl_test_root(s, t) - most + t->price[i] < t->threshold)
                s->off[i] = true;
        }
    }
}

/* Largest share of any line that an item of the component takes: the hardest to place first. */
static uint64_t pl_weight(const struct pl_search *s, uint32_t c)
{
    uint64_t most = 0;
    for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
        const uint64_t *r = s->relaxed + (size_t)i * s->p->n_line;
        for (uint32_t l = 0; l < s->p->n_line && !s->off[i]; l++) {
            uint64_t share =
                s->room[l] > 0 ? (uint64_t)((pl_uwide)r[l] * 1000000u / s->room[l]) : 0;
            most = share > most ? share : most;
        }
    }
    return most;
}

static void pl_arrange(struct pl_search *s)
{
    uint64_t weight[PL_PLAN_COMPONENTS_MAX];
    uint32_t n = s->p->n_component;
    for (uint32_t c = 0; c < n; c++) {
        weight[c] = pl_weight(s, c);
        s->order[c] = c;
    }
    for (uint32_t a = 1; a < n && s->stage[s->now].kind != PL_STAGE_ORDER; a++) {
        uint32_t c = s->order[a], b = a;
        for (; b > 0 && weight[s->order[b - 1]] < weight[c]; b--)
            s->order[b] = s->order[b - 1];
        s->order[b] = c;
    }
}

/* Items in the order they are tried: by the price of the leading test, or as in the file. */
static void pl_list_items(struct pl_search *s)
{
    const pl_wide *price = s->n_test > 0 ? s->test[0].price : NULL;
    bool file = s->stage[s->now].kind == PL_STAGE_ORDER;
    for (uint32_t c = 0; c < s->p->n_component; c++) {
        uint32_t *list = s->list + s->p->first[c];
        s->n_list[c] = 0;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
            uint32_t at = s->n_list[c];
            if (s->off[i])
                continue;
            for (; !file && price != NULL && at > 0 && price[list[at - 1]] < price[i]; at--)
                list[at] = list[at - 1];
            list[at] = i;
            s->n_list[c]++;
        }
    }
}

/* The most a term could reach if every component took its best item. */
static bool pl_trivially_best(const struct pl_search *s)
{
    const struct pl_stage *t = &s->stage[s->now];
    int64_t most = 0;
    if (!s->best->feasible || t->kind != PL_STAGE_SUM)
        return false;
    for (uint32_t c = 0; c < s->p->n_component; c++) {
        int64_t best = INT64_MIN;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
            if (!s->off[i] && t->value[i] > best)
                best = t->value[i];
        }
        most += best;
    }
    return most <= s->best->best[s->now];
}

/* Builds the tests of a stage. False: one of them closes it at the root. */
static bool pl_stage_tests(struct pl_search *s)
{
    bool sum = s->stage[s->now].kind == PL_STAGE_SUM;
    s->n_test = 0;
    if (sum && !pl_prices(s, (int32_t)s->now, &s->test[s->n_test++]))
        return false;
    if ((!sum || !s->best->feasible) && !pl_prices(s, -1, &s->test[s->n_test++]))
        return false;
    for (uint32_t k = 0; k < s->now; k++) {
        if (s->stage[k].kind == PL_STAGE_SUM && !pl_prices(s, (int32_t)k, &s->test[s->n_test++]))
            return false;
    }
    for (uint32_t k = 0; k <= s->now; k++) {
        if (s->stage[k].kind == PL_STAGE_SUM)
            pl_plain(s, (int32_t)k, &s->test[s->n_test++]);
    }
    for (uint32_t t = 0; t < s->n_test; t++)
        pl_fix(s, &s->test[t]);
    for (uint32_t t = 0; t < s->n_test; t++)
        pl_test_rest(s, &s->test[t]);
    return true;
}

static int64_t pl_bound_of(const struct pl_search *s)
{
    const struct pl_test *t = &s->test[0];
    if (s->n_test == 0 || t->goal != (int32_t)s->now)
        return INT64_MAX;
    pl_wide v = pl_test_root(s, t) >> t->shift;
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

/* Has every component an item left? */
static bool pl_all_have(const struct pl_search *s)
{
    for (uint32_t c = 0; c < s->p->n_component; c++) {
        bool any = false;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1] && !any; i++)
            any = !s->off[i];
        if (!any)
            return false;
    }
    return true;
}

/* Solves stage s->now. */
static int pl_stage_solve(struct pl_search *s, bool *keep, struct pl_err *err)
{
    struct pl_arena scratch;
    int rc = 0;
    if (pl_trivially_best(s))
        return 0;
    memcpy(keep, s->off, s->p->n_item * sizeof(*keep));
    bool open = s->stage[s->now].kind != PL_STAGE_HEADROOM || pl_headroom_room(s, true);
    pl_arrange(s);
    open = open && pl_all_have(s) && pl_stage_tests(s) && pl_all_have(s);
    if (open) {
        int64_t bound = pl_bound_of(s);
        pl_list_items(s);
        pl_arena_init(&scratch, PL_SOLVE_SCRATCH_MAX);
        rc = pl_search_run(s, &scratch);
        pl_arena_done(&scratch);
        if (s->expired && s->best->complete) {
            s->best->complete = false;
            s->best->open_stage = s->now;
            s->best->open_bound = bound;
        }
    }
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    return rc < 0 ? pl_fail(err, rc, "no memory for the search") : 0;
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
    *ret_keep = pl_arena_alloc(arena, m + 1, sizeof(**ret_keep));
    bool ok = s->relaxed != NULL && s->off != NULL && s->order != NULL && s->list != NULL &&
              s->n_list != NULL && s->best->choice != NULL && *ret_keep != NULL;
    for (uint32_t t = 0; ok && t < PL_TESTS_MAX; t++) {
        s->test[t].price = pl_arena_alloc(arena, m + 1, sizeof(pl_wide));
        s->test[t].rest = pl_arena_alloc(arena, n + 2, sizeof(pl_wide));
        ok = s->test[t].price != NULL && s->test[t].rest != NULL;
    }
    return ok ? 0 : -ENOMEM;
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
        int rc = pl_stage_solve(s, keep, err);
        if (rc < 0)
            return rc;
        if (!ret->feasible)
            return 0; /* the first stage finds any choice there is */
        pl_stage_won(s, n);
        pl_rooms(s, &no_room);
        for (uint32_t k = 0; k <= s->now; k++) {
            if (s->stage[k].kind == PL_STAGE_HEADROOM)
                (void)pl_headroom_room(s, false);
        }
    }
    return 0;
}
