#include "report/forecast.h"

#include "base/clock.h"
#include "base/table.h"
#include "base/units.h"
#include "domain/tensor_type.h"
#include "report/calibrated.h"
#include "report/claim.h"
#include "report/footprint.h"
#include "report/model.h"
#include "report/quantity.h"
#include "report/speed.h"

static void pl_forecast_runs_json(const struct pl_forecast *f, struct pl_json *j)
{
    char when[PL_TIME_TEXT_MAX];
    pl_json_array(j, "runs");
    if (f->cited_as != NULL) {
        const struct pl_run *r = &f->cited;
        pl_json_object(j, NULL);
        pl_json_i64(j, "id", r->id);
        pl_json_str(j, "match", f->cited_as);
        pl_json_str(j, "date", pl_utc_text(r->started_unix, when));
        pl_json_str(j, "engine_version", r->engine_version);
        pl_json_str(j, "model", r->model);
        pl_json_str(j, "quant", r->quant);
        pl_json_str(j, "flags", r->flags);
        pl_json_quantity(j, "measured_total", r->measured_total);
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_report_forecast_json(const struct pl_forecast *f, struct pl_json *j)
{
    const struct pl_model *m = f->model;
    pl_json_object(j, "model");
    pl_json_str(j, "name", f->name);
    pl_json_str(j, "architecture", m->arch);
    if (m->n_tensor > 0) {
        pl_json_u64(j, "parameters", pl_model_parameters(m));
        pl_json_u64(j, "parameters_active", pl_model_parameters_active(m));
        pl_json_u64(j, "file_bytes", m->file_bytes);
    } else { /* a declared name has no header to count in */
        pl_json_null(j, "parameters");
        pl_json_null(j, "parameters_active");
        pl_json_null(j, "file_bytes");
    }
    pl_json_str(j, "file_type", f->quant);
    pl_json_end(j);
    pl_json_object(j, "engine");
    pl_json_str(j, "name", f->engine);
    pl_json_str(j, "version", f->engine_version[0] != '\0' ? f->engine_version : NULL);
    pl_json_str(j, "formulas", f->formulas);
    pl_json_end(j);
    if (f->values.row != NULL)
        pl_json_setting_values(j, "settings", &f->values);
    else
        pl_json_resolved(j, "settings", &f->resolved);
    pl_json_str(j, "flags", f->flags);
    pl_json_pools(j, "pools", &f->footprint);
    pl_speed_json(&f->speed, j, "speed");
    pl_calibrated_json(f, j, "calibrated");
    pl_json_str(j, "verdict", pl_verdict_name(f->judgement.verdict));
    pl_json_array(j, "reasons");
    for (uint32_t i = 0; i < f->judgement.n_reason; i++)
        pl_json_str(j, NULL, f->judgement.reason[i]);
    pl_json_end(j);
    pl_forecast_runs_json(f, j);
    if (f->values.row != NULL)
        pl_json_facts(j, "facts", &f->claim);
}

static void pl_forecast_row(struct pl_table *t, const char *name, struct pl_quantity q, bool why)
{
    char likely[PL_SIZE_TEXT_MAX], low[PL_SIZE_TEXT_MAX], high[PL_SIZE_TEXT_MAX];
    pl_table_row(t);
    pl_table_cell(t, "%s", name);
    if (!pl_known(q)) {
        pl_table_cell(t, "unknown");
        pl_table_cell(t, " ");
        pl_table_cell(t, "unknown");
    } else {
        pl_table_cell(t, "%s", pl_mib_text(q.likely, likely));
        if (q.low == q.high)
            pl_table_cell(t, "exact");
        else
            pl_table_cell(t, "%s .. %s", pl_mib_text(q.low, low), pl_mib_text(q.high, high));
        pl_table_cell(t, "%s", pl_source_name(q.source));
    }
    if (why)
        pl_table_cell(t, "%s", q.why != NULL ? q.why : "");
}

static void pl_forecast_table(const struct pl_pool_footprint *p, bool why, bool colour,
                              struct pl_str *out)
{
    const char *titles[] = {p->pool, ">likely", ">between", "source", why ? "why" : NULL, NULL};
    struct pl_table *t = pl_table_new(titles);
    for (int k = 0; k < PL_PARTS; k++) {
        if (p->part[k].high > 0 || !pl_known(p->part[k]))
            pl_forecast_row(t, pl_part_name((enum pl_part)k), p->part[k], why);
    }
    pl_table_rule(t);
    pl_forecast_row(t, "steady", p->steady, why);
    pl_forecast_row(t, "peak", p->peak, why);
    pl_forecast_row(t, "load peak", p->load_peak, why);
    pl_forecast_row(t, "largest allocation", p->largest_allocation, why);
    if (p->hold[PL_HOLD_FILE_COLD].high > 0)
        pl_forecast_row(t, "not charged: file_cold", p->hold[PL_HOLD_FILE_COLD], why);
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

static void pl_forecast_cited(const struct pl_forecast *f, struct pl_str *out)
{
    char when[PL_TIME_TEXT_MAX], size[PL_QUANTITY_TEXT_MAX];
    if (f->cited_as == NULL)
        return;
    const struct pl_run *r = &f->cited;
    pl_str_addf(out, "run %lld  %.10s: %s %s %s measured %s", (long long)r->id,
                pl_utc_text(r->started_unix, when), r->model, r->quant, r->flags,
                pl_quantity_text(r->measured_total, size));
    if (r->timing.predicted_tokens_per_second > 0)
        pl_str_addf(out, ", %.1f tokens/s", r->timing.predicted_tokens_per_second);
    pl_str_addf(out, " (%s)\n", f->cited_as);
}

static void pl_forecast_settings(const struct pl_resolved *r, struct pl_str *out)
{
    pl_str_addf(
        out,
        "settings  context %llu (%llu per slot), %llu slot%s%s, batch %llu/%llu, cache %s/%s, "
        "flash attention %s\n\n",
        (unsigned long long)r->n_ctx, (unsigned long long)r->n_ctx_seq,
        (unsigned long long)r->n_seq, r->n_seq == 1 ? "" : "s",
        r->n_seq > 1 ? r->kv_unified ? " sharing one cache" : " with a cache each" : "",
        (unsigned long long)r->n_batch, (unsigned long long)r->n_ubatch,
        pl_tensor_type(r->type_k)->name, pl_tensor_type(r->type_v)->name,
        r->flash_attn ? "on" : "off");
}

void pl_report_forecast_text(const struct pl_forecast *f, bool why, bool colour, struct pl_str *out)
{
    const struct pl_model *m = f->model;
    char size[PL_SIZE_TEXT_MAX], gb[PL_SIZE_TEXT_MAX], count[PL_COUNT_TEXT_MAX];
    if (m->n_tensor == 0)
        pl_str_addf(out, "%s %s  %s\n", m->name, f->quant, m->arch);
    else
        pl_str_addf(out, "%s %s  %s, %s parameters, file %s (%s)\n", f->name, f->quant, m->arch,
                    pl_count_text(pl_model_parameters(m), count), pl_size_text(m->file_bytes, size),
                    pl_gb_text(m->file_bytes, gb));
    if (f->values.row != NULL)
        pl_setting_values_text(&f->values, out);
    else
        pl_forecast_settings(&f->resolved, out);
    for (uint32_t i = 0; i < f->footprint.n_pool; i++)
        pl_forecast_table(&f->footprint.pool[i], why, colour, out);
    pl_str_add(out, "\n");
    if (f->values.row != NULL)
        pl_facts_text(&f->claim, out);
    pl_speed_text(&f->speed, f->resolved.n_seq, out);
    if (f->values.row != NULL)
        pl_str_addf(out, "engine   %s; formulas of %s\n", f->engine, f->formulas);
    else
        pl_str_addf(out, "engine   llama.cpp %s; formulas proved against %s%s\n",
                    f->engine_version[0] != '\0' ? f->engine_version : "(version not known)",
                    f->formulas,
                    f->engine_version[0] == '\0' || pl_streq(f->engine_version, f->formulas)
                        ? ""
                        : ": compute buffers are given an eighth more room");
    pl_calibrated_text(f, why, colour, out);
    pl_forecast_cited(f, out);
    pl_str_addf(out, "verdict  %s\n", pl_verdict_name(f->judgement.verdict));
    for (uint32_t i = 0; i < f->judgement.n_reason; i++)
        pl_str_addf(out, "         %s\n", f->judgement.reason[i]);
}
