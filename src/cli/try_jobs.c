#include "cli/try_jobs.h"

#include "cli/machine.h"
#include "cli/model.h"
#include "engine/llamacpp/settings.h"
#include "model/catalogue.h"
#include "report/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Start and stop of an engine beside loading and answering, in seconds. */
#define PL_JOBS_BESIDE 1.0

/* How long a trial will take: as a run of the same model took before, else as forecast. */
static double pl_jobs_seconds(const struct pl_try *t)
{
    const struct pl_forecast *f = &t->forecast;
    const struct pl_run *c = &f->cited;
    double load = f->speed.load.likely, prefill = f->prefill.likely, decode = f->decode.likely;
    if (f->cited_as != NULL && pl_streq(c->model, f->name) && pl_streq(c->quant, f->quant) &&
        c->timing.predicted_tokens_per_second > 0 && c->timing.prompt_tokens_per_second > 0) {
        load = (double)c->report.load_ms / 1000;
        prefill = c->timing.prompt_tokens_per_second;
        decode = c->timing.predicted_tokens_per_second;
    }
    if (!(prefill > 0) || !(decode > 0))
        return 0;
    double requests = (double)(t->warmups + t->repeats);
    return PL_JOBS_BESIDE + (load > 0 ? load : 0) + requests * (double)t->prompt / prefill +
           ((double)t->warmups + (double)t->repeats * (double)t->predict) / decode;
}

static void pl_jobs_key(struct pl_jobs *l, struct pl_job *job)
{
    const struct pl_try *t = &l->t;
    const struct pl_opt_value *fill = pl_cli_opt(t->cli, "fill");
    struct pl_str s;
    pl_str_init(&s, 16384);
    pl_str_addf(&s, "%s\n%s\n%s\n%s\n", t->engine.engine, t->engine.version, t->engine.backend,
                t->machine.id);
    pl_str_addf(&s, "%s\n%s\n%s\n%" PRIu64 "\n", l->spec[job->spec], t->forecast.name,
                t->forecast.quant, t->model != NULL ? t->model->file_bytes : 0);
    pl_llamacpp_flags_text(&t->cli->settings, &s);
    pl_str_addf(&s, "\n%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n%s\n", t->prompt,
                t->predict, t->repeats, t->warmups, fill->given ? fill->text : "zero");
    (void)pl_sha256_text(pl_str_get(&s), s.len, job->key);
    pl_str_done(&s);
}

const char *pl_jobs_id(const struct pl_jobs *l, char out[PL_SHA256_TEXT_MAX])
{
    struct pl_sha256 sum;
    uint8_t bytes[PL_SHA256_BYTES];
    pl_sha256_start(&sum);
    /* with --all-that-fit the models depend on the memory of the moment: not they, but the wish */
    if (pl_cli_opt(l->t.cli, "all-that-fit")->given) {
        struct pl_str s;
        pl_str_init(&s, 16384);
        pl_str_addf(&s, "all that fit\n%s\n%s\n", l->t.engine.version, l->t.machine.id);
        pl_llamacpp_flags_text(&l->base, &s);
        pl_sha256_add(&sum, pl_str_get(&s), s.len);
        pl_sha256_add(&sum, l->combos.text, l->combos.len);
        pl_str_done(&s);
    } else {
        for (uint32_t i = 0; i < l->n; i++)
            pl_sha256_add(&sum, l->job[i].key, strlen(l->job[i].key));
    }
    pl_sha256_end(&sum, bytes);
    return pl_sha256_hex(bytes, out);
}

int pl_jobs_ready(struct pl_jobs *l, uint32_t i, struct pl_err *err)
{
    struct pl_try *t = &l->t;
    struct pl_job *job = &l->job[i];
    struct pl_combos_request q = l->request;
    const char *spec = l->spec[job->spec];
    if (t->loaded != t->model) {
        (void)pl_model_free(t->loaded);
        t->loaded = NULL;
    }
    if (t->model != NULL && !pl_streq(spec, t->spec))
        pl_try_forget(t);
    t->loaded = t->model;
    t->spec = spec;
    memset(&t->forecast, 0, sizeof(t->forecast));
    t->cli->settings = l->base;
    int rc = pl_combos_apply(&l->combos, job->combo, &t->cli->settings, &q, err);
    if (rc == 0 && t->model == NULL)
        rc = pl_cli_model(t->cli, spec, t->stop, &t->model, err);
    t->loaded = t->model;
    if (rc < 0)
        return rc;
    t->prompt = q.prompt;
    t->predict = q.predict;
    return pl_try_admit(t, err);
}

void pl_jobs_refused(struct pl_jobs *l, uint32_t i, const struct pl_err *why)
{
    static struct pl_run run; /* large */
    const struct pl_try *t = &l->t;
    const struct pl_forecast *f = &t->forecast;
    const char *what = why->what;
    if (pl_starts(what, "not started: "))
        what += strlen("not started: ");
    memset(&run, 0, sizeof(run));
    run.status = PL_RUN_REFUSED;
    (void)PL_FMT(run.error, "%s", what);
    (void)PL_FMT(run.model, "%s", f->name[0] != '\0' ? f->name : l->spec[l->job[i].spec]);
    (void)PL_FMT(run.quant, "%s", f->quant);
    (void)PL_FMT(run.flags, "%s", f->flags[0] != '\0' ? f->flags : l->job[i].text);
    (void)PL_FMT(run.engine_version, "%s", t->engine.version);
    (void)PL_FMT(run.backend, "%s", t->engine.backend);
    (void)PL_FMT(run.machine_text, "%s, %u threads", t->machine.cpu.model,
                 t->machine.cpu.threads_allowed);
    if (t->model != NULL)
        (void)PL_FMT(run.arch, "%s", t->model->arch);
    run.settings = f->resolved;
    run.predicted = f->footprint;
    run.predicted_prefill = f->prefill;
    run.predicted_decode = f->decode;
    pl_result_of(&run, &l->results.one[i]);
    l->job[i].state = PL_JOB_REFUSED;
}

/* What was learned before the run, beside what the formulas said. */
static void pl_jobs_calibrated(const struct pl_forecast *f, struct pl_result *one)
{
    const struct pl_calibrated *c = &f->calibrated;
    for (uint32_t i = 0; i < c->n; i++) {
        if (pl_streq(c->row[i].pool, PL_RUN_MEASURED_POOL))
            one->host_calibrated = (double)c->footprint.pool[0].steady.likely;
        else if (pl_streq(c->row[i].what, "decode"))
            one->decode_calibrated = c->decode.likely;
    }
}

void pl_jobs_ended(struct pl_jobs *l, uint32_t i, const struct pl_err *why, uint64_t ns)
{
    struct pl_job *job = &l->job[i];
    pl_jobs_refused(l, i, why != NULL ? why : &(struct pl_err){0}); /* what was forecast */
    if (l->t.run.started_unix > 0)
        pl_result_of(&l->t.run, &l->results.one[i]);
    pl_jobs_calibrated(&l->t.forecast, &l->results.one[i]);
    if (why != NULL) {
        l->results.one[i].status = PL_RUN_FAILED;
        (void)PL_FMT(l->results.one[i].error, "%s", why->what);
    } else if (job->seconds > 0) {
        l->spent += (double)ns / 1e9;
        l->foreseen += job->seconds;
    }
    job->state = why != NULL ? PL_JOB_FAILED : PL_JOB_RAN;
}

void pl_jobs_finished(struct pl_jobs *l, struct pl_results *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->job[i].state != PL_JOB_TODO && n++ != i)
            l->results.one[n - 1] = l->results.one[i];
    }
    *ret = l->results;
    ret->n = n;
}

struct pl_jobs_take {
    struct pl_result *to;
    bool found;
};

static int pl_jobs_take(void *ctx, const struct pl_run *run)
{
    struct pl_jobs_take *take = ctx;
    pl_result_of(run, take->to);
    take->found = true;
    return 1;
}

int pl_jobs_recall(struct pl_jobs *l, uint32_t i, struct pl_err *err)
{
    struct pl_jobs_take take = {.to = &l->results.one[i]};
    struct pl_ledger_filter filter = {.limit = 1};
    if (!pl_done_find(&l->done, l->job[i].key, &filter.id))
        return 0;
    int rc = pl_ledger_runs(l->t.ledger, &filter, pl_jobs_take, &take, err);
    if (rc < 0 || !take.found) /* another ledger: it is run again */
        return rc < 0 ? rc : 0;
    l->job[i].state = take.to->status == PL_RUN_OK ? PL_JOB_RAN : PL_JOB_FAILED;
    return 1;
}

void pl_jobs_look_again(struct pl_jobs *l)
{
    static struct pl_machine now; /* large */
    if (pl_cli_machine_brief(&now, NULL) < 0)
        return;
    for (uint32_t i = 0; i < l->t.machine.n_pool; i++) {
        struct pl_pool *old = &l->t.machine.pool[i];
        const struct pl_pool *p = pl_machine_pool_const(&now, old->name);
        if (p != NULL && pl_known(p->available)) {
            old->available = p->available;
            old->used = p->used;
            old->reclaimable = p->reclaimable;
        }
    }
}

void pl_jobs_left(const struct pl_jobs *l, char out[PL_JOBS_LEFT_MAX])
{
    double sum = 0;
    uint32_t known = 0, unknown = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->job[i].state != PL_JOB_TODO)
            continue;
        sum += l->job[i].seconds;
        known += l->job[i].seconds > 0 ? 1 : 0;
        unknown += l->job[i].seconds > 0 ? 0 : 1;
    }
    out[0] = '\0';
    if (known == 0)
        return;
    sum += sum / known * unknown;
    if (l->foreseen > 0)
        sum *= l->spent / l->foreseen;
    unsigned seconds = sum < 3e7 ? (unsigned)sum : 30000000u;
    if (seconds < 90)
        (void)pl_fmt(out, PL_JOBS_LEFT_MAX, "about %u s left", seconds > 0 ? seconds : 1);
    else if (seconds < 5400)
        (void)pl_fmt(out, PL_JOBS_LEFT_MAX, "about %u min left", (seconds + 30) / 60);
    else
        (void)pl_fmt(out, PL_JOBS_LEFT_MAX, "about %u h %u min left", seconds / 3600,
                     seconds % 3600 / 60);
}

/* "-c 2048 -ctk q8_0" of the i-th combination. */
static void pl_jobs_text(const struct pl_combos *c, uint32_t i, char out[PL_JOBS_TEXT_MAX])
{
    uint32_t every = 1;
    struct pl_str s;
    pl_str_init(&s, PL_JOBS_TEXT_MAX * 4);
    for (uint32_t a = 0; a < c->n_axis; a++)
        every *= c->axis[a].n;
    for (uint32_t a = 0; a < c->n_axis; a++) {
        every /= c->axis[a].n;
        pl_str_addf(&s, "%s%s %s", a > 0 ? " " : "", c->axis[a].name,
                    c->axis[a].value[i / every % c->axis[a].n]);
    }
    (void)pl_text_cut(out, PL_JOBS_TEXT_MAX, pl_str_get(&s));
    pl_str_done(&s);
}

/* A first forecast: the key, the time it will take, and for the catalogue whether it is wanted. */
static int pl_jobs_look(struct pl_jobs *l, bool all, bool *ret_wanted, struct pl_err *err)
{
    struct pl_err why = {0};
    struct pl_job *job = &l->job[l->n];
    int rc = pl_jobs_ready(l, l->n, &why);
    *ret_wanted = rc == 0 || !all;
    if (*l->t.stop != 0 || (rc < 0 && l->t.model == NULL && !all)) {
        if (err != NULL)
            *err = why; /* a MODEL that is not there is told before hours of trials */
        return rc < 0 ? rc : pl_fail(err, -EINTR, "stopped");
    }
    job->seconds = rc == 0 ? pl_jobs_seconds(&l->t) : 0;
    pl_jobs_key(l, job);
    return 0;
}

static int pl_jobs_fill(struct pl_jobs *l, struct pl_err *err)
{
    uint32_t n = 0;
    bool all = pl_cli_opt(l->t.cli, "all-that-fit")->given, wanted = false;
    int rc = pl_combos_count(&l->combos, &n, err);
    l->job = calloc(PL_COMBOS_MAX, sizeof(*l->job));
    if (rc == 0 && l->job == NULL)
        rc = pl_fail(err, -ENOMEM, "no memory for the list");
    for (uint32_t s = 0; rc == 0 && s < l->n_spec; s++) {
        bool any = false;
        for (uint32_t c = 0; rc == 0 && c < n; c++) {
            if (l->n >= PL_COMBOS_MAX) {
                rc = pl_exit_as(
                    err, pl_fail(err, -E2BIG, "more than %d trials in one list", PL_COMBOS_MAX),
                    PL_EXIT_USAGE);
                break;
            }
            l->job[l->n] = (struct pl_job){.spec = s, .combo = c};
            pl_jobs_text(&l->combos, c, l->job[l->n].text);
            rc = pl_jobs_look(l, all, &wanted, err);
            any = any || wanted;
            l->n += wanted ? 1 : 0;
        }
        l->unfit += any ? 0 : 1;
    }
    return rc;
}

/* What writes text, and whose numbers agree with what was published. */
static void pl_jobs_catalogue(struct pl_jobs *l)
{
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    for (size_t i = 0; i < n && l->n_spec < PL_COMBOS_MAX; i++) {
        if ((pl_streq(row[i].kind, "llm") || pl_streq(row[i].kind, "vlm")) &&
            (row[i].checked == 1 || row[i].file != NULL))
            l->spec[l->n_spec++] = row[i].id;
    }
}

static int pl_jobs_quickest(const void *a, const void *b)
{
    const struct pl_job *x = a, *y = b;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

int pl_jobs_make(struct pl_jobs *l, struct pl_err *err)
{
    bool all = pl_cli_opt(l->t.cli, "all-that-fit")->given;
    l->base = l->t.cli->settings;
    l->request = (struct pl_combos_request){l->t.prompt, l->t.predict};
    int rc = pl_cli_catalogue(l->t.cli, err);
    if (rc == 0 && all)
        pl_jobs_catalogue(l);
    if (rc == 0)
        rc = pl_try_surroundings(&l->t, err);
    if (rc == 0)
        rc = pl_jobs_fill(l, err);
    if (rc == 0 && all)
        qsort(l->job, l->n, sizeof(*l->job), pl_jobs_quickest);
    for (uint32_t i = 0; rc == 0 && i < l->n; i++)
        rc = pl_results_add(&l->results, NULL, err) != NULL ? 0 : -ENOMEM;
    if (rc == 0 && l->n == 0) {
        (void)pl_fail(err, -ENOMEM, "no model of the catalogue fits in what is available now");
        rc = pl_exit_as(err, -ENOMEM, PL_EXIT_NO);
    }
    return rc;
}

void pl_jobs_done(struct pl_jobs *l)
{
    pl_try_forget(&l->t);
    (void)pl_ledger_close(l->t.ledger);
    pl_results_done(&l->results);
    free(l->job);
}
