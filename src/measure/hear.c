#include "measure/hear.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/whisper.h"
#include "engine/llamacpp/find.h"
#include "engine/whispercpp/server.h"
#include "measure/describe.h"
#include "measure/returned.h"
#include "measure/watch.h"
#include "sys/proc.h"
#include "sys/spawn.h"

#include <errno.h>
#include <stdlib.h>

#define PL_HEAR_SERVER "whisper-server"
#define PL_HEAR_SAMPLE_NS (20 * PL_MS_NS)
#define PL_HEAR_REPEATS_MAX 64u

struct pl_hear {
    const struct pl_forecast *f;
    const struct pl_hear_options *o;
    struct pl_run *run;
    struct pl_root root;
    struct pl_hearing *server;
    struct pl_watch *watch;
    double seconds;
};

static void pl_hear_say(const struct pl_hear *t, const char *what)
{
    if (t->o->progress != NULL)
        t->o->progress(t->o->ctx, what);
}

int pl_hear_find(const char *hint, struct pl_install *ret, struct pl_err *err)
{
    struct pl_install in;
    struct pl_err why = {0};
    char path[PL_INSTALL_PATH_MAX], alone[PATH_MAX];
    int rc = pl_llamacpp_find(hint, &in, &why);
    if (rc == 0)
        rc = pl_llamacpp_tool(&in, PL_HEAR_SERVER, path, NULL);
    if (rc < 0 && hint == NULL && pl_program_find(PL_HEAR_SERVER, alone, NULL) == 0 &&
        PL_FMT(path, "%s", alone)) {
        in = (struct pl_install){0};
        rc = 0;
    }
    if (rc < 0) {
        (void)pl_fail(err, -ENOENT, PL_HEAR_SERVER " is neither beside llama-server nor on PATH");
        (void)pl_hint(err, "install whisper.cpp, or give --engine a folder that holds it (from a "
                           "checkout: tools/fetch-engines --whisper)");
        return pl_exit_as(err, -ENOENT, PL_EXIT_ENVIRONMENT);
    }
    (void)PL_FMT(in.engine, "%s", PL_WHISPER_FORMAT);
    (void)PL_FMT(in.server, "%s", path);
    in.version[0] = '\0'; /* llama.cpp's; whisper-server does not say its own */
    in.build = 0;
    *ret = in;
    return 0;
}

static void pl_hear_describe(struct pl_hear *t)
{
    struct pl_run *r = t->run;
    pl_run_describe(t->f, t->o->engine->engine, t->o->engine->backend, t->o->loaded, t->o->fill, r);
    r->settings = (struct pl_resolved){.load_mode = PL_LOAD_NONE}; /* into memory of its own */
    for (int i = 0; i < PL_PARTS; i++)
        r->measured[i] = PL_QUANTITY_UNKNOWN("not told apart");
    r->measured_total = PL_QUANTITY_UNKNOWN("not measured");
}

static int pl_hear_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int pl_hear_ask(struct pl_hear *t, struct pl_err *err)
{
    const struct pl_hear_options *o = t->o;
    double took[PL_HEAR_REPEATS_MAX];
    uint32_t n = o->repeats < PL_HEAR_REPEATS_MAX ? o->repeats : PL_HEAR_REPEATS_MAX;
    for (uint32_t i = 0; i < o->warmups + n; i++) {
        char what[96];
        double seconds = 0;
        bool warm = i < o->warmups;
        (void)PL_FMT(what, "%s %u of %u: a second of noise", warm ? "warm-up" : "repeat",
                     warm ? i + 1 : i - o->warmups + 1, warm ? o->warmups : n);
        pl_hear_say(t, what);
        int rc = pl_hearing_ask(t->server, i, o->stop, &seconds, err);
        if (rc < 0)
            return rc;
        if (!warm)
            took[i - o->warmups] = seconds;
    }
    if (n > 0) {
        qsort(took, n, sizeof(took[0]), pl_hear_compare);
        t->seconds = n % 2 == 1 ? took[n / 2] : (took[n / 2 - 1] + took[n / 2]) / 2;
    }
    return 0;
}

/* Weights by its own word, the process as a whole by the kernel's; what lies on a device is not
 * told. */
static int pl_hear_measure(struct pl_hear *t, struct pl_err *err)
{
    struct pl_run *r = t->run;
    uint64_t low = 0, high = 0;
    int rc = pl_proc_sample(&t->root, pl_hearing_pid(t->server), &r->steady, err);
    if (rc < 0)
        return rc;
    uint64_t held = pl_add_sat(pl_add_sat(r->steady.rss_anon, r->steady.rss_shmem), r->steady.swap);
    r->measured_total = pl_exact(held, PL_SOURCE_MEASURED,
                                 "RssAnon + RssShmem + swapped: its files are read, not mapped");
    if (r->predicted.n_pool == 1 && pl_hearing_weights(t->server, &low, &high))
        r->measured[PL_PART_WEIGHTS] = pl_between(low, low + (high - low) / 2, high,
                                                  PL_SOURCE_MEASURED, "the engine's model size");
    for (uint32_t i = 0; i < r->predicted.n_pool; i++) {
        for (int k = 0; k < PL_PARTS; k++)
            r->on_device[i].part[k] = PL_QUANTITY_UNKNOWN("not told apart");
        r->on_device[i].total = PL_QUANTITY_UNKNOWN("the engine does not say what a device holds");
    }
    r->peak = pl_watch_peak(t->watch);
    r->peak.rss_anon =
        r->peak.rss_anon > r->steady.rss_anon ? r->peak.rss_anon : r->steady.rss_anon;
    return 0;
}

static int pl_hear_serve(struct pl_hear *t, struct pl_err *err)
{
    const struct pl_hear_options *o = t->o;
    const char *words[PL_INSTALL_WORDS + 1] = {0};
    struct pl_install_env env;
    (void)pl_llamacpp_words(o->engine, o->engine->server, words);
    pl_llamacpp_env(o->engine, &env);
    const struct pl_hearing_options how = {.words = words,
                                           .env = env.env,
                                           .env_drop = env.drop,
                                           .model = pl_model_load_path(o->loaded),
                                           .values = &t->f->values,
                                           .log_path = o->log_path};
    pl_hear_say(t, "starting the engine");
    uint64_t start = pl_now_ns(pl_clock_real());
    int rc = pl_hearing_start(&how, &t->server, err);
    if (rc == 0)
        rc = pl_watch_start(pl_hearing_pid(t->server), PL_HEAR_SAMPLE_NS, &t->watch, err);
    if (rc == 0)
        rc = pl_hearing_wait_ready(t->server, o->ready_timeout_ns, o->stop, err);
    t->run->report.load_ms = (pl_now_ns(pl_clock_real()) - start) / PL_MS_NS;
    if (rc == 0)
        rc = pl_proc_sample(&t->root, pl_hearing_pid(t->server), &t->run->baseline, err);
    if (rc == 0)
        rc = pl_hear_ask(t, err);
    return rc == 0 ? pl_hear_measure(t, err) : rc;
}

int pl_hear_run(const struct pl_forecast *f, const struct pl_hear_options *o, struct pl_run *ret,
                double *ret_seconds, struct pl_err *err)
{
    struct pl_hear t = {.f = f, .o = o, .run = ret};
    struct pl_err local = {0};
    if (err == NULL)
        err = &local;
    pl_hear_describe(&t);
    int rc = pl_root_open(NULL, &t.root, err);
    if (rc < 0)
        return rc;
    uint64_t before = pl_returned_before(&t.root);
    rc = pl_hear_serve(&t, err);
    t.watch = pl_watch_stop(t.watch);
    t.server = pl_hearing_free(t.server);
    if (rc == 0)
        ret->memory_returned = pl_returned_wait(&t.root, before);
    pl_root_done(&t.root);
    ret->status = rc == 0 ? PL_RUN_OK : rc == -EINTR ? PL_RUN_INTERRUPTED : PL_RUN_FAILED;
    if (rc < 0)
        (void)PL_FMT(ret->error, "%s", err->what);
    *ret_seconds = t.seconds;
    return rc;
}
