#include "measure/calibrate.h"

#include "base/str.h"
#include "ledger/observe.h"

#include <errno.h>

#define PL_CALIBRATE_RUNS 300 /* the newest: an estimate reads them each time */

struct pl_calibrating {
    struct pl_forecast *f;
    const struct pl_observations *o;
    struct pl_correction_key key;
    char alike[PL_RUN_TEXT_MAX];
};

/* Whose runs they are, and what is doubtful of them. */
static void pl_calibrate_from(const struct pl_learned *l, char out[PL_CALIBRATED_TEXT_MAX])
{
    const struct pl_correction *c = &l->c;
    const char *whose = l->imported   ? ""
                        : l->own      ? " of this model and settings"
                        : l->any_arch ? ", of other architectures too"
                        : c->few      ? " of other models of this architecture"
                                      : "";
    char few[64] = "";
    if (c->few && l->own)
        (void)(c->n == 1 ? PL_FMT(few, "; one run alone, so the interval is assumed")
                         : PL_FMT(few, "; %u runs alone, so the interval is assumed", c->n));
    else if (c->few)
        (void)PL_FMT(few, "; %.0f %% of what they were off by", 100 * c->share);
    (void)pl_fmt(out, PL_CALIBRATED_TEXT_MAX, "%s%s%s%s%s", l->from, whose, few,
                 c->few && c->wide && l->own ? ", and what was predicted without it counts too"
                                             : "",
                 c->bounded ? "; cut at the bound: the formula is wrong there" : "");
}

/* The correction for a target; a row when there is one. */
static int pl_calibrate_one(struct pl_calibrating *c, const char *pool, int target, bool on_device,
                            struct pl_correction *ret)
{
    struct pl_calibrated *cal = &c->f->calibrated;
    struct pl_learned learned;
    c->key.target = target;
    c->key.on_device = on_device;
    int rc = pl_learn(c->o, &c->key, 0, &learned);
    *ret = learned.c;
    if (rc < 0 || !learned.c.known || cal->n >= PL_CALIBRATED_MAX)
        return rc;
    struct pl_calibrated_row *row = &cal->row[cal->n++];
    *row = (struct pl_calibrated_row){.what = pl_target_name(target), .correction = learned.c};
    (void)PL_FMT(row->pool, "%s", pool);
    pl_calibrate_from(&learned, row->from);
    return 0;
}

static bool pl_calibrate_soft(int target, struct pl_quantity q)
{
    return pl_target_is_soft(target) && pl_known(q) && q.likely > 0 && q.high != UINT64_MAX &&
           (q.low != q.high || q.source == PL_SOURCE_ASSUMED);
}

static uint64_t pl_shift(uint64_t v, uint64_t from, uint64_t to)
{
    if (v == UINT64_MAX)
        return v;
    if (to >= from)
        return to - from > UINT64_MAX - v ? UINT64_MAX : v + (to - from);
    return v > from - to ? v - (from - to) : 0;
}

/* A sum moves as its part does. Ends stay in order: each moves by its own difference. */
static void pl_calibrate_move(struct pl_quantity *sum, struct pl_quantity from,
                              struct pl_quantity to)
{
    if (!pl_known(*sum))
        return;
    sum->low = pl_shift(sum->low, from.low, to.low);
    sum->likely = pl_shift(sum->likely, from.likely, to.likely);
    sum->high = pl_shift(sum->high, from.high, to.high);
    sum->low = sum->low < sum->likely ? sum->low : sum->likely;
    sum->high = sum->high > sum->likely ? sum->high : sum->likely;
}

static void pl_calibrate_sums(struct pl_pool_footprint *p, struct pl_quantity from,
                              struct pl_quantity to)
{
    pl_calibrate_move(&p->steady, from, to);
    pl_calibrate_move(&p->peak, from, to);
    pl_calibrate_move(&p->load_peak, from, to);
}

static int pl_calibrate_pool(struct pl_calibrating *c, struct pl_pool_footprint *p)
{
    bool host = pl_streq(p->pool, PL_RUN_MEASURED_POOL), any = false;
    struct pl_correction correction;
    int rc = 0;
    for (int k = 0; rc == 0 && k < PL_PARTS; k++) {
        if (!pl_calibrate_soft(k, p->part[k]))
            continue;
        rc = pl_calibrate_one(c, p->pool, k, !host, &correction);
        if (rc < 0 || !correction.known)
            continue;
        struct pl_quantity was = p->part[k];
        p->part[k] = pl_corrected(was, &correction);
        pl_calibrate_sums(p, was, p->part[k]);
        any = true;
    }
    if (rc < 0 || any || !pl_calibrate_soft(PL_TARGET_STEADY, p->steady))
        return rc;
    rc = pl_calibrate_one(c, p->pool, PL_TARGET_STEADY, !host, &correction);
    if (rc == 0 && correction.known) {
        struct pl_quantity was = p->steady;
        pl_calibrate_sums(p, was, pl_corrected(was, &correction));
    }
    return rc;
}

static int pl_calibrate_speed(struct pl_calibrating *c, int target, struct pl_rate *r, double roof)
{
    struct pl_correction correction;
    if (r->source == PL_SOURCE_UNKNOWN)
        return 0;
    int rc = pl_calibrate_one(c, "", target, false, &correction);
    if (rc < 0 || !correction.known)
        return rc;
    *r = pl_corrected_rate(*r, &correction);
    if (roof > 0) { /* whatever was measured: bytes do not come faster than memory gives them */
        r->high = r->high < roof ? r->high : roof;
        r->likely = r->likely < roof ? r->likely : roof;
        r->low = r->low < roof ? r->low : roof;
    }
    return 0;
}

/* The backend that this machine's newest run of that version had, with devices or without. */
static const char *pl_calibrate_backend(const struct pl_observations *o, const char *machine,
                                        bool devices)
{
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < o->n_run; i++) {
            const struct pl_observed_run *r = &o->run[i];
            bool has = false;
            for (uint32_t k = r->first; k < r->first + r->n; k++)
                has = has || o->one[k].on_device;
            if (has == devices && (pass == 1 || pl_streq(r->machine, machine)))
                return r->backend;
        }
    }
    return o->n_imported > 0 ? o->imported[0].backend : NULL;
}

static int pl_calibrate_another(void *ctx, const struct pl_run *run)
{
    char(*version)[64] = ctx;
    (void)PL_FMT(*version, "%s", run->engine_version);
    return 1;
}

/* Why nothing is corrected. Another version's runs are named, and not used. */
static void pl_calibrate_note(struct pl_forecast *f, struct pl_ledger *ledger,
                              const struct pl_observations *o)
{
    struct pl_calibrated *c = &f->calibrated;
    char other[64] = "";
    if (c->n > 0)
        return;
    if (o != NULL && o->n_run > 0) {
        (void)PL_FMT(c->note, "too few runs that agree: %u of llama.cpp %s", o->n_run,
                     f->engine_version);
        return;
    }
    struct pl_ledger_filter filter = {.engine = "llama.cpp", .ok_only = true, .limit = 1};
    (void)pl_ledger_runs(ledger, &filter, pl_calibrate_another, &other, NULL);
    if (other[0] == '\0')
        (void)PL_FMT(c->note, "no runs yet");
    else if (pl_streq(other, f->engine_version))
        (void)PL_FMT(c->note, "no runs that this version of plimsoll predicted");
    else
        (void)PL_FMT(c->note, "no runs of llama.cpp %s; those of %.40s are not used for it",
                     f->engine_version[0] != '\0' ? f->engine_version : "(version not known)",
                     other);
}

/* Safe by the formulas and too large by what was seen: the worse counts. */
static void pl_calibrate_judge(struct pl_forecast *f)
{
    struct pl_judgement seen;
    pl_judge(&f->calibrated.footprint, f->machine, &seen);
    if (seen.verdict == PL_VERDICT_CANNOT_TELL || seen.verdict <= f->judgement.verdict)
        return;
    f->judgement.verdict = seen.verdict;
    if (f->judgement.n_reason < PL_REASONS_MAX)
        (void)PL_FMT(f->judgement.reason[f->judgement.n_reason++],
                     "with what earlier runs needed more than predicted: %.130s",
                     seen.n_reason > 0 ? seen.reason[0] : "");
}

static int pl_calibrate_all(struct pl_calibrating *c)
{
    struct pl_forecast *f = c->f;
    struct pl_calibrated *cal = &f->calibrated;
    int rc = 0;
    pl_settings_alike(f->flags, c->alike);
    c->key = (struct pl_correction_key){
        .version = f->engine_version,
        .arch = f->model->arch,
        .machine = f->machine->id,
        .model = f->name,
        .quant = f->quant,
        .alike = c->alike,
        .backend = pl_calibrate_backend(c->o, f->machine->id, f->footprint.n_pool > 1)};
    if (c->key.backend == NULL)
        return 0;
    for (uint32_t i = 0; rc == 0 && i < cal->footprint.n_pool; i++)
        rc = pl_calibrate_pool(c, &cal->footprint.pool[i]);
    if (rc == 0)
        rc = pl_calibrate_speed(c, PL_TARGET_PREFILL, &cal->prefill, 0);
    if (rc == 0)
        rc = pl_calibrate_speed(c, PL_TARGET_DECODE, &cal->decode, f->speed.roof);
    return rc;
}

int pl_forecast_calibrate(struct pl_forecast *f, struct pl_ledger *ledger, struct pl_err *err)
{
    struct pl_observations *o = NULL;
    struct pl_calibrated *cal = &f->calibrated;
    *cal = (struct pl_calibrated){
        .footprint = f->footprint, .prefill = f->prefill, .decode = f->decode};
    if (ledger == NULL || f->values.row != NULL)
        return 0;
    int rc = 0;
    if (f->engine_version[0] != '\0') /* "" would be any */
        rc = pl_observe(ledger, f->engine_version, PL_CALIBRATE_RUNS, &o, NULL);
    if (rc == 0 && o != NULL)
        rc = pl_calibrate_all(&(struct pl_calibrating){.f = f, .o = o});
    if (rc == -ENOMEM) {
        (void)pl_observations_free(o);
        return pl_fail(err, rc, "no memory for the runs of the ledger");
    }
    pl_calibrate_note(f, ledger, o);
    if (cal->n > 0)
        pl_calibrate_judge(f);
    (void)pl_observations_free(o);
    return 0;
}
