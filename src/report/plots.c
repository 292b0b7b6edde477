#include "report/plots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Prompts of the same length may differ by some tokens: that is no other depth. */
#define PL_PLOTS_STRETCH 1.25

/* Runs that differ in the plotted x alone are one series. */
struct pl_plots_group {
    const struct pl_result *first;
    uint32_t n; /* points */
    bool varies;
    double x;
};

struct pl_plots {
    const struct pl_results *r;
    enum pl_plots_kind kind;
    bool by_depth;
    struct pl_plots_group *group;
    uint32_t n_group;
    uint32_t *of; /* group of each result; UINT32_MAX = it has nothing to show */
};

static const struct {
    const char *id, *title, *description, *x_label, *y_label;
    enum pl_axis_kind x_kind, y_kind;
    bool agreement;
    enum pl_results_what what;
} pl_plots_rows[PL_PLOTS] = {
    [PL_PLOTS_MEMORY] = {"memory",       "Memory against context",
                         "Host memory while serving, over the context in tokens: the predicted "
                         "value as a dashed line "
                         "with its interval as a band, what was measured as marks.",        "context (tokens, all slots)",  "host memory",                   PL_AXIS_TOKENS,
                         PL_AXIS_BYTES,                                                                                                                                                     false, PL_RESULTS_MEMORY },
    [PL_PLOTS_DEVICES] =
        {"devices",      "Device memory against context",
                         "Memory of all devices together while serving, over the context in tokens: the predicted "
         "value "
         "as a dashed line with its interval as a band, what was measured as marks.",       "context (tokens, all slots)",  "device memory",                 PL_AXIS_TOKENS, PL_AXIS_BYTES, false,
                         PL_RESULTS_DEVICES                                                                                                                                                                          },
    [PL_PLOTS_DECODE] = {"decode",       "Speed of answers",
                         "Tokens per second of one answer: the predicted value as a dashed line "
                         "with its interval as a "
                         "band, what was measured (median of the repeats) as marks.",       "context (tokens, all slots)",  "tokens per second",             PL_AXIS_TOKENS,
                         PL_AXIS_NUMBER,                                                                                                                                                    false, PL_RESULTS_DECODE },
    [PL_PLOTS_MEMORY_AGREE] =
        {"memoryagree",  "Memory: predicted against measured",
                         "Each run's predicted host memory over the measured one. On the solid diagonal both "
         "agree; the "
         "dotted lines are ten percent off; an upright bar is the predicted interval.",     "measured",                     "predicted",                     PL_AXIS_BYTES,  PL_AXIS_BYTES, true,  PL_RESULTS_MEMORY },
    [PL_PLOTS_DEVICES_AGREE] =
        {"devicesagree", "Device memory: predicted against measured",
                         "Each run's predicted device memory over the measured one. On the solid diagonal both "
         "agree; "
         "the dotted lines are ten percent off; an upright bar is the predicted interval.", "measured",                     "predicted",                     PL_AXIS_BYTES,  PL_AXIS_BYTES, true,  PL_RESULTS_DEVICES},
    [PL_PLOTS_DECODE_AGREE] =
        {"decodeagree",  "Speed: predicted against measured",
                         "Each run's predicted speed of answers over the measured one, in tokens per second. On "
         "the "
         "solid diagonal both agree; the dotted lines are ten percent off; an upright bar is the "
         "predicted interval.",                                                             "measured (tokens per second)", "predicted (tokens per second)", PL_AXIS_NUMBER,
                         PL_AXIS_NUMBER,                                                                                                                                                    true,  PL_RESULTS_DECODE },
};

/* flags without the context: "-c 2048 -ctk q8_0" -> "-ctk q8_0". */
static const char *pl_plots_flags(const char *flags, char out[PL_RUN_TEXT_MAX])
{
    const char *c = strstr(flags, "-c ");
    (void)pl_fmt(out, PL_RUN_TEXT_MAX, "%s", flags);
    if (c == NULL || (c > flags && c[-1] != ' '))
        return out;
    size_t head = (size_t)(c - flags);
    const char *rest = c + 3 + strcspn(c + 3, " ");
    rest += *rest == ' ' ? 1 : 0;
    (void)pl_fmt(out, PL_RUN_TEXT_MAX, "%.*s%s", (int)head, flags, rest);
    return out;
}

static double pl_plots_x(const struct pl_plots *p, const struct pl_result *one)
{
    return (double)(p->by_depth ? one->depth : one->n_ctx);
}

/* What of the run is drawn; false when nothing is. */
static bool pl_plots_point(const struct pl_plots *p, const struct pl_result *one,
                           struct pl_plot_point *ret)
{
    enum pl_results_what what = pl_plots_rows[p->kind].what;
    double predicted, low, high, measured;
    *ret = (struct pl_plot_point){0};
    bool pair = pl_result_pair(one, what, &predicted, &low, &high, &measured);
    if (pl_plots_rows[p->kind].agreement) {
        if (pair)
            *ret = (struct pl_plot_point){measured, predicted, low, high, measured};
        return pair;
    }
    ret->x = pl_plots_x(p, one);
    if (!pair) { /* a prediction alone: of a run that failed, or was not started */
        struct pl_result as_if = *one;
        as_if.status = PL_RUN_OK;
        (void)pl_result_pair(&as_if, what, &predicted, &low, &high, &measured);
        measured = 0;
    }
    *ret = (struct pl_plot_point){ret->x, predicted, low, high, measured};
    return ret->x > 0 && (predicted > 0 || measured > 0);
}

static bool pl_plots_same(const struct pl_plots *p, const struct pl_result *a,
                          const struct pl_result *b)
{
    char x[PL_RUN_TEXT_MAX], y[PL_RUN_TEXT_MAX];
    if (!pl_streq(a->model, b->model) || !pl_streq(a->quant, b->quant))
        return false;
    if (pl_plots_rows[p->kind].agreement)
        return true;
    return pl_streq(a->engine_version, b->engine_version) &&
           pl_streq(a->machine_text, b->machine_text) &&
           (p->by_depth ? pl_streq(a->flags, b->flags)
                        : pl_streq(pl_plots_flags(a->flags, x), pl_plots_flags(b->flags, y)));
}

static void pl_plots_sort_out(struct pl_plots *p)
{
    struct pl_plot_point point;
    p->n_group = 0;
    for (uint32_t i = 0; i < p->r->n; i++) {
        const struct pl_result *one = &p->r->one[i];
        uint32_t g = 0;
        p->of[i] = UINT32_MAX;
        if (!pl_plots_point(p, one, &point))
            continue;
        while (g < p->n_group && !pl_plots_same(p, p->group[g].first, one))
            g++;
        if (g == p->n_group)
            p->group[p->n_group++] = (struct pl_plots_group){.first = one, .x = point.x};
        p->group[g].varies = p->group[g].varies || point.x < p->group[g].x / PL_PLOTS_STRETCH ||
                             point.x > p->group[g].x * PL_PLOTS_STRETCH;
        p->group[g].n++;
        p->of[i] = g;
    }
}

/* Does any series stretch along x? */
static bool pl_plots_vary(const struct pl_plots *p)
{
    for (uint32_t g = 0; g < p->n_group; g++) {
        if (p->group[g].varies)
            return true;
    }
    return false;
}

static void pl_plots_name(const struct pl_plots *p, const struct pl_result *one,
                          char out[PL_PLOT_NAME_MAX])
{
    char flags[PL_RUN_TEXT_MAX], model[64], text[PL_RUN_TEXT_MAX * 3];
    bool agreement = pl_plots_rows[p->kind].agreement, versions = false, machines = false;
    for (uint32_t i = 0; i < p->r->n && !agreement; i++) {
        versions = versions || !pl_streq(p->r->one[i].engine_version, one->engine_version);
        machines = machines || !pl_streq(p->r->one[i].machine_text, one->machine_text);
    }
    if (p->by_depth)
        (void)PL_FMT(flags, "%s", one->flags);
    else
        (void)pl_plots_flags(one->flags, flags);
    (void)PL_FMT(text, "%s %s%s%s%s%s%s%s", pl_text_cut(model, sizeof(model), one->model),
                 one->quant, agreement ? "" : " ", agreement ? "" : flags, versions ? ", " : "",
                 versions ? one->engine_version : "", machines ? ", " : "",
                 machines ? one->machine_text : "");
    (void)pl_text_cut(out, PL_PLOT_NAME_MAX, text);
}

static int pl_plots_by_x(const void *a, const void *b)
{
    const struct pl_plot_point *x = a, *y = b;
    return (x->x > y->x) - (x->x < y->x);
}

/* Of several predictions at one x the first counts: lines and bands have one. All measurements
 * stay. */
static void pl_plots_once(struct pl_plot_series *s)
{
    for (uint32_t i = 1; i < s->n; i++) {
        bool same = !(s->point[i].x > s->point[i - 1].x);
        if (same && s->point[i - 1].predicted > 0)
            s->point[i].predicted = s->point[i - 1].predicted,
            s->point[i].low = s->point[i - 1].low, s->point[i].high = s->point[i - 1].high;
    }
}

/* The largest group that is not taken yet, or UINT32_MAX. */
static uint32_t pl_plots_largest(const struct pl_plots *p, const bool *taken)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t g = 0; g < p->n_group; g++) {
        if (!taken[g] && (best == UINT32_MAX || p->group[g].n > p->group[best].n))
            best = g;
    }
    return best;
}

/* One series of a group's points; of all groups not taken when g is UINT32_MAX. */
static struct pl_plot_point *pl_plots_series(const struct pl_plots *p, uint32_t g,
                                             const bool *taken, struct pl_plot_point *room,
                                             struct pl_plot_series *s)
{
    s->point = room;
    for (uint32_t i = 0; i < p->r->n && s->n < PL_PLOT_POINTS_MAX; i++) {
        bool wanted =
            p->of[i] != UINT32_MAX && (g == UINT32_MAX ? !taken[p->of[i]] : p->of[i] == g);
        if (wanted && pl_plots_point(p, &p->r->one[i], room))
            s->n++, room++;
    }
    qsort(s->point, s->n, sizeof(*s->point), pl_plots_by_x);
    if (!pl_plots_rows[p->kind].agreement)
        pl_plots_once(s);
    return room;
}

static void pl_plots_fill(const struct pl_plots *p, bool *taken, struct pl_plots_one *ret)
{
    struct pl_plot *plot = &ret->plot;
    struct pl_plot_point *room = ret->point;
    bool others = plot->agreement && p->n_group > PL_PLOT_SERIES_MAX;
    uint32_t most = others ? PL_PLOT_SERIES_MAX - 1 : PL_PLOT_SERIES_MAX;
    while (plot->n_series < most) {
        uint32_t g = pl_plots_largest(p, taken);
        if (g == UINT32_MAX)
            break;
        struct pl_plot_series *s = &plot->series[plot->n_series++];
        pl_plots_name(p, p->group[g].first, s->name);
        room = pl_plots_series(p, g, taken, room, s);
        taken[g] = true;
    }
    if (others) {
        struct pl_plot_series *s = &plot->series[plot->n_series++];
        (void)PL_FMT(s->name, "%u other models", p->n_group - most);
        (void)pl_plots_series(p, UINT32_MAX, taken, room, s);
    } else if (p->n_group > plot->n_series) {
        ret->left_out = p->n_group - plot->n_series;
    }
}

int pl_plots_make(const struct pl_results *r, enum pl_plots_kind kind, struct pl_plots_one *ret,
                  struct pl_err *err)
{
    size_t n = r->n > 0 ? r->n : 1;
    struct pl_plots p = {.r = r, .kind = kind};
    bool *taken = calloc(n, sizeof(*taken));
    *ret = (struct pl_plots_one){
        .plot = {.id = pl_plots_rows[kind].id,
                 .title = pl_plots_rows[kind].title,
                 .description = pl_plots_rows[kind].description,
                 .x_label = pl_plots_rows[kind].x_label,
                 .y_label = pl_plots_rows[kind].y_label,
                 .x_kind = pl_plots_rows[kind].x_kind,
                 .y_kind = pl_plots_rows[kind].y_kind,
                 .agreement = pl_plots_rows[kind].agreement},
        .point = calloc(n, sizeof(*ret->point)),
    };
    p.group = calloc(n, sizeof(*p.group));
    p.of = calloc(n, sizeof(*p.of));
    int rc = 0;
    if (taken == NULL || ret->point == NULL || p.group == NULL || p.of == NULL) {
        rc = pl_fail(err, -ENOMEM, "no memory for a plot");
        pl_plots_done(ret);
    } else {
        if (kind == PL_PLOTS_DECODE) {
            p.by_depth = true;
            pl_plots_sort_out(&p);
            p.by_depth = pl_plots_vary(&p);
        }
        if (p.by_depth)
            ret->plot.x_label = "depth (tokens in the context halfway through the answer)";
        pl_plots_sort_out(&p);
        pl_plots_fill(&p, taken, ret);
    }
    free(taken);
    free(p.group);
    free(p.of);
    return rc;
}

void pl_plots_done(struct pl_plots_one *p)
{
    free(p->point);
    *p = (struct pl_plots_one){0};
}
