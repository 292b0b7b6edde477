#include "report/run.h"

#include "base/clock.h"
#include "base/table.h"
#include "base/units.h"
#include "domain/whisper.h"
#include "report/model.h"
#include "report/quantity.h"

#include <inttypes.h>

#define PL_SHARE_SHOWN 0.0005 /* smaller ones would show as 0.0 % */

bool pl_difference(struct pl_quantity predicted, struct pl_quantity measured, int64_t *ret_bytes,
                   double *ret_share)
{
    if (!pl_known(predicted) || !pl_known(measured) || predicted.likely > INT64_MAX ||
        measured.likely > INT64_MAX)
        return false;
    *ret_bytes = (int64_t)predicted.likely - (int64_t)measured.likely;
    *ret_share = measured.likely > 0 ? (double)*ret_bytes / (double)measured.likely : 0;
    return true;
}

const char *pl_difference_text(struct pl_quantity predicted, struct pl_quantity measured,
                               char out[PL_DIFFERENCE_TEXT_MAX])
{
    int64_t bytes = 0;
    double share = 0;
    char size[PL_SIZE_TEXT_MAX];
    if (!pl_difference(predicted, measured, &bytes, &share)) {
        (void)pl_fmt(out, PL_DIFFERENCE_TEXT_MAX, "unknown");
        return out;
    }
    const char *sign = bytes > 0 ? "+" : bytes < 0 ? "-" : "";
    (void)pl_size_text((uint64_t)(bytes < 0 ? -bytes : bytes), size);
    if (bytes == 0 || measured.likely == 0)
        (void)pl_fmt(out, PL_DIFFERENCE_TEXT_MAX, "%s%s", sign, size);
    else if (share > -PL_SHARE_SHOWN && share < PL_SHARE_SHOWN)
        (void)pl_fmt(out, PL_DIFFERENCE_TEXT_MAX, "%s%s (under 0.1 %%)", sign, size);
    else
        (void)pl_fmt(out, PL_DIFFERENCE_TEXT_MAX, "%s%s (%+.1f %%)", sign, size, 100 * share);
    return out;
}

/* A stored text fit for a terminal. */
static const char *pl_shown(const char *text, char out[PL_RUN_TEXT_MAX])
{
    (void)pl_fmt(out, PL_RUN_TEXT_MAX, "%s", text[0] != '\0' ? text : "unknown");
    pl_text_clean(out);
    return out;
}

static void pl_run_who(const struct pl_run *run, struct pl_str *out)
{
    char a[PL_RUN_TEXT_MAX], b[PL_RUN_TEXT_MAX], c[PL_RUN_TEXT_MAX], when[PL_TIME_TEXT_MAX];
    char size[PL_SIZE_TEXT_MAX], count[PL_COUNT_TEXT_MAX];
    if (run->id > 0)
        pl_str_addf(out, "run %" PRId64 ", ", run->id);
    pl_str_addf(out, "%s: %s",
                run->started_unix > 0 ? pl_utc_text(run->started_unix, when) : "time unknown",
                pl_run_status_name(run->status));
    if (run->error[0] != '\0')
        pl_str_addf(out, ": %s", pl_shown(run->error, a));
    pl_str_addf(out, "\n  model    %s (%s, %s", pl_shown(run->model, a), pl_shown(run->arch, b),
                pl_shown(run->quant, c));
    if (run->parameters > 0)
        pl_str_addf(out, ", %s parameters", pl_count_text(run->parameters, count));
    if (run->file_bytes > 0)
        pl_str_addf(out, ", %s", pl_gb_text(run->file_bytes, size));
    pl_str_addf(out, ")%s\n", run->ghost ? ", run as a ghost: no real weights" : "");
    pl_str_addf(out, "  engine   %s %s, %s\n", pl_shown(run->engine, a),
                pl_shown(run->engine_version, b), pl_shown(run->backend, c));
    pl_str_addf(out, "  machine  %s\n", pl_shown(run->machine_text, a));
    pl_str_addf(out, "  flags    %s\n",
                run->flags[0] != '\0' ? pl_shown(run->flags, a) : "none: the engine's defaults");
}

/* A row, unless there is nothing to say: surely nothing was predicted and nothing measured. */
static void pl_run_row(struct pl_table *t, const char *pool, const char *name,
                       struct pl_quantity predicted, struct pl_quantity measured)
{
    bool none =
        pl_known(predicted) && predicted.high == 0 && (!pl_known(measured) || measured.likely == 0);
    if (none)
        return;
    char a[PL_QUANTITY_TEXT_MAX], b[PL_QUANTITY_TEXT_MAX], d[PL_DIFFERENCE_TEXT_MAX];
    bool both = pl_known(predicted) && pl_known(measured);
    bool outside = both && (measured.high < predicted.low || measured.low > predicted.high);
    pl_table_row(t);
    pl_table_cell(t, "%s%s%s", pool, pool[0] != '\0' ? " " : "", name);
    pl_table_cell(t, "%s", pl_quantity_text(predicted, a));
    pl_table_cell(t, "%s", pl_quantity_text(measured, b));
    pl_table_cell(t, "%s%s", pl_difference_text(predicted, measured, d),
                  outside ? ", outside" : "");
}

/* The most the process held at one time: its anonymous memory at its highest, and the mapped
 * weights, which do not change; without a mapping the weights are anonymous themselves. */
static struct pl_quantity pl_run_peak(const struct pl_run *run)
{
    uint64_t anon = run->peak.rss_anon + run->peak.rss_shmem + run->peak.swap;
    struct pl_quantity q = run->measured[PL_PART_WEIGHTS];
    if (!pl_known(q) || !pl_known(run->measured_total) || anon == 0)
        return PL_QUANTITY_UNKNOWN("not sampled");
    enum pl_load_mode mode = run->settings.load_mode;
    if (mode != PL_LOAD_MMAP && mode != PL_LOAD_MMAP_MLOCK && mode != PL_LOAD_AUTO)
        return pl_exact(anon, PL_SOURCE_MEASURED, "highest sample of anonymous memory");
    return pl_between(anon + q.low, anon + q.likely, anon + q.high, PL_SOURCE_MEASURED,
                      "highest sample of anonymous memory + mapped weights in use");
}

static void pl_run_pool(struct pl_table *t, const struct pl_run *run,
                        const struct pl_pool_footprint *p)
{
    static const char *const labels[PL_PARTS] = {[PL_PART_PROMPT_CACHE] = "prompt cache"};
    struct pl_quantity unknown = {0};
    char pool[PL_POOL_NAME_MAX] = "";
    if (run->predicted.n_pool > 1) {
        (void)PL_FMT(pool, "%s", p->pool);
        pl_text_clean(pool);
    }
    bool measured = pl_streq(p->pool, PL_RUN_MEASURED_POOL);
    const struct pl_pool_measured *device = &run->on_device[p - run->predicted.pool];
    for (int i = 0; i < PL_PARTS; i++)
        pl_run_row(t, pool, labels[i] != NULL ? labels[i] : pl_part_name((enum pl_part)i),
                   p->part[i], measured ? run->measured[i] : device->part[i]);
    pl_table_rule(t);
    pl_run_row(t, pool, "steady", p->steady, measured ? run->measured_total : device->total);
    pl_run_row(t, pool, "peak", p->peak, measured ? pl_run_peak(run) : unknown);
}

/* What was measured where nothing was predicted. */
static void pl_run_measured_only(struct pl_table *t, const struct pl_run *run)
{
    struct pl_quantity unknown = {0};
    for (int i = 0; i < PL_PARTS; i++) {
        if (pl_known(run->measured[i]))
            pl_run_row(t, "", pl_part_name((enum pl_part)i), unknown, run->measured[i]);
    }
    pl_run_row(t, "", "steady", unknown, run->measured_total);
}

static void pl_run_table(const struct pl_run *run, struct pl_str *out, bool colour)
{
    static const char *const titles[] = {"part", ">predicted", ">measured", "difference", 0};
    struct pl_table *t = pl_table_new(titles);
    bool host = false;
    for (uint32_t i = 0; i < run->predicted.n_pool; i++) {
        if (i > 0)
            pl_table_rule(t);
        pl_run_pool(t, run, &run->predicted.pool[i]);
        host = host || pl_streq(run->predicted.pool[i].pool, PL_RUN_MEASURED_POOL);
    }
    if (!host)
        pl_run_measured_only(t, run);
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    pl_str_add(out, "difference: predicted minus measured, in percent of measured; 'outside': the "
                    "measured value\nlies outside the predicted interval\n");
}

static void pl_run_speed(struct pl_str *out, const char *name, struct pl_rate predicted,
                         double measured, double spread, uint32_t repeats)
{
    pl_str_addf(out, "%-8s predicted ", name);
    if (predicted.source == PL_SOURCE_UNKNOWN)
        pl_str_add(out, "unknown");
    else
        pl_str_addf(out, "%.1f (%.1f .. %.1f)", predicted.likely, predicted.low, predicted.high);
    if (!(measured > 0) || repeats == 0) {
        pl_str_add(out, ", measured unknown\n");
        return;
    }
    pl_str_addf(out, ", measured %.1f tokens/s", measured);
    if (predicted.source != PL_SOURCE_UNKNOWN)
        pl_str_addf(out, " (%+.1f %%)", 100 * (predicted.likely - measured) / measured);
    if (repeats > 1)
        pl_str_addf(out, ", spread %.1f %% over %" PRIu32 " repeats", 100 * spread, repeats);
    pl_str_add(out, "\n");
}

static void pl_run_sample(struct pl_str *out, const char *name, const struct pl_sample *s)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], c[PL_SIZE_TEXT_MAX], d[PL_SIZE_TEXT_MAX];
    if (pl_sample_taken(s))
        pl_str_addf(out, "%-8s anonymous %s, shared %s, mapped files %s, swapped %s\n", name,
                    pl_size_text(s->rss_anon, a), pl_size_text(s->rss_shmem, b),
                    pl_size_text(s->rss_file, c), pl_size_text(s->swap, d));
}

static void pl_run_disturbed(const struct pl_beside *b, struct pl_str *out)
{
    pl_str_add(out, "invalid  speeds: others computed too");
    if (b->pressure_known)
        pl_str_addf(out,
                    " (something waited for a processor in %.0f %% of the time before, %.0f %% "
                    "during)",
                    100 * b->pressure_before, 100 * b->pressure_during);
    else if (b->load_known)
        pl_str_addf(out, " (load %.1f before)", b->load_before);
    pl_str_add(out, "; memory is not affected\n");
}

void pl_run_text(const struct pl_run *run, struct pl_str *out, bool colour)
{
    char size[PL_SIZE_TEXT_MAX];
    pl_run_who(run, out);
    pl_run_table(run, out, colour);
    pl_str_add(out, "\n");
    if (!pl_streq(run->engine, PL_WHISPER_FORMAT)) { /* which is given no prompt of tokens */
        pl_run_speed(out, "prefill", run->predicted_prefill, run->timing.prompt_tokens_per_second,
                     run->prompt_spread, run->repeats);
        pl_run_speed(out, "decode", run->predicted_decode, run->timing.predicted_tokens_per_second,
                     run->predicted_spread, run->repeats);
    }
    if (run->beside.judged && run->beside.disturbed && run->repeats > 0)
        pl_run_disturbed(&run->beside, out);
    if (run->timing.first_token_ms > 0)
        pl_str_addf(out, "first token after %.0f ms", run->timing.first_token_ms);
    if (run->report.load_ms > 0)
        pl_str_addf(out, "%sready %.1f s after the start",
                    run->timing.first_token_ms > 0 ? "; " : "", (double)run->report.load_ms / 1e3);
    if (run->timing.first_token_ms > 0 || run->report.load_ms > 0)
        pl_str_add(out, "\n");
    pl_run_sample(out, "loaded", &run->baseline);
    pl_run_sample(out, "steady", &run->steady);
    pl_run_sample(out, "peak", &run->peak);
    if (run->cgroup_peak > 0)
        pl_str_addf(out, "cgroup   peak %s, of the whole group since it was made\n",
                    pl_size_text(run->cgroup_peak, size));
    if (run->status == PL_RUN_OK && !run->memory_returned)
        pl_str_add(out, "not all memory was seen to come back after the stop\n");
}
