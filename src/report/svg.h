/* Plots as SVG inside an HTML page: points, lines and bands over one pair of axes. Colours come
 * from classes (pl_svg_style), so that a page may be light or dark; every series has a mark of its
 * own shape too, so that none is told by its colour alone. */
#ifndef PL_REPORT_SVG_H
#define PL_REPORT_SVG_H

#include "base/str.h"

#include <stdint.h>

#define PL_PLOT_SERIES_MAX 8   /* as many as there are colours and shapes */
#define PL_PLOT_POINTS_MAX 512 /* of one series */
#define PL_PLOT_NAME_MAX 96
#define PL_PLOT_TICKS_MAX 16

struct pl_plot_point {
    double x;
    double predicted, low, high; /* predicted <= 0: unknown */
    double measured;             /* <= 0: unknown */
};

struct pl_plot_series {
    char name[PL_PLOT_NAME_MAX];
    struct pl_plot_point *point; /* ascending x; owned by whoever made it */
    uint32_t n;
};

/* How numbers of an axis are written. */
enum pl_axis_kind { PL_AXIS_NUMBER = 0, PL_AXIS_BYTES, PL_AXIS_TOKENS };

struct pl_plot {
    const char *id; /* of its elements: letters only; unlike the others of the page */
    const char *title, *description;
    const char *x_label, *y_label;
    enum pl_axis_kind x_kind, y_kind;
    /* false: y over x, predicted with its band, measured as marks. true: x is what was measured and
     * y what was predicted, with the diagonal on which both agree. */
    bool agreement;
    struct pl_plot_series series[PL_PLOT_SERIES_MAX];
    uint32_t n_series;
};

/* One axis: where values lie, and which are written beside it. Tokens, and what spans more than a
 * factor of twenty, go by powers. */
struct pl_axis {
    enum pl_axis_kind kind;
    double min, max;
    bool by_powers;
    double tick[PL_PLOT_TICKS_MAX];
    uint32_t n_tick;
};

/* An axis for values between low and high (both > 0). from_zero: it may begin at 0 where that costs
 * less than half of it. */
void pl_axis_make(enum pl_axis_kind kind, double low, double high, bool from_zero,
                  struct pl_axis *ret);
/* 0 at its begin, 1 at its end; within [0, 1]. */
double pl_axis_at(const struct pl_axis *a, double value);
/* "4.5 GiB", "8192", "12.5": a value as the axis writes it. Returns out. */
#define PL_AXIS_TEXT_MAX 32
const char *pl_axis_text(const struct pl_axis *a, double value, char out[PL_AXIS_TEXT_MAX]);

/* The <svg> element; a plot without points gives nothing. */
void pl_svg_plot(const struct pl_plot *p, struct pl_str *out);
/* The rules of a <style> element that the plots need, light and dark. */
void pl_svg_style(struct pl_str *out);

/* Text as content or attribute of XML: <, >, &, quotes escaped, what XML forbids is '?'. */
void pl_xml_text(const char *text, struct pl_str *out);

#endif
