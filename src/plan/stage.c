/* One stage: its tests, the items that can be left out, and the search. */
#include "plan/search.h"

#include <string.h>

#define PL_AIM_NODES 20000u /* of the first target; twice as many of each next one */
#define PL_AIM_STEP 512     /* the second target lies such a part below the bound */
#define PL_SHORT_LOOK 3000u /* nodes */
#define PL_RATIO_BITS 40u   /* of the headroom ratios between which the best is looked for */
#define PL_RATIO_ENOUGH 9u

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

/* Runs the search with the tests at hand; what ended it early is noted once. */
static void pl_stage_search(struct pl_search *s, int64_t bound)
{
    pl_list_items(s);
    pl_search_run(s);
    if (s->expired && s->best->complete) {
        s->best->complete = false;
        s->best->open_stage = s->now;
        s->best->open_bound = bound;
    }
}

/* One search of the stage within the room at hand. */
static void pl_stage_once(struct pl_search *s)
{
    pl_arrange(s);
    if (pl_all_have(s) && pl_stage_tests(s) && pl_all_have(s))
        pl_stage_search(s, pl_bound_of(s));
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
static bool pl_stage_try(struct pl_search *s, const bool *keep, int64_t target, uint64_t nodes,
                         int64_t bound)
{
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    pl_stage_aim(s, target);
    s->found = false;
    s->stop_at = nodes > 0 ? s->best->nodes + nodes : 0;
    if (pl_stage_fixed(s))
        pl_stage_search(s, bound);
    bool capped = s->stop_at > 0 && s->best->nodes >= s->stop_at;
    s->stop_at = 0;
    return !capped && !s->expired;
}

/* Any choice at all: the sum nearest to its bound at once, or the first that comes. */
static void pl_stage_any(struct pl_search *s, const bool *keep, int64_t bound)
{
    (void)pl_stage_try(s, keep, bound, PL_AIM_NODES, bound);
    if (s->found || s->expired)
        return;
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    for (uint32_t t = 0; t < s->n_test; t++) {
        if (s->test[t].goal == (int32_t)s->now)
            s->test[t].threshold = -((pl_wide)1 << 125);
    }
    s->first = true;
    if (pl_stage_fixed(s))
        pl_stage_search(s, bound);
    s->first = false;
}

/* A sum: aimed at from above. A target near the bound prunes most; what it finds is then improved
 * to the best, and when it finds nothing, or not soon, the next target lies farther below. */
static void pl_stage_aimed(struct pl_search *s, const bool *keep)
{
    pl_arrange(s);
    if (!pl_all_have(s) || !pl_stage_tests(s) || !pl_all_have(s))
        return;
    int64_t bound = pl_bound_of(s), below = 0;
    uint64_t nodes = PL_AIM_NODES;
    if (!s->best->feasible)
        pl_stage_any(s, keep, bound);
    while (s->best->feasible && !s->expired) {
        int64_t target = bound - below, least = s->best->best[s->now] + 1;
        bool last = target <= least;
        if (least > bound)
            return;
        bool settled = pl_stage_try(s, keep, last ? least : target, last ? 0 : nodes, bound);
        if (settled && (s->found || last))
            return;
        if (settled)
            bound = target - 1;
        below = below == 0 ? 1 + (bound < 0 ? -bound : bound) / PL_AIM_STEP : 4 * below;
        nodes *= 2;
    }
}

/* The largest least headroom: the ratio is enclosed by halving, any choice above the middle raising
 * the lower end to its own ratio; then nothing strictly above the incumbent is proved, exactly. */
static void pl_stage_headroom(struct pl_search *s, const bool *keep)
{
    const uint64_t one = 1ull << PL_RATIO_BITS;
    uint64_t room[PL_LINES_MAX], high = one;
    memcpy(room, s->room, sizeof(room));
    while (!s->expired && s->best->line > 0) {
        uint64_t low = (uint64_t)((pl_uwide)s->best->head * one / s->best->line);
        bool last = high <= low || high - low < one >> PL_RATIO_ENOUGH;
        memcpy(s->room, room, sizeof(room));
        memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
        bool open = last ? pl_headroom_room(s, s->best->head, s->best->line, true)
                         : pl_headroom_room(s, low + (high - low) / 2, one, false);
        s->found = false;
        if (open)
            pl_stage_once(s);
        if (!s->found && last)
            break;
        if (!s->found)
            high = low + (high - low) / 2;
    }
    memcpy(s->room, room, sizeof(room));
}

/* Is there a best choice with the items that are left? A short look with the prices at hand; if
 * that does not settle it, a search with prices made for these items. */
static void pl_order_try(struct pl_search *s, bool *ret_priced)
{
    s->found = false;
    for (uint32_t t = 0; t < s->n_test; t++) {
        pl_test_rest(s, &s->test[t]);
        if (pl_test_root(s, &s->test[t]) < s->test[t].threshold)
            return;
    }
    s->stop_at = s->best->nodes + PL_SHORT_LOOK;
    pl_stage_search(s, INT64_MAX);
    bool settled = s->found || s->best->nodes < s->stop_at || s->expired;
    s->stop_at = 0;
    if (settled)
        return;
    *ret_priced = true;
    if (pl_stage_tests(s) && pl_all_have(s))
        pl_stage_search(s, INT64_MAX);
}

/* The first choice in file order among the best: component by component, its first item with which
 * all terms can still be reached. The incumbent is such a choice. */
static void pl_stage_order(struct pl_search *s)
{
    pl_arrange(s);
    if (!pl_all_have(s) || !pl_stage_tests(s) || !pl_all_have(s))
        return;
    const struct pl_problem *p = s->p;
    bool *off = s->spare;
    for (uint32_t c = 0; c < p->n_component && !s->expired; c++) {
        for (uint32_t i = p->first[c]; i < p->first[c + 1] && !s->expired; i++) {
            bool priced = false;
            if (i == s->best->choice[c])
                break;
            if (s->off[i])
                continue;
            memcpy(off, s->off, p->n_item * sizeof(*off));
            for (uint32_t k = p->first[c]; k < p->first[c + 1]; k++)
                s->off[k] = k != i;
            pl_order_try(s, &priced);
            memcpy(s->off, off, p->n_item * sizeof(*off));
            if (s->found)
                break;
            s->off[i] = true;
            if (priced && !pl_stage_tests(s))
                return;
        }
        for (uint32_t k = p->first[c]; k < p->first[c + 1]; k++)
            s->off[k] = k != s->best->choice[c];
        if (s->found && !pl_stage_tests(s))
            return;
    }
}

void pl_stage_solve(struct pl_search *s, bool *keep)
{
    enum pl_stage_kind kind = s->stage[s->now].kind;
    if (pl_trivially_best(s))
        return;
    memcpy(keep, s->off, s->p->n_item * sizeof(*keep));
    if (kind == PL_STAGE_HEADROOM)
        pl_stage_headroom(s, keep);
    else if (kind == PL_STAGE_ORDER && s->best->feasible)
        pl_stage_order(s);
    else if (kind == PL_STAGE_SUM)
        pl_stage_aimed(s, keep);
    else
        pl_stage_once(s);
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
}
