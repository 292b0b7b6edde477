/* A forecast as text and JSON (schema plimsoll.estimate/1). */
#ifndef PL_REPORT_FORECAST_H
#define PL_REPORT_FORECAST_H

#include "base/json.h"
#include "domain/forecast.h"

void pl_report_forecast_text(const struct pl_forecast *f, bool why, bool colour,
                             struct pl_str *out);

/* The members of the estimate object, written into the innermost open object of j. */
void pl_report_forecast_json(const struct pl_forecast *f, struct pl_json *j);

#endif
