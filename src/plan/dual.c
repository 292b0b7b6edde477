/* The search for Lagrangian prices, in floating point: steps along the subgradient. Whatever it
 * finds gives a valid bound; better prices give a better one. */
#include "plan/search.h"

#include <math.h>
#include <string.h>

#define PL_STEPS 300
#define PL_STEPS_PART 25   /* when most components are fixed */
#define PL_IDLE_STEPS 12   /* without a better bound, towards no goal */
#define PL_IDLE_SHORTEN 8  /* steps without a better bound after which they become shorter */
#define PL_GAIN_LEAST 1e-3 /* of what lies between bound and value: less is no better bound */
#define PL_DEFLECT 1.5
#define PL_PART_SPEED 0.3
#define PL_STEP_LEAST 0.02 /* of the way to the value aimed at */

bool pl_prices_won(const struct pl_search *s, int32_t goal, uint32_t k)
{
    return k < s->now && (int32_t)k != goal && s->stage[k].kind == PL_STAGE_SUM;
}

/* line: prices of the lines; warm: the same times the component's parts. */
static double pl_dual_item(const struct pl_search *s, int32_t goal, const struct pl_dual *d,
                           const double *warm, uint32_t i)
{
    double v = goal >= 0 ? (double)s->stage[goal].value[i] : 0;
    for (uint32_t k = 0; k < s->now; k++) {
        if (pl_prices_won(s, goal, k))
            v += d->stage[k] * (double)s->stage[k].value[i];
    }
    for (uint32_t k = s->share_at[i]; k < s->share_at[i + 1]; k++) {
        const struct pl_share *x = &s->share[k];
        v -= (x->warm ? warm[x->line] : d->line[x->line]) * (double)x->over;
    }
    return v;
}

/* What the component's best item is worth at these prices; its takings go into slope and took. */
static double pl_dual_component(const struct pl_search *s, int32_t goal, const struct pl_dual *d,
                                struct pl_dual *slope, uint32_t c)
{
    double most = -HUGE_VAL, warm[PL_LINES_MAX];
    uint32_t at = PL_NOTHING;
    const double *part = s->part + (size_t)c * s->p->n_line;
    double *took = s->took + (size_t)c * s->p->n_line;
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        warm[l] = d->line[l] * part[l];
        took[l] = 0;
    }
    for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
        double x = s->off[i] ? -HUGE_VAL : pl_dual_item(s, goal, d, warm, i);
        if (x > most) {
            most = x;
            at = i;
        }
    }
    if (at == PL_NOTHING)
        return most;
    for (uint32_t k = s->share_at[at]; k < s->share_at[at + 1]; k++) {
        const struct pl_share *x = &s->share[k];
        slope->line[x->line] -= (double)x->over * (x->warm ? part[x->line] : 1);
        took[x->line] = x->warm ? (double)x->over : 0;
    }
    for (uint32_t k = 0; k < s->now; k++) {
        if (pl_prices_won(s, goal, k))
            slope->stage[k] += (double)s->stage[k].value[at];
    }
    return most;
}

/* One evaluation: the dual value, and its subgradient. */
static double pl_dual_value(const struct pl_search *s, int32_t goal, const struct pl_dual *d,
                            struct pl_dual *slope)
{
    double v = 0;
    memset(slope, 0, sizeof(*slope));
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        double room = (double)s->room[l] - (double)s->base[l];
        slope->line[l] = room;
        v += d->line[l] * room;
    }
    for (uint32_t k = 0; k < s->now; k++) {
        if (!pl_prices_won(s, goal, k))
            continue;
        slope->stage[k] = -(double)s->best->best[k];
        v -= d->stage[k] * (double)s->best->best[k];
    }
    for (uint32_t c = 0; c < s->p->n_component && v > -HUGE_VAL; c++)
        v += pl_dual_component(s, goal, d, slope, c);
    return v;
}

/* Moves the parts of each group towards the components whose chosen items take most: these are what
 * the group is charged. Their sum stays one. */
static void pl_dual_parts(const struct pl_search *s, const struct pl_dual *d, double speed)
{
    uint32_t n = s->p->n_component, lines = s->p->n_line;
    for (uint32_t g = 0; g < s->p->n_group; g++) {
        for (uint32_t l = 0; l < lines; l++) {
            double most = 0, mean = 0;
            for (uint32_t c = 0; d->line[l] > 0 && c < n; c++) {
                if (s->group[c] != (int32_t)g)
                    continue;
                most = fmax(most, s->took[(size_t)c * lines + l]);
                mean += s->part[(size_t)c * lines + l] * s->took[(size_t)c * lines + l];
            }
            for (uint32_t c = 0; most > 0 && c < n; c++) {
                if (s->group[c] == (int32_t)g)
                    s->part[(size_t)c * lines + l] *=
                        1 + speed * (s->took[(size_t)c * lines + l] - mean) / most;
            }
        }
    }
}

/* Scale of each price, so that one step size suits all: a line by its room, a term by its span. */
static void pl_dual_scale(const struct pl_search *s, int32_t goal, struct pl_dual *unit)
{
    for (uint32_t l = 0; l < s->p->n_line; l++)
        unit->line[l] = s->room[l] > 0 ? 1.0 / (double)s->room[l] : 1.0;
    for (uint32_t k = 0; k < s->now; k++) {
        double most = 1;
        for (uint32_t i = 0; pl_prices_won(s, goal, k) && i < s->p->n_item; i++)
            most = fmax(most, fabs((double)s->stage[k].value[i]));
        unit->stage[k] = 1.0 / most;
    }
}

static double pl_goal_span(const struct pl_search *s, int32_t goal)
{
    double most = 1;
    for (uint32_t i = 0; goal >= 0 && i < s->p->n_item; i++)
        most = fmax(most, fabs((double)s->stage[goal].value[i]));
    return most;
}

static double pl_dual_norm(const struct pl_search *s, const struct pl_dual *slope,
                           const struct pl_dual *unit)
{
    double norm = 0;
    for (uint32_t l = 0; l < s->p->n_line; l++)
        norm += slope->line[l] * unit->line[l] * slope->line[l] * unit->line[l];
    for (uint32_t k = 0; k < s->now; k++)
        norm += slope->stage[k] * unit->stage[k] * slope->stage[k] * unit->stage[k];
    return norm;
}

static void pl_dual_step(const struct pl_search *s, const struct pl_dual *slope,
                         const struct pl_dual *unit, double size, struct pl_dual *now)
{
    for (uint32_t l = 0; l < s->p->n_line; l++)
        now->line[l] =
            fmax(0, now->line[l] - size * slope->line[l] * unit->line[l] * unit->line[l]);
    for (uint32_t k = 0; k < s->now; k++)
        now->stage[k] =
            fmax(0, now->stage[k] - size * slope->stage[k] * unit->stage[k] * unit->stage[k]);
}

static size_t pl_part_bytes(const struct pl_search *s)
{
    return (size_t)s->p->n_component * s->p->n_line * sizeof(*s->part);
}

/* Where to start: at the prices found last for this goal, if they are better than none. */
static void pl_dual_start(const struct pl_search *s, int32_t goal, const struct pl_dual *unit,
                          struct pl_dual *now)
{
    struct pl_dual slope, none = {0};
    *now = none;
    for (uint32_t l = 0; goal < 0 && l < s->p->n_line; l++)
        now->line[l] = s->room[l] < PL_NO_LIMIT / 4 ? unit->line[l] : 0;
    if (goal >= 0 && s->warm_now[goal] == s->now + 1 &&
        pl_dual_value(s, goal, &s->warm[goal], &slope) < pl_dual_value(s, goal, &none, &slope))
        *now = s->warm[goal];
}

/* The direction of a step: the slope, and a part of where the step before went (Camerini, Fratta
 * and Maffioli), which keeps it from swinging to and fro. */
static void pl_dual_deflect(const struct pl_search *s, const struct pl_dual *slope,
                            const struct pl_dual *unit, struct pl_dual *way)
{
    double both = 0, norm = pl_dual_norm(s, way, unit);
    for (uint32_t l = 0; l < s->p->n_line; l++)
        both += slope->line[l] * way->line[l] * unit->line[l] * unit->line[l];
    for (uint32_t k = 0; k < s->now; k++)
        both += slope->stage[k] * way->stage[k] * unit->stage[k] * unit->stage[k];
    double keep = both < 0 && norm > 0 ? -PL_DEFLECT * both / norm : 0;
    for (uint32_t l = 0; l < s->p->n_line; l++)
        way->line[l] = slope->line[l] + keep * way->line[l];
    for (uint32_t k = 0; k < s->now; k++)
        way->stage[k] = slope->stage[k] + keep * way->stage[k];
}

/* Towards a value to beat: each step goes a part of the way to it (Polyak); the part shrinks when
 * steps bring nothing. */
static void pl_dual_aimed(const struct pl_search *s, int32_t goal, const struct pl_dual *unit,
                          struct pl_dual *now, struct pl_dual *ret)
{
    struct pl_dual slope, way = {0};
    double best = HUGE_VAL, part = 1, target = (double)s->best->best[goal];
    uint32_t idle = 0, steps = s->held ? PL_STEPS_PART : PL_STEPS;
    for (uint32_t n = 0; n < steps; n++) {
        double v = pl_dual_value(s, goal, now, &slope);
        idle = v < best - PL_GAIN_LEAST * (best - target) ? 0 : idle + 1;
        if (v < best) {
            best = v;
            *ret = *now;
            memcpy(s->part_best, s->part, pl_part_bytes(s));
        }
        if (idle >= PL_IDLE_SHORTEN) {
            part /= 2;
            idle = 0;
        }
        pl_dual_deflect(s, &slope, unit, &way);
        double norm = pl_dual_norm(s, &way, unit);
        if (norm < 1e-18 || v < target + 0.5 || part < PL_STEP_LEAST)
            return;
        pl_dual_parts(s, now, PL_PART_SPEED * part);
        pl_dual_step(s, &way, unit, part * (v - target) / norm, now);
    }
}

/* With no value at hand: steps of a length that shrinks. */
static void pl_dual_plain(const struct pl_search *s, int32_t goal, const struct pl_dual *unit,
                          struct pl_dual *now, struct pl_dual *ret)
{
    struct pl_dual slope;
    double best = HUGE_VAL, step = pl_goal_span(s, goal);
    uint32_t idle = 0;
    for (uint32_t n = 0; n < PL_STEPS; n++) {
        double v = pl_dual_value(s, goal, now, &slope);
        idle = v < best - 1e-4 * fabs(best) ? 0 : idle + 1;
        if (v < best) {
            best = v;
            *ret = *now;
            memcpy(s->part_best, s->part, pl_part_bytes(s));
        }
        double norm = pl_dual_norm(s, &slope, unit);
        /* without a goal only the proportions of prices count, and whether they exclude any */
        if (norm < 1e-18 || (goal < 0 && v < 0) || idle > PL_IDLE_STEPS)
            return;
        pl_dual_step(s, &slope, unit, step / sqrt(norm) / (1.0 + 0.08 * n), now);
    }
}

/* Finds prices: the best seen. */
void pl_dual_find(struct pl_search *s, int32_t goal, struct pl_dual *ret)
{
    struct pl_dual now, unit = {0};
    pl_dual_scale(s, goal, &unit);
    memcpy(s->part, s->part_start, pl_part_bytes(s));
    memcpy(s->part_best, s->part_start, pl_part_bytes(s));
    pl_dual_start(s, goal, &unit, &now);
    *ret = now;
    if (goal >= 0 && s->best->feasible)
        pl_dual_aimed(s, goal, &unit, &now, ret);
    else
        pl_dual_plain(s, goal, &unit, &now, ret);
    if (goal >= 0 && !s->held) {
        if (goal == (int32_t)s->now)
            memcpy(s->part_start, s->part_best, pl_part_bytes(s));
        s->warm[goal] = *ret;
        s->warm_now[goal] = s->now + 1;
    }
}
