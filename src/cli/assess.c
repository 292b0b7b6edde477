/* plimsoll assess: the machine as it is now. */
#include "machine/assess.h"
#include "base/json.h"
#include "base/table.h"
#include "cli/capture.h"
#include "cli/machine.h"
#include "cli/sample.h"
#include "cli/verbs.h"
#include "machine/device_machine.h"
#include "report/device_rows.h"
#include "report/explain.h"
#include "report/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What every field is, how and when it was read and why it matters, after the machine itself. */
static int pl_assess_explain(struct pl_cli *cli, const struct pl_machine *m, const uint64_t *times,
                             struct pl_err *err)
{
    struct pl_str json;
    struct pl_json j;
    pl_str_init(&json, PL_JSON_TEXT_MAX);
    pl_machine_json(m, &json);
    int rc = 0;
    if (cli->json) {
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_machine_json_members(&j, m);
        rc = pl_explain_json(&json, times, &j, err);
        pl_json_end(&j);
    } else {
        pl_machine_text(m, pl_colour_wanted(STDOUT_FILENO), &cli->out);
        rc = pl_explain_text(&json, times, &cli->out, err);
    }
    pl_str_done(&json);
    return rc;
}

/* --consumers N; more than there can be is all. */
static uint32_t pl_assess_rows(const struct pl_cli *cli)
{
    uint64_t n = pl_cli_opt(cli, "consumers")->u;
    return n == 0 ? 1 : n < PL_CONSUMERS_MAX ? (uint32_t)n : PL_CONSUMERS_MAX;
}

/* --devices [WORD] */
static int pl_assess_devices(struct pl_cli *cli)
{
    const char *word = cli->n_arg > 0 ? cli->arg[0] : NULL;
    uint32_t n = cli->json ? pl_device_rows_json(word, &cli->out)
                           : pl_device_rows_text(word, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    return n > 0 ? PL_EXIT_YES : PL_EXIT_NO;
}

/* --device ID: not this machine, so nothing of it is read. */
static int pl_assess_made(struct pl_cli *cli, struct pl_machine *m, struct pl_err *err)
{
    int rc = pl_device_machine(pl_cli_opt(cli, "device")->text, pl_cli_opt(cli, "ram")->u, m, err);
    if (rc == 0 && cli->json)
        pl_machine_json(m, &cli->out);
    else if (rc == 0)
        pl_machine_text(m, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    return rc < 0 ? rc : PL_EXIT_YES;
}

/* Those of the command line, or, without any, those of the environment, parted by commas or blanks
 * (text holds them). */
static int pl_assess_endpoints(const struct pl_opt_value *given, const char *list[PL_ENDPOINTS_MAX],
                               char text[2048], uint32_t *ret_n, struct pl_err *err)
{
    const char *from = getenv("PLIMSOLL_ENDPOINTS");
    char *save = NULL;
    *ret_n = 0;
    for (uint32_t i = 0; i < given->n_list && i < PL_ENDPOINTS_MAX; i++)
        list[(*ret_n)++] = given->list[i];
    if (*ret_n > 0 || from == NULL)
        return 0;
    bool fits = pl_fmt(text, 2048, "%s", from);
    for (char *w = strtok_r(text, ", \t", &save); fits && w != NULL;
         w = strtok_r(NULL, ", \t", &save)) {
        fits = *ret_n < PL_ENDPOINTS_MAX;
        if (fits)
            list[(*ret_n)++] = w;
    }
    if (fits)
        return 0;
    (void)pl_fail(err, -E2BIG, "PLIMSOLL_ENDPOINTS: more than %d endpoints", PL_ENDPOINTS_MAX);
    return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
}

/* Options that do not go together. */
static int pl_assess_check(const struct pl_cli *cli, struct pl_err *err)
{
    const char *root = pl_cli_opt(cli, "root")->text;
    bool capture = pl_cli_opt(cli, "capture")->given, device = pl_cli_opt(cli, "device")->given;
    int rc = 0;
    if (cli->n_arg > 0)
        rc = pl_fail(err, -EINVAL, "assess: '%.60s' is one argument too many", cli->arg[0]);
    else if (device && (capture || root != NULL))
        rc = pl_fail(err, -EINVAL,
                     "assess: --device makes a machine; --root and --capture read one");
    else if (pl_cli_opt(cli, "probe-cap")->u > 0 && !pl_cli_opt(cli, "probe-alloc")->given)
        rc = pl_fail(err, -EINVAL, "assess: --probe-cap is of --probe-alloc");
    else if (pl_cli_opt(cli, "bandwidth")->given && pl_cli_opt(cli, "no-bandwidth")->given)
        rc = pl_fail(err, -EINVAL, "assess: --bandwidth and --no-bandwidth exclude each other");
    else if (root != NULL && root[0] == '\0')
        rc = pl_fail(err, -EINVAL, "assess: --root needs a folder");
    else if (capture && root != NULL)
        rc = pl_fail(err, -EINVAL, "assess: --capture reads this machine, --root another one");
    return rc < 0 ? pl_exit_as(err, rc, PL_EXIT_USAGE) : 0;
}

static int pl_assess_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine m;
    uint64_t times[PL_PROBES_MAX] = {0};
    static char names[2048];
    const char *list[PL_ENDPOINTS_MAX];
    char dir[PL_PATH_TEXT_MAX];
    bool measure = pl_cli_opt(cli, "bandwidth")->given;
    bool never = pl_cli_opt(cli, "no-bandwidth")->given;
    const char *capture = pl_cli_opt(cli, "capture")->text;
    struct pl_assess_options options = {
        .root = pl_cli_opt(cli, "root")->text,
        .model_dir = pl_cli_opt(cli, "model-dir")->text,
        .sampler = PL_CLI_SELF,
        .wake = pl_cli_opt(cli, "wake")->given,
        .bandwidth = measure,
        .times = times,
        .no_bandwidth = never,
        .remembered = never ? NULL : pl_cli_bandwidth_remembered,
        .memory = pl_cli_opt(cli, "memory")->given,
        .alloc = pl_cli_opt(cli, "probe-alloc")->text,
        .alloc_cap = pl_cli_opt(cli, "probe-cap")->u,
    };
    const struct pl_machine_view view = {
        .consumers = pl_cli_opt(cli, "all")->given         ? PL_CONSUMERS_MAX
                     : pl_cli_opt(cli, "consumers")->given ? pl_assess_rows(cli)
                                                           : 0,
    };
    if (pl_cli_opt(cli, "devices")->given)
        return pl_assess_devices(cli);
    int rc = pl_assess_check(cli, err);
    if (rc < 0)
        return rc;
    if (pl_cli_opt(cli, "device")->given)
        return pl_assess_made(cli, &m, err);
    options.storage = pl_cli_opt(cli, "storage")->given;
    options.endpoint = list;
    rc = pl_assess_endpoints(pl_cli_opt(cli, "endpoint"), list, names, &options.n_endpoint, err);
    if (rc < 0)
        return rc;
    if (options.model_dir == NULL)
        options.model_dir = pl_cli_model_dir(dir);
    rc = capture != NULL ? pl_cli_capture(cli, &options, &m, err) : pl_assess(&options, &m, err);
    if (rc < 0)
        return rc;
    if (measure)
        pl_cli_bandwidth_keep(&m);
    if (pl_cli_opt(cli, "explain")->given)
        rc = pl_assess_explain(cli, &m, times, err);
    else if (cli->json)
        pl_machine_json(&m, &cli->out);
    else
        pl_machine_view_text(&m, &view, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    return rc < 0 ? rc : PL_EXIT_YES;
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
    {"bandwidth", '\0', PL_OPT_FLAG, NULL,
     "measure memory bandwidth and arithmetic now (a second)"},
    {"no-bandwidth",                                                            '\0', PL_OPT_FLAG, NULL, "leave bandwidth unknown, remembered or not"},
    {"storage",                                                           '\0', PL_OPT_FLAG, NULL,
     "time a read of the disk below the model folder (half a second)"},
    {"endpoint",         '\0', PL_OPT_LIST, "URL",
     "try to connect to URL; may be repeated (PLIMSOLL_ENDPOINTS)"},
    {"probe-alloc",                                                                '\0', PL_OPT_TEXT, "POOL",
     "try out the largest block of ram, locked, gpu0 ... or all"},
    {"probe-cap",                                                           '\0', PL_OPT_SIZE, "SIZE",
     "with --probe-alloc: no block larger than this (half of what is free)"},
    {"wake",                                        '\0', PL_OPT_FLAG, NULL, "ask devices that are asleep too, which wakes them"},
    {"memory",                                                            '\0', PL_OPT_FLAG, NULL,
     "where all of the memory is: kernel, containers, programs, cache, free"},
    {"consumers",                                                           '\0', PL_OPT_NUMBER, "N", "show the N largest programs (10)"},
    {"all",                '\0', PL_OPT_FLAG, NULL, "show all programs that are kept"},
    {"device",                                                            '\0', PL_OPT_TEXT, "ID[,ID]",
     "show a machine made of these devices of the device data"},
    {"ram",                                                           '\0', PL_OPT_SIZE, "SIZE", "with --device: main memory of that machine"},
    {"devices",               '\0', PL_OPT_FLAG, NULL, "list the device data, or what holds WORD in id or name"},
    {"explain",                                                         '\0', PL_OPT_FLAG, NULL,
     "of each field: how and when it was read, and why it matters"},
    {0                                                          },
};

static const char *const pl_assess_examples[] = {
    "plimsoll assess --json > this-machine.json  # a machine file for planning elsewhere",
    "plimsoll assess --bandwidth  # measure what limits the speed of a CPU, and remember it",
    "plimsoll assess --devices 3090  # what is known of a device",
    "plimsoll assess --memory  # the whole memory as a tree, and what each can use of it",
    "plimsoll assess --root /mnt/dump  # another machine, from a copy of its proc and sys",
    "plimsoll assess --capture machine.tar  # for a bug report: reads back as this machine",
    0,
};

const struct pl_verb pl_verb_assess = {
    .name = "assess",
    .args = "[--devices [WORD]]",
    .args_max = 1,
    .summary = "the machine: memory pools and limits, CPU, caches, storage, tier",
    .details = "Reads, never writes (but for --storage, which may write a file of its own and "
               "remove it), and needs no rights. Memory that is shown as available is "
               "what a new program can really get: page cache that the kernel would give up "
               "counts, huge pages and what a container may not have do not.",
    .examples = pl_assess_examples,
    .opts = pl_assess_opts,
    .run = pl_assess_run,
};
