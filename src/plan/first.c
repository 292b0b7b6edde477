/* A choice to start from: any that meets all lines. Mended with weights on the lines that are
 * exceeded, which grow until the choice leaves the dead end (breakout local search). */
#include "plan/search.h"

#include <math.h>
#include <string.h>

#define PL_MEND_STEPS 400u
#define PL_MEND_WORK 40000u /* choices looked at */
#define PL_MEND_GROW 1.3

struct pl_first {
    struct pl_search *s;
    uint32_t *choice;
    double weight[PL_LINES_MAX];
    uint64_t load[PL_LINES_MAX];
    uint32_t work;
    struct pl_engines engines;
};

static void pl_first_load(struct pl_first *f)
{
    pl_engines_of(f->s->p, f->choice, f->s->p->n_component, &f->engines);
    pl_engines_load(f->s->p, &f->engines, f->load);
    f->work++;
}

/* By how much the choice exceeds its lines, each by its weight; 0 when it meets all. */
static double pl_first_over(struct pl_first *f)
{
    double over = 0;
    pl_first_load(f);
    for (uint32_t l = 0; l < f->s->p->n_line; l++) {
        if (f->load[l] > f->s->room[l])
            over += f->weight[l] * (double)(f->load[l] - f->s->room[l]) /
                    (double)(f->s->room[l] > 0 ? f->s->room[l] : 1);
    }
    return over;
}

static bool pl_first_fits(struct pl_first *f)
{
    pl_first_load(f);
    for (uint32_t l = 0; l < f->s->p->n_line; l++) {
        if (f->load[l] > f->s->room[l])
            return false;
    }
    return pl_engines_order(f->s->p, &f->engines, f->s->full, NULL, NULL);
}

/* What an item takes of what there is. */
static double pl_first_cost(const struct pl_first *f, uint32_t item)
{
    const struct pl_search *s = f->s;
    const struct pl_item *x = &s->p->item[item];
    double cost = 0;
    for (uint32_t k = s->share_at[item]; k < s->share_at[item + 1]; k++) {
        uint32_t l = s->share[k].line;
        uint64_t more = x->load[l] > x->steady[l] ? x->load[l] - x->steady[l] : 0;
        cost += f->weight[l] * ((double)pl_share_even(s, item, &s->share[k]) + 0.1 * (double)more) /
                ((double)s->room[l] + 1);
    }
    return cost;
}

static bool pl_first_smallest(struct pl_first *f)
{
    const struct pl_problem *p = f->s->p;
    for (uint32_t c = 0; c < p->n_component; c++) {
        double least = HUGE_VAL;
        f->choice[c] = PL_NOTHING;
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++) {
            double cost = f->s->off[i] ? HUGE_VAL : pl_first_cost(f, i);
            if (cost < least || (cost <= least && cost < HUGE_VAL && p->item[i].peak == NULL)) {
                least = cost;
                f->choice[c] = i;
            }
        }
        if (f->choice[c] == PL_NOTHING)
            return false;
    }
    return true;
}

/* Does the component's item charge a line that is exceeded? */
static bool pl_first_guilty(const struct pl_first *f, const uint64_t *load, uint32_t component)
{
    const struct pl_item *x = &f->s->p->item[f->choice[component]];
    for (uint32_t l = 0; x->peak != NULL && l < f->s->p->n_line; l++) {
        if (load[l] > f->s->room[l] && (x->peak[l] > 0 || x->load[l] > 0))
            return true;
    }
    return false;
}

/* The one exchange that exceeds least. False: none exceeds less than `over`. */
static bool pl_first_exchange(struct pl_first *f, double over)
{
    const struct pl_problem *p = f->s->p;
    uint64_t load[PL_LINES_MAX];
    uint32_t component = PL_NOTHING, item = PL_NOTHING;
    memcpy(load, f->load, sizeof(load));
    for (uint32_t c = 0; c < p->n_component; c++) {
        uint32_t was = f->choice[c];
        if (!pl_first_guilty(f, load, c))
            continue;
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++) {
            if (f->s->off[i] || i == was)
                continue;
            f->choice[c] = i;
            double v = pl_first_over(f);
            if (v < over * (1 - 1e-9)) {
                over = v;
                component = c;
                item = i;
            }
        }
        f->choice[c] = was;
    }
    if (component != PL_NOTHING)
        f->choice[component] = item;
    else
        memcpy(f->load, load, sizeof(load));
    return component != PL_NOTHING;
}

/* Lines are met but no load order exists: the hot item that needs most beside what it keeps is
 * exchanged for one that needs less. */
static bool pl_first_easier(struct pl_first *f)
{
    const struct pl_problem *p = f->s->p;
    for (uint32_t c = 0; c < p->n_component; c++) {
        uint32_t was = f->choice[c];
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++) {
            if (f->s->off[i] || i == was)
                continue;
            f->choice[c] = i;
            if (pl_first_fits(f))
                return true;
        }
        f->choice[c] = was;
    }
    return false;
}

static bool pl_first_mend(struct pl_first *f)
{
    for (uint32_t n = 0; n < PL_MEND_STEPS && f->work < PL_MEND_WORK; n++) {
        double over = pl_first_over(f);
        if (over <= 0)
            return pl_first_fits(f) || pl_first_easier(f);
        if (pl_first_exchange(f, over))
            continue;
        for (uint32_t l = 0; l < f->s->p->n_line; l++)
            f->weight[l] *= f->load[l] > f->s->room[l] ? PL_MEND_GROW : 1;
    }
    return false;
}

/* Gives every component the best item of the stage that still fits, the greatest gain first; among
 * equals the one that takes least. */
static void pl_first_fill(struct pl_first *f)
{
    const struct pl_problem *p = f->s->p;
    const int64_t *value = f->s->stage[f->s->now].value;
    bool done[PL_PLAN_COMPONENTS_MAX] = {false};
    for (uint32_t n = 0; n < p->n_component; n++) {
        int64_t most = 0;
        double least = HUGE_VAL;
        uint32_t at = PL_NOTHING;
        for (uint32_t c = 0; c < p->n_component; c++) {
            for (uint32_t i = p->first[c]; i < p->first[c + 1] && !done[c]; i++) {
                int64_t gain = f->s->off[i] ? 0 : value[i] - value[f->choice[c]];
                if (gain <= 0 || gain < most)
                    continue;
                double cost = pl_first_cost(f, i);
                if (gain > most || cost < least) {
                    most = gain;
                    least = cost;
                    at = i;
                }
            }
        }
        if (at == PL_NOTHING)
            return;
        uint32_t c = p->item[at].component, was = f->choice[c];
        f->choice[c] = at;
        done[c] = pl_first_fits(f);
        for (uint32_t i = p->first[c]; i < p->first[c + 1] && !done[c]; i++) {
            f->choice[c] = i;
            done[c] = !f->s->off[i] && value[i] > value[was] && pl_first_fits(f);
        }
        if (!done[c])
            f->choice[c] = was;
        done[c] = true;
    }
}

bool pl_first_choice(struct pl_search *s)
{
    struct pl_first f = {.s = s, .choice = s->trial};
    for (uint32_t l = 0; l < s->p->n_line; l++)
        f.weight[l] = 1;
    if (!pl_first_smallest(&f) || !pl_first_mend(&f))
        return false;
    if (s->stage[s->now].kind == PL_STAGE_SUM)
        pl_first_fill(&f);
    memcpy(s->best->choice, f.choice, s->p->n_component * sizeof(*f.choice));
    s->best->feasible = true;
    if (s->stage[s->now].kind == PL_STAGE_SUM)
        s->best->best[s->now] = pl_stage_sum(s, s->now, s->best->choice);
    pl_first_load(&f);
    pl_least_headroom(s->p, f.load, &s->best->head, &s->best->line);
    return true;
}
