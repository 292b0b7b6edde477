/* Which plots results make. */
#ifndef PL_REPORT_PLOTS_H
#define PL_REPORT_PLOTS_H

#include "report/results.h"
#include "report/svg.h"

enum pl_plots_kind {
    PL_PLOTS_MEMORY = 0, /* host memory over context */
    PL_PLOTS_DEVICES,    /* device memory over context */
    PL_PLOTS_DECODE,     /* tokens per second over depth, or over context where that varies */
    PL_PLOTS_MEMORY_AGREE,
    PL_PLOTS_DEVICES_AGREE,
    PL_PLOTS_DECODE_AGREE,
    PL_PLOTS,
};

/* A plot with what it points to. */
struct pl_plots_one {
    struct pl_plot plot;
    struct pl_plot_point *point; /* owned: all series */
    uint32_t left_out;           /* series beyond PL_PLOT_SERIES_MAX, which are not drawn */
};

/* Fills ret; a plot without series (n_series = 0) has nothing to show. -ENOMEM. Free with
 * pl_plots_done. */
int pl_plots_make(const struct pl_results *r, enum pl_plots_kind kind, struct pl_plots_one *ret,
                  struct pl_err *err);
void pl_plots_done(struct pl_plots_one *p);

#endif
