#include "cli/doctor_bundle.h"

#include "base/json.h"
#include "cli/capture.h"
#include "ledger/ledger.h"
#include "report/run.h"

#include <stdio.h>

#define PL_BUNDLE_RUNS 10
#define PL_BUNDLE_RUNS_MAX 1000
#define PL_BUNDLE_TEXT_MAX (16u * 1024 * 1024)

static int pl_bundle_each(void *ctx, const struct pl_run *run)
{
    pl_json_run(ctx, NULL, run);
    return 0;
}

/* The last runs; a ledger that cannot be read is told in their place. */
static void pl_bundle_runs(uint64_t n, struct pl_str *out)
{
    struct pl_json j;
    struct pl_ledger *ledger = NULL;
    struct pl_err err = {0};
    const struct pl_ledger_filter last = {.limit = n < PL_BUNDLE_RUNS_MAX ? n : PL_BUNDLE_RUNS_MAX};
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.runs/1");
    pl_json_null(&j, "ledger");
    pl_json_array(&j, "runs");
    int rc = n > 0 ? pl_ledger_open(NULL, PL_LEDGER_READ, &ledger, &err) : 0;
    if (rc == 0 && n > 0)
        rc = pl_ledger_runs(ledger, &last, pl_bundle_each, &j, &err);
    ledger = pl_ledger_close(ledger);
    pl_json_end(&j);
    if (rc < 0)
        pl_json_str(&j, "error", err.what);
    pl_json_end(&j);
    pl_str_add(out, "\n");
}

int pl_doctor_bundle(struct pl_cli *cli, struct pl_tape *tape, const struct pl_machine *m,
                     struct pl_err *err)
{
    const struct pl_opt_value *runs = pl_cli_opt(cli, "runs");
    struct pl_str list, told;
    pl_str_init(&list, PL_BUNDLE_TEXT_MAX);
    pl_str_init(&told, 4096);
    pl_bundle_runs(runs->given ? runs->u : PL_BUNDLE_RUNS, &list);
    const struct pl_capture_extra extra[] = {
        {cli->json ? "plimsoll/doctor.json" : "plimsoll/doctor.txt", pl_str_get(&cli->out)      },
        {"plimsoll/runs.json",                                       pl_str_get(&list)          },
        {"plimsoll/version",                                         "plimsoll " PL_VERSION "\n"},
        {NULL,                                                       NULL                       },
    };
    const struct pl_capture_order order = {
        .file = pl_cli_opt(cli, "bundle")->text,
        .redact = !pl_cli_opt(cli, "no-redact")->given,
        .force = pl_cli_opt(cli, "force")->given,
        .tape = tape,
        .machine = m,
        .extra = extra,
    };
    int rc = pl_capture_save(&order, &told, err);
    if (rc == 0)
        (void)fprintf(
            stderr,
            "%sit holds what was read of this machine (proc, sys, etc, dev), the findings above, "
            "the versions of plimsoll and the engine, and the last runs; look at it with tar\n",
            pl_str_get(&told));
    pl_str_done(&list);
    pl_str_done(&told);
    return rc;
}
