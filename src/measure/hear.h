/* A trial of a speech model: whisper-server on the real geometry hears a second of noise, predicted
 * beside measured, remembered. */
#ifndef PL_MEASURE_HEAR_H
#define PL_MEASURE_HEAR_H

#include "base/err.h"
#include "domain/forecast.h"
#include "engine/engine.h"

#include <signal.h>

struct pl_hear_options {
    const struct pl_install *engine; /* of pl_hear_find */
    const struct pl_model *loaded;   /* the file to load: the model itself, or its ghost */
    const char *fill;                /* weights of a ghost; NULL = not known */
    uint32_t warmups, repeats;
    uint64_t ready_timeout_ns;
    const char *log_path;                          /* NULL = none */
    const volatile sig_atomic_t *stop;             /* may be NULL */
    void (*progress)(void *ctx, const char *what); /* may be NULL */
    void *ctx;
};

/* Finds whisper-server: beside the llama-server that pl_llamacpp_find finds by the hint, else on
 * PATH. ret->server is it. -ENOENT (exit 4). */
int pl_hear_find(const char *hint, struct pl_install *ret, struct pl_err *err);

/* As pl_trial_run. The time to the words of a second is in *ret_seconds (median; 0 = not measured):
 * a run has no field for it. */
int pl_hear_run(const struct pl_forecast *f, const struct pl_hear_options *o, struct pl_run *ret,
                double *ret_seconds, struct pl_err *err);

#endif
