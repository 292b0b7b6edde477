/* Ways to answer faster without another machine: what each asks for, whether this model has it, and
 * what the formulas make of it. Measured rates are shown apart, never mixed in. */
#ifndef PL_MEASURE_ACCELERATE_H
#define PL_MEASURE_ACCELERATE_H

#include "base/err.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"

enum pl_acceleration_kind {
    PL_ACCELERATE_DRAFT = 0, /* a small model drafts */
    PL_ACCELERATE_OWN,       /* the model's own layers draft */
    PL_ACCELERATE_LOOKUP,    /* n-grams of the text draft */
    PL_ACCELERATE_EXPERTS,   /* fewer experts a token */
    PL_ACCELERATIONS,
};

struct pl_acceleration {
    const char *name;
    bool offered;
    char why[200];            /* what it asks for, and how the model stands to it */
    char flags[128];          /* of the engine; "" when not offered */
    struct pl_rate projected; /* decode, tokens per second */
    double measured;          /* by the newest valid run with these flags here; 0 = none */
    int64_t run;
};

/* All of them for f, which was made by pl_forecast_make. ledger may be NULL. */
int pl_accelerate(const struct pl_forecast *f, struct pl_ledger *ledger,
                  struct pl_acceleration ret[PL_ACCELERATIONS], struct pl_err *err);

#endif
