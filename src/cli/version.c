/* plimsoll version; plimsoll completion: small verbs about the program itself. */
#include "base/json.h"
#include "cli/verbs.h"

static int pl_version_run(struct pl_cli *cli, struct pl_err *err)
{
    (void)err;
    if (cli->json) {
        struct pl_json j;
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", "plimsoll.version/1");
        pl_json_str(&j, "version", PL_VERSION);
        pl_json_end(&j);
    } else {
        pl_str_add(&cli->out, "plimsoll " PL_VERSION "\n");
    }
    return PL_EXIT_YES;
}

static const struct pl_opt pl_version_opts[] = {{0}};
static const char *const pl_version_examples[] = {"plimsoll version --json", 0};

const struct pl_verb pl_verb_version = {
    .name = "version",
    .args = "",
    .summary = "print the version",
    .examples = pl_version_examples,
    .opts = pl_version_opts,
    .run = pl_version_run,
};

static int pl_completion_run(struct pl_cli *cli, struct pl_err *err)
{
    if (pl_streq(cli->arg[0], "man")) {
        pl_help_man(&cli->out);
        return PL_EXIT_YES;
    }
    return pl_help_completion(cli->arg[0], &cli->out, err);
}

static const char *const pl_completion_examples[] = {
    "plimsoll completion bash > ~/.local/share/bash-completion/completions/plimsoll", 0};

const struct pl_verb pl_verb_completion = {
    .name = "completion",
    .args = "bash|zsh|man",
    .summary = "print the shell completion, or the man page, made from the option tables",
    .examples = pl_completion_examples,
    .opts = pl_version_opts,
    .args_min = 1,
    .args_max = 1,
    .run = pl_completion_run,
};
