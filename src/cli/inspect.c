/* plimsoll inspect: what a model file holds, from its header alone. */
#include "base/table.h"
#include "cli/model.h"
#include "cli/quality.h"
#include "cli/verbs.h"
#include "model/describe.h"
#include "report/model.h"

#include <unistd.h>

static int pl_inspect_run(struct pl_cli *cli, struct pl_err *err)
{
    struct pl_model *m = NULL;
    struct pl_description d;
    int rc = pl_cli_model_any(cli, cli->arg[0], NULL, &m, err);
    if (rc < 0)
        return rc;
    pl_model_describe(m, &d);
    struct pl_model_view view = {
        .tensors = pl_cli_opt(cli, "tensors")->given,
        .keys = pl_cli_opt(cli, "keys")->given,
        .colour = pl_colour_wanted(STDOUT_FILENO),
        .catalogue_id = pl_cli_model_id(m),
    };
    if (cli->json) {
        struct pl_json j;
        pl_json_start(&j, &cli->out, true);
        pl_report_model_json(&j, m, &d, &view);
    } else {
        pl_report_model_text(&cli->out, m, &d, &view);
    }
    (void)pl_model_free(m);
    return PL_EXIT_YES;
}

static const struct pl_opt pl_inspect_opts[] = {
    {"tensors",            't', PL_OPT_FLAG, NULL, "list every tensor"},
    {"keys",         'k', PL_OPT_FLAG, NULL, "list every key of the header, values cut"},
    PL_CLI_MODEL_OPTS,
    {0},
};
static const char *const pl_inspect_examples[] = {
    "plimsoll inspect qwen3-8b-q4_k_m.gguf",
    "plimsoll inspect --tensors --json model-00001-of-00003.gguf  # any part of a split model", 0};

const struct pl_verb pl_verb_inspect = {
    .name = "inspect",
    .args = "MODEL",
    .summary = "what a model file holds: architecture, parameters, tensors by type, tokenizer",
    .details = PL_CLI_MODEL_HELP
    "\nReads the header only, never the weights. Lines that begin with '!' name what looks\n"
    "wrong: a damaged or unusual file, or one that engines refuse.",
    .examples = pl_inspect_examples,
    .opts = pl_inspect_opts,
    .args_min = 1,
    .args_max = 1,
    .run = pl_inspect_run,
};
