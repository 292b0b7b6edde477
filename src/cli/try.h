/* plimsoll try: one model with one set of flags on the real engine, step by step. */
#ifndef PL_CLI_TRY_H
#define PL_CLI_TRY_H

#include "cli/try_targets.h"
#include "cli/verb.h"
#include "cli/watch.h"
#include "domain/forecast.h"
#include "engine/engine.h"
#include "engine/llamacpp/devices.h"
#include "ledger/ledger.h"

#include <signal.h>

#define PL_TRY_ARGS_MAX 64
#define PL_TRY_BEFORE_MAX 64

struct pl_try {
    struct pl_cli *cli;
    struct pl_install engine;
    struct pl_machine machine;
    struct pl_used_devices devices; /* that the engine sees */
    struct pl_forecast forecast;
    struct pl_run run;
    struct pl_ledger *ledger;
    struct pl_golden_watch watch;
    struct pl_targets targets;
    struct pl_model *model;  /* as asked for */
    struct pl_model *loaded; /* what the engine loads: model itself, or its ghost */
    const char *spec;        /* borrowed argv, or a catalogue id */
    const volatile sig_atomic_t *stop;
    uint64_t prompt, predict, repeats, warmups;
    bool listed;                    /* one of many: nothing is printed of it alone */
    char before[PL_TRY_BEFORE_MAX]; /* of a progress line: "[2 of 8, 3 min left] " */
};

/* What was left open of cli->settings and of the requests, as `try` has it. */
void pl_try_settings(struct pl_try *t);
/* -EINVAL (exit 2) for options that do not go together. */
int pl_try_check(struct pl_try *t, struct pl_err *err);
/* Finds the engine, opens the ledger, assesses the machine and the devices. */
int pl_try_surroundings(struct pl_try *t, struct pl_err *err);
/* Forecast of t->model with cli->settings; -ENOMEM (exit 1 or 3) for what is not to be started. */
int pl_try_admit(struct pl_try *t, struct pl_err *err);
/* What the engine loads: the model, or its ghost, which is written first where it is missing. */
int pl_try_ghost(struct pl_try *t, struct pl_err *err);
/* Runs it, fills t->run and stores it in the ledger, failures too, unless it was stopped. */
int pl_try_measure(struct pl_try *t, struct pl_err *err);
/* All of it for a model of whisper.cpp: say tells what is done, fill is of a ghost's weights. */
int pl_try_hear(struct pl_try *t, void (*say)(void *ctx, const char *what), uint64_t timeout_ns,
                const char *fill, struct pl_err *err);
/* Frees the model and what was loaded of it. */
void pl_try_forget(struct pl_try *t);

#endif
