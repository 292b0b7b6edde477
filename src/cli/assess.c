/* plimsoll assess: the machine as it is now. */
#include "machine/assess.h"
#include "base/json.h"
#include "base/table.h"
#include "cli/capture.h"
#include "cli/machine.h"
#include "cli/verbs.h"
#include "report/machine.h"

#include <errno.h>
#include <unistd.h>

/* Where every fact comes from and why it matters, from the probes' own table. */
static void pl_assess_explain(struct pl_str *out)
{
    for (size_t i = 0; pl_probes[i] != NULL; i++)
        pl_str_addf(out, "\n%s\n    read from  %s\n    matters    %s\n", pl_probes[i]->name,
                    pl_probes[i]->reads, pl_probes[i]->matters);
}

static int pl_assess_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine m;
    char dir[PL_PATH_TEXT_MAX];
    bool measure = pl_cli_opt(cli, "bandwidth")->given;
    bool never = pl_cli_opt(cli, "no-bandwidth")->given;
    const char *capture = pl_cli_opt(cli, "capture")->text;
    struct pl_assess_options options = {
        .root = pl_cli_opt(cli, "root")->text,
        .model_dir = pl_cli_opt(cli, "model-dir")->text,
        .bandwidth = measure,
        .remembered = never ? NULL : pl_cli_bandwidth_remembered,
    };
    if (measure && never) {
        (void)pl_fail(err, -EINVAL, "assess: --bandwidth and --no-bandwidth exclude each other");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (options.root != NULL && options.root[0] == '\0') {
        (void)pl_fail(err, -EINVAL, "assess: --root needs a folder");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (options.model_dir == NULL)
        options.model_dir = pl_cli_model_dir(dir);
    if (capture != NULL && options.root != NULL) {
        (void)pl_fail(err, -EINVAL, "assess: --capture reads this machine, --root another one");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int rc =
        capture != NULL ? pl_cli_capture(cli, &options, &m, err) : pl_assess(&options, &m, err);
    if (rc < 0)
        return rc;
    if (measure)
        pl_cli_bandwidth_keep(&m);
    if (cli->json)
        pl_machine_json(&m, &cli->out);
    else
        pl_machine_text(&m, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    if (!cli->json && pl_cli_opt(cli, "explain")->given)
        pl_assess_explain(&cli->out);
    return PL_EXIT_YES;
}

static const struct pl_opt pl_assess_opts[] = {
    {"root",                                                                 '\0', PL_OPT_PATH, "DIR",
     "read another machine: a folder with proc and sys, or a capture"},
    {"capture",                                                           '\0', PL_OPT_PATH, "FILE",
     "write everything this reading reads to FILE, a tar archive, redacted"},
    {"no-redact",       '\0', PL_OPT_FLAG, NULL,
     "with --capture: leave names, addresses and serial numbers in"},
    {"force",                                                              '\0', PL_OPT_FLAG, NULL, "with --capture: replace FILE"},
    {"model-dir",                                                           '\0', PL_OPT_PATH, "DIR", "where models are kept (PLIMSOLL_MODELS, ~/models, .)"},
    {"bandwidth", '\0', PL_OPT_FLAG, NULL, "measure memory bandwidth now (half a second)"},
    {"no-bandwidth",                                                            '\0', PL_OPT_FLAG, NULL, "leave bandwidth unknown, remembered or not"},
    {"explain",                                                           '\0', PL_OPT_FLAG, NULL, "where each fact comes from and why it matters"},
    {0        },
};

static const char *const pl_assess_examples[] = {
    "plimsoll assess --json > this-machine.json  # a machine file for planning elsewhere",
    "plimsoll assess --bandwidth  # measure what limits the speed of a CPU, and remember it",
    "plimsoll assess --root /mnt/dump  # another machine, from a copy of its proc and sys",
    "plimsoll assess --capture machine.tar  # for a bug report: reads back as this machine",
    0,
};

const struct pl_verb pl_verb_assess = {
    .name = "assess",
    .args = "",
    .summary = "the machine: memory pools and limits, CPU, caches, storage, tier",
    .details = "Reads, never writes, and needs no rights. Memory that is shown as available is "
               "what a new program can really get: page cache that the kernel would give up "
               "counts, huge pages and what a container may not have do not.",
    .examples = pl_assess_examples,
    .opts = pl_assess_opts,
    .run = pl_assess_run,
};
