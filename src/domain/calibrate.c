#include "domain/calibrate.h"

#include <math.h>
#include <stdlib.h>

#define PL_NORMAL_MAD 1.4826 /* standard deviation of normal values over their MAD */
#define PL_FEW_TIMES 2.0     /* deviations of an assumed spread: about 95 % of normal values */

static int pl_double_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double pl_middle(double *v, uint32_t n)
{
    if (n == 0)
        return 0;
    qsort(v, n, sizeof(*v), pl_double_order);
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double pl_rank(const double *sorted, uint32_t n, double q)
{
    if (n == 0)
        return 0;
    double at = ceil(q * n);
    uint32_t i = at < 1 ? 0 : (uint32_t)at - 1;
    return sorted[i < n ? i : n - 1];
}

double pl_student(uint32_t degrees)
{
    /* tables of the distribution, 0.975; above 30 its expansion by 1/degrees (Abramowitz and Stegun
     * 26.7.5) */
    static const double t[] = {0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
                               2.306, 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
                               2.120, 2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069,
                               2.064, 2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
    if (degrees == 0)
        return (double)INFINITY;
    if (degrees < sizeof(t) / sizeof(t[0]))
        return t[degrees];
    double d = degrees;
    return 1.959964 * (1 + 1.2103648 / d + 1.43998 / (d * d));
}

/* The median deviation from the middle, as a standard deviation. logs stay as they are. */
static double pl_deviation(const double *logs, uint32_t n, double middle)
{
    double *far = malloc(n * sizeof(*far));
    if (far == NULL)
        return (double)INFINITY; /* nothing is learned then */
    for (uint32_t i = 0; i < n; i++)
        far[i] = fabs(logs[i] - middle);
    double mad = pl_middle(far, n);
    free(far);
    return PL_NORMAL_MAD * mad;
}

void pl_correct(double *ratio, uint32_t n, uint32_t least, struct pl_correction *ret)
{
    uint32_t sane = 0, kept = 0;
    *ret = (struct pl_correction){.factor = 1};
    for (uint32_t i = 0; i < n; i++) {
        if (isfinite(ratio[i]) && ratio[i] >= 1 / PL_RATIO_MOST && ratio[i] <= PL_RATIO_MOST)
            ratio[sane++] = log(ratio[i]);
    }
    double middle = pl_middle(ratio, sane);
    double far = sane > 0 ? pl_deviation(ratio, sane, middle) : 0;
    far = PL_OUTLIER_DEVIATIONS * (far > PL_SPREAD_LEAST ? far : PL_SPREAD_LEAST);
    for (uint32_t i = 0; i < sane; i++) {
        if (fabs(ratio[i] - middle) <= far)
            ratio[kept++] = ratio[i];
    }
    ret->n = kept;
    ret->odd = n - kept;
    if (kept < least || kept == 0)
        return;
    middle = pl_middle(ratio, kept);
    double spread = pl_deviation(ratio, kept, middle);
    ret->spread = spread > PL_SPREAD_LEAST ? spread : PL_SPREAD_LEAST;
    ret->disagree = !(ret->spread <= PL_SPREAD_MOST);
    ret->known = !ret->disagree;
    if (!ret->known)
        return;
    double most = log(PL_CORRECTION_MOST);
    ret->bounded = fabs(middle) > most;
    ret->factor = exp(ret->bounded ? copysign(most, middle) : middle);
}

static bool pl_ratio_sane(const struct pl_ratio *r)
{
    return isfinite(r->ratio) && r->ratio >= 1 / PL_RATIO_MOST && r->ratio <= PL_RATIO_MOST;
}

/* Its logarithm, cut at the ends of its own interval. */
static double pl_ratio_cut(const struct pl_ratio *r, bool *ret_cut)
{
    double low = r->low > 0 && r->low <= 1 ? r->low : 1, high = r->high >= 1 ? r->high : 1;
    double v = r->ratio < low ? low : r->ratio > high ? high : r->ratio;
    *ret_cut = *ret_cut || r->ratio < low || r->ratio > high;
    return log(v);
}

struct pl_few {
    double least, most, plain, cut, noise;
    bool is_cut;
};

static void pl_few_take(struct pl_few *f, const struct pl_ratio *r)
{
    double x = log(r->ratio);
    f->least = x < f->least ? x : f->least;
    f->most = x > f->most ? x : f->most;
    f->plain += x;
    f->cut += pl_ratio_cut(r, &f->is_cut);
    f->noise = r->spread > f->noise ? r->spread : f->noise;
}

/* The median of the sane ones' logarithms. */
static bool pl_few_middle(const struct pl_ratio *v, uint32_t n, double *ret)
{
    double *logs = malloc((n + 1) * sizeof(*logs));
    uint32_t sane = 0;
    for (uint32_t i = 0; logs != NULL && i < n; i++) {
        if (pl_ratio_sane(&v[i]))
            logs[sane++] = log(v[i].ratio);
    }
    *ret = sane > 0 ? pl_middle(logs, sane) : 0;
    free(logs);
    return sane > 0;
}

void pl_correct_few(const struct pl_ratio *v, uint32_t n, double prior, struct pl_correction *ret)
{
    struct pl_few f = {.least = (double)INFINITY, .most = -(double)INFINITY};
    double middle = 0, bound = log(PL_CORRECTION_MOST);
    *ret = (struct pl_correction){.factor = 1, .few = true};
    bool any = pl_few_middle(v, n, &middle);
    for (uint32_t i = 0; i < n; i++) {
        bool sane = any && pl_ratio_sane(&v[i]);
        if (!sane || (n > 2 && fabs(log(v[i].ratio) - middle) > PL_FEW_AGREE)) {
            ret->odd++;
            continue;
        }
        pl_few_take(&f, &v[i]);
        ret->n++;
    }
    if (ret->n == 0)
        return;
    bool agree = ret->n > 1 && f.most - f.least <= PL_FEW_AGREE;
    middle = (agree ? f.plain : f.cut) / ret->n;
    ret->known = true;
    ret->share = ret->n / (ret->n + prior);
    ret->spread = f.noise / 2 > PL_FEW_SPREAD ? f.noise / 2 : PL_FEW_SPREAD;
    ret->wide = prior > 1 || (ret->n > 1 ? !agree : f.is_cut);
    ret->bounded = fabs(middle) > bound;
    ret->factor = exp(ret->share * (ret->bounded ? copysign(bound, middle) : middle));
}

/* How far a further value may lie from the middle, as a factor >= 1. */
static double pl_reach(const struct pl_correction *c)
{
    double times = c->few ? PL_FEW_TIMES : pl_student(c->n - 1);
    return exp(times * c->spread * sqrt(1 + 1.0 / c->n));
}

/* Both intervals, the corrected one and the one before. */
static struct pl_rate pl_corrected_wide(struct pl_rate r, double factor)
{
    r.low = factor < 1 ? r.low * factor : r.low;
    r.high = factor > 1 ? r.high * factor : r.high;
    r.likely *= factor;
    return r;
}

/* Of one run nothing is known but what few runs say. */
static bool pl_corrects(const struct pl_correction *c)
{
    return c->known && c->n >= (c->few ? 1u : 2u);
}

struct pl_rate pl_corrected_rate(struct pl_rate r, const struct pl_correction *c)
{
    if (!pl_corrects(c) || r.source == PL_SOURCE_UNKNOWN || !(r.likely > 0))
        return r;
    if (c->few && c->wide)
        return pl_corrected_wide(r, c->factor);
    double likely = r.likely * c->factor, reach = pl_reach(c);
    double low = likely / reach, high = likely * reach;
    /* a factor that was cut to its bound is no estimate: the width stays what it was, at least */
    if (c->bounded || low < r.low * c->factor)
        low = r.low * c->factor;
    if (c->bounded || high > r.high * c->factor)
        high = r.high * c->factor;
    r.low = low;
    r.likely = likely;
    r.high = high;
    return r;
}

static uint64_t pl_bytes_of(double v)
{
    return v >= 18446744073709549568.0 ? UINT64_MAX : (uint64_t)(v + 0.5);
}

struct pl_quantity pl_corrected(struct pl_quantity q, const struct pl_correction *c)
{
    struct pl_rate r = {(double)q.low, (double)q.likely, (double)q.high, q.source, q.state, NULL};
    if (!pl_corrects(c) || !pl_known(q) || q.likely == 0)
        return q;
    r = pl_corrected_rate(r, c);
    uint64_t high = q.high == UINT64_MAX ? UINT64_MAX : pl_bytes_of(r.high);
    uint64_t likely = pl_bytes_of(r.likely), low = pl_bytes_of(r.low);
    q.low = low < likely ? low : likely;
    q.likely = likely;
    q.high = high > likely ? high : likely;
    return q;
}
