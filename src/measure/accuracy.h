/* The program's own error, counted in what the ledger remembers. */
#ifndef PL_MEASURE_ACCURACY_H
#define PL_MEASURE_ACCURACY_H

#include "ledger/observe.h"

/* Errors are shares of what was measured: (predicted - measured) / measured. */
struct pl_score {
    uint32_t n;
    double median, p95, bias; /* of the size of the error (p95 by nearest rank); the median error */
    uint32_t held;            /* intervals that hold what was measured */
    double width;             /* median of (high - low) / likely */
    uint32_t n_corrected;     /* of n: with a correction learned without the run itself */
    double c_median, c_p95, c_bias; /* of all n, those corrected */
};

enum pl_accuracy_by { PL_BY_PART = 0, PL_BY_ARCH, PL_BY_MACHINE, PL_BYS };

struct pl_accuracy_row {
    char group[64]; /* architecture, or machine; "" by part */
    int target;
    bool on_device;
    struct pl_score s;
};

/* Fills rows (at most max) in order of group and target; returns how many, or -ENOMEM. Groups other
 * than by part are of the total and the speeds alone. */
int pl_accuracy(const struct pl_observations *o, enum pl_accuracy_by by,
                struct pl_accuracy_row *rows, uint32_t max);

/* What run `id` would have been predicted with what the other runs of o teach; 0 when they teach
 * nothing for it, or it is not among them. -ENOMEM only. */
int pl_accuracy_calibrated(const struct pl_observations *o, int64_t id, int target, double *ret);

/* A score from n errors; corrected[i] is the error with the correction, or the same. All arrays are
 * rewritten. */
void pl_score_of(double *error, double *corrected, double *width, uint32_t n, struct pl_score *ret);

#endif
