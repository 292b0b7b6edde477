/* plimsoll estimate MODEL [flags]: the footprint per pool, and whether it fits here. */
#include "base/clock.h"
#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/accelerations.h"
#include "cli/ghost_cache.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/offload.h"
#include "cli/quality.h"
#include "cli/verbs.h"
#include "domain/whisper.h"
#include "engine/declared/footprint.h"
#include "engine/engine.h"
#include "engine/llamacpp/find.h"
#include "engine/llamacpp/project.h"
#include "ledger/ledger.h"
#include "measure/calibrate.h"
#include "measure/forecast.h"
#include "report/forecast.h"
#include "report/projection.h"
#include "report/speed.h"
#include "report/terms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

#define PL_ORACLE_TIMEOUT_S                                                                        \
    60u /* the engine takes 0.2 s for 8B, some seconds for thousands of tensors */

/* What the installed engine says itself: a model that is not here is ghosted for it. */
struct pl_oracle {
    bool asked;
    struct pl_install engine;
    struct pl_projection said;
};

static int pl_estimate_oracle(const struct pl_cli *cli, const struct pl_model *m,
                              const struct pl_forecast *f, struct pl_oracle *o, struct pl_err *err)
{
    const struct pl_ghost_options ghost = {.fill = PL_FILL_ZERO};
    struct pl_model *made = NULL;
    int rc = 0;
    if (!o->asked)
        return 0;
    if (!pl_model_here(m))
        rc = pl_ghost_cache_get(m, f->name, f->quant, NULL, &ghost, &made, err);
    const struct pl_model *loaded = made != NULL ? made : m;
    if (rc == 0)
        rc = pl_llamacpp_project(&o->engine, pl_model_load_path(loaded), &cli->settings,
                                 PL_ORACLE_TIMEOUT_S * PL_S_NS, &o->said, err);
    (void)pl_model_free(made);
    return rc;
}

static void pl_estimate_print(struct pl_cli *cli, const struct pl_forecast *f,
                              const struct pl_oracle *o, const struct pl_terms *terms,
                              const struct pl_acceleration *faster,
                              const struct pl_offload *offload)
{
    bool colour = pl_colour_wanted(STDOUT_FILENO);
    if (!cli->json) {
        pl_report_forecast_text(f, pl_cli_opt(cli, "why")->given, colour, &cli->out);
        pl_cli_forecast_quality(cli, f, NULL);
        if (terms != NULL)
            pl_terms_text(terms, colour, &cli->out);
        if (terms != NULL)
            pl_speed_why_text(&f->speed, colour, &cli->out);
        if (faster != NULL)
            pl_accelerations_text(faster, colour, &cli->out);
        pl_offload_text(offload, pl_cli_opt(cli, "min-decode")->u, colour, &cli->out);
        if (o->asked)
            pl_projection_text(&o->said, &f->footprint, colour, &cli->out);
        return;
    }
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.estimate/1");
    pl_report_forecast_json(f, &j);
    pl_cli_forecast_quality(cli, f, &j);
    if (terms != NULL)
        pl_terms_json(terms, &j, "terms");
    if (faster != NULL)
        pl_accelerations_json(faster, &j, "accelerations");
    if (offload->n > 0)
        pl_offload_json(offload, &j, "offload_steps");
    if (o->asked)
        pl_projection_json(&o->said, &f->footprint, o->engine.version, &j, "oracle");
    pl_json_end(&j);
}

/* --oracle asks llama-server; a word after --engine that names neither an engine nor a program is a
 * slip of the pen. */
static void pl_estimate_engines(struct pl_err *err)
{
    char list[PL_ERR_HINT_MAX] = "";
    for (size_t i = 0; pl_engines[i] != NULL; i++) {
        size_t n = strlen(list);
        (void)pl_fmt(list + n, sizeof(list) - n, "%s%s", i > 0 ? ", " : "", pl_engines[i]->name);
    }
    (void)pl_hint(err, "one of %s; with --oracle also the path of llama-server", list);
}

static int pl_estimate_asks(const struct pl_cli *cli, struct pl_err *err)
{
    const char *name = pl_cli_opt(cli, "engine")->text;
    bool oracle = pl_cli_opt(cli, "oracle")->given;
    if (oracle && cli->engine != NULL) {
        (void)pl_fail(err, -EINVAL, "--oracle: only llama.cpp projects its own memory");
    } else if (!oracle && name != NULL && pl_engine_named(name) == NULL) {
        (void)pl_fail(err, -EINVAL, "--engine: '%.60s' is no engine that is known", name);
        pl_estimate_engines(err);
    } else {
        return 0;
    }
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* A name whose footprint is declared: a model without header or tensors. 1: it is one. */
static int pl_estimate_declared(struct pl_cli *cli, struct pl_model **ret, struct pl_err *err)
{
    const struct pl_declared *d = pl_declared_find(cli->arg[0]);
    if (d == NULL || cli->engine != NULL || access(cli->arg[0], F_OK) == 0)
        return 0;
    struct pl_model *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the model");
    pl_arena_init(&m->arena, PL_MIB);
    m->path = d->id;
    m->name = d->name;
    m->arch = d->engine;
    cli->engine = &pl_engine_declared;
    pl_settings_start(&cli->values, pl_engine_declared.settings);
    *ret = m;
    return 1;
}

/* Other engines load the checkpoint itself: of a catalogue row its 16-bit shapes. */
static int pl_estimate_model(struct pl_cli *cli, struct pl_model **ret, struct pl_err *err)
{
    int rc = pl_estimate_declared(cli, ret, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (cli->engine == NULL)
        return pl_cli_model(cli, cli->arg[0], NULL, ret, err);
    if (pl_streq(cli->engine->name, PL_WHISPER_FORMAT)) /* as its files are published */
        return pl_cli_model_any(cli, cli->arg[0], NULL, ret, err);
    return pl_cli_model_any(cli, cli->arg[0], "bf16", ret, err);
}

static int pl_estimate_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine machine;
    static struct pl_forecast forecast;
    static struct pl_oracle oracle;
    static struct pl_terms terms;
    static struct pl_acceleration accelerations[PL_ACCELERATIONS];
    static struct pl_offload offload;
    struct pl_model *model = NULL;
    struct pl_ledger *ledger = NULL;
    int rc = pl_estimate_asks(cli, err);
    if (rc == 0)
        rc = pl_estimate_model(cli, &model, err);
    if (rc == 0)
        rc = pl_cli_machine_asked(cli, &machine, err);
    oracle.asked = pl_cli_opt(cli, "oracle")->given;
    if (rc == 0 && oracle.asked)
        rc = pl_llamacpp_find(pl_cli_opt(cli, "engine")->text, &oracle.engine, err);
    if (rc == 0 && cli->engine != NULL) {
        rc = pl_forecast_engine(cli->engine, model, &cli->values, &machine, &forecast, err);
    } else if (rc == 0) {
        /* What is remembered is a help, not a condition: an unreadable ledger is left out. */
        (void)pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &ledger, NULL);
        rc = pl_forecast_make(model, &cli->settings, &machine, NULL,
                              oracle.asked ? oracle.engine.version : NULL, ledger, &forecast, err);
        if (rc == 0)
            rc = pl_forecast_calibrate(&forecast, ledger, err);
    }
    if (rc == 0)
        rc = pl_estimate_oracle(cli, model, &forecast, &oracle, err);
    bool why = pl_cli_opt(cli, "why")->given;
    if (rc == 0 && why)
        rc = pl_forecast_terms(&forecast, &terms, err);
    bool faster = why && cli->engine == NULL && forecast.speed.roof > 0;
    if (rc == 0 && faster)
        rc = pl_accelerate(&forecast, ledger, accelerations, err);
    if (rc == 0)
        rc = pl_cli_offload(cli, &forecast, ledger, &offload, err);
    if (rc == 0) {
        int floor = pl_cli_floor(cli, &forecast);
        pl_estimate_print(cli, &forecast, &oracle, why ? &terms : NULL,
                          faster ? accelerations : NULL, &offload);
        rc = pl_verdict_exit(forecast.judgement.verdict, pl_cli_opt(cli, "strict")->given);
        rc = rc == PL_EXIT_YES ? floor : rc;
    }
    (void)pl_ledger_close(ledger);
    (void)pl_model_free(model);
    return rc;
}

static const struct pl_opt pl_estimate_opts[] = {
    PL_CLI_MACHINE_OPTS,
    {"why",                                                            0, PL_OPT_FLAG, NULL, "each part's formula with its figures, and the engine's source"},
    {"oracle",                                                     0, PL_OPT_FLAG, NULL, "ask the installed engine too, and show both"},
    {"engine", 0, PL_OPT_PATH, "NAME|PATH",
      "transformers, vllm ...: that engine, by its own flags; with --oracle: llama-server, or a "
     "folder that holds it"},
    {"strict",                                                         0, PL_OPT_FLAG, NULL, "fragile counts as does not fit (exit 1)"},
    PL_CLI_MODEL_OPTS,
    PL_CLI_THUMB_OPT,
    PL_CLI_OFFLOAD_OPTS,
    {"ledger",                                                     0, PL_OPT_PATH, "FILE", "the ledger to cite runs from"},
    {0                  },
};

static const char *const pl_estimate_examples[] = {
    "plimsoll estimate qwen3-8b:q4_k_m -c 8192",
    "plimsoll estimate ./model.gguf -c 32768 -np 4 -ctk q8_0 -ctv q8_0 --why",
    "plimsoll estimate qwen3-8b -c 8192 --oracle   # what llama-server itself projects, beside it",
    "plimsoll estimate qwen2.5-7b --rule-of-thumb   # 7 x 0.5 x 1.1, and what is true",
    "plimsoll estimate llama-3.3-70b -c 16384 --machine server.json --json",
    "plimsoll estimate qwen3-8b --device rtx3090 --ram 32GiB  # would it run on one?",
    "plimsoll estimate qwen3-32b --device rtx4090 --ram 64GiB -c 8192 --offload-steps --min-decode "
    "5",
    "plimsoll estimate whisper-small:q5_1 --beam-size 5   # whisper.cpp, by its own flags",
    "plimsoll estimate mistral-7b-v0.3 --engine transformers --load-in-4bit --max-length 4096",
    0,
};

const struct pl_verb pl_verb_estimate = {
    .name = "estimate",
    .args = "MODEL [engine flags]",
    .summary = "the memory a model needs here, part by part, and whether it fits",
    .details = PL_CLI_MODEL_HELP
    "\nOnly its header is read. Exit 0 when it fits, 1 when not, 3 when that cannot be told.",
    .examples = pl_estimate_examples,
    .opts = pl_estimate_opts,
    .engine_flags = true,
    .other_engines = true,
    .args_min = 1,
    .args_max = 1,
    .run = pl_estimate_run,
};
