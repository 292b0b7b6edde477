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

/* Fewer than PL_CORRECTION_RUNS say nothing of their spread, so that one is assumed: of eleven
 * ghosts of 0.1B to 14B that llama-server 0.7.0 ran twice on an idle machine, the second run's
 * decoding differed by 0 to 10 % from the first's, its prefill by 0 to 6 %, half of them by less
 * than 2 %. */
#define PL_FEW_SPREAD 0.05
#define PL_FEW_AGREE 0.10 /* of the logarithm: two runs that differ by less say the same */
/* How much of its own error a model's one run takes away, and of that of another one of its
 * architecture. Formulas are off by about 15 % and repeats by 3 %: (0.03 / 0.15)^2 = 0.04 runs'
 * worth of the formula. What models of an architecture have in common is less: three runs' worth,
 * so that a single one takes a quarter. */
#define PL_FEW_OWN 0.04
#define PL_FEW_OTHERS 3.0

struct pl_correction {
    bool known;    /* false: too few runs, or they do not agree; the factor is then 1 */
    double factor; /* 1/2 .. 2: the corrected value is predicted * factor */
    double spread; /* of the logarithm of the ratios: 0.05 is about 5 % */
    uint32_t n;    /* ratios that count */
    uint32_t odd;  /* rejected: impossible, or far from the others */
    bool bounded;  /* the median lay outside 1/2 .. 2 */
    bool disagree; /* not known because the spread is above PL_SPREAD_MOST */
    bool few;      /* of too few runs to know their spread, which is assumed */
    double share;  /* few: of what they were off by, 0 .. 1 */
    bool wide;     /* few: of other models, of runs that disagree, or one cut at what its own
                      prediction thought possible: the interval holds the uncorrected one too */
};

/* A run's measured / predicted, and the ends of its interval as ratios to what was predicted. */
struct pl_ratio {
    double ratio, low, high;
    double spread; /* (most - least) / median over its repeats; 0 = not known */
};

/* The correction that n ratios speak for; `least` of them must count. The array is sorted and
 * rewritten. Ratios that are not finite or not positive are odd. */
void pl_correct(double *ratio, uint32_t n, uint32_t least, struct pl_correction *ret);

/* What one or two runs say, of which `prior` counts as many runs that were right (PL_FEW_OWN,
 * PL_FEW_OTHERS). One run alone, or two that disagree, correct no further than their own
 * predictions thought possible: an outlier stays inside the interval. Two that agree do. */
void pl_correct_few(const struct pl_ratio *v, uint32_t n, double prior, struct pl_correction *ret);

/* q and r corrected: the likely value times the factor; the interval as wide as the runs differ (a
 * prediction interval of their number), and never wider than it was, in relation to its value. Of
 * few runs it is as wide as assumed, or (wide) reaches over the uncorrected interval too. */
struct pl_quantity pl_corrected(struct pl_quantity q, const struct pl_correction *c);
struct pl_rate pl_corrected_rate(struct pl_rate r, const struct pl_correction *c);

/* The middle of n values (of an even number the mean of the two); 0 of none. Sorts them. */
double pl_middle(double *v, uint32_t n);
/* The smallest value that a share q of the n sorted values does not exceed (nearest rank). */
double pl_rank(const double *sorted, uint32_t n, double q);

/* Two-sided 95 % quantile of Student's t with so many degrees of freedom; 0 degrees: infinite. */
double pl_student(uint32_t degrees);

#endif
