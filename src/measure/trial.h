/* A trial: the real engine on the real geometry, predicted beside measured, remembered. */
#ifndef PL_MEASURE_TRIAL_H
#define PL_MEASURE_TRIAL_H

#include "base/err.h"
#include "domain/forecast.h"
#include "engine/engine.h"
#include "engine/llamacpp/devices.h"
#include "ledger/ledger.h"

#include <signal.h>

struct pl_trial_options {
    const struct pl_install *engine;
    const struct pl_used_devices *devices; /* that it sees; NULL = none */
    const struct pl_model *loaded; /* the file to load, as read: the model itself, or its ghost */
    const char *fill;              /* weights of a ghost, "zero" or "random"; NULL = not known */
    uint64_t prompt_tokens, predict_tokens; /* of every timed request */
    uint32_t warmups, repeats;
    uint64_t ready_timeout_ns;
    const char *log_path;                          /* NULL = none */
    const volatile sig_atomic_t *stop;             /* set by a signal handler; may be NULL */
    void (*progress)(void *ctx, const char *what); /* may be NULL */
    void *ctx;
};

/* Runs the engine on the forecast's settings and fills ret: predicted, measured, speed. The engine
 * is gone when this returns, whatever happened. On failure ret->status and ret->error tell it, and
 * what had been measured by then is in ret. Errors as pl_server_*; -EINTR when stopped. */
int pl_trial_run(const struct pl_forecast *f, const struct pl_trial_options *o, struct pl_run *ret,
                 struct pl_err *err);

#endif
