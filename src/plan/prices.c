/* Lagrangian prices: a price per line and per term already won, so that each item has one number.
 * Any prices >= 0 give a valid bound; good ones are found by steps along the subgradient, in
 * floating point. The bound itself is a sum of integers. */
#include "plan/search.h"

#include <math.h>
#include <string.h>

#define PL_STEPS 60
#define PL_STEPS_MANY 120  /* for few components, where they cost little */
#define PL_IDLE_STEPS 12   /* without a better bound */
#define PL_WIDE_BITS 116.0 /* sums stay within 127 bits with room to spare */
#define PL_PRICE_BITS 60.0 /* a price itself stays within 63 */

struct pl_dual {
    double line[PL_LINES_MAX], stage[PL_STAGES_MAX];
};

static bool pl_prices_won(const struct pl_search *s, int32_t goal, uint32_t k)
{
    return k < s->now && (int32_t)k != goal && s->stage[k].kind == PL_STAGE_SUM;
}

static double pl_dual_item(const struct pl_search *s, int32_t goal, const struct pl_dual *d,
                           uint32_t i)
{
    double v = goal >= 0 ? (double)s->stage[goal].value[i] : 0;
    for (uint32_t k = 0; k < s->now; k++) {
        if (pl_prices_won(s, goal, k))
            v += d->stage[k] * (double)s->stage[k].value[i];
    }
    const uint64_t *r = s->relaxed + (size_t)i * s->p->n_line;
    for (uint32_t l = 0; l < s->p->n_line; l++)
        v -= d->line[l] * (double)r[l];
    return v;
}

/* One evaluation: the dual value, and its subgradient. */
static double pl_dual_value(const struct pl_search *s, int32_t goal, const struct pl_dual *d,
                            struct pl_dual *slope)
{
    double v = 0;
    memset(slope, 0, sizeof(*slope));
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        slope->line[l] = (double)s->room[l];
        v += d->line[l] * (double)s->room[l];
    }
    for (uint32_t k = 0; k < s->now; k++) {
        if (!pl_prices_won(s, goal, k))
            continue;
        slope->stage[k] = -(double)s->best->best[k];
        v -= d->stage[k] * (double)s->best->best[k];
    }
    for (uint32_t c = 0; c < s->p->n_component; c++) {
        double most = -INFINITY;
        uint32_t at = PL_NOTHING;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
            if (s->off[i])
                continue;
            double x = pl_dual_item(s, goal, d, i);
            if (x > most) {
                most = x;
                at = i;
            }
        }
        if (at == PL_NOTHING)
            return -INFINITY;
        v += most;
        const uint64_t *r = s->relaxed + (size_t)at * s->p->n_line;
        for (uint32_t l = 0; l < s->p->n_line; l++)
            slope->line[l] -= (double)r[l];
        for (uint32_t k = 0; k < s->now; k++) {
            if (pl_prices_won(s, goal, k))
                slope->stage[k] += (double)s->stage[k].value[at];
        }
    }
    return v;
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

/* Finds prices: the best dual value seen. */
static void pl_dual_find(const struct pl_search *s, int32_t goal, struct pl_dual *ret)
{
    struct pl_dual now = {0}, slope, unit = {0};
    bool free_scale = goal < 0; /* without a goal only the proportions of prices count */
    double best = INFINITY, step = pl_goal_span(s, goal);
    int idle = 0, steps = s->p->n_component <= 24 ? PL_STEPS_MANY : PL_STEPS;
    pl_dual_scale(s, goal, &unit);
    for (uint32_t l = 0; free_scale && l < s->p->n_line; l++)
        now.line[l] = s->room[l] < PL_NO_LIMIT / 4 ? unit.line[l] : 0;
    *ret = now;
    for (int n = 0; n < steps; n++) {
        double norm = 0, v = pl_dual_value(s, goal, &now, &slope);
        if (v < best) {
            idle = best - v > 1e-4 * fabs(best) ? 0 : idle + 1;
            best = v;
            *ret = now;
        } else {
            idle++;
        }
        if (idle > PL_IDLE_STEPS)
            break;
        for (uint32_t l = 0; l < s->p->n_line; l++)
            norm += slope.line[l] * unit.line[l] * slope.line[l] * unit.line[l];
        for (uint32_t k = 0; k < s->now; k++)
            norm += slope.stage[k] * unit.stage[k] * slope.stage[k] * unit.stage[k];
        if (norm < 1e-18 || (free_scale && v < 0))
            break;
        double size = step / sqrt(norm) / (1.0 + 0.08 * n);
        for (uint32_t l = 0; l < s->p->n_line; l++)
            now.line[l] = fmax(0, now.line[l] - size * slope.line[l] * unit.line[l] * unit.line[l]);
        for (uint32_t k = 0; k < s->now; k++)
            now.stage[k] =
                fmax(0, now.stage[k] - size * slope.stage[k] * unit.stage[k] * unit.stage[k]);
    }
}

/* How many bits fractions may have, so that no sum of the bound leaves 127 bits. */
static uint32_t pl_dual_shift(const struct pl_search *s, int32_t goal, const struct pl_dual *d)
{
    double most = 1, price = 1e-30;
    for (uint32_t i = 0; i < s->p->n_item; i++) {
        double v = goal >= 0 ? fabs((double)s->stage[goal].value[i]) : 0;
        const uint64_t *r = s->relaxed + (size_t)i * s->p->n_line;
        for (uint32_t k = 0; k < s->now; k++) {
            if (pl_prices_won(s, goal, k))
                v += d->stage[k] * fabs((double)s->stage[k].value[i]);
        }
        for (uint32_t l = 0; l < s->p->n_line && !s->off[i]; l++)
            v += d->line[l] * (double)r[l];
        most = fmax(most, v * (double)(s->p->n_component + 1));
    }
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        most = fmax(most, d->line[l] * (double)s->room[l] * (double)PL_LINES_MAX);
        price = fmax(price, d->line[l]);
    }
    for (uint32_t k = 0; k < s->now; k++) {
        most = fmax(most, d->stage[k] * fabs((double)s->best->best[k]) * (double)PL_STAGES_MAX);
        price = fmax(price, d->stage[k]);
    }
    double bits = fmin(PL_WIDE_BITS - log2(most), PL_PRICE_BITS - log2(price));
    return bits < 0 ? 0 : bits > 60 ? 60 : (uint32_t)bits;
}

static uint64_t pl_price_int(double price, uint32_t shift)
{
    double x = price * (double)(1ull << shift);
    return x <= 0 ? 0 : x >= 0x1p62 ? 1ull << 62 : (uint64_t)x;
}

void pl_test_constant(const struct pl_search *s, struct pl_test *t)
{
    t->constant = t->won;
    for (uint32_t l = 0; l < s->p->n_line; l++)
        t->constant += (pl_wide)t->price_of_line[l] * (pl_wide)s->room[l];
}

void pl_test_rest(const struct pl_search *s, struct pl_test *t)
{
    uint32_t n = s->p->n_component;
    t->rest[n] = 0;
    for (uint32_t d = n; d-- > 0;) {
        uint32_t c = s->order[d];
        bool any = false;
        pl_wide most = 0;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
            if (s->off[i] || (any && t->price[i] <= most))
                continue;
            most = t->price[i];
            any = true;
        }
        t->rest[d] = t->rest[d + 1] + most;
    }
}

pl_wide pl_test_root(const struct pl_search *s, const struct pl_test *t)
{
    (void)s;
    return t->constant + t->rest[0];
}

/* A term already won must be reached again; the one at hand must be exceeded. */
static void pl_test_threshold(const struct pl_search *s, int32_t goal, struct pl_test *t)
{
    t->threshold = 0;
    if (goal < 0)
        return;
    int64_t want = s->best->best[goal] + (goal == (int32_t)s->now ? 1 : 0);
    t->threshold = (pl_wide)want * ((pl_wide)1 << t->shift);
    if (!s->best->feasible && goal == (int32_t)s->now)
        t->threshold = -((pl_wide)1 << 125); /* any choice is better than none */
}

void pl_plain(struct pl_search *s, int32_t goal, struct pl_test *t)
{
    t->goal = goal;
    t->shift = 0;
    t->won = 0;
    memset(t->price_of_line, 0, sizeof(t->price_of_line));
    for (uint32_t i = 0; i < s->p->n_item; i++)
        t->price[i] = s->stage[goal].value[i];
    pl_test_constant(s, t);
    pl_test_rest(s, t);
    pl_test_threshold(s, goal, t);
}

bool pl_prices(struct pl_search *s, int32_t goal, struct pl_test *t)
{
    struct pl_dual d;
    uint64_t won[PL_STAGES_MAX] = {0};
    pl_dual_find(s, goal, &d);
    t->goal = goal;
    t->shift = pl_dual_shift(s, goal, &d);
    t->won = 0;
    for (uint32_t l = 0; l < s->p->n_line; l++)
        t->price_of_line[l] = pl_price_int(d.line[l], t->shift);
    for (uint32_t k = 0; k < s->now; k++) {
        if (!pl_prices_won(s, goal, k))
            continue;
        won[k] = pl_price_int(d.stage[k], t->shift);
        t->won -= (pl_wide)won[k] * s->best->best[k];
    }
    for (uint32_t i = 0; i < s->p->n_item; i++) {
        const uint64_t *r = s->relaxed + (size_t)i * s->p->n_line;
        pl_wide v = goal >= 0 ? (pl_wide)s->stage[goal].value[i] * ((pl_wide)1 << t->shift) : 0;
        for (uint32_t k = 0; k < s->now && !s->off[i]; k++)
            v += (pl_wide)won[k] * (won[k] > 0 ? s->stage[k].value[i] : 0);
        for (uint32_t l = 0; l < s->p->n_line && !s->off[i]; l++)
            v -= (pl_wide)t->price_of_line[l] * (pl_wide)r[l];
        t->price[i] = v;
    }
    pl_test_constant(s, t);
    pl_test_rest(s, t);
    pl_test_threshold(s, goal, t);
    return pl_test_root(s, t) >= t->threshold;
}
