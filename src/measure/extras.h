/* What is loaded beside the model: a draft model, adapters. Files of their own, named by flags. */
#ifndef PL_MEASURE_EXTRAS_H
#define PL_MEASURE_EXTRAS_H

#include "base/err.h"
#include "domain/forecast.h"
#include "engine/llamacpp/footprint.h"

/* Adds them to f's footprint, pool by pool: PL_PART_DRAFT is all of a draft model (weights, caches,
 * compute, output), PL_PART_EXTRA the adapters, PL_PART_PROJECTOR the projector of images or sound.
 * f->settings and f->resolved are filled. Errors as pl_model_open and pl_llamacpp_footprint, naming
 * the file. */
int pl_forecast_extras(struct pl_forecast *f, const struct pl_llamacpp_host *host,
                       struct pl_err *err);

/* What the engine's fitting leaves free on the devices for the projector (pl_used_device.reserved):
 * asked before the footprint. */
int pl_extra_reserved(const struct pl_settings *s, struct pl_used_devices *devices,
                      struct pl_err *err);

/* A reason in the judgement where the model sees and nothing says with which projector. */
void pl_forecast_no_projector(struct pl_forecast *f);

#endif
