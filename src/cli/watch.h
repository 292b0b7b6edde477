/* The regression watch of `plimsoll try`: a run beside the golden one of the same. */
#ifndef PL_CLI_WATCH_H
#define PL_CLI_WATCH_H

#include "base/json.h"
#include "domain/versus.h"
#include "ledger/ledger.h"

struct pl_golden_watch {
    bool found;
    struct pl_run golden;
    struct pl_versus versus;
    char changed[160]; /* "engine b1 -> b2, driver nvidia 1 -> nvidia 2"; "" = nothing */
};

/* Looks for the golden run of run's machine, engine, model, quantisation and flags. ledger may be
 * NULL. */
int pl_golden_look(struct pl_ledger *ledger, const struct pl_run *run, struct pl_golden_watch *ret,
                   struct pl_err *err);
void pl_golden_text(const struct pl_golden_watch *w, bool colour, struct pl_str *out);
void pl_golden_json(const struct pl_golden_watch *w, struct pl_json *j, const char *key);
/* 1 when something became worse, 3 when that cannot be told (no golden run, or speeds that are not
 * valid), else 0. */
int pl_golden_exit(const struct pl_golden_watch *w);

#endif
