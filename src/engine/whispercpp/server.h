/* A whisper-server of our own: started on loopback, asked to hear a second of noise, stopped. One
 * struct pl_hearing is one process; every call from the thread that started it. */
#ifndef PL_ENGINE_WHISPERCPP_SERVER_H
#define PL_ENGINE_WHISPERCPP_SERVER_H

#include "base/err.h"
#include "domain/setting_table.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct pl_hearing;

struct pl_hearing_options {
    const char *const *words;    /* that start whisper-server, before its own flags; NULL-ended */
    const char *const *env;      /* as of struct pl_spawn */
    const char *const *env_drop; /* likewise */
    const char *model;           /* the file */
    const struct pl_setting_values *values; /* the flags that were given */
    const char *log_path;                   /* copy of all it says; NULL = none */
};

/* Starts it on 127.0.0.1 and a free port. End with pl_hearing_free. Errors as pl_spawn; -E2BIG. */
int pl_hearing_start(const struct pl_hearing_options *o, struct pl_hearing **ret,
                     struct pl_err *err);

/* Until it answers. -ETIMEDOUT, -EINTR when *stop (may be NULL) was set; when it ends first -ENOMEM
 * (exit 1), -EBADMSG (exit 2) or -ECHILD (exit 4), with its own last line. */
int pl_hearing_wait_ready(struct pl_hearing *h, uint64_t timeout_ns,
                          const volatile sig_atomic_t *stop, struct pl_err *err);

/* A second of noise, another for each request, and how long the words to it took. -EPROTO when the
 * answer holds no text; -EINTR, -ECONNRESET, -ECHILD. */
int pl_hearing_ask(struct pl_hearing *h, uint64_t request, const volatile sig_atomic_t *stop,
                   double *ret_seconds, struct pl_err *err);

pid_t pl_hearing_pid(const struct pl_hearing *h); /* 0 once it has ended */

/* What it says of its weights ("model size"), bytes as it rounds them; false when it did not. */
bool pl_hearing_weights(struct pl_hearing *h, uint64_t *ret_low, uint64_t *ret_high);

/* Stops what still runs and frees. Accepts and returns NULL. */
struct pl_hearing *pl_hearing_free(struct pl_hearing *h);

#endif
