/* When the file is here: it is read as a model, and run on the engine when there is one. */
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/pull.h"
#include "cli/sample.h"
#include "engine/llamacpp/find.h"
#include "engine/llamacpp/settings.h"
#include "model/reader.h"
#include "sys/spawn.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#define PL_TEST_TIMEOUT_NS (900 * PL_S_NS)
#define PL_TEST_OUT_MAX (4u << 20)

/* What the trial printed: a JSON object, or the line of an error. */
static void pl_test_read(struct pl_pull_tested *r, const char *text, size_t len)
{
    struct pl_jdoc *doc = NULL;
    uint64_t load_ms = 0;
    if (r->status != 0 || pl_jdoc_parse(text, len, "the trial", &doc, NULL) < 0) {
        const char *line = pl_starts(text, "plimsoll: ") ? text + strlen("plimsoll: ") : text;
        (void)PL_FMT(r->said, "%.*s", (int)strcspn(line, "\n"), line);
        pl_text_clean(r->said);
        r->done = false;
        return;
    }
    pl_jval run = pl_jget(pl_jdoc_root(doc), "run"), timing = pl_jget(run, "timing");
    pl_jval engine = pl_jget(run, "engine");
    (void)PL_FMT(r->engine, "%s %s", pl_jstr(pl_jget(engine, "name"), "engine"),
                 pl_jstr(pl_jget(engine, "version"), ""));
    if (pl_ju64(pl_jget(pl_jget(run, "report"), "load_ms"), &load_ms))
        r->load_s = (double)load_ms / 1e3;
    (void)pl_jnum(pl_jget(timing, "prompt_tokens_per_second"), &r->prefill);
    (void)pl_jnum(pl_jget(timing, "predicted_tokens_per_second"), &r->decode);
    (void)pl_ju64(pl_jget(pl_jget(pl_jget(run, "measured"), "total"), "bytes"), &r->measured);
    (void)pl_jdoc_free(doc);
}

/* The words of `plimsoll try`, short: one timed request. */
static int pl_test_argv(struct pl_pulling *t, struct pl_arena *a, const char **argv, size_t max,
                        struct pl_err *err)
{
    const char *fixed[] = {PL_CLI_SELF, "try", pl_pull_path(t->p), "--json", "--prompt", "64",
                           "--predict", "16",  "--repeats",        "1",      "--warmup", "0"};
    const char *flag[PL_FLAG_ARGV_MAX];
    size_t n = 0;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        argv[n++] = fixed[i];
    if (pl_cli_opt(t->cli, "force")->given)
        argv[n++] = "--force";
    if (pl_cli_opt(t->cli, "engine")->given) {
        argv[n++] = "--engine";
        argv[n++] = pl_cli_opt(t->cli, "engine")->text;
    }
    int k = pl_llamacpp_argv(&t->cli->settings, a, flag, err);
    for (int i = 0; i < k && n + 1 < max; i++)
        argv[n++] = flag[i];
    argv[n] = NULL;
    return k < 0 ? k : 0;
}

static int pl_test_run(struct pl_pulling *t, struct pl_err *err)
{
    const char *argv[64 + PL_FLAG_ARGV_MAX];
    struct pl_arena a;
    struct pl_str out;
    int status = 0;
    pl_arena_init(&a, 1u << 20);
    pl_str_init(&out, PL_TEST_OUT_MAX);
    int rc = pl_test_argv(t, &a, argv, sizeof(argv) / sizeof(argv[0]), err);
    uint64_t start = pl_now_ns(pl_clock_real());
    if (rc == 0)
        rc = pl_spawn_run(&(struct pl_spawn){.argv = argv, .same_group = true}, PL_TEST_TIMEOUT_NS,
                          PL_TEST_OUT_MAX, &out, &status, err);
    t->tested.seconds = (double)(pl_now_ns(pl_clock_real()) - start) / 1e9;
    if (rc == 0) {
        t->tested.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
        t->tested.done = t->tested.status == 0;
        pl_test_read(&t->tested, pl_str_get(&out), out.len);
    }
    pl_str_done(&out);
    pl_arena_done(&a);
    return rc;
}

/* All the parts are there, each as long as its header says: what an engine checks when it loads. */
static int pl_test_whole(struct pl_pulling *t, struct pl_err *err)
{
    struct pl_model *m = NULL;
    int rc = pl_model_read(pl_pull_path(t->p), &m, err);
    if (rc == 0 && !pl_streq(m->arch, t->model->arch)) {
        rc = pl_fail(err, -EBADMSG, "holds another model than its first bytes said");
        pl_err_at(err, pl_pull_path(t->p), 0, 0);
    }
    (void)pl_model_free(m);
    return rc;
}

int pl_pulling_test(struct pl_pulling *t, struct pl_err *err)
{
    static struct pl_install engine;
    const struct pl_cli *cli = t->cli;
    bool asked = pl_cli_opt(cli, "test")->given;
    struct pl_err why = {0};
    int rc = pl_test_whole(t, err);
    if (rc < 0)
        return rc;
    if (pl_cli_opt(cli, "no-test")->given) {
        t->tested.why_not = "--no-test";
        return 0;
    }
    if (!asked && (!t->has_forecast || t->forecast.judgement.verdict == PL_VERDICT_DOES_NOT_FIT ||
                   t->forecast.judgement.verdict == PL_VERDICT_CANNOT_TELL)) {
        t->tested.why_not = "it may not fit here; --test runs it all the same";
        return 0;
    }
    rc = pl_llamacpp_find(pl_cli_opt(cli, "engine")->text, &engine, &why);
    if (rc < 0 && !asked && !pl_cli_opt(cli, "engine")->given) {
        t->tested.why_not = "no engine was found";
        return 0;
    }
    if (rc < 0) {
        *err = why;
        return rc;
    }
    pl_pulling_say(t, "loading it and testing it");
    rc = pl_test_run(t, err);
    if (rc == 0 && !t->tested.done) {
        (void)pl_fail(err, -EIO, "it is here, and the test failed: %s", t->tested.said);
        pl_err_at(err, pl_pull_path(t->p), 0, 0);
        (void)pl_hint(err, "'plimsoll try' with its path says more; --no-test leaves the test out");
        (void)pl_exit_as(err, -EIO,
                         t->tested.status > 0 && t->tested.status <= PL_EXIT_ENVIRONMENT
                             ? (enum pl_exit)t->tested.status
                             : PL_EXIT_ENVIRONMENT);
        rc = -EIO;
    }
    return rc;
}
