/* Makes a forecast from a model, settings, a machine and what the ledger remembers. */
#ifndef PL_MEASURE_FORECAST_H
#define PL_MEASURE_FORECAST_H

#include "base/err.h"
#include "domain/forecast.h"
#include "engine/engine.h"
#include "engine/llamacpp/devices.h"
#include "engine/llamacpp/terms.h"
#include "ledger/ledger.h"

/* Fills ret. engine_version NULL: the one the ledger last saw on this machine, else unknown.
 * devices: those the engine was seen to see; NULL: the machine's own. ledger may be NULL; one that
 * cannot be asked is not an error. The cited run's texts live as long as the ledger handle. Errors
 * as pl_llamacpp_footprint. */
int pl_forecast_make(const struct pl_model *model, const struct pl_settings *settings,
                     const struct pl_machine *machine, const struct pl_used_devices *devices,
                     const char *engine_version, struct pl_ledger *ledger, struct pl_forecast *ret,
                     struct pl_err *err);

/* The speeds of f for what will be measured: a prompt of so many tokens, answers at that depth.
 * Decoding with drafts becomes unknown, since what is measured then hangs on the text. f and
 * devices as above. */
int pl_forecast_paced(struct pl_forecast *f, const struct pl_used_devices *devices,
                      struct pl_ledger *ledger, uint64_t prompt, uint64_t depth,
                      struct pl_err *err);

/* The same for an engine that is not llama.cpp, by its own flags. Errors as its footprint. */
int pl_forecast_engine(const struct pl_engine *engine, const struct pl_model *model,
                       const struct pl_setting_values *values, const struct pl_machine *machine,
                       struct pl_forecast *ret, struct pl_err *err);

/* How its parts come about; f as made above. */
int pl_forecast_terms(const struct pl_forecast *f, struct pl_terms *ret, struct pl_err *err);

#endif
