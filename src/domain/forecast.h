/* A forecast: everything Plimsoll says of one model, settings and machine before anything runs.
 * Plain values; src/measure/forecast.h fills it. */
#ifndef PL_DOMAIN_FORECAST_H
#define PL_DOMAIN_FORECAST_H

#include "domain/claim.h"
#include "domain/footprint.h"
#include "domain/machine.h"
#include "domain/model.h"
#include "domain/run.h"
#include "domain/setting_table.h"
#include "domain/settings.h"
#include "domain/speed.h"

struct pl_forecast {
    const struct pl_model *model;     /* borrowed */
    const struct pl_machine *machine; /* borrowed */
    char name[PL_RUN_TEXT_MAX], quant[32];
    const char *engine; /* static: "llama.cpp" */
    /* Of llama.cpp; unused for other engines, which have `values` and `claim`. */
    struct pl_settings settings;
    struct pl_resolved resolved;
    struct pl_setting_values values; /* another engine's flags, with what was left open decided */
    struct pl_claim claim;           /* another engine's; its footprint is copied below */
    char flags[PL_RUN_TEXT_MAX];     /* the settings as flags */
    char engine_version[64];         /* "" = not known; the formulas are those of `formulas` */
    const char *formulas;            /* the engine version they were proved against */
    struct pl_footprint footprint;
    struct pl_judgement judgement;
    struct pl_rate prefill, decode; /* tokens per second of one slot: of speed */
    struct pl_speed speed;
    const char *cited_as; /* how near the cited run is; NULL = none is remembered */
    struct pl_run cited;
};

#endif
