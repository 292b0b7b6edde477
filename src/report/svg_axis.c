/* Axes: their ends, their ticks and how numbers are written. */
#include "base/units.h"
#include "report/svg.h"

#include <math.h>

#define PL_AXIS_SPAN_POWERS                                                                        \
    20.0 /* beyond it the small values of a plain axis lie on one another                          \
          */
#define PL_AXIS_TICKS 6

/* The step of 1, 2 or 5 times a power of ten (of two, for bytes) that makes about n of span. */
static double pl_axis_step(double span, double unit)
{
    double raw = span / unit / PL_AXIS_TICKS;
    double power = pow(10, floor(log10(raw)));
    double part = raw / power;
    return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power * unit;
}

static double pl_axis_unit(enum pl_axis_kind kind, double high)
{
    if (kind != PL_AXIS_BYTES)
        return 1;
    return high >= 2.0 * (double)PL_GIB ? (double)PL_GIB : (double)PL_MIB;
}

static void pl_axis_plain(double low, double high, bool from_zero, struct pl_axis *ret)
{
    double unit = pl_axis_unit(ret->kind, high);
    double span = high - low;
    if (from_zero && low < high / 2)
        low = span = 0;
    if (span <= high * 1e-3) { /* one value, or as good as: room around it */
        low = low > 0 ? low * 0.9 : 0;
        high *= 1.1;
    }
    double step = pl_axis_step(high - low, unit);
    ret->min = floor(low / step) * step;
    ret->max = ceil(high / step) * step;
    for (uint32_t i = 0; i < PL_PLOT_TICKS_MAX; i++) {
        double at = ret->min + step * i;
        if (at > ret->max + step / 2)
            break;
        ret->tick[ret->n_tick++] = at;
    }
}

static void pl_axis_powers(double low, double high, double base, struct pl_axis *ret)
{
    double first = floor(log(low) / log(base) + 1e-9), last = ceil(log(high) / log(base) - 1e-9);
    if (last <= first)
        last = first + 1;
    double every = ceil((last - first + 1) / (PL_PLOT_TICKS_MAX * 0.6));
    ret->by_powers = true;
    ret->min = pow(base, first);
    ret->max = pow(base, last);
    for (double e = first; e <= last && ret->n_tick < PL_PLOT_TICKS_MAX; e += every)
        ret->tick[ret->n_tick++] = pow(base, e);
}

void pl_axis_make(enum pl_axis_kind kind, double low, double high, bool from_zero,
                  struct pl_axis *ret)
{
    *ret = (struct pl_axis){.kind = kind};
    if (!(low > 0) || !isfinite(high) || high < low)
        low = high = 1;
    bool wide = high / low > PL_AXIS_SPAN_POWERS && !from_zero;
    if (kind == PL_AXIS_TOKENS && high / low >= 2)
        pl_axis_powers(low, high, 2, ret);
    else if (wide)
        pl_axis_powers(low, high, kind == PL_AXIS_BYTES ? 4 : high / low > 1000 ? 10 : 2, ret);
    else
        pl_axis_plain(low, high, from_zero, ret);
}

double pl_axis_at(const struct pl_axis *a, double value)
{
    double at = a->by_powers
                    ? (value > 0 ? (log(value) - log(a->min)) / (log(a->max) - log(a->min)) : 0)
                    : (value - a->min) / (a->max - a->min);
    return at < 0 ? 0 : at > 1 ? 1 : at;
}

const char *pl_axis_text(const struct pl_axis *a, double value, char out[PL_AXIS_TEXT_MAX])
{
    if (a->kind != PL_AXIS_BYTES) {
        (void)pl_fmt(out, PL_AXIS_TEXT_MAX, value >= 1e5 ? "%.0f" : "%.5g", value);
        return out;
    }
    double unit = a->by_powers ? pl_axis_unit(a->kind, value * 2) : pl_axis_unit(a->kind, a->max);
    const char *name = unit >= (double)PL_GIB ? "GiB" : "MiB";
    (void)pl_fmt(out, PL_AXIS_TEXT_MAX, "%.6g %s", value / unit, name);
    return out;
}
