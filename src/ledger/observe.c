#include "ledger/observe.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_OBSERVED_OF_RUN 64 /* parts of a few pools, totals, speeds: room is made for so many */

static const char *const pl_target_names[] = {
    [PL_TARGET_STEADY] = "steady",
    [PL_TARGET_PREFILL] = "prefill",
    [PL_TARGET_DECODE] = "decode",
};

const char *pl_target_name(int target)
{
    return target < PL_PARTS ? pl_part_name((enum pl_part)target) : pl_target_names[target];
}

int pl_target_of(const char *name)
{
    for (int i = 0; i < PL_TARGETS; i++) {
        if (pl_streq(name, pl_target_name(i)))
            return i;
    }
    return PL_TARGETS;
}

bool pl_target_is_soft(int target)
{
    return target != PL_PART_WEIGHTS && target != PL_PART_KV;
}

struct pl_observations *pl_observations_free(struct pl_observations *o)
{
    if (o == NULL)
        return NULL;
    free(o->run);
    free(o->one);
    free(o->imported);
    free(o);
    return NULL;
}

static int pl_observe_add(struct pl_observations *o, struct pl_observed one)
{
    if (o->n == o->size) {
        uint32_t size = o->size + 16 * PL_OBSERVED_OF_RUN;
        struct pl_observed *more = realloc(o->one, size * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        o->one = more;
        o->size = size;
    }
    one.run = o->n_run;
    o->one[o->n++] = one;
    return 0;
}

static int pl_observe_bytes(struct pl_observations *o, int target, bool on_device,
                            struct pl_quantity predicted, struct pl_quantity measured)
{
    if (!pl_known(predicted) || !pl_known(measured) || predicted.likely == 0 ||
        measured.likely == 0 || predicted.high == UINT64_MAX)
        return 0;
    return pl_observe_add(
        o, (struct pl_observed){
               .target = target,
               .on_device = on_device,
               .soft = pl_target_is_soft(target) &&
                       (predicted.low != predicted.high || predicted.source == PL_SOURCE_ASSUMED),
               .low = (double)predicted.low,
               .likely = (double)predicted.likely,
               .high = (double)predicted.high,
               .measured = (double)measured.likely,
           });
}

static int pl_observe_speed(struct pl_observations *o, int target, struct pl_rate predicted,
                            double measured)
{
    if (predicted.source == PL_SOURCE_UNKNOWN || !(predicted.likely > 0) || !(measured > 0))
        return 0;
    return pl_observe_add(o, (struct pl_observed){.target = target,
                                                  .soft = true,
                                                  .low = predicted.low,
                                                  .likely = predicted.likely,
                                                  .high = predicted.high,
                                                  .measured = measured});
}

static int pl_observe_pools(struct pl_observations *o, const struct pl_run *run)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < run->predicted.n_pool; i++) {
        const struct pl_pool_footprint *p = &run->predicted.pool[i];
        bool host = pl_streq(p->pool, PL_RUN_MEASURED_POOL);
        const struct pl_quantity *measured = host ? run->measured : run->on_device[i].part;
        for (int k = 0; rc == 0 && k < PL_PARTS; k++)
            rc = pl_observe_bytes(o, k, !host, p->part[k], measured[k]);
        if (rc == 0)
            rc = pl_observe_bytes(o, PL_TARGET_STEADY, !host, p->steady,
                                  host ? run->measured_total : run->on_device[i].total);
    }
    return rc;
}

static int pl_observe_run(void *ctx, const struct pl_run *run)
{
    struct pl_observations *o = ctx;
    if (!pl_streq(run->written_by, PL_VERSION)) {
        o->other_programs++;
        return 0;
    }
    if (o->n_run >= PL_OBSERVED_RUNS_MAX)
        return 0;
    struct pl_observed_run *r = &o->run[o->n_run];
    bool zero = run->ghost && !pl_streq(run->fill, "random");
    bool disturbed = run->beside.judged && run->beside.disturbed;
    *r = (struct pl_observed_run){.id = run->id, .first = o->n};
    (void)PL_FMT(r->version, "%s", run->engine_version);
    (void)PL_FMT(r->backend, "%s", run->backend);
    (void)PL_FMT(r->arch, "%s", run->arch);
    (void)PL_FMT(r->machine, "%s", run->machine_id);
    (void)PL_FMT(r->machine_text, "%s", run->machine_text);
    (void)PL_FMT(r->model, "%s", run->model);
    (void)PL_FMT(r->quant, "%s", run->quant);
    bool timed = run->repeats > 0;
    r->speed = timed && !zero && !disturbed;
    r->memory = run->id > o->after_run;
    r->learns = r->speed && run->beside.judged && r->memory;
    o->disturbed += timed && disturbed;
    o->zero += timed && zero && !disturbed;
    int rc = pl_observe_pools(o, run);
    if (rc == 0 && r->speed)
        rc = pl_observe_speed(o, PL_TARGET_PREFILL, run->predicted_prefill,
                              run->timing.prompt_tokens_per_second);
    if (rc == 0 && r->speed)
        rc = pl_observe_speed(o, PL_TARGET_DECODE, run->predicted_decode,
                              run->timing.predicted_tokens_per_second);
    r->n = o->n - r->first;
    o->n_run++;
    return rc;
}

int pl_observe(struct pl_ledger *l, const char *engine_version, uint64_t limit,
               struct pl_observations **ret, struct pl_err *err)
{
    struct pl_observations *o = calloc(1, sizeof(*o));
    if (o != NULL)
        o->run = calloc(PL_OBSERVED_RUNS_MAX, sizeof(*o->run));
    int rc = o == NULL || o->run == NULL ? -ENOMEM : pl_corrections_get(l, o, err);
    struct pl_ledger_filter filter = {
        .engine = "llama.cpp",
        .engine_version = engine_version,
        .ok_only = true,
        .limit = limit > 0 && limit < PL_OBSERVED_RUNS_MAX ? limit : PL_OBSERVED_RUNS_MAX};
    if (rc == 0)
        rc = pl_ledger_runs(l, &filter, pl_observe_run, o, err);
    if (rc < 0) {
        (void)pl_observations_free(o);
        return rc == -ENOMEM ? pl_fail(err, rc, "no memory for the runs of the ledger") : rc;
    }
    *ret = o;
    return 0;
}

static bool pl_observed_fits(const struct pl_observations *o, const struct pl_observed *one,
                             const struct pl_correction_key *k, int64_t without, bool any_arch)
{
    const struct pl_observed_run *r = &o->run[one->run];
    bool speed = pl_target_is_speed(k->target);
    return one->target == k->target && one->on_device == k->on_device && one->soft &&
           r->id != without && (speed ? r->learns : r->memory) &&
           pl_streq(r->version, k->version) && pl_streq(r->backend, k->backend) &&
           (any_arch || pl_streq(r->arch, k->arch)) && (!speed || pl_streq(r->machine, k->machine));
}

/* The runs that speak, newest first, in `from`; their ratios in v. Also whether there are two
 * architectures among them. */
static uint32_t pl_learn_gather(const struct pl_observations *o, const struct pl_correction_key *k,
                                int64_t without, bool any_arch, double *v, char *from,
                                bool *ret_two)
{
    uint32_t n = 0, runs = 0;
    int64_t last = 0;
    const char *arch = NULL;
    size_t len = 0;
    *ret_two = false;
    from[0] = '\0';
    for (uint32_t i = 0; i < o->n; i++) {
        const struct pl_observed *one = &o->one[i];
        if (!pl_observed_fits(o, one, k, without, any_arch))
            continue;
        const struct pl_observed_run *r = &o->run[one->run];
        v[n++] = one->measured / one->likely;
        *ret_two = *ret_two || (arch != NULL && !pl_streq(arch, r->arch));
        arch = r->arch;
        if (r->id == last)
            continue;
        last = r->id;
        if (++runs <= 6)
            (void)pl_fmt(from + len, PL_LEARNED_TEXT_MAX - len, "%s%lld",
                         runs == 1 ? "runs " : ", ", (long long)r->id);
        else if (runs == 7)
            (void)pl_fmt(from + len, PL_LEARNED_TEXT_MAX - len, " ...");
        len = strlen(from);
    }
    return n;
}

static void pl_learn_imported(const struct pl_observations *o, const struct pl_correction_key *k,
                              struct pl_learned *ret)
{
    for (int any = 0; any < 2; any++) {
        for (uint32_t i = 0; i < o->n_imported; i++) {
            const struct pl_imported *m = &o->imported[i];
            if (m->target != k->target || m->on_device != k->on_device ||
                !pl_streq(m->version, k->version) || !pl_streq(m->backend, k->backend) ||
                !pl_streq(m->arch, any ? "" : k->arch) ||
                (m->machine[0] != '\0' && !pl_streq(m->machine, k->machine)))
                continue;
            *ret = (struct pl_learned){
                .c = {.known = true, .factor = m->factor, .spread = m->spread, .n = m->n},
                .any_arch = any == 1,
                .imported = true
            };
            (void)PL_FMT(ret->from, "imported from %.80s", m->origin);
            return;
        }
    }
}

int pl_learn(const struct pl_observations *o, const struct pl_correction_key *key, int64_t without,
             struct pl_learned *ret)
{
    *ret = (struct pl_learned){.c = {.factor = 1}};
    if (!pl_target_is_soft(key->target))
        return 0;
    double *v = malloc((o->n + 1) * sizeof(*v));
    if (v == NULL)
        return -ENOMEM;
    bool two = false;
    uint32_t n = pl_learn_gather(o, key, without, false, v, ret->from, &two);
    pl_correct(v, n, PL_CORRECTION_RUNS, &ret->c);
    if (!ret->c.known) {
        struct pl_learned any = {.any_arch = true};
        n = pl_learn_gather(o, key, without, true, v, any.from, &two);
        pl_correct(v, n, PL_CORRECTION_ANY_RUNS, &any.c);
        if (any.c.known && two && !ret->c.disagree)
            *ret = any;
    }
    free(v);
    if (!ret->c.known)
        pl_learn_imported(o, key, ret);
    return 0;
}
