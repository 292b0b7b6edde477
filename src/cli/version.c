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

#define PL_COMPLETION_MAX (1u << 20) /* bytes of a page or a script */

static int pl_completion_text(const char *what, struct pl_str *out, struct pl_err *err)
{
    if (!pl_streq(what, "man"))
        return pl_help_completion(what, out, err);
    pl_help_man(out);
    return PL_EXIT_YES;
}

static int pl_completion_run(struct pl_cli *cli, struct pl_err *err)
{
    if (!cli->json)
        return pl_completion_text(cli->arg[0], &cli->out, err);
    struct pl_str text;
    struct pl_json j;
    pl_str_init(&text, PL_COMPLETION_MAX);
    int rc = pl_completion_text(cli->arg[0], &text, err);
    if (rc >= 0) {
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", "plimsoll.completion/1");
        pl_json_str(&j, "for", cli->arg[0]);
        pl_json_str(&j, "text", pl_str_get(&text));
        pl_json_end(&j);
        cli->out.failed = cli->out.failed || text.failed;
    }
    pl_str_done(&text);
    return rc;
}

static const char *const pl_completion_examples[] = {
    "plimsoll completion bash > ~/.local/share/bash-completion/completions/plimsoll",
    "plimsoll completion fish > ~/.config/fish/completions/plimsoll.fish",
    "plimsoll completion man | man -l -", 0};

const struct pl_verb pl_verb_completion = {
    .name = "completion",
    .args = "bash|zsh|fish|man",
    .summary = "print the shell completion, or the man page, made from the option tables",
    .examples = pl_completion_examples,
    .opts = pl_version_opts,
    .args_min = 1,
    .args_max = 1,
    .run = pl_completion_run,
};
