/* What a run is, before anything is measured: the machine, the model and what was predicted. */
#ifndef PL_MEASURE_DESCRIBE_H
#define PL_MEASURE_DESCRIBE_H

#include "domain/forecast.h"
#include "domain/run.h"

/* Starts *r anew, as failed until it is said otherwise. loaded is what the engine loads (a ghost,
 * or the model itself); fill is what a ghost made for it holds, or NULL: a ghost that was named as
 * a file says that itself. */
void pl_run_describe(const struct pl_forecast *f, const char *engine, const char *backend,
                     const struct pl_model *loaded, const char *fill, struct pl_run *r);

#endif
