/* The trials of a list: which there are, how each stands, how long the rest will take. */
#ifndef PL_CLI_TRY_JOBS_H
#define PL_CLI_TRY_JOBS_H

#include "cli/combos.h"
#include "cli/try.h"
#include "cli/try_done.h"
#include "report/results.h"

#define PL_JOBS_TEXT_MAX 128
#define PL_JOBS_LEFT_MAX 48

enum pl_job_state {
    PL_JOB_TODO = 0,
    PL_JOB_RAN,
    PL_JOB_FAILED,
    PL_JOB_REFUSED, /* not started */
    PL_JOB_STATES,
};

struct pl_job {
    uint32_t spec, combo;
    enum pl_job_state state;
    double seconds;               /* expected; 0 = unknown */
    char key[PL_SHA256_TEXT_MAX]; /* which combination, on which engine and machine */
    char text[PL_JOBS_TEXT_MAX];  /* "-c 2048 -ctk q8_0": what the list varies */
};

struct pl_jobs {
    struct pl_try t;
    struct pl_combos combos;
    const char *spec[PL_COMBOS_MAX]; /* borrowed: argv, or catalogue ids */
    uint32_t n_spec;
    uint32_t unfit;          /* catalogue models that --all-that-fit left out */
    struct pl_settings base; /* what the axes leave alone */
    struct pl_combos_request request;
    struct pl_job *job;
    struct pl_results results; /* one for each job */
    uint32_t n;
    double spent, foreseen; /* seconds of the trials that ran, and what was expected of them */
    struct pl_done done;
};

/* Finds engine, machine and models, and fills job[] with a first forecast of each. */
int pl_jobs_make(struct pl_jobs *l, struct pl_err *err);
void pl_jobs_done(struct pl_jobs *l);

/* What makes it the same list the next time. Returns out. */
const char *pl_jobs_id(const struct pl_jobs *l, char out[PL_SHA256_TEXT_MAX]);
/* Takes the result of a job that is done from the ledger: 1, 0 when it is not done, or negative. */
int pl_jobs_recall(struct pl_jobs *l, uint32_t i, struct pl_err *err);

/* Available memory as it is now. */
void pl_jobs_look_again(struct pl_jobs *l);
/* Model, settings and forecast of a job, admitted; as pl_try_admit. */
int pl_jobs_ready(struct pl_jobs *l, uint32_t i, struct pl_err *err);
/* It was not started, for that reason. */
void pl_jobs_refused(struct pl_jobs *l, uint32_t i, const struct pl_err *why);
/* It ran; why is NULL when it ended well. */
void pl_jobs_ended(struct pl_jobs *l, uint32_t i, const struct pl_err *why, uint64_t ns);
/* The results of all that is not PL_JOB_TODO, moved to the front of l->results. */
void pl_jobs_finished(struct pl_jobs *l, struct pl_results *ret);
/* "about 3 min left", or "" when that is not known. */
void pl_jobs_left(const struct pl_jobs *l, char out[PL_JOBS_LEFT_MAX]);

#endif
