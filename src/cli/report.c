/* plimsoll report: the ledger's runs as a table, a page with plots, a file for other programs. */
#include "cli/results_out.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"
#include "ledger/observe.h"
#include "measure/accuracy.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#define PL_REPORT_LIMIT 500 /* runs, newest first: what a page can show */

#define PL_REPORT_LEDGERS_MAX 16

struct pl_report {
    struct pl_results results;
    const struct pl_observations *seen; /* of the ledger that is read now */
    struct pl_err *err;
};

static int pl_report_each(void *ctx, const struct pl_run *run)
{
    struct pl_report *r = ctx;
    struct pl_result *one = pl_results_add(&r->results, run, r->err);
    if (one == NULL)
        return -ENOMEM;
    int rc = pl_accuracy_calibrated(r->seen, run->id, PL_TARGET_STEADY, &one->host_calibrated);
    if (rc == 0)
        rc = pl_accuracy_calibrated(r->seen, run->id, PL_TARGET_DECODE, &one->decode_calibrated);
    return rc < 0 ? pl_fail(r->err, rc, "no memory for what the runs teach") : 0;
}

/* A ledger that was named must be there; the default one need not be. */
static int pl_report_open(const char *path, struct pl_ledger **ret, struct pl_err *err)
{
    int rc = pl_ledger_open(path, PL_LEDGER_READ, ret, err);
    if (rc < 0 || path == NULL || pl_ledger_exists(*ret) || access(path, F_OK) == 0)
        return rc;
    *ret = pl_ledger_close(*ret);
    (void)pl_fail(err, -ENOENT, "cannot open the ledger: no such file");
    pl_err_at(err, path, 0, 0);
    return -ENOENT;
}

static int pl_report_filter(const struct pl_cli *cli, struct pl_ledger_filter *f,
                            struct pl_err *err)
{
    const struct pl_opt_value *limit = pl_cli_opt(cli, "limit");
    *f = (struct pl_ledger_filter){
        .model_part = pl_cli_opt(cli, "model")->text,
        .arch = pl_cli_opt(cli, "arch")->text,
        .engine_version = pl_cli_opt(cli, "engine-version")->text,
        .machine_id = pl_cli_opt(cli, "machine-id")->text,
        .ok_only = pl_cli_opt(cli, "ok")->given,
        .limit = limit->given ? limit->u : PL_REPORT_LIMIT,
    };
    if (cli->n_arg > 0 && pl_cli_opt(cli, "ledger")->given)
        (void)pl_fail(err, -EINVAL, "report: ledgers as arguments, or --ledger: one of the two");
    else if (f->limit == 0 || f->limit > PL_RESULTS_MAX)
        (void)pl_fail(err, -EINVAL, "--limit: 1 to %d runs", PL_RESULTS_MAX);
    else
        return 0;
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* The runs of one ledger, each beside what the others of it teach. */
static int pl_report_ledger(struct pl_report *r, const char *path,
                            const struct pl_ledger_filter *filter)
{
    struct pl_observations *o = NULL;
    struct pl_ledger *l = NULL;
    int rc = pl_report_open(path, &l, r->err);
    if (rc == 0)
        rc = pl_observe(l, NULL, 0, &o, r->err);
    r->seen = o;
    if (rc == 0)
        rc = pl_ledger_runs(l, filter, pl_report_each, r, r->err);
    (void)pl_observations_free(o);
    (void)pl_ledger_close(l);
    return rc;
}

static void pl_report_about(const struct pl_report *r, uint32_t ledgers, bool cut, char *out,
                            size_t size)
{
    char of[48] = "the ledger";
    if (ledgers > 1)
        (void)PL_FMT(of, "%u ledgers", ledgers);
    (void)pl_fmt(out, size, "%u run%s of %s, the newest first%s.", r->results.n,
                 r->results.n == 1 ? "" : "s", of, cut ? ", as far as asked for" : "");
}

static int pl_report_run(struct pl_cli *cli, struct pl_err *err)
{
    struct pl_report r = {.err = err};
    struct pl_ledger_filter filter;
    char about[256];
    bool cut = false;
    int rc = pl_report_filter(cli, &filter, err);
    if (rc == 0)
        rc = pl_results_check(cli, err);
    uint32_t ledgers = cli->n_arg > 0 ? cli->n_arg : 1;
    for (uint32_t i = 0; rc == 0 && i < ledgers; i++) {
        uint32_t had = r.results.n;
        rc = pl_report_ledger(&r, cli->n_arg > 0 ? cli->arg[i] : pl_cli_opt(cli, "ledger")->text,
                              &filter);
        cut = cut || r.results.n - had == filter.limit;
    }
    if (rc == 0) {
        pl_report_about(&r, ledgers, cut, about, sizeof(about));
        rc = pl_results_write(cli, &r.results, "plimsoll.report/1",
                              "Plimsoll: predicted and measured", about, err);
        if (rc == 0 && r.results.n == 0 && !cli->json && !pl_results_piped(cli))
            pl_str_add(&cli->out, "no such runs; 'plimsoll try MODEL' makes one\n");
    }
    pl_results_done(&r.results);
    return rc;
}

static const struct pl_opt pl_report_opts[] = {
    {"markdown",                             '\0', PL_OPT_FLAG, NULL, "a table in Markdown"},
    PL_CLI_RESULTS_OPTS,
    {"model",                           'm', PL_OPT_TEXT, "NAME", "only models with NAME in their name"},
    {"arch",                 '\0', PL_OPT_TEXT, "NAME", "only this architecture"},
    {"engine-version",                                '\0', PL_OPT_TEXT, "TEXT", "only this version of the engine"},
    {"machine-id",                           '\0', PL_OPT_TEXT, "ID", "only runs on this machine"},
    {"ok", '\0', PL_OPT_FLAG, NULL, "only runs that ended well"},
    {"limit",                                 'n', PL_OPT_NUMBER, "N", "the newest N runs of each ledger (default 500)"},
    {"ledger",                           '\0', PL_OPT_PATH, "FILE", "the ledger to read (default: $PLIMSOLL_LEDGER)"},
    {0             },
};
static const char *const pl_report_examples[] = {
    "plimsoll report --html runs.html  # plots of all that was ever measured here",
    "plimsoll report --model qwen3 --csv -",
    "plimsoll report --markdown --limit 20",
    "plimsoll report laptop.db server.db --html fleet.html  # ledgers of several machines",
    0,
};

const struct pl_verb pl_verb_report = {
    .name = "report",
    .args = "[LEDGER...]",
    .summary = "earlier runs as a table, a page with plots, comma-separated values",
    .details =
        "The page holds memory and speed against context with the predicted interval as a\n"
        "band, predicted against measured, and the table; it needs no script and no network.\n"
        "Of several machines (ledgers copied together, or runs in one) it sums up each, and shows "
        "the\n"
        "same model on each. Beside the predictions stand the calibrated ones: what the other "
        "runs\n"
        "teach, never the run itself.",
    .examples = pl_report_examples,
    .opts = pl_report_opts,
    .args_max = PL_REPORT_LEDGERS_MAX,
    .run = pl_report_run,
};
