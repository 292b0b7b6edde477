/* Two runs, or two sets of them, side by side: what differs beyond the noise. Plain arithmetic. */
#ifndef PL_DOMAIN_VERSUS_H
#define PL_DOMAIN_VERSUS_H

#include "domain/run.h"

#define PL_VERSUS_ROWS_MAX 64
/* What runs of the same differ by without a reason: memory of a process (heap, pages), and rates
 * whose repeats happened to agree; a rate without repeats has no noise of its own. */
#define PL_VERSUS_BYTES 0.01
#define PL_VERSUS_BYTES_LEAST (2u * 1024u * 1024u)
#define PL_VERSUS_RATE 0.03
#define PL_VERSUS_RATE_ALONE 0.10

enum pl_versus_is {
    PL_VERSUS_SAME = 0, /* inside the noise */
    PL_VERSUS_BETTER,   /* less memory, more tokens a second */
    PL_VERSUS_WORSE,
    PL_VERSUS_UNKNOWN, /* not measured in both, or measured while others computed */
};

struct pl_versus_row {
    char what[64]; /* "ram runtime", "decode" */
    bool rate;     /* tokens per second, else bytes */
    double a, b;   /* 0 = unknown */
    double noise;  /* share of a */
    enum pl_versus_is is;
    const char *why; /* of unknown, static; may be NULL */
};

struct pl_versus {
    struct pl_versus_row row[PL_VERSUS_ROWS_MAX];
    uint32_t n, better, worse;
    bool speed_unknown; /* a rate could not be compared */
};

/* b against a, by what was measured. Parts that neither run has are left out. */
void pl_versus_runs(const struct pl_run *a, const struct pl_run *b, struct pl_versus *ret);
/* b against a, by what was predicted: intervals that overlap are the same. */
void pl_versus_predicted(const struct pl_footprint *a, const struct pl_footprint *b,
                         struct pl_versus *ret);
/* Adds a rate with its noise. why: NULL, or why it cannot be compared. */
void pl_versus_rate(struct pl_versus *v, const char *what, double a, double b, double noise,
                    const char *why);

const char *pl_versus_name(enum pl_versus_is is); /* "same", "better", "worse", "unknown" */

/* Pairs measured one after the other: the ratio b / a with its 95 % confidence interval, by
 * Student's t over the logarithms. */
#define PL_PAIRS_LEAST 3
struct pl_paired {
    bool known; /* PL_PAIRS_LEAST pairs */
    uint32_t n;
    double ratio, low, high;
    int winner; /* 0: the interval holds 1, or is unknown; 1: a has the larger values; 2: b */
};
void pl_paired(const double *a, const double *b, uint32_t n, struct pl_paired *ret);

#endif
