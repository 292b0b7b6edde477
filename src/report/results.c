#include "report/results.h"

#include "base/str.h"
#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"
#include "report/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PL_RESULTS_FIRST 32

static struct pl_quantity pl_result_bare(struct pl_quantity q)
{
    q.why = NULL;
    return q;
}

static struct pl_rate pl_result_bare_rate(struct pl_rate r)
{
    r.why = NULL;
    return r;
}

/* The host's pool and all others together. A sum with an unknown in it is unknown. */
static void pl_result_memory(const struct pl_run *run, struct pl_result *ret)
{
    struct pl_quantity none = pl_exact(0, PL_SOURCE_MEASURED, NULL);
    ret->device_measured = ret->device_predicted = none;
    for (uint32_t i = 0; i < run->predicted.n_pool && i < PL_FOOTPRINT_POOLS_MAX; i++) {
        const struct pl_pool_footprint *p = &run->predicted.pool[i];
        if (pl_streq(p->pool, PL_RUN_MEASURED_POOL)) {
            ret->host_predicted = pl_result_bare(p->steady);
            continue;
        }
        ret->on_devices = true;
        ret->device_predicted = pl_plus(ret->device_predicted, p->steady);
        ret->device_measured = pl_plus(ret->device_measured, run->on_device[i].total);
    }
    if (!ret->on_devices)
        ret->device_measured = ret->device_predicted = (struct pl_quantity){0};
    ret->host_measured = pl_result_bare(run->measured_total);
    ret->device_predicted.why = ret->device_measured.why = NULL;
}

void pl_result_of(const struct pl_run *run, struct pl_result *ret)
{
    const struct pl_timing *t = &run->timing;
    *ret = (struct pl_result){
        .id = run->id,
        .started_unix = run->started_unix,
        .status = run->status,
        .ghost = run->ghost,
        .disturbed = run->beside.judged && run->beside.disturbed,
        .hollow = run->ghost && !pl_streq(run->fill, "random"),
        .n_ctx = run->settings.n_ctx,
        .n_seq = run->settings.n_seq,
        .depth = t->predicted_tokens > 0 ? t->prompt_tokens + t->predicted_tokens / 2 : 0,
        .prefill_predicted = pl_result_bare_rate(run->predicted_prefill),
        .decode_predicted = pl_result_bare_rate(run->predicted_decode),
        .prefill = t->prompt_tokens_per_second,
        .decode = t->predicted_tokens_per_second,
        .prefill_spread = run->prompt_spread,
        .decode_spread = run->predicted_spread,
    };
    (void)PL_FMT(ret->error, "%s", run->error);
    (void)PL_FMT(ret->model, "%s", run->model);
    (void)PL_FMT(ret->quant, "%s", run->quant);
    (void)PL_FMT(ret->arch, "%s", run->arch);
    (void)PL_FMT(ret->flags, "%s", run->flags);
    (void)PL_FMT(ret->engine_version, "%s", run->engine_version);
    (void)PL_FMT(ret->backend, "%s", run->backend);
    (void)PL_FMT(ret->machine_id, "%s", run->machine_id);
    (void)PL_FMT(ret->machine_text, "%s", run->machine_text);
    pl_result_memory(run, ret);
}

struct pl_result *pl_results_add(struct pl_results *r, const struct pl_run *run, struct pl_err *err)
{
    if (r->n >= PL_RESULTS_MAX) {
        (void)pl_fail(err, -E2BIG, "more than %d runs at once", PL_RESULTS_MAX);
        return NULL;
    }
    if (r->n == r->room) {
        uint32_t room = r->room > 0 ? r->room * 2 : PL_RESULTS_FIRST;
        struct pl_result *more = realloc(r->one, room * sizeof(*more));
        if (more == NULL) {
            (void)pl_fail(err, -ENOMEM, "no memory for the results");
            return NULL;
        }
        r->one = more;
        r->room = room;
    }
    struct pl_result *one = &r->one[r->n++];
    if (run != NULL)
        pl_result_of(run, one);
    else
        *one = (struct pl_result){0};
    return one;
}

void pl_results_done(struct pl_results *r)
{
    free(r->one);
    *r = (struct pl_results){0};
}

const char *pl_result_status(const struct pl_result *one)
{
    return one->status == PL_RUN_REFUSED ? "not started" : pl_run_status_name(one->status);
}

bool pl_result_pair(const struct pl_result *one, enum pl_results_what what, double *ret_predicted,
                    double *ret_low, double *ret_high, double *ret_measured)
{
    if (one->status != PL_RUN_OK)
        return false;
    if (what == PL_RESULTS_DECODE) {
        struct pl_rate r = one->decode_predicted;
        *ret_predicted = r.likely;
        *ret_low = r.low;
        *ret_high = r.high;
        *ret_measured = one->decode;
        return r.source != PL_SOURCE_UNKNOWN && r.likely > 0 && one->decode > 0 &&
               !one->disturbed && !one->hollow;
    }
    bool host = what == PL_RESULTS_MEMORY;
    struct pl_quantity p = host ? one->host_predicted : one->device_predicted;
    struct pl_quantity m = host ? one->host_measured : one->device_measured;
    *ret_predicted = (double)p.likely;
    *ret_low = (double)p.low;
    *ret_high = (double)p.high;
    *ret_measured = (double)m.likely;
    return pl_known(p) && pl_known(m) && p.likely > 0 && m.likely > 0;
}

static int pl_results_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

const char *pl_result_machine(const struct pl_result *one)
{
    return one->machine_id[0] != '\0' ? one->machine_id : one->machine_text;
}

/* Median and greatest of n shares, which are sorted. */
static void pl_results_middle(double *share, uint32_t n, double *ret_median, double *ret_worst)
{
    qsort(share, n, sizeof(*share), pl_results_compare);
    uint32_t half = n / 2;
    *ret_median = n % 2 == 1 ? share[half] : (share[half - 1] + share[half]) / 2;
    *ret_worst = share[n - 1];
}

static double pl_results_off(double predicted, double measured)
{
    double off = predicted - measured;
    return (off < 0 ? -off : off) / measured;
}

int pl_results_error(const struct pl_results *r, enum pl_results_what what, const char *machine,
                     struct pl_results_error *ret, struct pl_err *err)
{
    double *share = calloc(2 * (size_t)r->n + 2, sizeof(*share));
    double *learned = share != NULL ? share + r->n + 1 : NULL;
    *ret = (struct pl_results_error){0};
    if (share == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the results");
    for (uint32_t i = 0; i < r->n; i++) {
        const struct pl_result *one = &r->one[i];
        double predicted, low, high, measured;
        if ((machine != NULL && !pl_streq(machine, pl_result_machine(one))) ||
            !pl_result_pair(one, what, &predicted, &low, &high, &measured))
            continue;
        double calibrated = what == PL_RESULTS_MEMORY   ? one->host_calibrated
                            : what == PL_RESULTS_DECODE ? one->decode_calibrated
                                                        : 0;
        ret->n_calibrated += calibrated > 0 ? 1 : 0;
        learned[ret->n] = pl_results_off(calibrated > 0 ? calibrated : predicted, measured);
        share[ret->n++] = pl_results_off(predicted, measured);
        ret->inside += measured >= low && measured <= high ? 1 : 0;
    }
    if (ret->n > 0) {
        pl_results_middle(share, ret->n, &ret->median, &ret->worst);
        pl_results_middle(learned, ret->n, &ret->calibrated_median, &ret->calibrated_worst);
    }
    free(share);
    return 0;
}

/* Host memory, and what lies on devices behind it: "1.2 GiB + 3 GiB". */
static void pl_results_memory_cell(struct pl_table *t, struct pl_quantity host,
                                   struct pl_quantity device, bool on_devices)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    const char *h = pl_known(host) ? pl_size_text(host.likely, a) : "unknown";
    if (!on_devices)
        pl_table_cell(t, "%s", h);
    else
        pl_table_cell(t, "%s + %s", h,
                      pl_known(device) ? pl_size_text(device.likely, b) : "unknown");
}

/* A star: measured while others computed. */
static void pl_results_speed_cell(struct pl_table *t, double speed, bool disturbed)
{
    if (speed > 0)
        pl_table_cell(t, "%.1f%s", speed, disturbed ? "*" : "");
    else
        pl_table_cell(t, "unknown");
}

static void pl_results_row(struct pl_table *t, const struct pl_result *one)
{
    char text[PL_RUN_TEXT_MAX], difference[PL_DIFFERENCE_TEXT_MAX];
    const struct pl_rate *d = &one->decode_predicted;
    pl_table_row(t);
    if (one->id > 0)
        pl_table_cell(t, "%" PRId64, one->id);
    else
        pl_table_cell(t, "-");
    pl_table_cell(t, "%s", pl_text_cut(text, 40, one->model));
    pl_table_cell(t, "%s", pl_text_cut(text, sizeof(one->quant), one->quant));
    pl_table_cell(t, "%s", pl_text_cut(text, 60, one->flags));
    pl_results_memory_cell(t, one->host_predicted, one->device_predicted, one->on_devices);
    pl_results_memory_cell(t, one->host_measured, one->device_measured, one->on_devices);
    pl_table_cell(t, "%s", pl_difference_text(one->host_predicted, one->host_measured, difference));
    pl_results_speed_cell(t, d->source != PL_SOURCE_UNKNOWN ? d->likely : 0, false);
    if (one->decode_calibrated > 0)
        pl_table_cell(t, "%.1f", one->decode_calibrated);
    else
        pl_table_cell(t, "-");
    pl_results_speed_cell(t, one->decode, one->disturbed);
    pl_results_speed_cell(t, one->prefill, one->disturbed);
    pl_table_cell(t, "%s%s%s", pl_result_status(one), one->error[0] != '\0' ? ": " : "",
                  pl_text_cut(text, 140, one->error));
}

void pl_results_text(const struct pl_results *r, struct pl_str *out, bool colour)
{
    static const char *const titles[] = {">run",
                                         "model",
                                         "quant",
                                         "flags",
                                         ">predicted",
                                         ">measured",
                                         ">difference",
                                         ">predicted tok/s",
                                         ">calibrated",
                                         ">measured",
                                         ">prompt tok/s",
                                         "status",
                                         0};
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL) {
        out->failed = true;
        return;
    }
    bool disturbed = false;
    for (uint32_t i = 0; i < r->n; i++) {
        pl_results_row(t, &r->one[i]);
        disturbed = disturbed || (r->one[i].disturbed && r->one[i].decode > 0);
    }
    pl_table_print(t, out, colour);
    if (disturbed)
        pl_str_add(out, "* measured while others computed: not a speed of this machine\n");
    (void)pl_table_free(t);
}
