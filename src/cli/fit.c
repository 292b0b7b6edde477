/* plimsoll fit: what runs here, and how; of a MODEL: its best settings and how far they reach. */
#include "cli/fit.h"

#include "base/str.h"
#include "base/table.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/models_catalogue.h"
#include "cli/models_fits.h"
#include "cli/rank.h"
#include "cli/verbs.h"
#include "engine/llamacpp/settings.h"

#include <errno.h>
#include <unistd.h>

static int pl_fit_usage(struct pl_err *err, const char *what)
{
    (void)pl_fail(err, -EINVAL, "fit: %s", what);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_fit_words(const struct pl_cli *cli, struct pl_err *err)
{
    static const char *const questions[] = {"max-ctx", "best-quant", "max-slots", "matrix"};
    static const char *const lists[] = {"kind",        "licence",     "family", "max-size",
                                        "min-quality", "min-context", "quant",  "sort"};
    int asked = 0;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        asked += pl_cli_opt(cli, questions[i])->given ? 1 : 0;
    if (asked > 1)
        return pl_fit_usage(err, "one of --max-ctx, --best-quant, --max-slots and --matrix");
    if (asked > 0 && cli->n_arg == 0)
        return pl_fit_usage(err, "a question about a MODEL needs one");
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (cli->n_arg == 0 || !pl_cli_opt(cli, lists[i])->given)
            continue;
        (void)pl_fail(err, -EINVAL, "fit: --%s is of the list, without MODEL", lists[i]);
        if (pl_streq(lists[i], "quant"))
            (void)pl_hint(err, "a quantisation stands behind the model: %.80s:q4_k_m", cli->arg[0]);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (pl_cli_opt(cli, "matrix")->given)
        return 0;
    if (pl_cli_opt(cli, "machine")->n_list > 1 || pl_cli_opt(cli, "device")->n_list > 1)
        return pl_fit_usage(err, "several machines go with --matrix");
    return 0;
}

static void pl_fit_asked(const struct pl_cli *cli, struct pl_fit_ask *ask)
{
    struct pl_settings defaults;
    const struct pl_opt_value *context = pl_cli_opt(cli, "context");
    const struct pl_opt_value *floor = pl_cli_opt(cli, "min-decode");
    pl_llamacpp_defaults(&defaults);
    *ask = (struct pl_fit_ask){.cli = cli, .settings = cli->settings, .context = PL_FIT_CONTEXT};
    struct pl_settings *s = &ask->settings;
    ask->question = pl_cli_opt(cli, "max-ctx")->given      ? PL_FIT_MAX_CTX
                    : pl_cli_opt(cli, "best-quant")->given ? PL_FIT_BEST_QUANT
                    : pl_cli_opt(cli, "max-slots")->given  ? PL_FIT_MAX_SLOTS
                                                           : PL_FIT_ALL;
    ask->slots = s->n_parallel > 0 ? (uint64_t)s->n_parallel : 1;
    if (context->given && context->u > 0)
        ask->context = context->u;
    else if (s->n_ctx > 0)
        ask->context = s->n_ctx / ask->slots > 0 ? s->n_ctx / ask->slots : 1;
    ask->floor = floor->given ? (double)floor->u : PL_RANK_DECODE;
    ask->types_given = s->type_k != defaults.type_k || s->type_v != defaults.type_v;
    ask->place_given = s->n_gpu_layers >= 0 || s->devices != NULL || s->overrides.n > 0;
    s->fit = false; /* as written, whether it fits or not */
    if (s->cache_ram_mib == PL_CACHE_RAM_UNSET)
        s->cache_ram_mib = 0;
}

static int pl_fit_models(struct pl_cli *cli, struct pl_fit_ask *ask, struct pl_err *err)
{
    static struct pl_fit_answer answer;
    struct pl_json j;
    bool known = pl_known(pl_machine_available(ask->machine, "ram")), any = false;
    int rc = 0;
    if (cli->json) {
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", "plimsoll.fit/1");
        pl_json_array(&j, "models");
    }
    for (uint32_t i = 0; i < cli->n_arg && rc == 0; i++) {
        rc = pl_fit_model(ask, cli->arg[i], &answer, err);
        if (rc < 0)
            break;
        any = any || answer.best >= 0;
        if (cli->json) {
            pl_fit_json(ask, &answer, &j);
            continue;
        }
        pl_str_add(&cli->out, i > 0 ? "\n" : "");
        pl_fit_text(ask, &answer, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    }
    if (rc < 0) {
        pl_str_clear(&cli->out);
        return rc;
    }
    if (cli->json) {
        pl_json_end(&j);
        pl_json_end(&j);
    }
    return any ? PL_EXIT_YES : known ? PL_EXIT_NO : PL_EXIT_CANNOT_TELL;
}

static int pl_fit_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine machine;
    static struct pl_fit_ask ask;
    int rc = pl_fit_words(cli, err);
    if (rc < 0)
        return rc;
    if (cli->n_arg == 0) {
        rc = pl_cli_catalogue(cli, err);
        return rc < 0 ? rc : pl_models_fits(cli, err);
    }
    pl_fit_asked(cli, &ask);
    if (pl_cli_opt(cli, "matrix")->given)
        return pl_fit_matrix(cli, &ask, err);
    rc = pl_cli_machine_asked(cli, &machine, err);
    if (rc < 0)
        return rc;
    ask.machine = &machine;
    (void)pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &ask.ledger, NULL);
    rc = pl_fit_models(cli, &ask, err);
    ask.ledger = pl_ledger_close(ask.ledger);
    return rc;
}

static const struct pl_opt pl_fit_opts[] = {
    {"machine",                                                                       'M', PL_OPT_LIST, "FILE|NAME",
     "plan for the machine of this file, or a registered one; several with --matrix"},
    {"device",                                                                    '\0', PL_OPT_LIST, "ID[,ID]",
     "plan for these devices of the device data; several times with --matrix"},
    {"ram", '\0', PL_OPT_SIZE, "SIZE", "with --device: main memory of that machine"},
    {"max-ctx",                                                                        '\0', PL_OPT_FLAG, NULL, "the longest context of each quantisation and KV type"},
    {"best-quant",                                                                    '\0', PL_OPT_FLAG, NULL, "the best quantisation with --context tokens"},
    {"max-slots",        '\0', PL_OPT_FLAG, NULL, "the most slots of --context tokens each"},
    {"matrix",                                                                           '\0', PL_OPT_FLAG, NULL, "FP32, FP16, INT8, INT4 and Q4_K_M on several machines"},
    PL_MODELS_RANK_OPTS,
    PL_MODELS_CATALOGUE_OPTS,
    PL_CLI_MODEL_OPTS,
    {"ledger",                                                                    '\0', PL_OPT_PATH, "FILE", "the ledger to take speeds from"},
    {0                                  },
};

static const char *const pl_fit_examples[] = {
    "plimsoll fit                                   # what runs here, best first, to paste",
    "plimsoll fit --kind llm --min-decode 10 --sort speed --licence apache",
    "plimsoll fit qwen3-8b                          # its best settings here, and how far they go",
    "plimsoll fit qwen3-8b --best-quant --context 32768 --device rtx3060-12g --ram 32GiB",
    "plimsoll fit ./model.gguf --max-slots --context 4096 -ctk q8_0 -ctv q8_0",
    "plimsoll fit llama-2-7b --matrix --device rtx5070ti --device rtx3070ti --ram 32GiB",
    0,
};

const struct pl_verb pl_verb_fit = {
    .name = "fit",
    .args = "[MODEL...] [engine flags]",
    .summary = "what runs here, best first; of a MODEL its best settings and longest context",
    .details = PL_CLI_MODEL_HELP
    "\nOf a catalogue id without :QUANT all published quantisations are looked at. Engine flags "
    "are\n"
    "kept as given; the context is of each slot (--context, or -c by -np). Every limit is found "
    "on\n"
    "both sides: there it fits, a step further it does not. Exit 1 when nothing fits.",
    .examples = pl_fit_examples,
    .opts = pl_fit_opts,
    .engine_flags = true,
    .args_max = 16,
    .run = pl_fit_run,
};
