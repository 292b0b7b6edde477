/* plimsoll compare A B: runs, settings or machines side by side. */
#include "cli/compare.h"

#include "base/table.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/verbs.h"
#include "engine/llamacpp/settings.h"
#include "machine/machine_file.h"
#include "measure/calibrate.h"
#include "measure/forecast.h"
#include "report/versus.h"
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_COMPARE_FILE_MAX (32u * 1024u * 1024u)

static int pl_compare_usage(struct pl_err *err, const char *what)
{
    (void)pl_fail(err, -EINVAL, "compare: %s", what);
    (void)pl_hint(err, "two runs by number, two files, or MODEL --a FLAGS --b FLAGS");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* The words of --a or --b on top of the flags that both have. */
static int pl_compare_settings(const struct pl_cli *cli, const char *option,
                               struct pl_compare_side *side, struct pl_err *err)
{
    char *argv[PL_COMPARE_WORDS_MAX + 1] = {0}, *save = NULL;
    const char *text = pl_cli_opt(cli, option)->text;
    int n = 0, used = 0;
    side->settings = cli->settings;
    if (!PL_FMT(side->text, "%s", text != NULL ? text : ""))
        return pl_compare_usage(err, "the flags of a side are too long");
    for (char *w = strtok_r(side->text, " \t", &save); w != NULL;
         w = strtok_r(NULL, " \t", &save)) {
        if (n >= PL_COMPARE_WORDS_MAX)
            return pl_compare_usage(err, "too many flags for a side");
        argv[n++] = w;
    }
    for (int i = 0; i < n; i += used) {
        used = pl_llamacpp_flag(&side->settings, n - i, &argv[i], err);
        if (used == 0) {
            (void)pl_fail(err, -EINVAL, "--%s: '%.60s' is no flag of the engine", option, argv[i]);
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        if (used < 0)
            return used;
    }
    return 0;
}

/* Intervals that overlap are the same. */
static void pl_compare_speed(struct pl_versus *v, const char *what, struct pl_rate a,
                             struct pl_rate b)
{
    bool known = a.source != PL_SOURCE_UNKNOWN && b.source != PL_SOURCE_UNKNOWN && a.likely > 0;
    double noise = !known                ? 0
                   : b.likely > a.likely ? (a.high - a.likely + b.likely - b.low) / a.likely
                                         : (a.likely - a.low + b.high - b.likely) / a.likely;
    pl_versus_rate(v, what, a.source != PL_SOURCE_UNKNOWN ? a.likely : 0,
                   b.source != PL_SOURCE_UNKNOWN ? b.likely : 0, noise, NULL);
}

static void pl_compare_side_json(const struct pl_forecast *f, const char *machine,
                                 struct pl_json *j, const char *key)
{
    pl_json_object(j, key);
    pl_json_str(j, "machine", machine);
    pl_json_str(j, "flags", f->flags);
    pl_json_str(j, "engine_version", f->engine_version[0] != '\0' ? f->engine_version : NULL);
    pl_json_str(j, "verdict", pl_verdict_name(f->judgement.verdict));
    pl_json_end(j);
}

static void pl_compare_forecasts(struct pl_cli *cli, const struct pl_forecast *a,
                                 const struct pl_forecast *b, const char *machine_a,
                                 const char *machine_b)
{
    static struct pl_versus v;
    bool colour = pl_colour_wanted(STDOUT_FILENO);
    pl_versus_predicted(&a->footprint, &b->footprint, &v);
    pl_compare_speed(&v, "prefill", a->prefill, b->prefill);
    pl_compare_speed(&v, "decode", a->decode, b->decode);
    if (cli->json) {
        struct pl_json j;
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", "plimsoll.compare/1");
        pl_json_str(&j, "kind", "estimates");
        pl_json_str(&j, "model", a->name);
        pl_json_str(&j, "quant", a->quant);
        pl_compare_side_json(a, machine_a, &j, "a");
        pl_compare_side_json(b, machine_b, &j, "b");
        pl_versus_json(&v, &j, "rows");
        pl_json_end(&j);
        return;
    }
    pl_str_addf(&cli->out, "%s %s, estimated\n", a->name, a->quant);
    pl_str_addf(&cli->out, "A  %s%s%s: %s\n", machine_a != NULL ? machine_a : "",
                machine_a != NULL ? ", " : "", a->flags[0] != '\0' ? a->flags : "no flags",
                pl_verdict_name(a->judgement.verdict));
    pl_str_addf(&cli->out, "B  %s%s%s: %s\n\n", machine_b != NULL ? machine_b : "",
                machine_b != NULL ? ", " : "", b->flags[0] != '\0' ? b->flags : "no flags",
                pl_verdict_name(b->judgement.verdict));
    pl_versus_text(&v, "A", "B", false, colour, &cli->out);
    pl_str_add(&cli->out, "noise: how far the two intervals reach towards each other; inside it no "
                          "side is called better\n");
}

static int pl_compare_two_settings(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine machine;
    static struct pl_compare_side side[2];
    struct pl_model *model = NULL;
    struct pl_ledger *ledger = NULL;
    int rc = pl_compare_settings(cli, "a", &side[0], err);
    if (rc == 0)
        rc = pl_compare_settings(cli, "b", &side[1], err);
    if (rc == 0)
        rc = pl_cli_model(cli, cli->arg[0], NULL, &model, err);
    if (rc == 0)
        rc = pl_cli_machine_asked(cli, &machine, err);
    if (rc == 0 && pl_cli_opt(cli, "ab")->given) {
        rc = pl_compare_ab(cli, model, &machine, side, err);
        (void)pl_model_free(model);
        return rc;
    }
    if (rc == 0)
        (void)pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &ledger, NULL);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = pl_forecast_make(model, &side[i].settings, &machine, NULL, NULL, ledger,
                              &side[i].forecast, err);
    if (rc == 0)
        pl_compare_forecasts(cli, &side[0].forecast, &side[1].forecast, NULL, NULL);
    (void)pl_ledger_close(ledger);
    (void)pl_model_free(model);
    return rc;
}

static int pl_compare_machines(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine machine[2];
    static struct pl_forecast forecast[2];
    struct pl_model *model = NULL;
    struct pl_ledger *ledger = NULL;
    const char *spec = pl_cli_opt(cli, "model")->text;
    if (spec == NULL)
        return pl_compare_usage(err, "machines are compared for a model: --model MODEL");
    int rc = pl_cli_model(cli, spec, NULL, &model, err);
    if (rc == 0)
        (void)pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &ledger, NULL);
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = pl_machine_load(cli->arg[i], &machine[i], err);
        if (rc == 0)
            rc = pl_forecast_make(model, &cli->settings, &machine[i], NULL, NULL, ledger,
                                  &forecast[i], err);
    }
    if (rc == 0)
        pl_compare_forecasts(cli, &forecast[0], &forecast[1], cli->arg[0], cli->arg[1]);
    (void)pl_ledger_close(ledger);
    (void)pl_model_free(model);
    return rc;
}

static int pl_compare_read(const char *path, struct pl_jdoc **ret, struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_COMPARE_FILE_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_jdoc_parse(pl_str_get(&text), text.len, path, ret, err);
    pl_str_done(&text);
    return rc == 0 ? 0 : pl_exit_as(err, rc, PL_EXIT_USAGE);
}

/* What the two files are is written in them. */
static int pl_compare_two_files(struct pl_cli *cli, struct pl_err *err)
{
    struct pl_jdoc *doc[2] = {NULL, NULL};
    const char *schema[2] = {"", ""};
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = pl_compare_read(cli->arg[i], &doc[i], err);
        schema[i] = rc == 0 ? pl_jstr(pl_jget(pl_jdoc_root(doc[i]), "schema"), "") : "";
    }
    if (rc == 0 && pl_streq(schema[0], "plimsoll.runs/1") && pl_streq(schema[1], schema[0]))
        rc = pl_compare_files(cli, cli->arg[0], pl_jdoc_root(doc[0]), cli->arg[1],
                              pl_jdoc_root(doc[1]), err);
    else if (rc == 0 && pl_streq(schema[0], "plimsoll.assess/1") && pl_streq(schema[1], schema[0]))
        rc = pl_compare_machines(cli, err);
    else if (rc == 0)
        rc = pl_compare_usage(err, "the files are not both of 'runs --json', nor both of 'assess "
                                   "--json'");
    (void)pl_jdoc_free(doc[0]);
    (void)pl_jdoc_free(doc[1]);
    return rc;
}

static int pl_compare_run(struct pl_cli *cli, struct pl_err *err)
{
    uint64_t a = 0, b = 0;
    bool sides = pl_cli_opt(cli, "a")->given || pl_cli_opt(cli, "b")->given;
    if (cli->n_arg == 1 && sides)
        return pl_compare_two_settings(cli, err);
    if (cli->n_arg == 1)
        return pl_compare_usage(err, "one side is missing");
    if (sides || pl_cli_opt(cli, "ab")->given)
        return pl_compare_usage(err, "--a, --b and --ab go with one MODEL");
    if (pl_parse_u64(cli->arg[0], &a) && pl_parse_u64(cli->arg[1], &b)) {
        if (a == 0 || b == 0 || a > INT64_MAX || b > INT64_MAX)
            return pl_compare_usage(err, "runs are numbered from 1");
        return pl_compare_ids(cli, (int64_t)a, (int64_t)b, err);
    }
    return pl_compare_two_files(cli, err);
}

static const struct pl_opt pl_compare_opts[] = {
    {"a",                                            '\0', PL_OPT_TEXT, "FLAGS", "settings of side A: \"-c 4096\""},
    {"b",                                   '\0', PL_OPT_TEXT, "FLAGS", "settings of side B"},
    {"ab",             '\0', PL_OPT_FLAG, NULL, "run both on the real engine, alternately"},
    {"repeats",                                            'r', PL_OPT_NUMBER, "N", "--ab: pairs of runs (default 5, at least 3)"},
    {"prompt",                                   'p', PL_OPT_NUMBER, "N", "--ab: tokens of every prompt (default 512)"},
    {"predict",                          'n', PL_OPT_NUMBER, "N", "--ab: tokens of every answer (default 32)"},
    {"fill",                                           '\0', PL_OPT_CHOICE, "zero|random", "--ab: weights of a ghost (default zero)"},
    {"engine",                                   '\0', PL_OPT_PATH, "PATH", "--ab: llama-server, or a folder that holds it"},
    {"model",    '\0', PL_OPT_TEXT, "MODEL", "what two machine files are compared for"},
    {"ledger",                                      '\0', PL_OPT_PATH, "FILE", "the ledger with the runs (default: $PLIMSOLL_LEDGER)"},
    {"no-ledger",                                 '\0', PL_OPT_FLAG, NULL, "--ab: store nothing"},
    PL_CLI_MACHINE_OPTS,
    PL_CLI_MODEL_OPTS,
    {0},
};

static const char *const pl_compare_examples[] = {
    "plimsoll compare 12 15  # two runs of the ledger",
    "plimsoll compare qwen3-8b --a \"-c 8192\" --b \"-c 8192 -ctk q8_0 -ctv q8_0\"",
    "plimsoll compare qwen3-0.6b:q8_0 --a \"-t 2\" --b \"-t 4\" --ab --repeats 8",
    "plimsoll compare dev.json prod.json  # files of 'plimsoll runs --limit 0 --json'",
    "plimsoll compare laptop.json server.json --model qwen3-8b -c 8192  # files of 'assess --json'",
    0,
};

const struct pl_verb pl_verb_compare = {
    .name = "compare",
    .args = "A B | MODEL --a FLAGS --b FLAGS",
    .summary = "two runs, settings or machines side by side; no winner inside the noise",
    .details =
        "Runs of files are aligned by model, quantisation, context and engine version. --ab runs "
        "A B B A ...,\neach in a process of its own, and gives the ratio with its 95 % confidence "
        "interval. Speeds that\nwere measured while others computed are not compared; memory is.",
    .examples = pl_compare_examples,
    .opts = pl_compare_opts,
    .engine_flags = true,
    .args_min = 1,
    .args_max = 2,
    .run = pl_compare_run,
};
