/* Results as files for other programs: comma-separated values, Markdown, JSON. */
#include "base/clock.h"
#include "base/units.h"
#include "report/csv.h"
#include "report/fleet.h"
#include "report/quantity.h"
#include "report/results.h"
#include "report/run.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char pl_results_names[] =
    "run,started,status,reason,model,quant,architecture,flags,engine_version,backend,machine,ghost,"
    "context,slots,depth,"
    "host_predicted_low_bytes,host_predicted_bytes,host_predicted_high_bytes,host_measured_bytes,"
    "device_predicted_low_bytes,device_predicted_bytes,device_predicted_high_bytes,"
    "device_measured_bytes,"
    "prefill_predicted_low,prefill_predicted,prefill_predicted_high,prefill_measured,"
    "prefill_spread,"
    "decode_predicted_low,decode_predicted,decode_predicted_high,decode_measured,decode_spread,"
    "speeds_valid,machine_id,host_calibrated_bytes,decode_calibrated\r\n";

static void pl_results_csv_interval(struct pl_str *out, struct pl_quantity q)
{
    if (pl_known(q))
        pl_str_addf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, q.low, q.likely, q.high);
    else
        pl_str_add(out, ",,,");
}

static void pl_results_csv_bytes(struct pl_str *out, struct pl_quantity q)
{
    if (pl_known(q))
        pl_str_addf(out, ",%" PRIu64, q.likely);
    else
        pl_str_add(out, ",");
}

/* Nothing for 0, which is unknown. */
static void pl_results_csv_count(struct pl_str *out, uint64_t n)
{
    if (n > 0)
        pl_str_addf(out, ",%" PRIu64, n);
    else
        pl_str_add(out, ",");
}

static void pl_results_csv_speed(struct pl_str *out, struct pl_rate predicted, double measured,
                                 double spread)
{
    if (predicted.source != PL_SOURCE_UNKNOWN)
        pl_str_addf(out, ",%.6g,%.6g,%.6g", predicted.low, predicted.likely, predicted.high);
    else
        pl_str_add(out, ",,,");
    if (measured > 0)
        pl_str_addf(out, ",%.6g,%.6g", measured, spread);
    else
        pl_str_add(out, ",,");
}

static void pl_results_csv_row(const struct pl_result *one, struct pl_str *out)
{
    char when[PL_TIME_TEXT_MAX];
    const char *const text[] = {pl_result_status(one),
                                one->error,
                                one->model,
                                one->quant,
                                one->arch,
                                one->flags,
                                one->engine_version,
                                one->backend,
                                one->machine_text,
                                one->ghost ? "yes" : "no"};
    if (one->id > 0)
        pl_str_addf(out, "%" PRId64, one->id);
    pl_str_addf(out, ",%s", one->started_unix > 0 ? pl_utc_text(one->started_unix, when) : "");
    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        char clean[PL_RUN_TEXT_MAX];
        pl_str_add(out, ",");
        pl_csv_text(pl_text_cut(clean, sizeof(clean), text[i]), out);
    }
    pl_results_csv_count(out, one->n_ctx);
    pl_results_csv_count(out, one->n_seq);
    pl_results_csv_count(out, one->depth);
    pl_results_csv_interval(out, one->host_predicted);
    pl_results_csv_bytes(out, one->host_measured);
    pl_results_csv_interval(out, one->device_predicted);
    pl_results_csv_bytes(out, one->device_measured);
    pl_results_csv_speed(out, one->prefill_predicted, one->prefill, one->prefill_spread);
    pl_results_csv_speed(out, one->decode_predicted, one->decode, one->decode_spread);
    pl_str_addf(out, ",%s,", one->decode > 0 ? (one->disturbed || one->hollow ? "no" : "yes") : "");
    pl_csv_text(one->machine_id, out);
    pl_results_csv_count(out, (uint64_t)(one->host_calibrated + 0.5));
    pl_str_add(out, ",");
    if (one->decode_calibrated > 0)
        pl_str_addf(out, "%.6g", one->decode_calibrated);
    pl_str_add(out, "\r\n");
}

void pl_results_csv(const struct pl_results *r, struct pl_str *out)
{
    pl_str_add(out, pl_results_names);
    for (uint32_t i = 0; i < r->n; i++)
        pl_results_csv_row(&r->one[i], out);
}

void pl_results_markdown_cell(struct pl_str *out, const char *text)
{
    char clean[PL_RUN_TEXT_MAX];
    pl_str_add(out, " ");
    for (const char *c = pl_text_cut(clean, sizeof(clean), text); *c != '\0'; c++) {
        if (strchr("|\\`*_<>[]", *c) != NULL)
            pl_str_add(out, "\\");
        pl_str_addn(out, c, 1);
    }
    pl_str_add(out, " |");
}

static void pl_results_markdown_number(struct pl_str *out, double value, bool disturbed)
{
    if (value > 0)
        pl_str_addf(out, " %.1f%s |", value, disturbed ? " (disturbed)" : "");
    else
        pl_str_add(out, " unknown |");
}

void pl_results_markdown(const struct pl_results *r, struct pl_str *out)
{
    char text[PL_QUANTITY_TEXT_MAX], difference[PL_DIFFERENCE_TEXT_MAX];
    pl_str_add(out, "| model | quant | flags | engine | predicted | measured | difference | "
                    "predicted tok/s | calibrated | measured tok/s | status |\n"
                    "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n");
    for (uint32_t i = 0; i < r->n; i++) {
        const struct pl_result *one = &r->one[i];
        const struct pl_rate *d = &one->decode_predicted;
        pl_str_add(out, "|");
        pl_results_markdown_cell(out, one->model);
        pl_results_markdown_cell(out, one->quant);
        pl_results_markdown_cell(out, one->flags);
        pl_results_markdown_cell(out, one->engine_version);
        pl_str_addf(out, " %s |", pl_quantity_text(one->host_predicted, text));
        pl_str_addf(out, " %s |", pl_quantity_text(one->host_measured, text));
        pl_str_addf(out, " %s |",
                    pl_difference_text(one->host_predicted, one->host_measured, difference));
        pl_results_markdown_number(out, d->source != PL_SOURCE_UNKNOWN ? d->likely : 0, false);
        pl_results_markdown_number(out, one->decode_calibrated, false);
        pl_results_markdown_number(out, one->decode, one->disturbed);
        pl_str_addf(out, " %s%s", pl_result_status(one), one->error[0] != '\0' ? ":" : "");
        pl_results_markdown_cell(out, one->error);
        pl_str_add(out, "\n");
    }
}

static void pl_results_json_speed(struct pl_json *j, const char *key, struct pl_rate predicted,
                                  double measured, double spread)
{
    pl_json_object(j, key);
    pl_json_rate(j, "predicted", predicted);
    if (measured > 0) {
        pl_json_num(j, "measured", measured);
        pl_json_num(j, "spread", spread);
    } else {
        pl_json_null(j, "measured");
        pl_json_null(j, "spread");
    }
    pl_json_end(j);
}

static void pl_results_json_pool(struct pl_json *j, const char *key, struct pl_quantity predicted,
                                 struct pl_quantity measured)
{
    pl_json_object(j, key);
    pl_json_quantity(j, "predicted", predicted);
    pl_json_quantity(j, "measured", measured);
    pl_json_end(j);
}

static void pl_results_json_count(struct pl_json *j, const char *key, uint64_t n)
{
    if (n > 0)
        pl_json_u64(j, key, n);
    else
        pl_json_null(j, key);
}

static void pl_results_json_one(struct pl_json *j, const struct pl_result *one)
{
    char when[PL_TIME_TEXT_MAX];
    pl_json_object(j, NULL);
    pl_results_json_count(j, "id", one->id > 0 ? (uint64_t)one->id : 0);
    pl_json_str(j, "started", one->started_unix > 0 ? pl_utc_text(one->started_unix, when) : NULL);
    pl_json_str(j, "status", pl_run_status_name(one->status));
    pl_json_str(j, "reason", one->error[0] != '\0' ? one->error : NULL);
    pl_json_str(j, "model", one->model);
    pl_json_str(j, "quant", one->quant[0] != '\0' ? one->quant : NULL);
    pl_json_str(j, "architecture", one->arch[0] != '\0' ? one->arch : NULL);
    pl_json_str(j, "flags", one->flags);
    pl_json_str(j, "engine_version", one->engine_version[0] != '\0' ? one->engine_version : NULL);
    pl_json_str(j, "backend", one->backend[0] != '\0' ? one->backend : NULL);
    pl_json_str(j, "machine_id", one->machine_id[0] != '\0' ? one->machine_id : NULL);
    pl_json_str(j, "machine", one->machine_text[0] != '\0' ? one->machine_text : NULL);
    pl_json_bool(j, "ghost", one->ghost);
    if (one->decode > 0)
        pl_json_bool(j, "speed_valid", !one->disturbed && !one->hollow);
    else
        pl_json_null(j, "speed_valid");
    pl_results_json_count(j, "n_ctx", one->n_ctx);
    pl_results_json_count(j, "n_seq", one->n_seq);
    pl_results_json_count(j, "depth", one->depth);
    pl_results_json_pool(j, "host", one->host_predicted, one->host_measured);
    pl_results_json_count(j, "host_calibrated_bytes", (uint64_t)(one->host_calibrated + 0.5));
    pl_json_num(j, "decode_calibrated",
                one->decode_calibrated > 0 ? one->decode_calibrated : (double)NAN);
    if (one->on_devices)
        pl_results_json_pool(j, "devices", one->device_predicted, one->device_measured);
    else
        pl_json_null(j, "devices");
    pl_results_json_speed(j, "prefill", one->prefill_predicted, one->prefill, one->prefill_spread);
    pl_results_json_speed(j, "decode", one->decode_predicted, one->decode, one->decode_spread);
    pl_json_end(j);
}

void pl_results_error_json(struct pl_json *j, const struct pl_results_error *e)
{
    pl_json_u64(j, "runs", e->n);
    pl_json_u64(j, "inside_interval", e->inside);
    pl_json_num(j, "median_error", e->n > 0 ? e->median : (double)NAN);
    pl_json_num(j, "worst_error", e->n > 0 ? e->worst : (double)NAN);
    pl_json_u64(j, "calibrated_runs", e->n_calibrated);
    bool calibrated = e->n_calibrated > 0;
    pl_json_num(j, "calibrated_median_error", calibrated ? e->calibrated_median : (double)NAN);
    pl_json_num(j, "calibrated_worst_error", calibrated ? e->calibrated_worst : (double)NAN);
}

void pl_results_json(const struct pl_results *r, struct pl_json *j)
{
    static const char *const names[] = {"host", "devices", "decode"};
    struct pl_fleet fleet;
    pl_json_array(j, "results");
    for (uint32_t i = 0; i < r->n; i++)
        pl_results_json_one(j, &r->one[i]);
    pl_json_end(j);
    pl_json_object(j, "accuracy");
    for (int what = PL_RESULTS_MEMORY; what <= PL_RESULTS_DECODE; what++) {
        struct pl_results_error e;
        pl_json_object(j, names[what]);
        if (pl_results_error(r, (enum pl_results_what)what, NULL, &e, NULL) < 0)
            j->out->failed = true;
        pl_results_error_json(j, &e);
        pl_json_end(j);
    }
    pl_json_end(j);
    if (pl_fleet_of(r, &fleet, NULL) < 0)
        j->out->failed = true;
    pl_fleet_json(&fleet, j);
}
