#include "measure/trial.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/footprint_compute.h"
#include "engine/llamacpp/placement.h"
#include "engine/llamacpp/server.h"
#include "measure/beside.h"
#include "measure/describe.h"
#include "measure/hot.h"
#include "measure/returned.h"
#include "measure/watch.h"
#include "sys/cgroup.h"
#include "sys/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_SAMPLE_NS (50 * PL_MS_NS) /* reading /proc/PID/status costs about 10 us */
#define PL_REPEATS_MAX 64

struct pl_trial {
    const struct pl_forecast *f;
    const struct pl_trial_options *o;
    struct pl_run *run;
    struct pl_root root;
    struct pl_server *server;
    struct pl_watch *watch;
    uint64_t available_before;
    struct pl_beside_window window;
};

static void pl_trial_say(const struct pl_trial *t, const char *what)
{
    if (t->o->progress != NULL)
        t->o->progress(t->o->ctx, what);
}

/* The first driver that is known: one that changed explains another speed. */
static void pl_trial_driver(const struct pl_machine *m, struct pl_run *r)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        if (d->driver[0] == '\0' && d->driver_version[0] == '\0')
            continue;
        (void)PL_FMT(r->driver, "%s%s%.28s", d->driver, d->driver[0] != '\0' ? " " : "",
                     d->driver_version);
        return;
    }
}

static void pl_trial_describe(struct pl_trial *t)
{
    pl_run_describe(t->f, "llama.cpp", t->o->engine->backend, t->o->loaded, t->o->fill, t->run);
    (void)PL_FMT(t->run->engine_version, "%s", t->o->engine->version);
    if (t->o->devices != NULL && t->o->devices->n > 0)
        pl_trial_driver(t->f->machine, t->run);
}

static int pl_compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of n values; *ret_spread = (max - min) / median. */
static double pl_median(double *v, uint32_t n, double *ret_spread)
{
    qsort(v, n, sizeof(*v), pl_compare_doubles);
    double median = n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    *ret_spread = median > 0 ? (v[n - 1] - v[0]) / median : 0;
    return median;
}

/* One timed request of the kind that is served. */
static int pl_trial_ask(struct pl_trial *t, bool warm, struct pl_timing *ret, struct pl_err *err)
{
    const struct pl_trial_options *o = t->o;
    const struct pl_resolved *r = &t->f->resolved;
    if (!r->embedding)
        return pl_server_complete(t->server, o->prompt_tokens, warm ? 1 : o->predict_tokens,
                                  o->stop, ret, err);
    uint64_t most = r->n_ubatch < r->n_ctx_seq ? r->n_ubatch : r->n_ctx_seq;
    uint64_t tokens = o->prompt_tokens + 8 < most ? o->prompt_tokens : most > 8 ? most - 8 : 1;
    if (warm && r->pooling == PL_POOLING_RANK) {
        int rc = pl_server_rank(t->server, o->stop, err);
        if (rc < 0)
            return rc;
    }
    return pl_server_embed(t->server, tokens, o->stop, ret, err);
}

/* A projector's buffers are used by a picture, or a sound. What the engine refuses (a ghost's
 * vocabulary lacks the marks around it) is said, and not measured. */
static int pl_trial_show(struct pl_trial *t, struct pl_err *err)
{
    struct pl_err why = {0};
    if (t->f->settings.mmproj == NULL)
        return 0;
    bool sound = t->f->footprint.projector_hears;
    pl_trial_say(t, sound ? "a second of sound" : "a picture");
    int rc = pl_server_show(t->server, sound, t->o->stop, &why);
    if (rc == -EINVAL) {
        pl_trial_say(t, why.what);
        return 0;
    }
    if (rc < 0 && err != NULL)
        *err = why;
    return rc;
}

static int pl_trial_speed(struct pl_trial *t, struct pl_err *err)
{
    double prompt[PL_REPEATS_MAX], predicted[PL_REPEATS_MAX], first[PL_REPEATS_MAX];
    const struct pl_trial_options *o = t->o;
    uint32_t n = o->repeats < PL_REPEATS_MAX ? o->repeats : PL_REPEATS_MAX;
    char what[96];
    bool embeds = t->f->resolved.embedding;
    uint64_t asked = o->prompt_tokens;
    for (uint32_t i = 0; i < o->warmups + n; i++) {
        struct pl_timing timing = {0};
        bool warm = i < o->warmups;
        if (i == o->warmups)
            pl_beside_begin(&t->root, &t->window);
        (void)PL_FMT(what, "%s %u of %u: prompt of %llu tokens, answer of %llu",
                     warm ? "warm-up" : "repeat", warm ? i + 1 : i - o->warmups + 1,
                     warm ? o->warmups : n, (unsigned long long)o->prompt_tokens,
                     (unsigned long long)(embeds ? 0 : o->predict_tokens));
        pl_trial_say(t, what);
        int rc = pl_trial_ask(t, warm, &timing, err);
        if (rc < 0)
            return rc;
        if (embeds)
            asked = timing.prompt_tokens;
        if (warm)
            continue;
        prompt[i - o->warmups] = timing.prompt_tokens_per_second;
        predicted[i - o->warmups] = timing.predicted_tokens_per_second;
        first[i - o->warmups] = timing.first_token_ms;
    }
    struct pl_run *r = t->run;
    double unused = 0;
    pl_beside_end(&t->root, &t->window, &r->beside);
    pl_beside_judge(&r->beside, r->settings.n_threads, t->f->machine->cpu.threads_allowed);
    r->repeats = n;
    r->timing.prompt_tokens = asked;
    r->timing.predicted_tokens = embeds ? 0 : o->predict_tokens;
    if (n > 0) {
        r->timing.prompt_tokens_per_second = pl_median(prompt, n, &r->prompt_spread);
        r->timing.predicted_tokens_per_second = pl_median(predicted, n, &r->predicted_spread);
        r->timing.first_token_ms = pl_median(first, n, &unused);
    }
    return 0;
}

static int pl_compare_ranges(const void *a, const void *b)
{
    const struct pl_range *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Where the tensors of the loaded file lie; false when that cannot be told. */
static bool pl_trial_place(const struct pl_trial *t, struct pl_net *net, struct pl_placement *ret)
{
    static const struct pl_used_devices none;
    const struct pl_used_devices *devices = t->o->devices != NULL ? t->o->devices : &none;
    return pl_llamacpp_net(t->o->loaded, net, NULL) == 0 &&
           pl_llamacpp_place(t->o->loaded, net, &t->f->settings, devices,
                             t->f->resolved.n_gpu_layers, NULL, ret, NULL) == 0;
}

/* Is it used where it lies in the file? Not one that is converted, that a device holds, or that is
 * never loaded (layers that predict several tokens), however many of its pages are resident: they
 * were read ahead, or copied from. What is locked cannot be dropped. */
static bool pl_trial_is_hot(const struct pl_trial *t, const struct pl_placement *place,
                            const struct pl_tensor *tensor)
{
    const struct pl_resolved *r = &t->f->resolved;
    if (r->load_mode == PL_LOAD_MMAP_MLOCK)
        return true;
    if (place != NULL && (pl_place_tensor(place, tensor) & 1u << PL_PLACE_HOST) == 0)
        return false;
    return !r->repack || pl_llamacpp_is_mapped(tensor, true, &t->f->machine->cpu);
}

/* Resident bytes of the mapped weights that are used where they lie. */
static struct pl_quantity pl_trial_hot(struct pl_trial *t)
{
    const struct pl_model *m = t->o->loaded;
    struct pl_err err = {0};
    if (m->n_file != 1)
        return PL_QUANTITY_UNKNOWN("not measured for split files");
    uint64_t data = m->file[0].data_offset;
    struct pl_range *ranges = calloc(m->n_tensor + 1, sizeof(*ranges));
    if (ranges == NULL)
        return PL_QUANTITY_UNKNOWN("no memory to measure it");
    size_t n = 0;
    struct pl_net net = {0};
    struct pl_placement place = {0};
    bool placed = pl_trial_place(t, &net, &place);
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        if (pl_trial_is_hot(t, placed ? &place : NULL, &m->tensor[i]))
            ranges[n++] = (struct pl_range){data + m->tensor[i].offset, m->tensor[i].bytes};
    }
    pl_placement_done(&place);
    pl_net_done(&net);
    qsort(ranges, n, sizeof(*ranges), pl_compare_ranges);
    uint64_t bytes = 0;
    int rc = pl_hot_resident(pl_server_pid(t->server), m->path, ranges, n, &bytes, &err);
    free(ranges);
    if (rc < 0)
        return PL_QUANTITY_UNKNOWN("the engine's page map is not readable");
    /* the first and last page of a range may hold something else */
    uint64_t edges = 2 * n * (uint64_t)sysconf(_SC_PAGESIZE);
    return pl_between(bytes > edges ? bytes - edges : 0, bytes, bytes, PL_SOURCE_MEASURED,
                      "resident pages of the mapped weights");
}

/* The engine prints MiB with two decimals: half a hundredth either way. */
static struct pl_quantity pl_reported(struct pl_engine_bytes b, const char *why)
{
    const uint64_t half = PL_MIB / 200;
    if (!b.known)
        return PL_QUANTITY_UNKNOWN("the engine did not say");
    return pl_between(b.bytes > half ? b.bytes - half : 0, b.bytes, b.bytes + half,
                      PL_SOURCE_MEASURED, why);
}

/* Anonymous memory beyond the buffers. What the requests left untouched of the compute buffer is
 * not resident; that is known from its shape, give or take a quarter. */
static struct pl_quantity pl_trial_rest(const struct pl_trial *t, uint64_t anon, uint64_t buffers)
{
    struct pl_net net = {0};
    uint64_t depth = t->o->prompt_tokens + t->o->predict_tokens, idle = 0;
    bool told = pl_llamacpp_net(t->o->loaded, &net, NULL) == 0 &&
                pl_llamacpp_idle_bytes(t->o->loaded, &net, &t->f->resolved, t->o->prompt_tokens,
                                       depth, 0, 0, &idle);
    pl_net_done(&net);
    if (!told)
        return PL_QUANTITY_UNKNOWN("not told apart");
    if (anon + idle < buffers)
        return PL_QUANTITY_UNKNOWN("less anonymous memory than the buffers: not all is resident");
    uint64_t rest = anon + idle - buffers;
    return pl_between(pl_sub_floor(rest, idle / 4), rest, rest + idle / 4, PL_SOURCE_MEASURED,
                      "anonymous memory beyond the resident part of the buffers");
}

/* What can be told apart: mapped weights by their pages, buffers by the engine's own report, the
 * rest of the process by what is left of its anonymous memory. */
static void pl_trial_parts(struct pl_trial *t)
{
    struct pl_run *r = t->run;
    const struct pl_engine_report *e = &r->report;
    struct pl_quantity *part = r->measured;
    for (int i = 0; i < PL_PARTS; i++)
        part[i] = PL_QUANTITY_UNKNOWN("not told apart");
    struct pl_quantity hot = pl_trial_hot(t);
    part[PL_PART_WEIGHTS] = hot;
    if (t->f->resolved.load_mode != PL_LOAD_MMAP && t->f->resolved.load_mode != PL_LOAD_MMAP_MLOCK)
        part[PL_PART_WEIGHTS] = pl_reported(e->weights_other, "the engine's model buffer");
    part[PL_PART_REPACK] =
        e->weights_repack.known
            ? pl_reported(e->weights_repack, "the engine's CPU_REPACK buffer")
            : pl_exact(0, PL_SOURCE_MEASURED, "the engine reports no such buffer");
    part[PL_PART_KV] = pl_reported(e->kv, "the engine's KV buffer");
    part[PL_PART_COMPUTE] = pl_reported(e->compute, "the engine's compute buffer");
    part[PL_PART_OUTPUT] = pl_reported(e->output, "the engine's output buffer");
    uint64_t anon = r->steady.rss_anon + r->steady.rss_shmem + r->steady.swap;
    uint64_t buffers = 0;
    static const enum pl_part held[] = {PL_PART_REPACK, PL_PART_KV, PL_PART_COMPUTE,
                                        PL_PART_OUTPUT};
    bool all = true;
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        buffers += part[held[i]].likely;
        all = all && pl_known(part[held[i]]);
    }
    if (!pl_known(hot) || e->weights_other.known)
        buffers += e->weights_other.bytes;
    if (all && t->f->settings.mmproj == NULL)
        part[PL_PART_RUNTIME] = pl_trial_rest(t, anon, buffers);
    r->measured_total = PL_QUANTITY_UNKNOWN("the mapped weights could not be measured");
    if (pl_known(hot))
        r->measured_total =
            pl_between(anon + hot.low, anon + hot.likely, anon + hot.high, PL_SOURCE_MEASURED,
                       "RssAnon + RssShmem + swapped + mapped weights in use");
}

/* Buffers on the devices, by the engine's own report: what else its process holds there is not
 * measured, so the total is not either. */
static void pl_trial_on_devices(struct pl_trial *t)
{
    struct pl_run *r = t->run;
    for (uint32_t i = 1; i < r->predicted.n_pool; i++) {
        struct pl_pool_measured *m = &r->on_device[i];
        const struct pl_engine_device *d = NULL;
        for (int k = 0; k < PL_PARTS; k++)
            m->part[k] = PL_QUANTITY_UNKNOWN("not told apart");
        m->total = PL_QUANTITY_UNKNOWN("the context of the process is not measured");
        for (uint32_t k = 0; k < r->report.n_device && t->o->devices != NULL; k++) {
            const struct pl_used_device *u =
                pl_used_device(t->o->devices, r->report.device[k].name);
            if (u != NULL && pl_streq(u->pool, r->predicted.pool[i].pool))
                d = &r->report.device[k];
        }
        if (d == NULL)
            continue;
        const struct pl_quantity zero =
            pl_exact(0, PL_SOURCE_MEASURED, "the engine reports no such buffer");
        m->part[PL_PART_WEIGHTS] =
            d->weights.known ? pl_reported(d->weights, "the engine's model buffer") : zero;
        m->part[PL_PART_KV] = d->kv.known ? pl_reported(d->kv, "the engine's KV buffer") : zero;
        m->part[PL_PART_RECURRENT] =
            d->recurrent.known ? pl_reported(d->recurrent, "the engine's RS buffer") : zero;
        m->part[PL_PART_COMPUTE] = pl_reported(d->compute, "the engine's compute buffer");
    }
}

/* Raises every figure of a to that of b. */
static void pl_trial_most(struct pl_sample *a, const struct pl_sample *b)
{
    a->at_ns = a->at_ns > b->at_ns ? a->at_ns : b->at_ns;
    a->rss_anon = a->rss_anon > b->rss_anon ? a->rss_anon : b->rss_anon;
    a->rss_shmem = a->rss_shmem > b->rss_shmem ? a->rss_shmem : b->rss_shmem;
    a->rss_file = a->rss_file > b->rss_file ? a->rss_file : b->rss_file;
    a->swap = a->swap > b->swap ? a->swap : b->swap;
    a->locked = a->locked > b->locked ? a->locked : b->locked;
}

static int pl_trial_measure(struct pl_trial *t, struct pl_err *err)
{
    struct pl_run *r = t->run;
    pid_t pid = pl_server_pid(t->server);
    int rc = pl_proc_sample(&t->root, pid, &r->steady, err);
    if (rc < 0)
        return rc;
    pl_trial_parts(t);
    pl_trial_on_devices(t);
    r->peak = pl_watch_peak(t->watch);
    pl_trial_most(&r->peak, &r->steady); /* the watch may have looked last before the end */
    struct pl_cgroup_memory group;
    if (pl_cgroup_memory(&t->root, pid, &group, NULL) == 0 && pl_known(group.own_peak))
        r->cgroup_peak = group.own_peak.likely;
    return 0;
}

static int pl_trial_serve(struct pl_trial *t, struct pl_err *err)
{
    const struct pl_trial_options *o = t->o;
    pl_trial_say(t, "starting the engine");
    const struct pl_settings *s = &t->f->settings;
    int rc = pl_server_start_at(o->engine, pl_model_load_path(o->loaded), s, s->port, o->log_path,
                                &t->server, err);
    if (rc == 0)
        rc = pl_watch_start(pl_server_pid(t->server), PL_SAMPLE_NS, &t->watch, err);
    if (rc < 0)
        return rc;
    pl_trial_say(t, "loading the model");
    pid_t watched = pl_server_pid(t->server);
    rc = pl_server_wait_ready(t->server, o->ready_timeout_ns, o->stop, &t->run->report, err);
    (void)PL_FMT(t->run->backend, "%s", t->run->report.backend);
    if (rc == 0 && pl_server_pid(t->server) != watched) {
        /* its port was lost in a race, and it was started again */
        t->watch = pl_watch_stop(t->watch);
        rc = pl_watch_start(pl_server_pid(t->server), PL_SAMPLE_NS, &t->watch, err);
    }
    if (rc == 0)
        rc = pl_server_check(&t->run->report, &t->f->resolved, err);
    if (rc == 0)
        rc = pl_proc_sample(&t->root, pl_server_pid(t->server), &t->run->baseline, err);
    if (rc == 0)
        rc = pl_trial_show(t, err);
    if (rc == 0)
        rc = pl_trial_speed(t, err);
    if (rc == 0)
        rc = pl_trial_measure(t, err);
    return rc;
}

int pl_trial_run(const struct pl_forecast *f, const struct pl_trial_options *o, struct pl_run *ret,
                 struct pl_err *err)
{
    struct pl_trial t = {.f = f, .o = o, .run = ret};
    struct pl_err local = {0};
    if (err == NULL)
        err = &local;
    pl_trial_describe(&t);
    int rc = pl_root_open(NULL, &t.root, err);
    if (rc < 0)
        return rc;
    t.available_before = pl_returned_before(&t.root);
    pl_beside_before(&t.root, &ret->beside);
    rc = pl_trial_serve(&t, err);
    t.watch = pl_watch_stop(t.watch);
    if (t.server != NULL && pl_server_stop(t.server, rc == 0 ? err : NULL) < 0 && rc == 0)
        rc = err->code;
    t.server = pl_server_free(t.server);
    if (rc == 0) {
        pl_trial_say(&t, "waiting for the memory to come back");
        ret->memory_returned = pl_returned_wait(&t.root, t.available_before);
        ret->status = PL_RUN_OK;
    } else {
        ret->status = rc == -EINTR ? PL_RUN_INTERRUPTED : PL_RUN_FAILED;
        (void)PL_FMT(ret->error, "%s", err->what);
    }
    pl_root_done(&t.root);
    return rc;
}
