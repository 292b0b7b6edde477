/* Corrections learned from what was measured beside what was predicted. Plain arithmetic.
 *
 * A ratio is measured / predicted. Ratios multiply, so everything is done on their logarithms: the
 * middle is the median, the spread the median absolute deviation (scaled to be the standard
 * deviation of normal values). Both stay what they are while fewer than half of the runs are odd.
 */
#ifndef PL_DOMAIN_CALIBRATE_H
#define PL_DOMAIN_CALIBRATE_H

#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_CORRECTION_RUNS 3     /* fewer say nothing of their spread */
#define PL_CORRECTION_ANY_RUNS 6 /* of other architectures: as many again */
#define PL_CORRECTION_MOST                                                                         \
    2.0                           /* a factor between 1/2 and 2: more is no correction but a wrong \
                                     formula, and is left visible */
#define PL_RATIO_MOST 32.0        /* outside of 1/32 .. 32 a clock or a unit lied */
#define PL_OUTLIER_DEVIATIONS 3.5 /* Iglewicz and Hoaglin: modified z-score */
#define PL_SPREAD_LEAST 0.01      /* of the logarithm: what repeats of one run differ by anyway */
#define PL_SPREAD_MOST 0.5        /* runs that differ more do not agree on anything */

struct pl_correction {
    bool known;    /* false: too few runs, or they do not agree; the factor is then 1 */
    double factor; /* 1/2 .. 2: the corrected value is predicted * factor */
    double spread; /* of the logarithm of the ratios: 0.05 is about 5 % */
    uint32_t n;    /* ratios that count */
    uint32_t odd;  /* rejected: impossible, or far from the others */
    bool bounded;  /* the median lay outside 1/2 .. 2 */
    bool disagree; /* not known because the spread is above PL_SPREAD_MOST */
};

/* The correction that n ratios speak for; `least` of them must count. The array is sorted and
 * rewritten. Ratios that are not finite or not positive are odd. */
void pl_correct(double *ratio, uint32_t n, uint32_t least, struct pl_correction *ret);

/* q and r corrected: the likely value times the factor; the interval as wide as the runs differ (a
 * prediction interval of their number), and never wider than it was, in relation to its value. */
struct pl_quantity pl_corrected(struct pl_quantity q, const struct pl_correction *c);
struct pl_rate pl_corrected_rate(struct pl_rate r, const struct pl_correction *c);

/* The middle of n values (of an even number the mean of the two); 0 of none. Sorts them. */
double pl_middle(double *v, uint32_t n);
/* The smallest value that a share q of the n sorted values does not exceed (nearest rank). */
double pl_rank(const double *sorted, uint32_t n, double q);

/* Two-sided 95 % quantile of Student's t with so many degrees of freedom; 0 degrees: infinite. */
double pl_student(uint32_t degrees);

#endif
