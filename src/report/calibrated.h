/* What earlier runs teach, beside what the formulas say. */
#ifndef PL_REPORT_CALIBRATED_H
#define PL_REPORT_CALIBRATED_H

#include "base/json.h"
#include "domain/forecast.h"

/* One line per pool and speed that is corrected; with `why` the factor, its spread and the runs of
 * each figure, or why there is none. */
void pl_calibrated_text(const struct pl_forecast *f, bool why, bool colour, struct pl_str *out);

/* {"note", "corrections": [...], "pools": [{"pool", "steady", "peak"}], "speed": {...}} */
void pl_calibrated_json(const struct pl_forecast *f, struct pl_json *j, const char *key);

#endif
