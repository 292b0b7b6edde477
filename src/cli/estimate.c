/* plimsoll estimate MODEL [flags]: the footprint per pool, and whether it fits here. */
#include "base/json.h"
#include "base/table.h"
#include "cli/machine.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"
#include "measure/forecast.h"
#include "model/open.h"
#include "report/forecast.h"

#include <unistd.h>

/* Exit 0 fits (fragile too, unless --strict), 1 does not, 3 cannot tell */
static int pl_verdict_exit(enum pl_verdict verdict, bool strict)
{
    switch (verdict) {
    case PL_VERDICT_SAFE:
    case PL_VERDICT_CONSTRAINED:
        return PL_EXIT_YES;
    case PL_VERDICT_FRAGILE:
        return strict ? PL_EXIT_NO : PL_EXIT_YES;
    case PL_VERDICT_DOES_NOT_FIT:
        return PL_EXIT_NO;
    case PL_VERDICT_CANNOT_TELL:
        break;
    }
    return PL_EXIT_CANNOT_TELL;
}

static void pl_estimate_print(struct pl_cli *cli, const struct pl_forecast *f)
{
    if (!cli->json) {
        pl_report_forecast_text(f, pl_cli_opt(cli, "why")->given, pl_colour_wanted(STDOUT_FILENO),
                                &cli->out);
        return;
    }
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.estimate/1");
    pl_report_forecast_json(f, &j);
    pl_json_end(&j);
}

static int pl_estimate_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine machine;
    static struct pl_forecast forecast;
    struct pl_model *model = NULL;
    struct pl_ledger *ledger = NULL;
    int rc = pl_model_open(cli->arg[0], &model, err);
    if (rc == 0)
        rc = pl_cli_machine(pl_cli_opt(cli, "machine")->text, &machine, err);
    if (rc == 0) {
        /* What is remembered is a help, not a condition: an unreadable ledger is left out. */
        (void)pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &ledger, NULL);
        rc = pl_forecast_make(model, &cli->settings, &machine, NULL, ledger, &forecast, err);
    }
    if (rc == 0) {
        pl_estimate_print(cli, &forecast);
        rc = pl_verdict_exit(forecast.judgement.verdict, pl_cli_opt(cli, "strict")->given);
    }
    (void)pl_ledger_close(ledger);
    (void)pl_model_free(model);
    return rc;
}

static const struct pl_opt pl_estimate_opts[] = {
    {"machine",                                            'M', PL_OPT_PATH, "FILE", "plan for the machine of this file (assess --json)"},
    {"why",                                         0, PL_OPT_FLAG, NULL, "say for every figure how it was found"},
    {"strict", 0, PL_OPT_FLAG, NULL, "fragile counts as does not fit (exit 1)"},
    {"ledger",                                                0, PL_OPT_PATH, "FILE", "the ledger to cite runs from"},
    {0                                        },
};

static const char *const pl_estimate_examples[] = {
    "plimsoll estimate qwen3-8b:q4_k_m -c 8192",
    "plimsoll estimate ./model.gguf -c 32768 -np 4 -ctk q8_0 -ctv q8_0 --why",
    "plimsoll estimate llama-3.3-70b -c 16384 --machine server.json --json",
    0,
};

const struct pl_verb pl_verb_estimate = {
    .name = "estimate",
    .args = "MODEL [engine flags]",
    .summary = "the memory a model needs here, part by part, and whether it fits",
    .details =
        "MODEL is a GGUF file or a catalogue id such as qwen3-8b[:q4_k_m]. Only the header is\n"
        "read. Exit 0 when it fits, 1 when not, 3 when that cannot be told.",
    .examples = pl_estimate_examples,
    .opts = pl_estimate_opts,
    .engine_flags = true,
    .args_min = 1,
    .args_max = 1,
    .run = pl_estimate_run,
};
