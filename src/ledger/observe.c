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

void pl_settings_alike(const char *flags, char out[PL_RUN_TEXT_MAX])
{
    /* how many tokens and slots there is room for, and what is kept beside: no rate hangs on them
     */
    static const char *const with_value[] = {"-c", "-np", "-cram", "-ctxcp"};
    static const char *const alone[] = {"-kvu", "-no-kvu"};
    size_t len = 0;
    bool value = false;
    out[0] = '\0';
    for (const char *p = flags; *p != '\0';) {
        size_t n = strcspn(p, " ");
        bool drop = value;
        value = false;
        for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]) && !drop; i++)
            drop = value = strlen(with_value[i]) == n && strncmp(p, with_value[i], n) == 0;
        for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]) && !drop; i++)
            drop = strlen(alone[i]) == n && strncmp(p, alone[i], n) == 0;
        if (!drop && n > 0) {
            (void)pl_fmt(out + len, PL_RUN_TEXT_MAX - len, "%s%.*s", len > 0 ? " " : "", (int)n, p);
            len = strlen(out);
        }
        p += n + (p[n] == ' ');
    }
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
                            double measured, double spread)
{
    if (predicted.source == PL_SOURCE_UNKNOWN || !(predicted.likely > 0) || !(measured > 0))
        return 0;
    return pl_observe_add(o, (struct pl_observed){.target = target,
                                                  .soft = true,
                                                  .low = predicted.low,
                                                  .likely = predicted.likely,
                                                  .high = predicted.high,
                                                  .spread = spread,
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
    pl_settings_alike(run->flags, r->alike);
    bool timed = run->repeats > 0;
    r->speed = timed && !zero && !disturbed;
    r->memory = run->id > o->after_run;
    r->learns = r->speed && run->beside.judged && r->memory;
    o->disturbed += timed && disturbed;
    o->zero += timed && zero && !disturbed;
    int rc = pl_observe_pools(o, run);
    if (rc == 0 && r->speed)
        rc = pl_observe_speed(o, PL_TARGET_PREFILL, run->predicted_prefill,
                              run->timing.prompt_tokens_per_second, run->prompt_spread);
    if (rc == 0 && r->speed)
        rc = pl_observe_speed(o, PL_TARGET_DECODE, run->predicted_decode,
                              run->timing.predicted_tokens_per_second, run->predicted_spread);
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
