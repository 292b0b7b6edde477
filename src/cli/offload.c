#include "cli/offload.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/table.h"
#include "base/units.h"
#include "measure/forecast.h"
#include "report/quantity.h"

#include <errno.h>

static bool pl_offload_fits(enum pl_verdict v)
{
    return v == PL_VERDICT_SAFE || v == PL_VERDICT_CONSTRAINED;
}

static int pl_offload_one(const struct pl_forecast *f, uint64_t n, struct pl_ledger *ledger,
                          struct pl_offload_step *ret, struct pl_err *err)
{
    static struct pl_forecast at;
    struct pl_settings s = f->settings;
    s.n_gpu_layers = (int64_t)n;
    s.fit = false; /* as asked, whether it fits or not */
    const char *version = f->engine_version[0] != '\0' ? f->engine_version : NULL;
    int rc = pl_forecast_make(f->model, &s, f->machine, NULL, version, ledger, &at, err);
    if (rc < 0)
        return rc;
    *ret = (struct pl_offload_step){.n_gpu_layers = n,
                                    .decode = at.decode,
                                    .prefill = at.prefill,
                                    .verdict = at.judgement.verdict};
    for (uint32_t i = 1; i < at.footprint.n_pool; i++)
        ret->device_bytes = pl_add_sat(ret->device_bytes, at.footprint.pool[i].steady.likely);
    return 0;
}

int pl_cli_offload(const struct pl_cli *cli, const struct pl_forecast *f, struct pl_ledger *ledger,
                   struct pl_offload *ret, struct pl_err *err)
{
    ret->n = 0;
    if (!pl_cli_opt(cli, "offload-steps")->given)
        return 0;
    struct pl_used_devices devices;
    pl_llamacpp_devices(f->machine, NULL, &devices);
    uint64_t layers = pl_model_arch_u64(f->model, "block_count", 0) + 1; /* and the output */
    int rc = 0;
    if (cli->engine != NULL)
        rc = pl_fail(err, -EINVAL, "--offload-steps is of llama.cpp");
    else if (devices.n == 0)
        rc = pl_fail(err, -EINVAL, "--offload-steps: this machine has no device to offload to");
    else if (layers >= PL_OFFLOAD_STEPS_MAX)
        rc = pl_fail(err, -EINVAL, "--offload-steps: more than %d layers", PL_OFFLOAD_STEPS_MAX);
    if (rc < 0) {
        (void)pl_hint(err, "--device ID makes a machine with one");
        return pl_exit_as(err, rc, PL_EXIT_USAGE);
    }
    int last = -1;
    for (uint64_t n = 0; rc == 0 && n <= layers; n++) {
        rc = pl_offload_one(f, n, ledger, &ret->step[ret->n], err);
        last = rc == 0 && pl_offload_fits(ret->step[ret->n].verdict) ? (int)ret->n : last;
        ret->n += rc == 0 ? 1 : 0;
    }
    if (rc == 0 && last >= 0)
        ret->step[last].largest = true;
    return rc;
}

static void pl_offload_rate(struct pl_table *t, struct pl_rate r)
{
    if (r.source == PL_SOURCE_UNKNOWN)
        pl_table_cell(t, "unknown");
    else
        pl_table_cell(t, r.likely < 10 ? "%.2f" : "%.0f", r.likely);
}

static void pl_offload_mark(struct pl_table *t, const struct pl_offload_step *s, uint64_t floor,
                            bool first)
{
    bool low =
        floor > 0 && s->decode.source != PL_SOURCE_UNKNOWN && s->decode.likely < (double)floor;
    pl_table_cell(t, "%s%s%s", s->largest ? "<- the largest that fits" : "",
                  s->largest && (low || first) ? ", " : "",
                  low     ? "below the floor"
                  : first ? "the first above the floor"
                          : "");
}

void pl_offload_text(const struct pl_offload *o, uint64_t floor, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {">-ngl",   ">decode", ">prefill", ">on devices",
                                         "verdict", " ",       NULL};
    struct pl_table *t = o->n > 0 ? pl_table_new(titles) : NULL;
    bool passed = floor == 0;
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < o->n; i++) {
        const struct pl_offload_step *s = &o->step[i];
        char size[PL_SIZE_TEXT_MAX];
        bool above = s->decode.source != PL_SOURCE_UNKNOWN && s->decode.likely >= (double)floor;
        pl_table_row(t);
        pl_table_cell(t, "%llu", (unsigned long long)s->n_gpu_layers);
        pl_offload_rate(t, s->decode);
        pl_offload_rate(t, s->prefill);
        pl_table_cell(t, "%s", pl_size_text(s->device_bytes, size));
        pl_table_cell(t, "%s", pl_verdict_name(s->verdict));
        pl_offload_mark(t, s, floor, above && !passed);
        passed = passed || above;
    }
    pl_str_add(out, "\nlayers on devices, tokens per second\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    if (o->step[0].decode.source == PL_SOURCE_UNKNOWN)
        pl_str_addf(out, "decode with layers on the host is unknown: %s\n", o->step[0].decode.why);
}

void pl_offload_json(const struct pl_offload *o, struct pl_json *j, const char *key)
{
    pl_json_array(j, key);
    for (uint32_t i = 0; i < o->n; i++) {
        const struct pl_offload_step *s = &o->step[i];
        pl_json_object(j, NULL);
        pl_json_u64(j, "n_gpu_layers", s->n_gpu_layers);
        pl_json_rate(j, "prefill_tokens_per_second", s->prefill);
        pl_json_rate(j, "decode_tokens_per_second", s->decode);
        pl_json_u64(j, "device_bytes", s->device_bytes);
        pl_json_str(j, "verdict", pl_verdict_name(s->verdict));
        pl_json_bool(j, "largest_that_fits", s->largest);
        pl_json_end(j);
    }
    pl_json_end(j);
}

int pl_cli_floor(const struct pl_cli *cli, struct pl_forecast *f)
{
    const struct pl_opt_value *floor = pl_cli_opt(cli, "min-decode");
    struct pl_judgement *j = &f->judgement;
    bool known = f->decode.source != PL_SOURCE_UNKNOWN;
    if (!floor->given || (known && f->decode.likely >= (double)floor->u))
        return 0;
    uint32_t at = j->n_reason < PL_REASONS_MAX ? j->n_reason++ : PL_REASONS_MAX - 1;
    if (known)
        (void)PL_FMT(j->reason[at],
                     "decode of %.1f tokens/s (%.1f .. %.1f) is below the floor of %llu",
                     f->decode.likely, f->decode.low, f->decode.high, (unsigned long long)floor->u);
    else
        (void)PL_FMT(j->reason[at], "decode is unknown, and %llu tokens/s are asked for",
                     (unsigned long long)floor->u);
    return known ? PL_EXIT_NO : PL_EXIT_CANNOT_TELL;
}
