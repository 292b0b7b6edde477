/* A stage solved by parts: where a search does not end soon, what a warm group takes of a line is
 * cut in two, or one component is held to each of its items in turn, and prices are made anew for
 * what is left. A group is charged its largest member, which prices see as a mean of its members:
 * below a cut the large ones are gone, above it the cut itself is charged. */
#include "plan/search.h"

#include <string.h>

#define PL_SPLIT_NODES 3000u /* of the search in one part */
#define PL_SPLIT_COST 400u   /* nodes that making prices counts for */
#define PL_CUT_LEAST 0.02    /* of what lies between bound and target: less is no reason to cut */

/* The component with the fewest items left, of several the one searched first; PL_NOTHING when none
 * has a choice. */
static uint32_t pl_split_on(const struct pl_search *s)
{
    uint32_t least = UINT32_MAX, at = PL_NOTHING;
    for (uint32_t d = 0; d < s->p->n_component; d++) {
        uint32_t c = s->order[d], left = 0;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++)
            left += !s->off[i];
        if (left > 1 && left < least) {
            least = left;
            at = c;
        }
    }
    return at;
}

/* What the leading test takes for a component: its best item that is left. */
static uint32_t pl_split_taken(const struct pl_search *s, uint32_t c)
{
    uint32_t at = PL_NOTHING;
    for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
        if (!s->off[i] && (at == PL_NOTHING || s->test[0].price[i] > s->test[0].price[at]))
            at = i;
    }
    return at;
}

/* What an item takes of a line above its group's floor. */
static uint64_t pl_split_over(const struct pl_search *s, uint32_t item, uint32_t line)
{
    for (uint32_t k = s->share_at[item]; k < s->share_at[item + 1]; k++) {
        if (s->share[k].line == line && s->share[k].warm)
            return s->share[k].over;
    }
    return 0;
}

/* By how much the test underrates what a group takes of a line: it charges the mean of its members
 * by their parts, the group is charged the largest. */
static double pl_split_gap(const struct pl_search *s, const uint32_t *taken, uint32_t group,
                           uint32_t line, double *ret_mean)
{
    double most = 0, mean = 0;
    for (uint32_t c = 0; c < s->p->n_component; c++) {
        if (s->group[c] != (int32_t)group || taken[c] == PL_NOTHING)
            continue;
        double over = (double)pl_split_over(s, taken[c], line);
        most = over > most ? over : most;
        mean += s->part_best[(size_t)c * s->p->n_line + line] * over;
    }
    *ret_mean = mean;
    return most - mean;
}

/* The least share above `most` among the items that are left; 0 when there is none. */
static uint64_t pl_split_next(const struct pl_search *s, const struct pl_cut *x)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < s->p->n_item; i++) {
        if (s->off[i] || s->group[s->p->item[i].component] != (int32_t)x->group)
            continue;
        uint64_t over = pl_split_over(s, i, x->line);
        uint64_t all = over > 0 ? over + s->floor[(size_t)x->group * s->p->n_line + x->line] : 0;
        if (all > x->most && (next == 0 || all < next))
            next = all;
    }
    return next;
}

/* What lies between the bound of the leading test and what it looks for. */
static double pl_split_slack(const struct pl_search *s)
{
    pl_wide slack = pl_test_root(s, &s->test[0]) - s->test[0].threshold;
    double scale = 1;
    for (; slack > INT64_MAX; slack /= 2)
        scale *= 2;
    return (double)(int64_t)slack * scale;
}

/* The group and line where the test is farthest from what is charged. False: nowhere by much. */
static bool pl_split_cut(struct pl_search *s, struct pl_cut *ret)
{
    uint32_t *taken = s->trial;
    double most = 0;
    if (s->n_test == 0)
        return false;
    for (uint32_t c = 0; c < s->p->n_component; c++)
        taken[c] = s->group[c] >= 0 ? pl_split_taken(s, c) : PL_NOTHING;
    for (uint32_t g = 0; g < s->p->n_group; g++) {
        for (uint32_t l = 0; l < s->p->n_line; l++) {
            double mean = 0, price = (double)s->test[0].price_of_line[l];
            double gap = price > 0 ? price * pl_split_gap(s, taken, g, l, &mean) : 0;
            if (gap <= most)
                continue;
            most = gap;
            *ret = (struct pl_cut){.group = g,
                                   .line = l,
                                   .most = s->floor[(size_t)g * s->p->n_line + l] + (uint64_t)mean};
        }
    }
    if (most <= PL_CUT_LEAST * pl_split_slack(s))
        return false;
    ret->next = pl_split_next(s, ret);
    return ret->next > 0;
}

/* Looks into the part that s->off leaves. True: done with it. */
static bool pl_split_part(struct pl_search *s, bool whole)
{
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        if (s->base[l] > s->room[l])
            return true;
    }
    s->held = !whole;
    uint64_t nodes = s->pass < PL_SPLIT_NODES ? s->pass + s->p->n_component : PL_SPLIT_NODES;
    s->best->nodes += s->pass < PL_SPLIT_NODES ? 1 : PL_SPLIT_COST;
    bool done = pl_stage_look(s, nodes);
    s->held = false;
    return done;
}

/* One level down: into the part where the cut holds, or else where the component has its best item.
 * What the tests left out stays out: better ones are not among them. */
static void pl_split_down(struct pl_search *s, uint32_t level, uint32_t component,
                          const struct pl_cut *cut)
{
    uint32_t n = s->p->n_item;
    bool *off = s->level[level + 1];
    memcpy(s->level[level], s->off, n * sizeof(*off));
    memcpy(off, s->off, n * sizeof(*off));
    memcpy(s->level_floor[level + 1], s->floor,
           (size_t)s->p->n_group * s->p->n_line * sizeof(*s->floor));
    if (cut != NULL) {
        s->level_item[level + 1] = PL_NOTHING;
        s->level_cut[level + 1] = *cut;
        uint64_t floor = s->floor[(size_t)cut->group * s->p->n_line + cut->line];
        for (uint32_t i = 0; i < n; i++) {
            if (s->group[s->p->item[i].component] == (int32_t)cut->group &&
                pl_split_over(s, i, cut->line) > cut->most - floor)
                off[i] = true;
        }
        return;
    }
    uint32_t item = pl_split_taken(s, component);
    for (uint32_t i = s->p->first[component]; i < s->p->first[component + 1]; i++)
        off[i] = i != item;
    s->level_item[level + 1] = item;
}

/* A level up: the part below is done, the one above goes on without it. */
static void pl_split_up(struct pl_search *s, uint32_t level)
{
    uint32_t item = s->level_item[level];
    const struct pl_cut *x = &s->level_cut[level];
    if (item != PL_NOTHING)
        s->level[level - 1][item] = true;
    else
        s->level_floor[level - 1][(size_t)x->group * s->p->n_line + x->line] = x->next;
}

/* What is left when the nodes are used up lies in the parts above, as they were looked at last. */
static void pl_split_bound(struct pl_search *s, uint32_t level)
{
    int64_t most = s->best->best[s->now];
    for (uint32_t k = 0; k <= level; k++)
        most = s->level_bound[k] > most ? s->level_bound[k] : most;
    if (s->stage[s->now].kind == PL_STAGE_SUM && most < s->bound)
        s->bound = most;
}

static bool pl_split_run(struct pl_search *s, uint64_t nodes)
{
    uint32_t level = 0;
    uint64_t end = s->best->nodes + nodes;
    bool first = s->stage[s->now].kind == PL_STAGE_HEADROOM;
    memcpy(s->level[0], s->off, s->p->n_item * sizeof(*s->off));
    memset(s->level_floor[0], 0, (size_t)s->p->n_group * s->p->n_line * sizeof(*s->floor));
    for (;;) {
        struct pl_cut cut;
        memcpy(s->off, s->level[level], s->p->n_item * sizeof(*s->off));
        pl_floors_set(s, s->level_floor[level]);
        bool done = pl_split_part(s, level == 0);
        if ((first && s->found) || (done && level == 0))
            return true;
        bool over =
            s->limits != NULL && s->limits->expired != NULL && s->limits->expired(s->limits->ctx);
        s->expired = s->expired || over;
        s->level_bound[level] = done ? INT64_MIN : pl_stage_bound(s);
        if (s->expired || s->best->nodes >= end) {
            pl_split_bound(s, level);
            return false;
        }
        if (done) {
            pl_split_up(s, level--);
            continue;
        }
        bool cuts = level + 1 < s->n_level && pl_split_cut(s, &cut);
        uint32_t c = cuts ? PL_NOTHING : pl_split_on(s);
        if ((!cuts && c == PL_NOTHING) || level + 1 >= s->n_level)
            return false; /* one choice left, and the search of it did not end */
        pl_split_down(s, level++, c, cuts ? &cut : NULL);
    }
}

bool pl_stage_split(struct pl_search *s, uint64_t nodes)
{
    bool done = pl_split_run(s, nodes);
    pl_floors_set(s, NULL);
    return done;
}
