/* One stage: its tests, the items that can be left out, and the search. */
#include "plan/search.h"

#include <string.h>

#define PL_AIM_NODES 20000u /* of the first target; twice as many of each next one */
#define PL_AIM_STEP 512     /* the second target lies such a part below the bound */
#define PL_SHORT_LOOK 3000u /* nodes */

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
    uint32_t left = 0;
    for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
        left += !s->off[i];
        for (uint32_t k = s->share_at[i]; k < s->share_at[i + 1] && !s->off[i]; k++) {
            uint64_t room = s->room[s->share[k].line];
            pl_uwide bytes = pl_share_even(s, i, &s->share[k]);
            uint64_t share = room > 0 ? (uint64_t)(bytes * 1000000u / room) : 0;
            most = share > most ? share : most;
        }
    }
    return left > 1 ? most : UINT64_MAX; /* nothing to decide: first of all */
}

void pl_stage_arrange(struct pl_search *s)
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
static int64_t pl_most_of(const struct pl_search *s)
{
    const struct pl_stage *t = &s->stage[s->now];
    int64_t most = 0;
    if (t->kind != PL_STAGE_SUM)
        return INT64_MAX;
    for (uint32_t c = 0; c < s->p->n_component; c++) {
        int64_t best = INT64_MIN;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
            if (!s->off[i] && t->value[i] > best)
                best = t->value[i];
        }
        if (best == INT64_MIN)
            return INT64_MAX;
        most += best;
    }
    return most;
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

int64_t pl_stage_bound(const struct pl_search *s)
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

/* Runs the search with the tests at hand, for at most `nodes` (0: to its end). True: it ended. */
static bool pl_stage_search(struct pl_search *s, uint64_t nodes)
{
    s->stop_at = nodes > 0 ? s->best->nodes + nodes : 0;
    pl_list_items(s);
    pl_search_run(s);
    bool capped = s->stop_at > 0 && s->best->nodes >= s->stop_at;
    s->stop_at = 0;
    return !capped && !s->expired;
}

bool pl_stage_look(struct pl_search *s, uint64_t nodes)
{
    pl_stage_arrange(s);
    if (!pl_all_have(s) || !pl_stage_tests(s) || !pl_all_have(s))
        return true;
    return pl_stage_search(s, nodes);
}

/* Leaves out items by the tests, then searches. False: the tests close it without a search. */
static bool pl_stage_fixed(struct pl_search *s)
{
    for (uint32_t t = 0; t < s->n_test; t++)
        pl_test_rest(s, &s->test[t]);
    for (uint32_t t = 0; t < s->n_test; t++)
        pl_fix(s, &s->test[t]);
    if (!pl_all_have(s))
        return false;
    for (uint32_t t = 0; t < s->n_test; t++)
        pl_test_rest(s, &s->test[t]);
    return true;
}

static void pl_stage_aim(struct pl_search *s, int64_t target)
{
    for (uint32_t t = 0; t < s->n_test; t++) {
        struct pl_test *x = &s->test[t];
        if (x->goal == (int32_t)s->now)
            x->threshold = (pl_wide)target * ((pl_wide)1 << x->shift);
    }
}

/* One search for a sum of at least target, of at most `nodes` (0: to its end). True: settled,
 * either found and improved to the best, or there is none. */
static bool pl_stage_try(struct pl_search *s, const bool *keep, int64_t target, uint64_t nodes)
{
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    pl_stage_aim(s, target);
    s->found = false;
    return !pl_stage_fixed(s) || pl_stage_search(s, nodes);
}

/* Any choice at all: a quick one, the sum nearest to its bound at once, or the first that comes.
 * False: the search ended before it told. */
static bool pl_stage_any(struct pl_search *s, const bool *keep)
{
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    if (pl_first_choice(s))
        return true;
    (void)pl_stage_try(s, keep, s->bound, PL_AIM_NODES);
    if (s->found || s->expired)
        return s->found;
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    for (uint32_t t = 0; t < s->n_test; t++) {
        if (s->test[t].goal == (int32_t)s->now)
            s->test[t].threshold = -((pl_wide)1 << 125);
    }
    s->first = true;
    bool ended = !pl_stage_fixed(s) || pl_stage_search(s, 0);
    s->first = false;
    return ended;
}

/* Tests and bound of a sum. False: nothing better is possible. */
static bool pl_stage_open(struct pl_search *s, const bool *keep)
{
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    pl_stage_arrange(s);
    if (!pl_all_have(s) || !pl_stage_tests(s) || !pl_all_have(s))
        return false;
    int64_t bound = pl_stage_bound(s);
    s->bound = bound < s->bound ? bound : s->bound;
    return true;
}

/* A sum: aimed at from above. A target near the bound prunes most; what it finds is then improved
 * to the best, and when it finds nothing, or not soon, the next target lies farther below. */
static bool pl_stage_aimed(struct pl_search *s, const bool *keep)
{
    uint64_t nodes = s->cap < PL_AIM_NODES ? s->cap : PL_AIM_NODES, end = s->best->nodes + s->cap;
    int64_t below = 0;
    while (!s->expired) {
        int64_t target = s->bound - below, least = s->best->best[s->now] + 1;
        bool last = target <= least;
        if (least > s->bound)
            return true;
        if (s->best->nodes >= end)
            return false;
        bool settled =
            pl_stage_try(s, keep, last ? least : target, last ? end - s->best->nodes : nodes);
        if (settled && (s->found || last))
            return true;
        if (settled)
            s->bound = target - 1;
        below = below == 0 ? 1 + (s->bound < 0 ? -s->bound : s->bound) / PL_AIM_STEP : 4 * below;
        nodes *= 2;
    }
    return false;
}

static bool pl_stage_sums(struct pl_search *s, const bool *keep)
{
    if (!pl_stage_open(s, keep))
        return true;
    if (!s->best->feasible) {
        if (!pl_stage_any(s, keep) || !s->best->feasible)
            return !s->expired;
        if (!pl_stage_open(s, keep))
            return true;
    }
    if (s->p->n_component >= PL_IMPROVE_FROM) {
        if (pl_improve(s, keep) || !pl_stage_open(s, keep))
            return true;
    }
    if (s->cap <= s->pass)
        return pl_stage_aimed(s, keep);
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    return pl_stage_split(s, s->cap);
}

/* Is there a best choice with the items that are left? A short look with the prices at hand; if
 * that does not settle it, a search with prices made for these items. False: not told. */
static bool pl_order_try(struct pl_search *s, bool *ret_priced)
{
    s->found = false;
    for (uint32_t t = 0; t < s->n_test; t++) {
        pl_test_rest(s, &s->test[t]);
        if (pl_test_root(s, &s->test[t]) < s->test[t].threshold)
            return true;
    }
    if (pl_stage_search(s, PL_SHORT_LOOK) || s->found || s->expired)
        return !s->expired;
    *ret_priced = true;
    if (!pl_stage_tests(s) || !pl_all_have(s))
        return true;
    return pl_stage_search(s, s->cap) || s->found;
}

/* The first choice in file order among the best: component by component, its first item with which
 * all terms can still be reached. The incumbent is such a choice. */
static bool pl_stage_order(struct pl_search *s)
{
    pl_stage_arrange(s);
    if (!pl_all_have(s) || !pl_stage_tests(s) || !pl_all_have(s))
        return true;
    const struct pl_problem *p = s->p;
    bool *off = s->spare;
    for (uint32_t c = 0; c < p->n_component; c++) {
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++) {
            bool priced = false;
            if (i == s->best->choice[c])
                break;
            if (s->off[i])
                continue;
            memcpy(off, s->off, p->n_item * sizeof(*off));
            for (uint32_t k = p->first[c]; k < p->first[c + 1]; k++)
                s->off[k] = k != i;
            bool told = pl_order_try(s, &priced);
            memcpy(s->off, off, p->n_item * sizeof(*off));
            if (!told)
                return false;
            if (s->found)
                break;
            s->off[i] = true;
            if (priced && !pl_stage_tests(s))
                return true;
        }
        for (uint32_t k = p->first[c]; k < p->first[c + 1]; k++)
            s->off[k] = k != s->best->choice[c];
        if (s->found && !pl_stage_tests(s))
            return true;
    }
    return true;
}

/* Any choice, when there is no term to maximise. */
static bool pl_stage_first(struct pl_search *s, const bool *keep)
{
    pl_stage_arrange(s);
    if (!pl_all_have(s) || !pl_stage_tests(s) || !pl_all_have(s))
        return true;
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    return pl_first_choice(s) || pl_stage_look(s, 0);
}

bool pl_stage_solve(struct pl_search *s, bool *keep)
{
    enum pl_stage_kind kind = s->stage[s->now].kind;
    bool proved = true;
    s->bound = pl_most_of(s);
    if (kind == PL_STAGE_SUM && s->best->feasible && s->bound <= s->best->best[s->now])
        return true;
    memcpy(keep, s->off, s->p->n_item * sizeof(*keep));
    if (kind == PL_STAGE_HEADROOM)
        proved = pl_stage_headroom(s, keep);
    else if (kind == PL_STAGE_SUM)
        proved = pl_stage_sums(s, keep);
    else if (s->best->feasible)
        proved = pl_stage_order(s);
    else
        proved = pl_stage_first(s, keep);
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    return proved;
}
