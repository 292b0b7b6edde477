/* plimsoll try of a speech model: whisper-server hears a second of noise. */
#include "base/table.h"
#include "base/units.h"
#include "cli/ghost_cache.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/try.h"
#include "domain/whisper.h"
#include "measure/forecast.h"
#include "measure/hear.h"
#include "report/forecast.h"
#include "report/run.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* What is asked of it in a way that this engine has not. */
static int pl_hear_check(const struct pl_try *t, struct pl_err *err)
{
    static const char *const text[] = {"prompt", "predict", "golden", "golden-check"};
    const struct pl_cli *cli = t->cli;
    if (!pl_streq(cli->engine->name, PL_WHISPER_FORMAT)) {
        (void)pl_fail(err, -ENOTSUP, "--engine %s: its needs are predicted, it is not run",
                      cli->engine->name);
        (void)pl_hint(err, "'plimsoll estimate' tells them; llama.cpp and whisper.cpp are run");
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_USAGE);
    }
    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        if (!pl_cli_opt(cli, text[i])->given)
            continue;
        (void)pl_fail(err, -EINVAL, "--%s: not of a speech model, which is given a second of noise",
                      text[i]);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (cli->n_arg != 1 || pl_cli_opt(cli, "auto")->given)
        (void)pl_fail(err, -EINVAL, "speech models are tried one at a time");
    else if (pl_setting_is(&cli->values, "program", "cli"))
        (void)pl_fail(err, -EINVAL, "--program cli: whisper-server is what is run");
    else
        return 0;
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_hear_admit(struct pl_try *t, struct pl_err *err)
{
    const struct pl_judgement *j = &t->forecast.judgement;
    bool refused = j->verdict == PL_VERDICT_DOES_NOT_FIT || j->verdict == PL_VERDICT_CANNOT_TELL;
    if (!refused || pl_cli_opt(t->cli, "force")->given)
        return 0;
    (void)pl_fail(err, -ENOMEM, "not started: %s",
                  j->n_reason > 0 ? j->reason[0] : "it may not fit");
    (void)pl_hint(err, "'plimsoll estimate %s' shows the parts; --force starts it anyway", t->spec);
    return pl_exit_as(err, -ENOMEM,
                      j->verdict == PL_VERDICT_CANNOT_TELL ? PL_EXIT_CANNOT_TELL : PL_EXIT_NO);
}

static int pl_hear_prepare(struct pl_try *t, struct pl_err *err)
{
    const struct pl_cli *cli = t->cli;
    t->spec = cli->arg[0];
    int rc = pl_cli_model_any(cli, t->spec, NULL, &t->model, err);
    if (rc == 0)
        rc = pl_hear_find(pl_cli_opt(cli, "engine")->text, &t->engine, err);
    if (rc == 0 && !pl_cli_opt(cli, "no-ledger")->given)
        rc = pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_WRITE, &t->ledger, err);
    if (rc == 0)
        rc = pl_cli_machine_brief(&t->machine, err);
    if (rc == 0)
        rc =
            pl_forecast_engine(cli->engine, t->model, &cli->values, &t->machine, &t->forecast, err);
    return rc == 0 ? pl_hear_admit(t, err) : rc;
}

static void pl_hear_print(struct pl_try *t, double seconds)
{
    struct pl_cli *cli = t->cli;
    struct pl_json j;
    if (!cli->json) {
        pl_run_text(&t->run, &cli->out, pl_colour_wanted(STDOUT_FILENO));
        if (seconds > 0)
            pl_str_addf(
                &cli->out, "sound    a second of noise is answered after %.2f s%s\n", seconds,
                t->run.ghost ? ": the longest, as a ghost's words do not end by themselves" : "");
        return;
    }
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.try/1");
    pl_json_run(&j, "run", &t->run);
    pl_json_null(&j, "watch");
    pl_json_object(&j, "sound");
    pl_json_num(&j, "seconds", 1);
    if (seconds > 0)
        pl_json_num(&j, "answered_after_seconds", seconds);
    else
        pl_json_null(&j, "answered_after_seconds");
    pl_json_end(&j);
    pl_json_object(&j, "estimate");
    pl_json_str(&j, "schema", "plimsoll.estimate/1");
    pl_report_forecast_json(&t->forecast, &j);
    pl_json_end(&j);
    pl_json_end(&j);
}

static int pl_hear_measured(struct pl_try *t, const struct pl_hear_options *o, struct pl_err *err)
{
    struct pl_err ledger_err = {0};
    double seconds = 0;
    int rc = pl_hear_run(&t->forecast, o, &t->run, &seconds, err);
    bool stopped = rc < 0 && *t->stop != 0;
    int kept =
        !stopped && t->ledger != NULL ? pl_ledger_add_run(t->ledger, &t->run, &ledger_err) : 0;
    if (t->run.status == PL_RUN_OK)
        pl_hear_print(t, seconds);
    if (rc == 0 && kept < 0) {
        *err = ledger_err;
        rc = kept;
    }
    return rc;
}

int pl_try_hear(struct pl_try *t, void (*say)(void *ctx, const char *what), uint64_t timeout_ns,
                const char *fill, struct pl_err *err)
{
    int rc = pl_hear_check(t, err);
    if (!pl_cli_opt(t->cli, "repeats")->given)
        t->repeats = 1; /* of a ghost each takes as long as the longest text */
    if (rc == 0)
        rc = pl_hear_prepare(t, err);
    if (rc == 0)
        rc = pl_try_ghost(t, err);
    if (rc < 0)
        return rc;
    const struct pl_hear_options o = {.engine = &t->engine,
                                      .loaded = t->loaded,
                                      .fill = t->loaded != t->model ? fill : NULL,
                                      .warmups = (uint32_t)t->warmups,
                                      .repeats = (uint32_t)t->repeats,
                                      .ready_timeout_ns = timeout_ns,
                                      .log_path = pl_cli_opt(t->cli, "log")->text,
                                      .stop = t->stop,
                                      .progress = say,
                                      .ctx = t};
    return pl_hear_measured(t, &o, err);
}
