#include "plan/search.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_RANDOM_START 0x9E3779B97F4A7C15ull

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

/* Levels of a split: a component each, and cuts of groups between. */
static bool pl_levels_make(struct pl_search *s, struct pl_arena *arena)
{
    const struct pl_problem *p = s->p;
    size_t n = (size_t)p->n_component + 2 + (p->n_group > 0 ? PL_CUT_LEVELS : 0);
    size_t cells = (size_t)p->n_group * p->n_line + 1;
    s->n_level = (uint32_t)n;
    s->level = pl_arena_alloc(arena, n, sizeof(*s->level));
    s->level_item = pl_arena_alloc(arena, n, sizeof(*s->level_item));
    s->level_cut = pl_arena_alloc(arena, n, sizeof(*s->level_cut));
    s->level_floor = pl_arena_alloc(arena, n, sizeof(*s->level_floor));
    s->level_bound = pl_arena_alloc(arena, n, sizeof(*s->level_bound));
    bool ok = s->level != NULL && s->level_item != NULL && s->level_cut != NULL &&
              s->level_floor != NULL && s->level_bound != NULL;
    for (size_t d = 0; ok && d < n; d++) {
        s->level[d] = pl_arena_alloc(arena, p->n_item + 1, sizeof(**s->level));
        s->level_floor[d] = pl_arena_alloc(arena, cells, sizeof(**s->level_floor));
        ok = s->level[d] != NULL && s->level_floor[d] != NULL;
    }
    return ok;
}

static int pl_search_make(struct pl_search *s, struct pl_arena *arena, bool **ret_keep)
{
    const struct pl_problem *p = s->p;
    size_t n = p->n_component, m = p->n_item;
    s->off = pl_arena_alloc(arena, m + 1, sizeof(*s->off));
    s->order = pl_arena_alloc(arena, n + 1, sizeof(*s->order));
    s->list = pl_arena_alloc(arena, m + 1, sizeof(*s->list));
    s->n_list = pl_arena_alloc(arena, n + 1, sizeof(*s->n_list));
    s->best->choice = pl_arena_alloc(arena, n + 1, sizeof(*s->best->choice));
    s->trial = pl_arena_alloc(arena, n + 1, sizeof(*s->trial));
    bool levels = pl_levels_make(s, arena);
    s->spare = pl_arena_alloc(arena, m + 1, sizeof(*s->spare));
    *ret_keep = pl_arena_alloc(arena, m + 1, sizeof(**ret_keep));
    bool ok = levels && s->off != NULL && s->order != NULL && s->list != NULL && s->trial != NULL &&
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
    pl_engines_load(s->p, &e, load);
    pl_least_headroom(s->p, load, &s->best->head, &s->best->line);
}

static void pl_rooms(struct pl_search *s, bool *ret_short)
{
    *ret_short = false;
    for (uint32_t l = 0; l < s->p->n_line; l++)
        *ret_short = !pl_line_room(s->p, s->active, l, &s->room[l]) || *ret_short;
    memcpy(s->full, s->room, sizeof(s->full));
}

/* One pass over the stages that are not proved yet, each for as long as the pass allows. Returns
 * the first that is still open; n when none is. */
static uint32_t pl_pass(struct pl_search *s, uint32_t n, bool *proved, bool *keep)
{
    uint32_t open = n;
    bool no_room;
    for (s->now = 0; s->now < n && !s->expired; s->now++) {
        int64_t was = s->best->best[s->now];
        bool last = s->stage[s->now].kind == PL_STAGE_ORDER && open < n;
        if (!proved[s->now] && !last) {
            uint64_t head = s->best->head, line = s->best->line;
            proved[s->now] = pl_stage_solve(s, keep);
            if (!s->best->feasible)
                return proved[s->now] ? n : s->now; /* the first stage finds any choice there is */
            pl_stage_won(s, n);
            bool more = s->stage[s->now].kind == PL_STAGE_HEADROOM
                            ? head != s->best->head || line != s->best->line
                            : was != s->best->best[s->now];
            for (uint32_t k = s->now + 1; k < n && more; k++)
                proved[k] = false;
        }
        if (!proved[s->now] && open == n) {
            open = s->now;
            s->best->open_bound = s->bound;
        }
        pl_rooms(s, &no_room);
        for (uint32_t k = 0; k <= s->now; k++) {
            if (s->stage[k].kind == PL_STAGE_HEADROOM)
                (void)pl_headroom_room(s, s->best->head, s->best->line, false);
        }
    }
    for (uint32_t k = s->now; k < n && open == n; k++)
        open = !proved[k] ? k : n;
    return open;
}

int pl_solve(const struct pl_problem *p, const struct pl_active *active,
             const struct pl_stage *stage, uint32_t n_stage, const struct pl_solve_limits *limits,
             struct pl_arena *arena, struct pl_solution *ret, struct pl_err *err)
{
    static const struct pl_stage any = {.kind = PL_STAGE_ORDER, .term = PL_TERM_FILE_ORDER};
    *ret = (struct pl_solution){.complete = true};
    struct pl_search *s = pl_arena_alloc(arena, 1, sizeof(*s));
    bool *keep = NULL, no_room = false, proved[PL_STAGES_MAX] = {false};
    if (s == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the search");
    *s = (struct pl_search){.p = p,
                            .active = active,
                            .stage = n_stage > 0 ? stage : &any,
                            .limits = limits,
                            .best = ret,
                            .random = PL_RANDOM_START};
    if (pl_search_make(s, arena, &keep) < 0)
        return pl_fail(err, -ENOMEM, "no memory for the search");
    pl_rooms(s, &no_room);
    if (no_room)
        return 0;
    if (pl_shares_make(s, arena) < 0)
        return pl_fail(err, -ENOMEM, "no memory for the search");
    pl_filter(s);
    uint32_t n = n_stage > 0 ? n_stage : 1, open = 0;
    s->pass = limits != NULL && limits->pass_nodes > 0 ? limits->pass_nodes : PL_PASS_NODES;
    for (s->cap = s->pass; open < n && !s->expired; s->cap *= s->cap < 1ull << 50 ? 4 : 1) {
        open = pl_pass(s, n, proved, keep);
        pl_rooms(s, &no_room);
    }
    ret->complete = open == n;
    ret->open_stage = open < n ? open : 0;
    return 0;
}
