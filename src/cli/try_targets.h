/* What a model is wanted to reach on this machine, beside what a run reached. */
#ifndef PL_CLI_TRY_TARGETS_H
#define PL_CLI_TRY_TARGETS_H

#include "base/json.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"

enum pl_target_of_try {
    PL_WANT_DECODE = 0, /* tokens per second, at least */
    PL_WANT_PREFILL,
    PL_WANT_FIRST_TOKEN, /* seconds, at most */
    PL_WANT_LOAD,
    PL_WANT_MEMORY, /* bytes of host memory, at most */
    PL_WANTS,
};

struct pl_target {
    double want, predicted, measured; /* 0 = none, unknown */
    bool valid;                       /* measured, and not while others computed */
    bool met;                         /* when valid */
};

struct pl_targets {
    struct pl_target one[PL_WANTS];
};

/* "decode=90,first_token=400ms,load=20s,memory=4GiB". -EINVAL (exit 2). */
int pl_targets_read(const char *text, struct pl_targets *ret, struct pl_err *err);

/* Those of `given` replace what the ledger keeps for this machine, model and quantisation; the rest
 * is taken from it. An error is the ledger's. */
int pl_targets_keep(struct pl_ledger *ledger, const struct pl_forecast *f, struct pl_targets *given,
                    struct pl_err *err);

/* Fills predicted, measured, valid and met. */
void pl_targets_look(const struct pl_forecast *f, const struct pl_run *run, struct pl_targets *t);

/* True when one that could be judged is missed. */
bool pl_targets_missed(const struct pl_targets *t);

/* Nothing where no target is set; "targets": [...], empty then. */
void pl_targets_text(const struct pl_targets *t, bool colour, struct pl_str *out);
void pl_targets_json(const struct pl_targets *t, struct pl_json *j, const char *key);

#endif
