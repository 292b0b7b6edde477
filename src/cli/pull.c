/* plimsoll pull MODEL: downloads a model, when it fits the disk and this machine. */
#include "cli/pull.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/verbs.h"
#include "model/stores.h"
#include "sys/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static int pl_pull_check(const struct pl_cli *cli, struct pl_err *err)
{
    const struct pl_opt_value *n = pl_cli_opt(cli, "connections");
    if (pl_cli_opt(cli, "output")->given && pl_cli_opt(cli, "dir")->given)
        (void)pl_fail(err, -EINVAL, "-o names a file and --dir a folder: give one of them");
    else if (n->given && (n->u == 0 || n->u > PL_DOWNLOAD_CONNECTIONS_MAX))
        (void)pl_fail(err, -EINVAL, "--connections is between 1 and %u",
                      PL_DOWNLOAD_CONNECTIONS_MAX);
    else if (pl_cli_opt(cli, "test")->given && pl_cli_opt(cli, "no-test")->given)
        (void)pl_fail(err, -EINVAL, "--test and --no-test: give one of them");
    else if (pl_cli_opt(cli, "retries")->u > 1000)
        (void)pl_fail(err, -EINVAL, "--retries is at most 1000");
    else
        return 0;
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* The folder for what no store is made for: the user's own when there is one, else ours. */
static const char *pl_pull_others(char out[PL_PATH_TEXT_MAX])
{
    if (!pl_cli_model_dir_own(out) && !pl_stores_own(out, PL_PATH_TEXT_MAX))
        (void)pl_fmt(out, PL_PATH_TEXT_MAX, ".");
    return out;
}

/* Everything that is known before the first byte of the body. */
static int pl_pull_prepare(struct pl_pulling *t, struct pl_err *err)
{
    const struct pl_cli *cli = t->cli;
    char others[PL_PATH_TEXT_MAX], folder[PL_PATH_TEXT_MAX];
    const struct pl_pull_options o = {
        .open = {.offline = pl_cli_offline(cli), .stop = t->stop},
        .projector = pl_cli_opt(cli, "mmproj")->given,
        .output = pl_cli_opt(cli, "output")->text,
        .dir = pl_cli_opt(cli, "dir")->text,
        .others = pl_pull_others(others),
    };
    int rc = pl_pull_find(t->spec, &o, &t->p, err);
    /* an address tells its parts by the header alone; of a name that is here the header is too */
    bool first = rc == 0 && t->p->kind == PL_PULL_URL;
    if (first)
        rc = pl_pull_header(t->p, &o, &t->model, err);
    if (rc == 0)
        rc = pl_pull_place(t->p, &o, err);
    if (rc == 0)
        rc = pl_pull_here(t->p, pl_cli_model_dir(folder), t->stop, err);
    if (rc == 0 && !first)
        rc = pl_pull_header(t->p, &o, &t->model, err);
    return rc == 0 ? pl_pulling_plan(t, err) : rc;
}

static int pl_pull_one(struct pl_pulling *t, struct pl_pull_file *f, struct pl_err *err)
{
    const struct pl_opt_value *retries = pl_cli_opt(t->cli, "retries");
    const struct pl_download_options o = {
        .url = f->url,
        .token = t->p->token[0] != '\0' ? t->p->token : NULL,
        .path = f->path,
        .bytes = f->bytes,
        .sha256 = f->sha256,
        .connections = (uint32_t)pl_cli_opt(t->cli, "connections")->u,
        .retries = retries->given ? (uint32_t)retries->u : PL_DOWNLOAD_RETRIES,
        .stop = t->stop,
        .progress = pl_pulling_progress,
        .say = pl_pulling_say,
        .ctx = t,
    };
    struct pl_download_result r = {0};
    t->current = f;
    int rc = pl_make_parents(f->path, 0777, err);
    if (rc == 0)
        rc = pl_download(&o, &r, err);
    struct pl_download_result *sum = &t->total;
    sum->bytes = pl_add_sat(sum->bytes, r.bytes);
    sum->resumed = pl_add_sat(sum->resumed, r.resumed);
    sum->fetched = pl_add_sat(sum->fetched, r.fetched);
    sum->requests += r.requests;
    sum->retries += r.retries;
    (void)PL_FMT(sum->sha256, "%s", r.sha256);
    t->before = pl_add_sat(t->before, r.bytes);
    t->unverified = t->unverified || (rc == 0 && !r.verified);
    return rc;
}

static int pl_pull_fetch(struct pl_pulling *t, struct pl_err *err)
{
    uint64_t start = pl_now_ns(pl_clock_real());
    int rc = 0;
    t->all_bytes = pl_pull_bytes(t->p);
    if (t->all_bytes > 0 && pl_cli_offline(t->cli)) {
        (void)pl_fail(err, -ENOENT, "%.120s: offline, and it is not here", t->p->model);
        return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    for (uint32_t i = 0; rc == 0 && i < t->p->n; i++) {
        if (t->p->file[i].here == NULL)
            rc = pl_pull_one(t, &t->p->file[i], err);
    }
    t->seconds = (double)(pl_now_ns(pl_clock_real()) - start) / 1e9;
    return rc == 0 ? pl_pull_publish(t->p, err) : rc;
}

static int pl_pull_verb_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_pulling t;
    bool dry = pl_cli_opt(cli, "dry-run")->given;
    t.cli = cli;
    t.spec = cli->arg[0];
    t.stop = pl_interrupt_flag();
    t.started_ns = t.shown_ns = pl_now_ns(pl_clock_real());
    int rc = pl_pull_check(cli, err);
    if (rc == 0)
        rc = pl_pull_prepare(&t, err);
    if (rc == 0) {
        pl_pulling_say_plan(&t, dry);
        rc = pl_pulling_admit(&t, err);
    }
    if (rc == 0 && !dry)
        rc = pl_pull_fetch(&t, err);
    if (rc == 0 && !dry)
        rc = pl_pulling_test(&t, err);
    if (rc == 0 && !dry)
        pl_pulling_say_end(&t);
    if (rc < 0 && *t.stop != 0) {
        char hint[PL_ERR_HINT_MAX] = "";
        if (err->hint[0] != '\0')
            (void)PL_FMT(hint, "%s", err->hint);
        (void)pl_fail(err, -EINTR, "stopped");
        if (hint[0] != '\0')
            (void)pl_hint(err, "%s", hint);
        (void)pl_exit_as(err, -EINTR, (enum pl_exit)(128 + *t.stop));
        rc = -EINTR;
    }
    (void)pl_model_free(t.model);
    (void)pl_pull_free(t.p);
    (void)pl_ledger_close(t.ledger);
    return rc;
}

static const struct pl_opt pl_pull_opts[] = {
    {"output",                                              'o', PL_OPT_PATH, "FILE", "write this file"},
    {"dir",                                          0, PL_OPT_PATH, "DIR", "write into this folder, under the files' own names"},
    {"mmproj",                                    0, PL_OPT_FLAG, NULL, "the projector for images and sound too"},
    {"dry-run",                                                 0, PL_OPT_FLAG, NULL, "say all that is known before, and fetch nothing"},
    {"force",                                          0, PL_OPT_FLAG, NULL, "even if it fits neither memory nor disk"},
    {"connections", 0, PL_OPT_NUMBER, "N", "ranges fetched at once (default 4, at most 16)"},
    {"retries",                                              0, PL_OPT_NUMBER, "N", "give up after so many failures in a row (default 6)"},
    {"test",                                          0, PL_OPT_FLAG, NULL, "run it at the end; without an engine that fails"},
    {"no-test",             0, PL_OPT_FLAG, NULL, "do not run it at the end"},
    {"engine",                                             0, PL_OPT_PATH, "PATH", "llama-server, or a folder that holds it"},
    {"quiet",                                          'q', PL_OPT_FLAG, NULL, "only the path, and what went wrong"},
    PL_CLI_MODEL_OPTS,
    {0   },
};

static const char *const pl_pull_examples[] = {
    "plimsoll pull hf:ggml-org/gemma-3-4b-it-GGUF --dry-run   # does it fit, where does it go?",
    "plimsoll pull qwen3-8b:q4_k_m -c 8192",
    "plimsoll pull hf:Qwen/Qwen3-8B-GGUF:Q8_0 --dir ~/models --no-test",
    "plimsoll pull https://example.org/model.gguf -o model.gguf --json",
    0,
};

const struct pl_verb pl_verb_pull = {
    .name = "pull",
    .args = "MODEL [engine flags]",
    .summary = "download a model that fits: resumed, verified, then loaded and tested",
    .details =
        "MODEL is hf:ORG/REPO[:QUANT] of the Hugging Face hub, ollama:NAME[:TAG], the https:// "
        "address\n"
        "of a GGUF file, or a catalogue id such as qwen3-8b:q4_k_m. The header is read first: what "
        "does\n"
        "not fit this machine (with the engine flags given; context 4096) or its disk is not "
        "fetched,\n"
        "and smaller quantisations that would fit are named (exit 1; --force).\n"
        "It goes where its users look for it: the cache of the hub's own tools, which llama-server "
        "-hf\n"
        "reads too; Ollama's store; for an address $PLIMSOLL_MODELS, else ~/models when that "
        "exists,\n"
        "else $XDG_DATA_HOME/plimsoll/models. What any store here has already is not fetched "
        "again.\n"
        "Whatever ends it, the same command goes on from there. Nothing gets its name before its "
        "length\n"
        "and its published SHA-256 are right. Then it is run for a moment when an engine is found.",
    .examples = pl_pull_examples,
    .opts = pl_pull_opts,
    .engine_flags = true,
    .args_min = 1,
    .args_max = 1,
    .run = pl_pull_verb_run,
};
