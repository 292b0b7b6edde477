#include "report/svg.h"

#include <math.h>
#include <string.h>

/* In the units of the view box; the page scales it. */
#define PL_SVG_WIDTH 760.0
#define PL_SVG_HEIGHT 360.0 /* without the legend */
#define PL_SVG_LEFT 84.0
#define PL_SVG_RIGHT 24.0
#define PL_SVG_TOP 16.0
#define PL_SVG_BOTTOM 56.0
#define PL_SVG_LEGEND 20.0 /* a line of it */
#define PL_SVG_MARK 4.5
#define PL_SVG_INSET 18.0 /* marks at the ends of x stand clear of the frame */
#define PL_SVG_ASIDE 22.0
#define PL_SVG_NEAR 0.10 /* either side of the diagonal: drawn, and said in the legend */
#define PL_XML_TEXT_MAX 1024

void pl_xml_text(const char *text, struct pl_str *out)
{
    char clean[PL_XML_TEXT_MAX];
    for (const char *c = pl_text_cut(clean, sizeof(clean), text); *c != '\0'; c++) {
        switch (*c) {
        case '<':
            pl_str_add(out, "&lt;");
            break;
        case '>':
            pl_str_add(out, "&gt;");
            break;
        case '&':
            pl_str_add(out, "&amp;");
            break;
        case '"':
            pl_str_add(out, "&quot;");
            break;
        case '\'':
            pl_str_add(out, "&#39;");
            break;
        case '\xef': /* U+FFFE and U+FFFF are no characters of XML */
            if (c[1] == '\xbf' && (c[2] == '\xbe' || c[2] == '\xbf')) {
                pl_str_add(out, "?");
                c += 2;
                break;
            }
            pl_str_addn(out, c, 1);
            break;
        default:
            pl_str_addn(out, c, 1);
        }
    }
}

void pl_svg_style(struct pl_str *out)
{
    /* the eight colours of Okabe and Ito, told apart by colour-blind readers; on dark ground the
     * darkest of them lighter */
    static const char *const light[] = {"#0072b2", "#d55e00", "#007a5a", "#b0578d",
                                        "#8a6d00", "#2f7fb0", "#444444", "#a03030"};
    static const char *const dark[] = {"#56b4e9", "#f0894a", "#35c49b", "#dd8fbd",
                                       "#e6c229", "#8fd0f5", "#c8c8c8", "#f08080"};
    for (int i = 0; i < PL_PLOT_SERIES_MAX; i++)
        pl_str_addf(out, ".s%d{--c:%s}\n", i, light[i]);
    pl_str_add(out, "@media (prefers-color-scheme:dark){\n");
    for (int i = 0; i < PL_PLOT_SERIES_MAX; i++)
        pl_str_addf(out, ".s%d{--c:%s}\n", i, dark[i]);
    pl_str_add(out, "}\n"
                    "svg text{font:12px system-ui,sans-serif;fill:var(--ink)}\n"
                    "svg .grid{stroke:var(--line);stroke-width:1}\n"
                    "svg .axis{stroke:var(--ink);stroke-width:1}\n"
                    "svg .band{fill:var(--c);opacity:.18}\n"
                    "svg .span{stroke:var(--c);stroke-width:6;opacity:.3}\n"
                    "svg .line{fill:none;stroke:var(--c);stroke-width:1.5;stroke-dasharray:5 3}\n"
                    "svg .dash{stroke:var(--c);stroke-width:2}\n"
                    "svg .mark{fill:var(--c);stroke:var(--paper);stroke-width:1}\n"
                    "svg .same{stroke:var(--ink);stroke-width:1}\n"
                    "svg .near{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 4}\n");
}

struct pl_svg {
    const struct pl_plot *plot;
    struct pl_axis x, y;
    double aside; /* between the marks of two series, where all stand at one x */
    struct pl_str *out;
};

static double pl_svg_x(const struct pl_svg *s, double value)
{
    double room = s->plot->agreement ? 0 : PL_SVG_INSET;
    return PL_SVG_LEFT + room +
           pl_axis_at(&s->x, value) * (PL_SVG_WIDTH - PL_SVG_LEFT - PL_SVG_RIGHT - 2 * room);
}

static double pl_svg_y(const struct pl_svg *s, double value)
{
    double high = PL_SVG_HEIGHT - PL_SVG_TOP - PL_SVG_BOTTOM;
    return PL_SVG_TOP + (1 - pl_axis_at(&s->y, value)) * high;
}

struct pl_span {
    double low, high;
};

static void pl_span_take(struct pl_span *s, double value)
{
    if (!(value > 0) || !isfinite(value))
        return;
    s->low = s->low > 0 && s->low < value ? s->low : value;
    s->high = s->high > value ? s->high : value;
}

/* False when there is nothing to draw. */
static bool pl_svg_axes(struct pl_svg *s)
{
    struct pl_span x = {0}, y = {0};
    for (uint32_t i = 0; i < s->plot->n_series; i++) {
        for (uint32_t k = 0; k < s->plot->series[i].n; k++) {
            const struct pl_plot_point *p = &s->plot->series[i].point[k];
            pl_span_take(&x, p->x);
            pl_span_take(&y, p->measured);
            if (p->predicted > 0) {
                pl_span_take(&y, p->predicted);
                pl_span_take(&y, p->low);
                pl_span_take(&y, p->high);
            }
        }
    }
    if (!(x.high > 0) || !(y.high > 0))
        return false;
    if (s->plot->agreement) {
        /* the same scale both ways, or the diagonal would lie */
        pl_span_take(&x, y.low);
        pl_span_take(&x, y.high);
        pl_axis_make(s->plot->x_kind, x.low, x.high, false, &s->x);
        s->y = s->x;
        return true;
    }
    pl_axis_make(s->plot->x_kind, x.low, x.high, false, &s->x);
    s->aside = x.low < x.high ? 0 : PL_SVG_ASIDE;
    if (s->aside > 0) {
        s->x.n_tick = 1; /* no other place is meant */
        s->x.tick[0] = x.low;
    }
    pl_axis_make(s->plot->y_kind, y.low, y.high, true, &s->y);
    return true;
}

static void pl_svg_frame(struct pl_svg *s)
{
    char text[PL_AXIS_TEXT_MAX];
    double bottom = PL_SVG_HEIGHT - PL_SVG_BOTTOM, right = PL_SVG_WIDTH - PL_SVG_RIGHT;
    for (uint32_t i = 0; i < s->y.n_tick; i++) {
        double at = pl_svg_y(s, s->y.tick[i]);
        pl_str_addf(s->out,
                    "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                    PL_SVG_LEFT, at, right, at, PL_SVG_LEFT - 6, at + 4,
                    pl_axis_text(&s->y, s->y.tick[i], text));
    }
    for (uint32_t i = 0; i < s->x.n_tick; i++) {
        double at = pl_svg_x(s, s->x.tick[i]);
        pl_str_addf(s->out,
                    "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                    at, PL_SVG_TOP, at, bottom, at, bottom + 17,
                    pl_axis_text(&s->x, s->x.tick[i], text));
    }
    pl_str_addf(s->out,
                "<path class=\"axis\" fill=\"none\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                PL_SVG_LEFT, PL_SVG_TOP, bottom, right, (PL_SVG_LEFT + right) / 2,
                PL_SVG_HEIGHT - 16);
    pl_xml_text(s->plot->x_label, s->out);
    pl_str_addf(s->out,
                "</text>\n<text transform=\"translate(14 %.1f) rotate(-90)\""
                " text-anchor=\"middle\">",
                (PL_SVG_TOP + bottom) / 2);
    pl_xml_text(s->plot->y_label, s->out);
    pl_str_addf(s->out, "%s</text>\n", s->y.min > 0 && !s->y.by_powers ? " (not from 0)" : "");
}

/* A shape for each series. */
static void pl_svg_mark(struct pl_svg *s, uint32_t series, double x, double y)
{
    static const char *const shape[] = {
        "m-4 -4h8v8h-8z",                                             /* square */
        "m0 -5.5l5 9h-10z",                                           /* triangle */
        "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",                        /* diamond */
        "m0 5.5l5 -9h-10z",                                           /* triangle on its tip */
        "m-1.7 -5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z", /* cross */
        "m-5 -2.5h10v5h-10z",                                         /* flat bar */
        "m-2.5 -5h5v10h-5z",                                          /* upright bar */
    };
    if (series == 0)
        pl_str_addf(s->out, "<circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", x, y,
                    PL_SVG_MARK);
    else
        pl_str_addf(s->out, "<path class=\"mark\" d=\"M%.1f %.1f%s\"/>", x, y,
                    shape[(series - 1) % (sizeof(shape) / sizeof(shape[0]))]);
}

/* The interval over x, closed along its lower end. */
static void pl_svg_band(struct pl_svg *s, const struct pl_plot_series *series)
{
    const char *move = "M";
    pl_str_add(s->out, "<path class=\"band\" d=\"");
    for (uint32_t i = 0; i < series->n; i++) {
        const struct pl_plot_point *p = &series->point[i];
        if (p->predicted > 0) {
            pl_str_addf(s->out, "%s%.1f %.1f", move, pl_svg_x(s, p->x), pl_svg_y(s, p->high));
            move = "L";
        }
    }
    for (uint32_t i = series->n; i-- > 0;) {
        const struct pl_plot_point *p = &series->point[i];
        if (p->predicted > 0)
            pl_str_addf(s->out, "L%.1f %.1f", pl_svg_x(s, p->x), pl_svg_y(s, p->low));
    }
    pl_str_add(s->out, "Z\"/>\n<path class=\"line\" d=\"");
    move = "M";
    for (uint32_t i = 0; i < series->n; i++) {
        const struct pl_plot_point *p = &series->point[i];
        if (p->predicted > 0) {
            pl_str_addf(s->out, "%s%.1f %.1f", move, pl_svg_x(s, p->x), pl_svg_y(s, p->predicted));
            move = "L";
        }
    }
    pl_str_add(s->out, "\"/>\n");
}

/* Are there two places along x with a prediction, so that a band has a width? */
static bool pl_svg_is_wide(const struct pl_plot_series *series)
{
    double first = 0;
    for (uint32_t i = 0; i < series->n; i++) {
        if (!(series->point[i].predicted > 0))
            continue;
        if (first > 0 && series->point[i].x > first)
            return true;
        first = first > 0 ? first : series->point[i].x;
    }
    return false;
}

static void pl_svg_series(struct pl_svg *s, uint32_t at)
{
    const struct pl_plot_series *series = &s->plot->series[at];
    bool agreement = s->plot->agreement, wide = !agreement && pl_svg_is_wide(series);
    pl_str_addf(s->out, "<g class=\"s%u\">\n", at);
    if (wide)
        pl_svg_band(s, series);
    for (uint32_t i = 0; i < series->n; i++) {
        const struct pl_plot_point *p = &series->point[i];
        double x = pl_svg_x(s, p->x) + s->aside * (at - (s->plot->n_series - 1) / 2.0);
        double y = pl_svg_y(s, agreement ? p->predicted : p->measured);
        if (!wide && p->predicted > 0)
            pl_str_addf(s->out,
                        "<line class=\"span\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x,
                        pl_svg_y(s, p->low), x, pl_svg_y(s, p->high));
        if (!wide && !agreement && p->predicted > 0)
            pl_str_addf(s->out, "<path class=\"dash\" d=\"M%.1f %.1fh12\"/>", x - 6,
                        pl_svg_y(s, p->predicted));
        if (agreement ? p->predicted > 0 : p->measured > 0)
            pl_svg_mark(s, at, x, y);
        pl_str_add(s->out, "\n");
    }
    pl_str_add(s->out, "</g>\n");
}

/* y = x, and ten percent either side of it, cut to the frame. */
static void pl_svg_diagonal(struct pl_svg *s)
{
    static const double times[] = {1, 1 + PL_SVG_NEAR, 1 - PL_SVG_NEAR};
    for (int i = 0; i < 3; i++) {
        double k = times[i], a = s->x.min, b = s->x.max;
        double from = a * k < a ? a / k : a, to = b * k > b ? b / k : b;
        pl_str_addf(s->out,
                    "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                    i == 0 ? "same" : "near", pl_svg_x(s, from), pl_svg_y(s, from * k),
                    pl_svg_x(s, to), pl_svg_y(s, to * k));
    }
}

static void pl_svg_legend(struct pl_svg *s)
{
    double y = PL_SVG_HEIGHT + 4;
    for (uint32_t i = 0; i < s->plot->n_series; i++, y += PL_SVG_LEGEND) {
        pl_str_addf(s->out, "<g class=\"s%u\">", i);
        pl_svg_mark(s, i, PL_SVG_LEFT + 10, y);
        pl_str_addf(s->out, "<text x=\"%.1f\" y=\"%.1f\">", PL_SVG_LEFT + 24, y + 4);
        pl_xml_text(s->plot->series[i].name, s->out);
        pl_str_add(s->out, "</text></g>\n");
    }
}

void pl_svg_plot(const struct pl_plot *p, struct pl_str *out)
{
    struct pl_svg s = {.plot = p, .out = out};
    if (!pl_svg_axes(&s))
        return;
    pl_str_addf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\""
                " aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">",
                PL_SVG_WIDTH, PL_SVG_HEIGHT + 8 + PL_SVG_LEGEND * p->n_series, p->id, p->id, p->id);
    pl_xml_text(p->title, out);
    pl_str_addf(out, "</title>\n<desc id=\"%s-desc\">", p->id);
    pl_xml_text(p->description, out);
    pl_str_add(out, "</desc>\n");
    pl_svg_frame(&s);
    if (p->agreement)
        pl_svg_diagonal(&s);
    for (uint32_t i = 0; i < p->n_series; i++)
        pl_svg_series(&s, i);
    pl_svg_legend(&s);
    pl_str_add(out, "</svg>\n");
}
