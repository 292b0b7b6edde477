/* plimsoll run -- COMMAND: admit, run and watch any command; explain it when it dies. */
#include "cli/run.h"

#include "base/clock.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/failed_log.h"
#include "cli/run_ladder.h"
#include "cli/run_report.h"
#include "cli/verbs.h"
#include "measure/relief.h"
#include "report/why.h"
#include "sys/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PL_RUN_REFUSED 125 /* as env(1) and docker: the command was not run */
#define PL_RUN_HEARD_MAX (1u << 20)

/* The last words of the command, for the log of a failed run. */
struct pl_heard {
    char ring[PL_RUN_HEARD_MAX];
    size_t at, n;
};

static struct pl_running pl_the_run;
static struct pl_heard pl_heard;

static void pl_run_heard(void *ctx, const char *bytes, size_t n)
{
    struct pl_running *r = ctx;
    pl_whylog_feed(r->log, bytes, n);
    pl_run_listen(r, bytes, n);
    for (size_t i = 0; i < n;) {
        size_t part =
            PL_RUN_HEARD_MAX - pl_heard.at < n - i ? PL_RUN_HEARD_MAX - pl_heard.at : n - i;
        memcpy(pl_heard.ring + pl_heard.at, bytes + i, part);
        pl_heard.at = (pl_heard.at + part) % PL_RUN_HEARD_MAX;
        i += part;
    }
    pl_heard.n = pl_heard.n + n < PL_RUN_HEARD_MAX ? pl_heard.n + n : PL_RUN_HEARD_MAX;
}

/* What it said last, in order and without its secrets. */
static bool pl_run_last_words(const struct pl_running *r, struct pl_str *out)
{
    static char text[PL_RUN_HEARD_MAX];
    size_t start = (pl_heard.at + PL_RUN_HEARD_MAX - pl_heard.n) % PL_RUN_HEARD_MAX;
    size_t first = pl_heard.n < PL_RUN_HEARD_MAX - start ? pl_heard.n : PL_RUN_HEARD_MAX - start;
    memcpy(text, pl_heard.ring + start, first);
    memcpy(text + first, pl_heard.ring, pl_heard.n - first);
    pl_mask_add(&r->mask, text, pl_heard.n, out);
    return !out->failed;
}

/* Keeps what it said last, for `plimsoll why`. Only the owner may read it: it may hold anything. */
static void pl_run_keep_log(struct pl_running *r)
{
    char dir[PL_PATH_TEXT_MAX];
    struct pl_str text;
    if (pl_heard.n == 0 || !pl_failed_log_path(r->kept_log, sizeof(r->kept_log)))
        return;
    (void)PL_FMT(dir, "%s", r->kept_log);
    for (char *p = dir + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        (void)mkdir(dir, 0700);
        *p = '/';
    }
    pl_str_init(&text, 8 * PL_RUN_HEARD_MAX);
    int fd =
        open(r->kept_log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    bool ok = fd >= 0 && fchmod(fd, 0600) == 0 && pl_run_last_words(r, &text) &&
              pl_write_all(fd, pl_str_get(&text), text.len) == 0;
    if (fd >= 0)
        (void)close(fd);
    pl_str_done(&text);
    if (!ok)
        r->kept_log[0] = '\0';
}

static void pl_run_say(struct pl_running *r, const char *text)
{
    if (!pl_cli_opt(r->cli, "quiet")->given)
        (void)fprintf(stderr, "plimsoll: %s", text);
}

uint64_t pl_run_ceiling_of(const struct pl_running *r, const char *pool)
{
    for (uint32_t i = 0; i < r->n_ceiling; i++)
        if (pl_streq(r->ceiling[i].pool, pool))
            return r->ceiling[i].bytes;
    return 0;
}

/* Runs one form of the command to its end. */
static int pl_run_once(struct pl_running *r, const char *const *argv, const char *const *env,
                       struct pl_err *err)
{
    uint64_t ceiling = pl_run_ceiling_of(r, "ram");
    struct pl_err soft = {0};
    r->log = pl_whylog_free(r->log);
    pl_heard.at = pl_heard.n = 0;
    r->events = (struct pl_group_events){0}; /* of this run alone */
    r->cpu_fallback = false;
    int rc = pl_whylog_new(NULL, &r->log, err);
    if (rc < 0)
        return rc;
    bool held = ceiling > 0 && pl_group_make(ceiling, &r->group, &soft) == 0;
    struct pl_wrapped_options o = {
        .argv = argv,
        .env = env,
        .listen = !pl_cli_opt(r->cli, "no-log")->given,
        .heard = pl_run_heard,
        .ctx = r,
        .group = held ? r->group.procs : NULL,
        .ceiling = held ? 0 : ceiling,
    };
    pl_run_watch(r, &o);
    r->kills_known = pl_oom_kills(&r->kills_before);
    rc = pl_wrapped_run(&o, &r->wrapped, err);
    pl_run_unwatch(r);
    pl_whylog_end(r->log);
    if (held) {
        r->events = pl_group_read(&r->group);
        pl_group_remove(&r->group);
    }
    if (rc < 0)
        return rc;
    const struct pl_oom *o_seen;
    uint32_t n = pl_whylog_failures(r->log, &o_seen);
    for (uint32_t i = 0; i < n && !r->cpu_fallback; i++)
        r->cpu_fallback = !o_seen[i].fatal && o_seen[i].class == PL_OOM_DRIVER;
    return 0;
}

static bool pl_run_failed(const struct pl_running *r)
{
    return r->wrapped.status != 0 && !r->wrapped.interrupted;
}

static void pl_run_explanation(struct pl_running *r)
{
    struct pl_str out;
    struct pl_why_report w = {.log = "-",
                              .oom = &r->oom,
                              .reliefs = &r->reliefs,
                              .failures = 1,
                              .forecast = r->has_forecast ? &r->forecast : NULL};
    struct pl_oom_object object[PL_OOM_OBJECTS_MAX];
    if (!r->has_oom || pl_cli_opt(r->cli, "quiet")->given)
        return;
    for (uint32_t i = 0; i < r->oom.n_evidence; i++) {
        char line[PL_OOM_LINE_MAX];
        (void)PL_FMT(line, "%s", r->oom.evidence[i]);
        (void)pl_mask_text(&r->mask, line, r->oom.evidence[i], PL_OOM_LINE_MAX);
    }
    if (r->model != NULL) {
        w.n_object = pl_oom_objects(&r->oom, r->model,
                                    r->has_forecast ? &r->forecast.footprint : NULL, object);
        w.object = object;
    }
    if (r->has_forecast && r->command.other == NULL && r->reliefs.n == 0 &&
        pl_oom_is_memory(r->oom.class))
        (void)pl_relief_find(&r->forecast, NULL, 0, &r->reliefs, NULL);
    pl_str_init(&out, 65536);
    pl_why_text(&w, false, &out);
    (void)fputs(pl_str_get(&out), stderr);
    pl_str_done(&out);
}

/* One rung down: announced, run, and marked. */
static int pl_run_rung(struct pl_running *r, const struct pl_rung *g, struct pl_err *err)
{
    static const char *words[PL_COMMAND_WORDS_MAX + 1];
    static char text[PL_RUN_COMMAND_MAX], sets[PL_RUNG_SETS_MAX][PL_RUN_TEXT_MAX];
    const char *env[PL_RUNG_SETS_MAX + 1] = {NULL};
    const char *const *argv = g->command;
    if (argv == NULL) {
        if (pl_command_with(&r->command, r->argc, r->argv, g->flags, g->model, words, text,
                            sizeof(text)) < 0)
            return pl_fail(err, -E2BIG, "the command of the next rung is too long");
        argv = words;
    }
    struct pl_model *other = NULL;
    if (g->model != NULL)
        (void)pl_model_open(g->model, &other, NULL);
    int rc = pl_rung_env(g, other != NULL ? other : r->model, sets, env, err);
    other = pl_model_free(other);
    if (rc < 0)
        return rc;
    struct pl_str line;
    pl_str_init(&line, PL_RUN_COMMAND_MAX);
    pl_run_quote(&r->mask, argv, &line);
    (void)PL_FMT(r->rung_text, "%.200s",
                 g->name != NULL    ? g->name
                 : g->flags != NULL ? g->flags
                                    : "next rung");
    (void)fprintf(stderr, "plimsoll: %s; degraded, rung %u (%s): %s\n",
                  pl_oom_class_name(r->oom.class), r->rung + 1, r->rung_text, pl_str_get(&line));
    pl_str_done(&line);
    r->rung++;
    r->predicted = PL_QUANTITY_UNKNOWN("the rung that ran was not predicted");
    return pl_run_once(r, argv, env, err);
}

/* While it dies for want of memory and a rung below helps: each rung once. */
static int pl_run_fall_back(struct pl_running *r, const char *how, struct pl_err *err)
{
    static struct pl_ladder ladder;
    int rc = 0;
    if (pl_streq(how, "auto")) {
        if (r->has_forecast && r->command.other == NULL && r->reliefs.n == 0)
            (void)pl_relief_find(&r->forecast, NULL, 0, &r->reliefs, NULL);
        pl_ladder_builtin(r, &ladder);
    } else {
        rc = pl_ladder_read(how, &ladder, err);
    }
    for (uint32_t i = 0; rc == 0 && i < ladder.n && pl_run_failed(r); i++) {
        pl_run_explain(r);
        if (!r->has_oom || !pl_oom_is_memory(r->oom.class))
            break; /* a crash is not cured by less memory */
        if (pl_rung_helps(&ladder.rung[i], &r->oom))
            rc = pl_run_rung(r, &ladder.rung[i], err);
    }
    pl_ladder_done(&ladder);
    return rc;
}

static void pl_run_finish(struct pl_running *r)
{
    struct pl_str out;
    pl_str_init(&out, 65536);
    if (pl_run_failed(r)) {
        pl_run_explain(r);
        pl_run_keep_log(r);
        pl_run_explanation(r);
    }
    pl_run_line(r, &out);
    pl_run_say(r, pl_str_get(&out));
    pl_run_remember(r);
    if (r->cli->json) {
        pl_str_clear(&out);
        pl_run_json(r, &out);
        (void)fputs(pl_str_get(&out), stderr);
    }
    pl_str_done(&out);
}

static int pl_run_refuse(struct pl_running *r)
{
    struct pl_str out;
    pl_str_init(&out, 65536);
    pl_run_refusal(r, &out);
    (void)fprintf(stderr, "plimsoll: %s", pl_str_get(&out));
    if (r->cli->json) {
        pl_str_clear(&out);
        pl_run_json(r, &out);
        (void)fputs(pl_str_get(&out), stderr);
    }
    pl_str_done(&out);
    return PL_RUN_REFUSED;
}

static void pl_run_done(struct pl_running *r)
{
    r->log = pl_whylog_free(r->log);
    r->ledger = pl_ledger_close(r->ledger);
    r->model = pl_model_free(r->model);
}

static int pl_run_verb_run(struct pl_cli *cli, struct pl_err *err)
{
    struct pl_running *r = &pl_the_run;
    const char *fallback = pl_cli_opt(cli, "fallback")->text;
    static struct pl_ladder check;
    r->cli = cli;
    r->argc = (int)cli->n_arg;
    r->argv = (char **)(uintptr_t)cli->arg;
    int rc =
        fallback != NULL && !pl_streq(fallback, "auto") ? pl_ladder_read(fallback, &check, err) : 0;
    pl_ladder_done(&check);
    if (rc == 0)
        rc = pl_run_know(r, err);
    r->ledger = pl_ledger_close(r->ledger); /* nothing of it is held while the command runs */
    if (rc == 0 && !pl_cli_opt(cli, "force")->given && !pl_run_admits(r) && fallback == NULL)
        rc = pl_run_refuse(r);
    if (rc == 0 && r->unjudged[0] != '\0' && !pl_cli_opt(cli, "quiet")->given)
        (void)fprintf(stderr, "plimsoll: not judged beforehand: %s\n", r->unjudged);
    if (rc == 0)
        rc = pl_run_once(r, cli->arg, NULL, err);
    if (rc == 0 && fallback != NULL && pl_run_failed(r))
        rc = pl_run_fall_back(r, fallback, err);
    if (rc == 0) {
        pl_run_finish(r);
        struct pl_wrapped w = r->wrapped;
        pl_run_done(r);
        return pl_wrapped_exit(&w);
    }
    pl_run_done(r);
    return rc;
}

static const struct pl_opt pl_run_opts[] = {
    {"ceiling",                                                                           '\0', PL_OPT_LIST, "POOL=SIZE",
     "the most it may take: held by a control group where one can be made, else watched"},
    {"fallback",                                                                        '\0', PL_OPT_TEXT, "FILE|auto",
     "on a failure for want of memory: the next rung of this ladder, each once"},
    {"force", '\0', PL_OPT_FLAG, NULL, "run it also when it does not fit"},
    {"model",                                                                          '\0', PL_OPT_TEXT, "MODEL", "its model, when the command does not name it"},
    {"no-log",                                                                        '\0', PL_OPT_FLAG, NULL,
     "do not listen to its output: nothing can be explained from it"},
    {"quiet",          'q', PL_OPT_FLAG, NULL,
     "say nothing when all went well or ill; the exit status tells"},
    {"ledger",                                                                             '\0', PL_OPT_PATH, "FILE", "store the run here"},
    {"no-ledger",                                                                        '\0', PL_OPT_FLAG, NULL, "store nothing"},
    {0                                                },
};

static const char *const pl_run_examples[] = {
    "plimsoll run -- llama-server -m model.gguf -c 32768",
    "plimsoll run --ceiling ram=8GiB -- python3 train.py --batch 32",
    "plimsoll run --fallback auto -- llama-server -m model.gguf -c 131072",
    "plimsoll run --fallback ladder.yaml -- python3 serve.py --model big  # the next rung when "
    "memory fails",
    0,
};

const struct pl_verb pl_verb_run = {
    .name = "run",
    .args = "[--] COMMAND [words]",
    .summary = "run any command: admit it, watch its memory, explain its death, fall back",
    .details = "The command's output, signals, terminal and exit status stay its own. A command "
               "that does not fit\n"
               "is refused with status 125 and the nearest setting that fits. 126 and 127 as "
               "env(1). One line at\n"
               "the end, and with --json an object, go to standard error.",
    .examples = pl_run_examples,
    .opts = pl_run_opts,
    .command = true,
    .args_min = 1,
    .args_max = PL_ARGS_MAX,
    .run = pl_run_verb_run,
};
