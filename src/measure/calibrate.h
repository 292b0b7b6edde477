/* A forecast corrected by what the ledger learned. */
#ifndef PL_MEASURE_CALIBRATE_H
#define PL_MEASURE_CALIBRATE_H

#include "base/err.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"

/* Fills f->calibrated: of every part and speed that is an interval or an assumption, with runs of
 * the same engine version and backend only. What the formulas say stays in f; the verdict becomes
 * the worse of the two, and says so. A ledger that is missing, NULL, or cannot be read teaches
 * nothing. -ENOMEM only. */
int pl_forecast_calibrate(struct pl_forecast *f, struct pl_ledger *ledger, struct pl_err *err);

#endif
