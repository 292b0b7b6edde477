/* Inside plimsoll pull: one pull, from the plan to the test. */
#ifndef PL_CLI_PULL_H
#define PL_CLI_PULL_H

#include "cli/verb.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"
#include "model/download.h"
#include "model/pull.h"

#define PL_PULL_FITS_MAX 6 /* smaller quantisations that are named */
#define PL_PULL_RATES 32u  /* readings the rate is taken from */

/* A smaller quantisation of the same repository, and what it would be here. */
struct pl_pull_fit {
    char quant[PL_HUB_TAG_MAX];
    uint64_t bytes;
    enum pl_verdict verdict;
};

/* What the test of a finished model said. */
struct pl_pull_tested {
    bool done;
    const char *why_not;    /* it was not tested: why; static or NULL */
    char engine[128];       /* name and version */
    double load_s, seconds; /* of loading; of the whole test */
    double prefill, decode; /* tokens per second; 0 = not said */
    uint64_t measured;      /* bytes; 0 = not said */
    int status;             /* exit status of the trial */
    char said[200];         /* the line of its error */
};

struct pl_pulling {
    struct pl_cli *cli;
    const char *spec; /* as the user wrote it */
    struct pl_pull *p;
    struct pl_model *model;
    struct pl_machine machine;
    struct pl_forecast forecast;
    struct pl_ledger *ledger;
    bool has_forecast;
    struct pl_err no_forecast; /* why not */
    struct pl_pull_fit fit[PL_PULL_FITS_MAX];
    uint32_t n_fit;
    bool disk_known;
    uint64_t disk_free, disk_wanted, disk_margin;
    double load_s, test_s; /* expected; negative = not known */
    const volatile sig_atomic_t *stop;
    /* progress */
    uint64_t all_bytes, before; /* of all files that are fetched; of those that are through */
    uint64_t started_ns, shown_ns;
    struct {
        uint64_t ns, fetched;
    } rate[PL_PULL_RATES];
    uint32_t n_rate;
    const struct pl_pull_file *current;
    struct pl_download_result total;
    bool unverified; /* a file had no published hash */
    double seconds;  /* of the download */
    struct pl_pull_tested tested;
};

/* The verdict on this machine, the room on the disk, what it will take. Never refuses. */
int pl_pulling_plan(struct pl_pulling *t, struct pl_err *err);

/* 0, or why it is not begun: -ENOMEM (exit 1) it does not fit this machine, -ENOSPC (exit 1) nor
 * the disk. --force lets both through. */
int pl_pulling_admit(const struct pl_pulling *t, struct pl_err *err);

/* Loads what came: reads the header as the engine would, and runs the engine on it when there is
 * one. -EBADMSG when it is no model. */
int pl_pulling_test(struct pl_pulling *t, struct pl_err *err);

/* What is said, in text or as JSON lines. */
void pl_pulling_say_plan(struct pl_pulling *t, bool dry);
void pl_pulling_say_end(struct pl_pulling *t);
void pl_pulling_say(void *ctx, const char *what);                          /* of a download */
void pl_pulling_progress(void *ctx, const struct pl_download_progress *p); /* of a download */

#endif
