#include "domain/versus.h"

#include "base/str.h"
#include "domain/calibrate.h"

#include <math.h>

static const char *const pl_versus_names[] = {"same", "better", "worse", "unknown"};

const char *pl_versus_name(enum pl_versus_is is)
{
    return pl_versus_names[is];
}

static struct pl_versus_row *pl_versus_add(struct pl_versus *v, const char *pool, const char *what)
{
    if (v->n >= PL_VERSUS_ROWS_MAX)
        return NULL;
    struct pl_versus_row *row = &v->row[v->n++];
    *row = (struct pl_versus_row){.is = PL_VERSUS_UNKNOWN};
    (void)PL_FMT(row->what, "%.40s%s%.20s", pool, pool[0] != '\0' ? " " : "", what);
    return row;
}

static void pl_versus_count(struct pl_versus *v, enum pl_versus_is is)
{
    v->better += is == PL_VERSUS_BETTER;
    v->worse += is == PL_VERSUS_WORSE;
}

/* half: of the two intervals together. */
static void pl_versus_bytes(struct pl_versus *v, const char *pool, const char *what,
                            struct pl_quantity a, struct pl_quantity b)
{
    if ((!pl_known(a) && !pl_known(b)) || (a.likely == 0 && b.likely == 0))
        return;
    struct pl_versus_row *row = pl_versus_add(v, pool, what);
    if (row == NULL)
        return;
    row->a = pl_known(a) ? (double)a.likely : 0;
    row->b = pl_known(b) ? (double)b.likely : 0;
    if (!pl_known(a) || !pl_known(b)) {
        row->why = "not measured in both";
        return;
    }
    double least = PL_VERSUS_BYTES * row->a, apart = row->b - row->a;
    least = least > PL_VERSUS_BYTES_LEAST ? least : PL_VERSUS_BYTES_LEAST;
    double wide = apart > 0 ? (double)(a.high - a.likely) + (double)(b.likely - b.low)
                            : (double)(a.likely - a.low) + (double)(b.high - b.likely);
    double noise = wide > least ? wide : least;
    row->noise = row->a > 0 ? noise / row->a : 0;
    row->is = fabs(apart) <= noise ? PL_VERSUS_SAME
              : apart > 0          ? PL_VERSUS_WORSE
                                   : PL_VERSUS_BETTER;
    pl_versus_count(v, row->is);
}

void pl_versus_rate(struct pl_versus *v, const char *what, double a, double b, double noise,
                    const char *why)
{
    bool has_a = a > 0 && isfinite(a), has_b = b > 0 && isfinite(b);
    if (!has_a && !has_b)
        return;
    struct pl_versus_row *row = pl_versus_add(v, "", what);
    if (row == NULL)
        return;
    row->rate = true;
    row->a = has_a ? a : 0;
    row->b = has_b ? b : 0;
    row->noise = noise;
    row->why = !has_a || !has_b ? "not measured in both" : why;
    if (row->why != NULL) {
        v->speed_unknown = true;
        return;
    }
    double apart = (b - a) / a;
    row->is = fabs(apart) <= noise ? PL_VERSUS_SAME
              : apart > 0          ? PL_VERSUS_BETTER
                                   : PL_VERSUS_WORSE;
    pl_versus_count(v, row->is);
}

static double pl_versus_noise(const struct pl_run *a, double spread_a, const struct pl_run *b,
                              double spread_b)
{
    if (a->repeats < 2 || b->repeats < 2)
        return PL_VERSUS_RATE_ALONE;
    double noise = sqrt(spread_a * spread_a + spread_b * spread_b);
    return noise > PL_VERSUS_RATE ? noise : PL_VERSUS_RATE;
}

static const struct pl_pool_measured *pl_versus_pool(const struct pl_run *r, const char *pool)
{
    for (uint32_t i = 0; i < r->predicted.n_pool; i++) {
        if (pl_streq(r->predicted.pool[i].pool, pool))
            return &r->on_device[i];
    }
    return NULL;
}

static void pl_versus_devices(const struct pl_run *a, const struct pl_run *b, struct pl_versus *ret)
{
    static const struct pl_pool_measured none;
    for (uint32_t i = 0; i < a->predicted.n_pool; i++) {
        const char *pool = a->predicted.pool[i].pool;
        if (pl_streq(pool, PL_RUN_MEASURED_POOL))
            continue;
        const struct pl_pool_measured *other = pl_versus_pool(b, pool);
        other = other != NULL ? other : &none;
        for (int k = 0; k < PL_PARTS; k++)
            pl_versus_bytes(ret, pool, pl_part_name((enum pl_part)k), a->on_device[i].part[k],
                            other->part[k]);
    }
}

void pl_versus_runs(const struct pl_run *a, const struct pl_run *b, struct pl_versus *ret)
{
    *ret = (struct pl_versus){0};
    for (int k = 0; k < PL_PARTS; k++)
        pl_versus_bytes(ret, PL_RUN_MEASURED_POOL, pl_part_name((enum pl_part)k), a->measured[k],
                        b->measured[k]);
    pl_versus_bytes(ret, PL_RUN_MEASURED_POOL, "total", a->measured_total, b->measured_total);
    pl_versus_devices(a, b, ret);
    const char *why = NULL;
    if ((a->beside.judged && a->beside.disturbed) || (b->beside.judged && b->beside.disturbed))
        why = "measured while others computed";
    else if (a->ghost != b->ghost || !pl_streq(a->fill, b->fill))
        why = "not the same weights";
    else if (a->timing.prompt_tokens != b->timing.prompt_tokens ||
             a->timing.predicted_tokens != b->timing.predicted_tokens)
        why = "prompts or answers of other lengths";
    pl_versus_rate(ret, "prefill", a->timing.prompt_tokens_per_second,
                   b->timing.prompt_tokens_per_second,
                   pl_versus_noise(a, a->prompt_spread, b, b->prompt_spread), why);
    pl_versus_rate(ret, "decode", a->timing.predicted_tokens_per_second,
                   b->timing.predicted_tokens_per_second,
                   pl_versus_noise(a, a->predicted_spread, b, b->predicted_spread), why);
}

void pl_versus_predicted(const struct pl_footprint *a, const struct pl_footprint *b,
                         struct pl_versus *ret)
{
    *ret = (struct pl_versus){0};
    for (uint32_t i = 0; i < a->n_pool; i++) {
        const struct pl_pool_footprint *p = &a->pool[i], *q = NULL;
        for (uint32_t k = 0; k < b->n_pool; k++)
            q = pl_streq(b->pool[k].pool, p->pool) ? &b->pool[k] : q;
        static const struct pl_pool_footprint none;
        q = q != NULL ? q : &none;
        for (int k = 0; k < PL_PARTS; k++)
            pl_versus_bytes(ret, p->pool, pl_part_name((enum pl_part)k), p->part[k], q->part[k]);
        pl_versus_bytes(ret, p->pool, "steady", p->steady, q->steady);
        pl_versus_bytes(ret, p->pool, "peak", p->peak, q->peak);
    }
}

void pl_paired(const double *a, const double *b, uint32_t n, struct pl_paired *ret)
{
    double sum = 0, squares = 0;
    uint32_t kept = 0;
    *ret = (struct pl_paired){0};
    for (uint32_t i = 0; i < n; i++) {
        if (!(a[i] > 0) || !(b[i] > 0) || !isfinite(a[i]) || !isfinite(b[i]))
            continue;
        double x = log(b[i] / a[i]);
        sum += x;
        squares += x * x;
        kept++;
    }
    ret->n = kept;
    if (kept < PL_PAIRS_LEAST)
        return;
    double mean = sum / kept;
    double variance = (squares - kept * mean * mean) / (kept - 1);
    /* repeats that agree to the last digit have no noise to speak of, and rounding is not one */
    double reach = pl_student(kept - 1) * sqrt(variance > 0 ? variance / kept : 0);
    ret->known = true;
    ret->ratio = exp(mean);
    ret->low = exp(mean - reach);
    ret->high = exp(mean + reach);
    ret->winner = ret->high < 1 ? 1 : ret->low > 1 ? 2 : 0;
}
