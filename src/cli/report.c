/* plimsoll report: the ledger's runs as a table, a page with plots, a file for other programs. */
#include "cli/results_out.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#define PL_REPORT_LIMIT 500 /* runs, newest first: what a page can show */

struct pl_report {
    struct pl_results results;
    struct pl_err *err;
};

static int pl_report_each(void *ctx, const struct pl_run *run)
{
    struct pl_report *r = ctx;
    return pl_results_add(&r->results, run, r->err) != NULL ? 0 : -ENOMEM;
}

/* A ledger that was named must be there; the default one need not be. */
static int pl_report_open(const struct pl_cli *cli, struct pl_ledger **ret, struct pl_err *err)
{
    const char *path = pl_cli_opt(cli, "ledger")->text;
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
    if (f->limit > 0 && f->limit <= PL_RESULTS_MAX)
        return 0;
    (void)pl_fail(err, -EINVAL, "--limit: 1 to %d runs", PL_RESULTS_MAX);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_report_run(struct pl_cli *cli, struct pl_err *err)
{
    struct pl_report r = {.err = err};
    struct pl_ledger_filter filter;
    struct pl_ledger *l = NULL;
    char about[256];
    int rc = pl_report_filter(cli, &filter, err);
    if (rc == 0)
        rc = pl_results_check(cli, err);
    if (rc == 0)
        rc = pl_report_open(cli, &l, err);
    if (rc == 0)
        rc = pl_ledger_runs(l, &filter, pl_report_each, &r, err);
    if (rc == 0) {
        (void)PL_FMT(about, "%u run%s of the ledger, the newest first%s.", r.results.n,
                     r.results.n == 1 ? "" : "s",
                     r.results.n == filter.limit ? ", as far as asked for" : "");
        rc = pl_results_write(cli, &r.results, "plimsoll.report/1",
                              "Plimsoll: predicted and measured", about, err);
        if (rc == 0 && r.results.n == 0 && !cli->json && !pl_results_piped(cli))
            pl_str_add(&cli->out, "no such runs; 'plimsoll try MODEL' makes one\n");
    }
    pl_results_done(&r.results);
    (void)pl_ledger_close(l);
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
    {"limit",                                 'n', PL_OPT_NUMBER, "N", "the newest N runs (default 500)"},
    {"ledger",                           '\0', PL_OPT_PATH, "FILE", "the ledger to read (default: $PLIMSOLL_LEDGER)"},
    {0             },
};
static const char *const pl_report_examples[] = {
    "plimsoll report --html runs.html  # plots of all that was ever measured here",
    "plimsoll report --model qwen3 --csv -",
    "plimsoll report --markdown --limit 20",
    0,
};

const struct pl_verb pl_verb_report = {
    .name = "report",
    .args = "[--html FILE] [--csv FILE]",
    .summary = "earlier runs as a table, a page with plots, comma-separated values",
    .details =
        "The page holds memory and speed against context with the predicted interval as a\n"
        "band, predicted against measured, and the table; it needs no script and no network.",
    .examples = pl_report_examples,
    .opts = pl_report_opts,
    .args_max = 0,
    .run = pl_report_run,
};
