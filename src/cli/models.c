/* plimsoll models: the catalogue; --local: the models that are on this machine already. */
#include "base/checked.h"
#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/models_catalogue.h"
#include "cli/models_fits.h"
#include "cli/verbs.h"
#include "model/stores.h"
#include "report/quants.h"

#include <errno.h>
#include <unistd.h>

#define PL_MODELS_NAME_MAX 160

struct pl_models_total {
    uint64_t bytes, disk_bytes; /* a file that has several names counts once */
};

static struct pl_models_total pl_models_total(const struct pl_stores *s)
{
    struct pl_models_total t = {0};
    for (uint32_t i = 0; i < s->n; i++) {
        t.bytes = pl_add_sat(t.bytes, s->item[i].same_file ? 0 : s->item[i].bytes);
        t.disk_bytes = pl_add_sat(t.disk_bytes, s->item[i].same_file ? 0 : s->item[i].disk_bytes);
    }
    return t;
}

static void pl_models_text(const struct pl_stores *s, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"MODEL", "store", ">size", ">on disk", "same as", NULL};
    char name[PL_MODELS_NAME_MAX], same[PL_MODELS_NAME_MAX / 2], a[PL_SIZE_TEXT_MAX],
        b[PL_SIZE_TEXT_MAX];
    struct pl_table *t = s->n > 0 ? pl_table_new(titles) : NULL;
    for (uint32_t i = 0; i < s->n && t != NULL; i++) {
        const struct pl_store_item *it = &s->item[i];
        pl_table_row(t);
        pl_table_cell(t, "%s", pl_text_cut(name, sizeof(name), it->name));
        pl_table_cell(t, "%s", it->store);
        pl_table_cell(t, "%s", pl_size_text(it->bytes, a));
        pl_table_cell(t, "%s", pl_size_text(it->disk_bytes, b));
        if (it->same_as >= 0)
            pl_table_cell(t, "%s (%s)", pl_text_cut(same, sizeof(same), s->item[it->same_as].name),
                          it->same_by);
        else
            pl_table_cell(t, "%s", "");
    }
    if (t != NULL)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    struct pl_models_total sum = pl_models_total(s);
    pl_str_addf(out, "%u model%s, %s on disk%s\n", s->n, s->n == 1 ? "" : "s",
                pl_size_text(sum.disk_bytes, a),
                s->cut ? "; there are more than were looked at" : "");
}

static void pl_models_json(const struct pl_stores *s, struct pl_str *out)
{
    struct pl_json j;
    char text[4096];
    struct pl_models_total sum = pl_models_total(s);
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.models/1");
    pl_json_array(&j, "models");
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pl_store_item *it = &s->item[i];
        bool same = it->same_as >= 0;
        pl_json_object(&j, NULL);
        pl_json_str(&j, "name", pl_text_cut(text, sizeof(text), it->name));
        pl_json_str(&j, "store", it->store);
        pl_json_str(&j, "path", pl_text_cut(text, sizeof(text), it->path));
        pl_json_u64(&j, "files", it->n_file);
        pl_json_u64(&j, "bytes", it->bytes);
        pl_json_u64(&j, "disk_bytes", it->disk_bytes);
        pl_json_str(&j, "sha256", it->sha256);
        pl_json_str(&j, "same_as",
                    same ? pl_text_cut(text, sizeof(text), s->item[it->same_as].name) : NULL);
        pl_json_str(&j, "same_by", it->same_by);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_json_u64(&j, "bytes", sum.bytes);
    pl_json_u64(&j, "disk_bytes", sum.disk_bytes);
    pl_json_bool(&j, "complete", !s->cut);
    pl_json_end(&j);
    pl_str_add(out, "\n");
}

static int pl_models_local(struct pl_cli *cli, struct pl_err *err)
{
    char folder[PL_PATH_TEXT_MAX];
    struct pl_stores stores;
    int rc = pl_stores_find(pl_cli_model_dir(folder), &stores, err);
    if (rc == 0 && cli->json)
        pl_models_json(&stores, &cli->out);
    else if (rc == 0)
        pl_models_text(&stores, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    pl_stores_done(&stores);
    return rc < 0 ? rc : PL_EXIT_YES;
}

static int pl_models_quants(struct pl_cli *cli)
{
    bool nominal = pl_cli_opt(cli, "nominal")->given;
    struct pl_json j;
    if (!cli->json) {
        pl_quants_text(nominal, pl_colour_wanted(STDOUT_FILENO), &cli->out);
        return PL_EXIT_YES;
    }
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.models/1");
    pl_quants_json(&j, "quantisations", nominal);
    pl_json_end(&j);
    return PL_EXIT_YES;
}

static int pl_models_run(struct pl_cli *cli, struct pl_err *err)
{
    bool local = pl_cli_opt(cli, "local")->given, quants = pl_cli_opt(cli, "quants")->given;
    bool nominal = pl_cli_opt(cli, "nominal")->given, fits = pl_cli_opt(cli, "fits")->given;
    if (local + quants + fits > 1)
        (void)pl_fail(err, -EINVAL, "models: one of --local, --quants and --fits");
    else if ((local || quants) && cli->n_arg > 0)
        (void)pl_fail(err, -EINVAL, "models: --%s takes no words", local ? "local" : "quants");
    else if (nominal && !quants)
        (void)pl_fail(err, -EINVAL, "models: --nominal goes with --quants");
    else if (local)
        return pl_models_local(cli, err);
    else if (quants)
        return pl_models_quants(cli);
    else {
        int rc = pl_cli_catalogue(cli, err);
        if (rc < 0)
            return rc;
        return fits ? pl_models_fits(cli, err) : pl_models_catalogue(cli, err);
    }
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static const struct pl_opt pl_models_opts[] = {
    {"local",                                                       '\0', PL_OPT_FLAG, NULL,
     "the models on this machine, in all the places they are kept"},
    PL_MODELS_CATALOGUE_OPTS,
    PL_MODELS_FITS_OPTS,
    PL_CLI_MACHINE_OPTS,
    {"quants",                                                  '\0', PL_OPT_FLAG, NULL,
     "the quantisations: measured bits a weight and quality, with their sources"},
    {"nominal", '\0', PL_OPT_FLAG, NULL,
     "with --quants: what the rule of thumb takes them for, too"},
    PL_CLI_CATALOGUE_OPT,
    {0                                                     },
};
static const char *const pl_models_examples[] = {
    "plimsoll models --local  # what is here, and what is here twice",
    "plimsoll models qwen3",
    "plimsoll models --kind llm --licence apache --max-size 5GiB --min-context 32768",
    "plimsoll models --quant q8_0 --json",
    "plimsoll models --fits                # what runs here, the best quantisation of each",
    "plimsoll models --fits --device rtx3060-12g --ram 32GiB --kind llm",
    "plimsoll models --quants --nominal",
    0,
};

const struct pl_verb pl_verb_models = {
    .name = "models",
    .args = "[--local | --quants | [--fits] WORD...]",
    .summary = "models of the catalogue; --local: those on this machine",
    .details =
        "The rows of the catalogue that hold every WORD; an id stands for MODEL wherever one is\n"
        "asked for, with :QUANT behind it. Exit 1 when there is none. With --fits: those that run "
        "on\n"
        "the machine, each with the best quantisation and the longest context that are safe. With\n"
        "--local:\n"
        "Looks through $PLIMSOLL_MODELS (else ~/models, else the current folder), the cache of\n"
        "Hugging Face's tools, Ollama's store, LM Studio's and llama.cpp's folders. The first\n"
        "column can be given as MODEL to the other commands. Two are the same by file, by SHA-256\n"
        "where the store knows it, or by length and first MiB.",
    .examples = pl_models_examples,
    .opts = pl_models_opts,
    .args_max = PL_ARGS_MAX,
    .run = pl_models_run,
};
