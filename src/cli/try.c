/* plimsoll try MODEL [flags]: the real engine on the real geometry, predicted beside measured. */
#include "cli/try.h"
#include "base/clock.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/choose.h"
#include "cli/engine_devices.h"
#include "cli/ghost_cache.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/results_out.h"
#include "cli/try_list.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "engine/llamacpp/find.h"
#include "machine/assess.h"
#include "measure/calibrate.h"
#include "measure/forecast.h"
#include "measure/trial.h"
#include "report/forecast.h"
#include "report/run.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PL_TRY_CTX 4096u   /* context when none is asked for: enough for the default prompt */
#define PL_TRY_PROMPT 512u /* llama-bench's pp512: fills one physical batch */
#define PL_TRY_PREDICT 32u
#define PL_TRY_REPEATS 3u
#define PL_TRY_TIMEOUT_S 600u
#define PL_AUTO_SECONDS 120.0 /* `try --auto` takes the largest model that finishes in this */
#define PL_AUTO_REPEATS 2u

static void pl_try_say(void *ctx, const char *what)
{
    struct pl_try *t = ctx;
    if (isatty(STDERR_FILENO) == 1)
        pl_progress("%s%s %s: %s", t->before, t->forecast.name, t->forecast.quant, what);
    else if (!t->cli->json && !t->listed)
        (void)fprintf(stderr, "plimsoll: %s %s: %s\n", t->forecast.name, t->forecast.quant, what);
}

static int pl_try_ghosting(void *ctx, uint64_t done, uint64_t total)
{
    struct pl_try *t = ctx;
    if (total > 0)
        pl_progress("%s%s: writing its ghost, %llu %%", t->before, t->spec,
                    (unsigned long long)(done * 100 / total));
    return *t->stop != 0;
}

static uint64_t pl_try_number(const struct pl_cli *cli, const char *name, uint64_t absent)
{
    const struct pl_opt_value *v = pl_cli_opt(cli, name);
    return v->given ? v->u : absent;
}

/* What differs from the engine's own defaults, and why: said in the help. */
void pl_try_settings(struct pl_try *t)
{
    struct pl_settings *s = &t->cli->settings;
    if (s->n_ctx == 0)
        s->n_ctx = PL_TRY_CTX;
    if (s->cache_ram_mib == PL_CACHE_RAM_UNSET)
        s->cache_ram_mib = 0; /* repeated prompts would fill it and blur the measurement */
    bool automatic = pl_cli_opt(t->cli, "auto")->given;
    t->prompt = pl_try_number(t->cli, "prompt", PL_TRY_PROMPT);
    t->predict = pl_try_number(t->cli, "predict", PL_TRY_PREDICT);
    t->repeats = pl_try_number(t->cli, "repeats", automatic ? PL_AUTO_REPEATS : PL_TRY_REPEATS);
    t->warmups = pl_try_number(t->cli, "warmup", 1);
}

int pl_try_check(struct pl_try *t, struct pl_err *err)
{
    const struct pl_cli *cli = t->cli;
    if (t->predict == 0 || t->prompt == 0)
        (void)pl_fail(err, -EINVAL, "--prompt and --predict are at least 1");
    else if (t->repeats > 64 || t->warmups > 64)
        (void)pl_fail(err, -EINVAL, "--repeats and --warmup are at most 64");
    else if (pl_cli_opt(cli, "no-ledger")->given &&
             (pl_cli_opt(cli, "golden")->given || pl_cli_opt(cli, "golden-check")->given))
        (void)pl_fail(err, -EINVAL, "golden runs are kept in the ledger: leave --no-ledger out");
    else if (t->listed && pl_cli_opt(cli, "golden-check")->given)
        (void)pl_fail(err, -EINVAL,
                      "--golden-check is of one model and its settings, not of a list");
    else if (cli->n_arg == 0 && !pl_cli_opt(cli, "auto")->given && !t->listed)
        (void)pl_fail(err, -EINVAL, "try: missing argument MODEL (or --auto)");
    else if (cli->n_arg >= 1 && pl_cli_opt(cli, "auto")->given)
        (void)pl_fail(err, -EINVAL, "--auto chooses the model: leave '%.60s' out", cli->arg[0]);
    else if ((t->listed || cli->engine != NULL) && pl_cli_opt(cli, "target")->given)
        (void)pl_fail(err, -EINVAL, "--target is of one model of llama.cpp, not of a list");
    else
        return pl_cli_opt(cli, "target")->given
                   ? pl_targets_read(pl_cli_opt(cli, "target")->text, &t->targets, err)
                   : 0;
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* Memory bandwidth and arithmetic as the ledger remembers them, or by the short probe: speed is
 * predicted from them. */
static void pl_try_bandwidth(struct pl_try *t)
{
    const struct pl_pool *ram = pl_machine_pool_const(&t->machine, "ram");
    if (ram == NULL || (ram->bandwidth.source == PL_SOURCE_MEASURED &&
                        t->machine.cpu.int8.source == PL_SOURCE_MEASURED))
        return;
    pl_progress("measuring memory bandwidth and arithmetic, once for this machine");
    if (pl_assess(&(struct pl_assess_options){.bandwidth = true}, &t->machine, NULL) == 0 &&
        t->ledger != NULL)
        pl_cli_bandwidth_keep(&t->machine);
}

/* Those whose trial is short enough; for the first look those that we propose by ourselves. */
struct pl_try_quick {
    const struct pl_try *t;
    double pace, seconds;
    bool offered;
};

static double pl_try_seconds(const struct pl_try_quick *q, const struct pl_choice *c)
{
    return pl_choose_seconds(c, q->pace, (uint32_t)(q->t->repeats + q->t->warmups), q->t->prompt,
                             q->t->predict);
}

static bool pl_try_is_quick(void *ctx, const struct pl_catalogue_row *row)
{
    const struct pl_try_quick *q = ctx;
    const struct pl_choice choice = {.row = row};
    return (row->offered == 1 || !q->offered) && pl_try_seconds(q, &choice) <= q->seconds;
}

/* The best that is quick; with none, the quickest that fits. */
static int pl_try_pick(struct pl_try *t, struct pl_try_quick *q, struct pl_err *err)
{
    static struct pl_choice choice[PL_CHOICES_MAX];
    int n = pl_choose_all(&t->machine, t->ledger, pl_try_is_quick, q, PL_CHOICES_MAX, choice, err);
    for (int i = 0; i < n && t->spec == NULL; i++) {
        if (pl_try_seconds(q, &choice[i]) <= PL_AUTO_SECONDS)
            t->spec = choice[i].row->id;
    }
    double best = 0;
    for (int i = 0; i < n && q->seconds > PL_AUTO_SECONDS; i++) {
        double seconds = pl_try_seconds(q, &choice[i]);
        if (t->spec == NULL || (best > 0 && seconds < best)) {
            best = seconds;
            t->spec = choice[i].row->id;
        }
    }
    return n < 0 ? n : 0;
}

static int pl_try_choose(struct pl_try *t, struct pl_err *err)
{
    struct pl_try_quick q = {.t = t,
                             .pace = pl_choose_pace(&t->machine, t->ledger),
                             .seconds = PL_AUTO_SECONDS,
                             .offered = true};
    int rc = pl_cli_catalogue(t->cli, err);
    if (rc == 0)
        rc = pl_try_pick(t, &q, err);
    q.offered = false;
    if (rc == 0 && t->spec == NULL)
        rc = pl_try_pick(t, &q, err);
    q.seconds = PL_AUTO_SECONDS * 16;
    if (rc == 0 && t->spec == NULL)
        rc = pl_try_pick(t, &q, err);
    if (rc < 0 || t->spec != NULL)
        return rc;
    (void)pl_fail(err, -ENOMEM, "no model of the catalogue is safe in what is available now");
    return pl_exit_as(err, -ENOMEM, PL_EXIT_NO);
}

/* Speeds are predicted for the prompt and the answer that will be measured. A batch of embeddings
 * is cut to what fits it, and has no answer. */
static int pl_try_pace(struct pl_try *t, struct pl_err *err)
{
    const struct pl_resolved *r = &t->forecast.resolved;
    uint64_t prompt = r->embedding && t->prompt > r->n_ubatch ? r->n_ubatch : t->prompt;
    return pl_forecast_paced(&t->forecast, &t->devices, t->ledger, prompt, prompt + t->predict / 2,
                             err);
}

/* Predicts, and refuses what does not fit. */
int pl_try_admit(struct pl_try *t, struct pl_err *err)
{
    static char names[PL_RUN_TEXT_MAX];
    int rc = pl_cli_engine_names(&t->devices, &t->cli->settings, names, err);
    if (rc == 0)
        rc = pl_forecast_make(t->model, &t->cli->settings, &t->machine, &t->devices,
                              t->engine.version, t->ledger, &t->forecast, err);
    if (rc == 0)
        rc = pl_try_pace(t, err);
    if (rc == 0)
        rc = pl_forecast_calibrate(&t->forecast, t->ledger, err);
    if (rc < 0)
        return rc;
    const struct pl_judgement *j = &t->forecast.judgement;
    bool force = pl_cli_opt(t->cli, "force")->given;
    bool refused = j->verdict == PL_VERDICT_DOES_NOT_FIT || j->verdict == PL_VERDICT_CANNOT_TELL;
    /* a batch of embeddings is cut to what fits it, and has no answer */
    if (!t->forecast.resolved.embedding &&
        t->prompt + t->predict > t->forecast.resolved.n_ctx_seq) {
        (void)pl_fail(err, -EINVAL,
                      "a slot holds %llu tokens: prompt %llu and answer %llu do not fit",
                      (unsigned long long)t->forecast.resolved.n_ctx_seq,
                      (unsigned long long)t->prompt, (unsigned long long)t->predict);
        (void)pl_hint(err, "a larger -c, or shorter --prompt and --predict");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (t->forecast.few_experts[0] != '\0' && !force) {
        (void)pl_fail(err, -EINVAL, "not started: %s", t->forecast.few_experts);
        (void)pl_hint(err, "--force starts it anyway; more with --override-kv");
        return pl_exit_as(err, -EINVAL, PL_EXIT_NO);
    }
    if (!refused || force)
        return 0;
    (void)pl_fail(err, -ENOMEM, "not started: %s",
                  j->n_reason > 0 ? j->reason[0] : "it may not fit");
    (void)pl_hint(err, "'plimsoll estimate %s' shows the parts; --force starts it anyway", t->spec);
    return pl_exit_as(err, -ENOMEM,
                      j->verdict == PL_VERDICT_CANNOT_TELL ? PL_EXIT_CANNOT_TELL : PL_EXIT_NO);
}

int pl_try_surroundings(struct pl_try *t, struct pl_err *err)
{
    const struct pl_cli *cli = t->cli;
    int rc = pl_llamacpp_find(pl_cli_opt(cli, "engine")->text, &t->engine, err);
    if (rc == 0 && !pl_cli_opt(cli, "no-ledger")->given)
        rc = pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_WRITE, &t->ledger, err);
    if (rc == 0)
        rc = pl_cli_machine_brief(&t->machine, err);
    if (rc < 0)
        return rc;
    pl_try_bandwidth(t);
    pl_cli_engine_sees(&t->engine, &t->machine, &t->devices);
    return 0;
}

/* The cheap looks first: a mistyped MODEL is told before an engine is looked for. */
static int pl_try_prepare(struct pl_try *t, struct pl_err *err)
{
    const struct pl_cli *cli = t->cli;
    bool automatic = pl_cli_opt(cli, "auto")->given;
    int rc = 0;
    if (!automatic) {
        t->spec = cli->arg[0];
        rc = pl_cli_model(cli, t->spec, t->stop, &t->model, err);
    }
    if (rc == 0)
        rc = pl_try_surroundings(t, err);
    if (rc == 0 && automatic)
        rc = pl_try_choose(t, err);
    if (rc == 0 && automatic)
        rc = pl_cli_model(cli, t->spec, t->stop, &t->model, err);
    return rc == 0 ? pl_try_admit(t, err) : rc;
}

static const char *pl_try_fill(const struct pl_cli *cli)
{
    const struct pl_opt_value *fill = pl_cli_opt(cli, "fill");
    return fill->given ? fill->text : "zero";
}

int pl_try_ghost(struct pl_try *t, struct pl_err *err)
{
    if (pl_model_here(t->model)) {
        t->loaded = t->model;
        return 0;
    }
    struct pl_ghost_options o = {
        .fill = pl_streq(pl_try_fill(t->cli), "random") ? PL_FILL_RANDOM : PL_FILL_ZERO,
        .seed = PL_GHOST_SEED,
        .progress = pl_try_ghosting,
        .ctx = t,
    };
    return pl_ghost_cache_get(t->model, t->forecast.name, t->forecast.quant,
                              pl_cli_opt(t->cli, "ghost-dir")->text, &o, &t->loaded, err);
}

static void pl_try_print(struct pl_try *t)
{
    struct pl_cli *cli = t->cli;
    if (t->listed)
        return;
    if (!cli->json) {
        pl_run_text(&t->run, &cli->out, pl_colour_wanted(STDOUT_FILENO));
        pl_targets_text(&t->targets, pl_colour_wanted(STDOUT_FILENO), &cli->out);
        pl_golden_text(&t->watch, pl_colour_wanted(STDOUT_FILENO), &cli->out);
        return;
    }
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.try/1");
    pl_json_run(&j, "run", &t->run);
    pl_golden_json(&t->watch, &j, "watch");
    pl_targets_json(&t->targets, &j, "targets");
    pl_json_object(&j, "estimate");
    pl_json_str(&j, "schema", "plimsoll.estimate/1");
    pl_report_forecast_json(&t->forecast, &j);
    pl_json_end(&j);
    pl_json_end(&j);
}

int pl_try_measure(struct pl_try *t, struct pl_err *err)
{
    struct pl_trial_options o = {
        .devices = &t->devices,
        .engine = &t->engine,
        .loaded = t->loaded,
        .fill = t->loaded != t->model ? pl_try_fill(t->cli) : NULL,
        .prompt_tokens = t->prompt,
        .predict_tokens = t->predict,
        .warmups = (uint32_t)t->warmups,
        .repeats = (uint32_t)t->repeats,
        .ready_timeout_ns = pl_seconds_ns(pl_try_number(t->cli, "timeout", PL_TRY_TIMEOUT_S)),
        .log_path = pl_cli_opt(t->cli, "log")->text,
        .stop = t->stop,
        .progress = pl_try_say,
        .ctx = t,
    };
    int rc = pl_trial_run(&t->forecast, &o, &t->run, err);
    struct pl_err ledger_err = {0};
    t->run.golden = rc == 0 && pl_cli_opt(t->cli, "golden")->given;
    bool stopped = rc < 0 && *t->stop != 0; /* its effects are not the engine's failures */
    pl_targets_look(&t->forecast, &t->run, &t->targets);
    if (!stopped && t->ledger != NULL && pl_ledger_add_run(t->ledger, &t->run, &ledger_err) < 0 &&
        rc == 0) {
        pl_try_print(t); /* the measurement is not lost with the ledger */
        *err = ledger_err;
        return ledger_err.code;
    }
    if (rc == 0)
        rc = pl_golden_look(t->ledger, &t->run, &t->watch, err);
    if (t->run.status == PL_RUN_OK)
        pl_try_print(t); /* the measurement is not lost with the golden one */
    if (rc < 0)
        return rc;
    if (pl_cli_opt(t->cli, "target")->given && pl_targets_missed(&t->targets))
        return PL_EXIT_NO;
    return pl_cli_opt(t->cli, "golden-check")->given ? pl_golden_exit(&t->watch) : rc;
}

void pl_try_forget(struct pl_try *t)
{
    if (t->loaded != t->model)
        (void)pl_model_free(t->loaded);
    (void)pl_model_free(t->model);
    t->model = t->loaded = NULL;
}

static int pl_try_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_try t;
    if (pl_try_is_list(cli) && cli->engine == NULL)
        return pl_try_list(cli, err);
    t.cli = cli;
    t.stop = pl_interrupt_flag();
    pl_try_settings(&t);
    int rc = pl_try_check(&t, err);
    if (rc == 0 && cli->engine != NULL) {
        rc = pl_try_hear(&t, pl_try_say,
                         pl_seconds_ns(pl_try_number(cli, "timeout", PL_TRY_TIMEOUT_S)),
                         pl_try_fill(cli), err);
    } else {
        if (rc == 0)
            rc = pl_try_prepare(&t, err);
        if (rc == 0)
            rc = pl_targets_keep(t.ledger, &t.forecast, &t.targets, err);
        if (rc == 0)
            rc = pl_try_ghost(&t, err);
        if (rc == 0)
            rc = pl_try_measure(&t, err);
    }
    if (rc < 0 && *t.stop != 0) {
        (void)pl_fail(err, -EINTR, "stopped; the engine is gone and nothing was stored");
        rc = pl_exit_as(err, -EINTR, (enum pl_exit)(128 + *t.stop));
    }
    pl_try_forget(&t);
    (void)pl_ledger_close(t.ledger);
    return rc;
}

static const struct pl_opt pl_try_opts[] = {
    {"auto",                                                                      0, PL_OPT_FLAG, NULL,
     "the largest catalogue model that is safe here and finishes in two minutes"},
    {"prompt",                                                                'p', PL_OPT_NUMBER, "N", "tokens of every prompt (default 512)"},
    {"predict", 'n', PL_OPT_NUMBER, "N", "tokens of every answer (default 32)"},
    {"repeats",                                                                    'r', PL_OPT_NUMBER, "N", "timed requests; the median counts (default 3)"},
    {"warmup",                                                              0, PL_OPT_NUMBER, "N", "requests before them (default 1)"},
    {"fill",                                     0, PL_OPT_CHOICE, "zero|random",
     "ghost of holes (no disk) or of random weights (default zero)"},
    {"ghost-dir",                                                                   0, PL_OPT_PATH, "DIR",
     "where ghosts are kept (default ~/.cache/plimsoll/ghosts)"},
    {"engine",                                                              0, PL_OPT_PATH, "PATH", "llama-server, or a folder that holds it"},
    {"force",                                      0, PL_OPT_FLAG, NULL, "start it even if it may not fit"},
    {"timeout",                                                                   0, PL_OPT_NUMBER, "SECONDS", "give up when it is not ready by then (default 600)"},
    {"log",                                                              0, PL_OPT_PATH, "FILE", "copy all the engine says to this file"},
    {"ledger",                            0, PL_OPT_PATH, "FILE", "store the run here"},
    {"sweep",                                                                    0, PL_OPT_LIST, "FLAG=A,B...",
     "run every combination of these values of engine flags (ctx=2048,8192 ctk=f16,q8_0)"},
    {"all-that-fit",                                                              0, PL_OPT_FLAG, NULL,
     "every catalogue model that fits here, the quickest first"},
    PL_CLI_RESULTS_OPTS,
    {"resume",                                         0, PL_OPT_PATH, "FILE",
     "keep here what is done; what it holds already is not run again"},
    {"fresh",                                                                      0, PL_OPT_FLAG, NULL, "run all again, even if the same list was broken off"},
    PL_CLI_MODEL_OPTS,
    {"golden",                                                              0, PL_OPT_FLAG, NULL,
     "keep this run: later ones of the same are watched against it"},
    {"golden-check",              0, PL_OPT_FLAG, NULL,
     "exit 1 when something is slower or bigger than in the golden run, 3 when that cannot be "
     "told"},
    {"target",                                                                 0, PL_OPT_TEXT, "NAME=VALUE,...",
     "what it should reach here (decode, prefill, first_token, load, memory): kept, shown beside "
     "every run of it; exit 1 when missed"},
    {"no-ledger",                                                                0, PL_OPT_FLAG, NULL, "store nothing"},
    {0                 },
};

static const char *const pl_try_examples[] = {
    "plimsoll try qwen3-8b:q4_k_m -c 8192   # measure before you download",
    "plimsoll try ./model.gguf -c 16384 -np 4 -ctk q8_0",
    "plimsoll try --auto --json",
    "plimsoll try whisper-small:q5_1 -ng   # whisper-server, on the CPU",
    "plimsoll try qwen3-4b:q4_k_m --fill random --target decode=20,first_token=500ms",
    "plimsoll try qwen3-8b qwen3-4b --sweep ctx=4096,32768 ctk=f16,q8_0 --html sweep.html",
    0,
};

const struct pl_verb pl_verb_try = {
    .name = "try",
    .args = "MODEL... [engine flags] | --auto | --all-that-fit",
    .summary = "run a model (or its ghost) on the real engine: predicted beside measured",
    .details =
        "A model that is not here (of the catalogue, on the network) is ghosted first: true "
        "header\n"
        "and tensor shapes, no weights, no disk.\n"
        "Unless said otherwise the context is 4096 and the prompt cache is off (--cache-ram 0),\n"
        "so that repeated prompts do not blur the measurement. What would not fit is not started.\n"
        "Several MODELs, --sweep and --all-that-fit make a list: what fits of it is run one after\n"
        "another, a failure does not end it, and the same command goes on where it was broken "
        "off.\n"
        "A key of --sweep is an engine flag by its short or long name, or ctx, prompt, predict.\n"
        "After a run with --golden, each later one with the same model, flags and machine says "
        "what "
        "got\nslower or bigger beyond the noise, also after another engine or driver. A speed "
        "measured while\nothers computed is marked invalid.\n"
        "A model of whisper.cpp runs in whisper-server, by its own flags (-bs, -bo, -ac, -ng ...): "
        "it hears\na second of noise.",
    .examples = pl_try_examples,
    .opts = pl_try_opts,
    .engine_flags = true,
    .other_engines = true,
    .args_min = 0,
    .args_max = PL_TRY_ARGS_MAX,
    .run = pl_try_run,
};
