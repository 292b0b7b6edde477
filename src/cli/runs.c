/* plimsoll runs: what the ledger remembers. */
#include "base/clock.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"
#include "report/quantity.h"
#include "report/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define PL_RUNS_LIMIT 20 /* a screen */

/* Where a walk over the runs writes: JSON, a table, or one run in full. */
struct pl_runs_out {
    struct pl_json *json;
    struct pl_table *table;
    struct pl_str *text;
    uint64_t n;
};

static void pl_runs_cell(struct pl_table *t, const char *text)
{
    char shown[PL_RUN_TEXT_MAX];
    (void)PL_FMT(shown, "%s", text[0] != '\0' ? text : "unknown");
    pl_text_clean(shown);
    pl_table_cell(t, "%s", shown);
}

static void pl_runs_row(struct pl_table *t, const struct pl_run *run)
{
    char when[PL_TIME_TEXT_MAX], size[PL_SIZE_TEXT_MAX], difference[PL_DIFFERENCE_TEXT_MAX];
    struct pl_quantity predicted = {0};
    for (uint32_t i = 0; i < run->predicted.n_pool; i++) {
        if (pl_streq(run->predicted.pool[i].pool, PL_RUN_MEASURED_POOL))
            predicted = run->predicted.pool[i].steady;
    }
    pl_table_row(t);
    pl_table_cell(t, "%" PRId64, run->id);
    pl_table_cell(t, "%.10s",
                  run->started_unix > 0 ? pl_utc_text(run->started_unix, when) : "unknown");
    pl_runs_cell(t, run->model);
    pl_runs_cell(t, run->quant);
    pl_runs_cell(t, run->engine_version);
    pl_table_cell(t, "%s", pl_known(predicted) ? pl_size_text(predicted.likely, size) : "unknown");
    pl_table_cell(t, "%s", pl_difference_text(predicted, run->measured_total, difference));
    if (run->timing.predicted_tokens_per_second > 0)
        pl_table_cell(t, "%.1f", run->timing.predicted_tokens_per_second);
    else
        pl_table_cell(t, "unknown");
    pl_table_cell(t, "%s%s%s%s", pl_run_status_name(run->status), run->ghost ? ", ghost" : "",
                  run->golden ? ", golden" : "",
                  run->beside.judged && run->beside.disturbed ? ", disturbed" : "");
}

static int pl_runs_each(void *ctx, const struct pl_run *run)
{
    struct pl_runs_out *o = ctx;
    o->n++;
    if (o->json != NULL)
        pl_json_run(o->json, NULL, run);
    else if (o->table != NULL)
        pl_runs_row(o->table, run);
    else
        pl_run_text(run, o->text, pl_colour_wanted(STDOUT_FILENO));
    return 0;
}

static int pl_runs_json(struct pl_cli *cli, struct pl_ledger *l, const struct pl_ledger_filter *f,
                        uint64_t *ret_n, struct pl_err *err)
{
    struct pl_json j;
    struct pl_runs_out o = {.json = &j};
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.runs/1");
    pl_json_str(&j, "ledger", pl_ledger_path(l)[0] != '\0' ? pl_ledger_path(l) : NULL);
    pl_json_array(&j, "runs");
    int status = pl_ledger_runs(l, f, pl_runs_each, &o, err);
    pl_json_end(&j);
    pl_json_end(&j);
    *ret_n = o.n;
    return status;
}

static int pl_runs_table(struct pl_cli *cli, struct pl_ledger *l, const struct pl_ledger_filter *f,
                         uint64_t *ret_n, struct pl_err *err)
{
    static const char *const titles[] = {
        ">run",       "date",       "model",     "quant",  "engine",
        ">predicted", "difference", ">tokens/s", "status", 0};
    struct pl_runs_out o = {.table = pl_table_new(titles)};
    if (o.table == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the table");
    int status = pl_ledger_runs(l, f, pl_runs_each, &o, err);
    *ret_n = o.n;
    if (status == 0 && o.n > 0)
        pl_table_print(o.table, &cli->out, pl_colour_wanted(STDOUT_FILENO));
    else if (status == 0 && f->model_part != NULL)
        pl_str_addf(&cli->out, "no runs of such a model in %s\n", pl_ledger_path(l));
    else if (status == 0)
        pl_str_addf(&cli->out, "no runs yet%s%s; 'plimsoll try MODEL' makes one\n",
                    pl_ledger_path(l)[0] != '\0' ? " in " : "", pl_ledger_path(l));
    (void)pl_table_free(o.table);
    return status;
}

static int pl_runs_one(struct pl_cli *cli, struct pl_ledger *l, const struct pl_ledger_filter *f,
                       uint64_t *ret_n, struct pl_err *err)
{
    struct pl_runs_out o = {.text = &cli->out};
    int status = pl_ledger_runs(l, f, pl_runs_each, &o, err);
    *ret_n = o.n;
    return status;
}

static int pl_runs_filter(const struct pl_cli *cli, struct pl_ledger_filter *f, struct pl_err *err)
{
    const struct pl_opt_value *limit = pl_cli_opt(cli, "limit");
    uint64_t id = 0;
    f->model_part = pl_cli_opt(cli, "model")->text;
    f->limit = limit->given ? limit->u : PL_RUNS_LIMIT;
    if (cli->n_arg == 0)
        return 0;
    if (!pl_parse_u64(cli->arg[0], &id) || id == 0 || id > INT64_MAX) {
        (void)pl_fail(err, -EINVAL, "'%.40s' is not the number of a run", cli->arg[0]);
        return pl_hint(err, "'plimsoll runs' lists them");
    }
    f->id = (int64_t)id;
    f->limit = 1;
    return 0;
}

/* A file that was named must be there; the default one need not be. */
static int pl_runs_open(const struct pl_cli *cli, struct pl_ledger **ret, struct pl_err *err)
{
    const char *path = pl_cli_opt(cli, "ledger")->text;
    int status = pl_ledger_open(path, PL_LEDGER_READ, ret, err);
    if (status < 0 || path == NULL || pl_ledger_exists(*ret) || access(path, F_OK) == 0)
        return status;
    *ret = pl_ledger_close(*ret);
    (void)pl_fail(err, -ENOENT, "cannot open the ledger: no such file");
    pl_err_at(err, path, 0, 0);
    return -ENOENT;
}

static int pl_runs_run(struct pl_cli *cli, struct pl_err *err)
{
    struct pl_ledger_filter filter = {0};
    struct pl_ledger *l = NULL;
    uint64_t n = 0;
    int status = pl_runs_filter(cli, &filter, err);
    if (status == 0)
        status = pl_runs_open(cli, &l, err);
    if (status < 0)
        return status;
    if (cli->json)
        status = pl_runs_json(cli, l, &filter, &n, err);
    else if (filter.id != 0)
        status = pl_runs_one(cli, l, &filter, &n, err);
    else
        status = pl_runs_table(cli, l, &filter, &n, err);
    if (status == 0 && filter.id != 0 && n == 0) {
        status = pl_fail(err, -ENOENT, "run %" PRId64 ": not in the ledger%s%s", filter.id,
                         filter.model_part != NULL ? " under such a model" : "",
                         pl_ledger_exists(l) ? "" : ", which has no runs yet");
        (void)pl_hint(err, "'plimsoll runs' lists them");
    }
    if (status < 0)
        pl_str_clear(&cli->out);
    (void)pl_ledger_close(l);
    return status;
}

static const struct pl_opt pl_runs_opts[] = {
    {"model",                                'm', PL_OPT_TEXT, "NAME", "only models with NAME in their name"},
    {"limit",                           'n', PL_OPT_NUMBER, "N", "list the newest N runs (default 20, 0 = all)"},
    {"ledger", '\0', PL_OPT_PATH, "FILE", "the ledger to read (default: $PLIMSOLL_LEDGER)"},
    {0                               },
};
static const char *const pl_runs_examples[] = {
    "plimsoll runs  # the newest runs",
    "plimsoll runs 12  # what was predicted and what was measured in run 12",
    "plimsoll runs --model qwen3 --json",
    0,
};

const struct pl_verb pl_verb_runs = {
    .name = "runs",
    .args = "[ID]",
    .summary = "what earlier runs needed, beside what was predicted",
    .details = "Without ID: the newest runs, one a line. With ID: that run in full. The difference "
               "is predicted minus measured, in percent of measured.",
    .examples = pl_runs_examples,
    .opts = pl_runs_opts,
    .args_max = 1,
    .run = pl_runs_run,
};
