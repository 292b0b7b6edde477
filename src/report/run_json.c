#include "base/clock.h"
#include "report/footprint.h"
#include "report/json_unknown.h"
#include "report/quantity.h"
#include "report/run.h"

static void pl_json_bytes(struct pl_json *j, const char *key, struct pl_engine_bytes b)
{
    if (b.known)
        pl_json_u64(j, key, b.bytes);
    else
        pl_json_null(j, key);
}

static void pl_json_sample(struct pl_json *j, const char *key, const struct pl_sample *s)
{
    if (!pl_sample_taken(s)) {
        pl_json_null(j, key);
        return;
    }
    pl_json_object(j, key);
    pl_json_u64(j, "rss_anon", s->rss_anon);
    pl_json_u64(j, "rss_shmem", s->rss_shmem);
    pl_json_u64(j, "rss_file", s->rss_file);
    pl_json_u64(j, "swap", s->swap);
    pl_json_u64(j, "locked", s->locked);
    pl_json_end(j);
}

static void pl_json_speed(struct pl_json *j, const char *key, double value)
{
    if (value > 0)
        pl_json_num(j, key, value);
    else
        pl_json_null(j, key);
}

static void pl_json_run_who(struct pl_json *j, const struct pl_run *run)
{
    char when[PL_TIME_TEXT_MAX];
    if (run->id > 0)
        pl_json_i64(j, "id", run->id);
    else
        pl_json_null(j, "id");
    pl_json_str(j, "started", run->started_unix > 0 ? pl_utc_text(run->started_unix, when) : NULL);
    pl_json_str(j, "status", pl_run_status_name(run->status));
    pl_json_word(j, "error", run->error);
    pl_json_object(j, "machine");
    pl_json_word(j, "id", run->machine_id);
    pl_json_word(j, "text", run->machine_text);
    pl_json_end(j);
    pl_json_object(j, "engine");
    pl_json_word(j, "name", run->engine);
    pl_json_word(j, "version", run->engine_version);
    pl_json_word(j, "backend", run->backend);
    pl_json_end(j);
    pl_json_object(j, "model");
    pl_json_word(j, "name", run->model);
    pl_json_word(j, "architecture", run->arch);
    pl_json_count(j, "parameters", run->parameters);
    pl_json_count(j, "file_bytes", run->file_bytes);
    pl_json_word(j, "file_type", run->quant);
    pl_json_bool(j, "ghost", run->ghost);
    pl_json_end(j);
    pl_json_word(j, "flags", run->flags);
    pl_json_resolved(j, "settings", &run->settings);
}

static void pl_json_run_measured(struct pl_json *j, const struct pl_run *run)
{
    pl_json_object(j, "measured");
    pl_json_str(j, "pool", PL_RUN_MEASURED_POOL);
    pl_json_parts(j, "parts", run->measured);
    pl_json_quantity(j, "total", run->measured_total);
    pl_json_sample(j, "steady", &run->steady);
    pl_json_sample(j, "peak", &run->peak);
    pl_json_sample(j, "baseline", &run->baseline);
    pl_json_count(j, "cgroup_peak", run->cgroup_peak);
    pl_json_bool(j, "memory_returned", run->memory_returned);
    pl_json_array(j, "devices");
    for (uint32_t i = 0; i < run->predicted.n_pool; i++) {
        if (pl_streq(run->predicted.pool[i].pool, PL_RUN_MEASURED_POOL))
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "pool", run->predicted.pool[i].pool);
        pl_json_parts(j, "parts", run->on_device[i].part);
        pl_json_quantity(j, "total", run->on_device[i].total);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}

static void pl_json_run_report(struct pl_json *j, const struct pl_engine_report *r)
{
    pl_json_object(j, "report");
    pl_json_word(j, "version", r->version);
    pl_json_count(j, "n_ctx", r->n_ctx);
    pl_json_count(j, "n_ctx_per_slot", r->n_ctx_seq);
    pl_json_count(j, "n_slots", r->n_slots);
    if (r->kv_unified_known)
        pl_json_bool(j, "kv_unified", r->kv_unified);
    else
        pl_json_null(j, "kv_unified");
    pl_json_object(j, "buffers");
    pl_json_bytes(j, "weights_mapped", r->weights_mapped);
    pl_json_bytes(j, "weights_repack", r->weights_repack);
    pl_json_bytes(j, "weights_other", r->weights_other);
    pl_json_bytes(j, "kv", r->kv);
    pl_json_bytes(j, "compute", r->compute);
    pl_json_bytes(j, "output", r->output);
    pl_json_bytes(j, "recurrent", r->recurrent);
    pl_json_end(j);
    pl_json_count(j, "load_ms", r->load_ms);
    pl_json_end(j);
}

static void pl_json_run_timing(struct pl_json *j, const struct pl_run *run)
{
    const struct pl_timing *t = &run->timing;
    if (run->repeats == 0) {
        pl_json_null(j, "timing");
        return;
    }
    pl_json_object(j, "timing");
    pl_json_u64(j, "repeats", run->repeats);
    pl_json_count(j, "prompt_tokens", t->prompt_tokens);
    pl_json_count(j, "predicted_tokens", t->predicted_tokens);
    pl_json_speed(j, "prompt_tokens_per_second", t->prompt_tokens_per_second);
    pl_json_speed(j, "predicted_tokens_per_second", t->predicted_tokens_per_second);
    pl_json_speed(j, "first_token_ms", t->first_token_ms);
    pl_json_num(j, "prompt_spread", run->prompt_spread);
    pl_json_num(j, "predicted_spread", run->predicted_spread);
    pl_json_end(j);
}

/* What else ran: "valid" is whether the speeds say something of the machine. */
static void pl_json_run_beside(struct pl_json *j, const struct pl_beside *b)
{
    pl_json_object(j, "beside");
    if (b->pressure_known) {
        pl_json_num(j, "waited_before", b->pressure_before);
        pl_json_num(j, "waited_during", b->pressure_during);
    } else {
        pl_json_null(j, "waited_before");
        pl_json_null(j, "waited_during");
    }
    if (b->load_known)
        pl_json_num(j, "load_before", b->load_before);
    else
        pl_json_null(j, "load_before");
    if (b->judged)
        pl_json_bool(j, "speed_valid", !b->disturbed);
    else
        pl_json_null(j, "speed_valid");
    pl_json_end(j);
}

void pl_json_run(struct pl_json *j, const char *key, const struct pl_run *run)
{
    pl_json_object(j, key);
    pl_json_run_who(j, run);
    pl_json_object(j, "predicted");
    pl_json_pools(j, "pools", &run->predicted);
    pl_json_object(j, "speed");
    pl_json_rate(j, "prefill_tokens_per_second", run->predicted_prefill);
    pl_json_rate(j, "decode_tokens_per_second", run->predicted_decode);
    pl_json_end(j);
    pl_json_end(j);
    pl_json_run_measured(j, run);
    pl_json_run_report(j, &run->report);
    pl_json_run_timing(j, run);
    pl_json_run_beside(j, &run->beside);
    pl_json_word(j, "fill", run->fill);
    pl_json_word(j, "driver", run->driver);
    pl_json_bool(j, "golden", run->golden);
    pl_json_end(j);
}
