/* A forecast: everything Plimsoll says of one model, settings and machine before anything runs.
 * Plain values; src/measure/forecast.h fills it. */
#ifndef PL_DOMAIN_FORECAST_H
#define PL_DOMAIN_FORECAST_H

#include "domain/calibrate.h"
#include "domain/claim.h"
#include "domain/footprint.h"
#include "domain/machine.h"
#include "domain/model.h"
#include "domain/run.h"
#include "domain/setting_table.h"
#include "domain/settings.h"
#include "domain/speed.h"

#define PL_CALIBRATED_MAX 32
#define PL_CALIBRATED_TEXT_MAX 200

/* One figure and the correction that earlier runs teach for it. */
struct pl_calibrated_row {
    char pool[PL_POOL_NAME_MAX]; /* "" of a speed */
    const char *what;            /* "runtime", "steady", "decode"; static */
    struct pl_correction correction;
    char from[PL_CALIBRATED_TEXT_MAX]; /* "runs 12, 9, 7 of qwen3" */
};

/* A forecast with what earlier runs of the same engine version teach; beside the formulas' figures,
 * which stay what they are. */
struct pl_calibrated {
    char note[PL_CALIBRATED_TEXT_MAX]; /* why there is no correction; "" = there is one, or nobody
                                          asked */
    struct pl_calibrated_row row[PL_CALIBRATED_MAX];
    uint32_t n;
    struct pl_footprint footprint;
    struct pl_rate prefill, decode;
};

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
    char
        few_experts[PL_REASON_TEXT_MAX]; /* fewer a token are asked for than are recorded as safe */
    struct pl_calibrated calibrated;     /* empty unless pl_forecast_calibrate was asked */
    const char *cited_as;                /* how near the cited run is; NULL = none is remembered */
    struct pl_run cited;
};

#endif
