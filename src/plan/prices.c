/* Lagrangian prices: a price per line and per term already won, so that each item has one number.
 * Any prices >= 0 give a valid bound; good ones are found by steps along the subgradient, in
 * floating point. The bound itself is a sum of integers. */
#include "plan/search.h"

#include <math.h>
#include <string.h>

#define PL_PART_BITS 30u
#define PL_PART_ONE 1073740000.0 /* a little below 2^30: sums of rounded parts stay below one */
#define PL_WIDE_BITS 116.0       /* sums stay within 127 bits with room to spare */
#define PL_PRICE_BITS 60.0       /* a price itself stays within 63 */

/* How many bits fractions may have, so that no sum of the bound leaves 127 bits. */
static uint32_t pl_dual_shift(const struct pl_search *s, int32_t goal, const struct pl_dual *d)
{
    double most = 1, price = 1e-30;
    for (uint32_t i = 0; i < s->p->n_item; i++) {
        double v = goal >= 0 ? fabs((double)s->stage[goal].value[i]) : 0;
        for (uint32_t k = 0; k < s->now; k++) {
            if (pl_prices_won(s, goal, k))
                v += d->stage[k] * fabs((double)s->stage[k].value[i]);
        }
        for (uint32_t k = s->share_at[i]; k < s->share_at[i + 1] && !s->off[i]; k++)
            v += d->line[s->share[k].line] * (double)s->share[k].bytes;
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
        t->constant += (pl_wide)t->price_of_line[l] * ((pl_wide)s->room[l] - (pl_wide)s->base[l]);
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

/* Bytes of a share with its part, rounded so that the parts of a group never exceed the whole. */
static pl_wide pl_share_int(const struct pl_search *s, uint32_t item, const struct pl_share *x)
{
    if (!x->warm)
        return x->over;
    double part = s->part_best[(size_t)s->p->item[item].component * s->p->n_line + x->line];
    uint64_t times = (uint64_t)(fmin(fmax(part, 0), 1) * PL_PART_ONE);
    return (pl_wide)((pl_uwide)x->over * times >> PL_PART_BITS);
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
        pl_wide v = goal >= 0 ? (pl_wide)s->stage[goal].value[i] * ((pl_wide)1 << t->shift) : 0;
        for (uint32_t k = 0; k < s->now && !s->off[i]; k++)
            v += (pl_wide)won[k] * (won[k] > 0 ? s->stage[k].value[i] : 0);
        for (uint32_t k = s->share_at[i]; k < s->share_at[i + 1] && !s->off[i]; k++)
            v -= (pl_wide)t->price_of_line[s->share[k].line] * pl_share_int(s, i, &s->share[k]);
        t->price[i] = v;
    }
    pl_test_constant(s, t);
    pl_test_rest(s, t);
    pl_test_threshold(s, goal, t);
    return pl_test_root(s, t) >= t->threshold;
}
