#include "measure/forecast.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/native.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/override.h"
#include "engine/llamacpp/settings.h"
#include "engine/llamacpp/speculate.h"
#include "engine/llamacpp/speed_experts.h"
#include "measure/extras.h"
#include "measure/speed.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define PL_FIT_TARGET PL_GIB               /* common/common.h, fit_params_target */
#define PL_FORECAST_KEYS_MAX (16 * PL_MIB) /* of a header's table of keys, copied */

/* What names a model for people and for the ledger: "qwen3-8b" and "Q4_K_M" of a catalogue spec, or
 * the file's own name and type. */
static void pl_forecast_names(struct pl_forecast *f)
{
    const struct pl_model *m = f->model;
    const char *base = strrchr(m->path, '/');
    (void)PL_FMT(f->name, "%s",
                 m->format != NULL ? m->name /* of a folder of files */
                 : base != NULL    ? base + 1
                                   : m->path);
    (void)PL_FMT(f->quant, "%s", pl_model_file_type(m));
    char *colon = strrchr(f->name, ':');
    if (m->n_file == 0 && colon != NULL) {
        (void)PL_FMT(f->quant, "%s", colon + 1);
        *colon = '\0';
    }
    for (char *c = f->quant; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
}

static int pl_forecast_newest(void *ctx, const struct pl_run *run)
{
    char(*version)[64] = ctx;
    (void)PL_FMT(*version, "%s", run->engine_version);
    return 1; /* the newest is enough */
}

/* Of the host's memory, as the machine says it or the ledger remembers. */
static struct pl_rate pl_forecast_bandwidth(const struct pl_machine *m, struct pl_ledger *ledger)
{
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    struct pl_rate all = ram != NULL ? ram->bandwidth : (struct pl_rate){0}, one;
    int64_t when = 0;
    if (all.source == PL_SOURCE_UNKNOWN && m->id[0] != '\0' && ledger != NULL)
        (void)pl_ledger_bandwidth_get(ledger, m->id, &one, &all, &when, NULL);
    return all;
}

/* What the ledger knows: the engine's version here, and the run to cite. */
static void pl_forecast_remember(struct pl_forecast *f, struct pl_ledger *ledger)
{
    if (ledger == NULL || !pl_ledger_exists(ledger))
        return;
    const struct pl_machine *m = f->machine;
    if (f->engine_version[0] == '\0' && m->this_system) {
        struct pl_ledger_filter filter = {
            .engine = "llama.cpp", .machine_id = m->id, .ok_only = true, .limit = 1};
        (void)pl_ledger_runs(ledger, &filter, pl_forecast_newest, &f->engine_version, NULL);
    }
    struct pl_run like = {0};
    enum pl_ledger_match match = PL_MATCH_NONE;
    (void)PL_FMT(like.model, "%s", f->name);
    (void)PL_FMT(like.quant, "%s", f->quant);
    (void)PL_FMT(like.arch, "%s", f->model->arch);
    (void)PL_FMT(like.engine, "llama.cpp");
    (void)PL_FMT(like.flags, "%s", f->flags);
    (void)PL_FMT(like.machine_id, "%s", m->id);
    if (pl_ledger_last_run(ledger, &like, &f->cited, &match, NULL) == 0 && match != PL_MATCH_NONE)
        f->cited_as = pl_ledger_match_text(match);
}

/* common/fit.cpp: without -c and without devices, llama-server shortens the context until what it
 * maps and allocates (converted weights are not counted) leaves 1 GiB of all host memory. */
static void pl_forecast_shortened(struct pl_forecast *f)
{
    const struct pl_pool *ram = pl_machine_pool_const(f->machine, "ram");
    const struct pl_quantity *part = f->footprint.pool[0].part;
    struct pl_judgement *j = &f->judgement;
    if (f->settings.n_ctx > 0 || f->settings.n_ctx_slot_max > 0 || f->footprint.n_pool > 1 ||
        ram == NULL || !pl_known(ram->capacity) || !pl_known(part[PL_PART_COMPUTE]) ||
        j->n_reason >= PL_REASONS_MAX)
        return;
    uint64_t counted = pl_add_sat(part[PL_PART_WEIGHTS].likely, part[PL_PART_KV].likely);
    counted = pl_add_sat(counted, part[PL_PART_COMPUTE].likely);
    if (pl_add_sat(counted, PL_FIT_TARGET) > ram->capacity.likely)
        (void)PL_FMT(
            j->reason[j->n_reason++],
            "no -c: the engine would not serve all %llu tokens here but shorten the context "
            "until it fits; ask for one with -c",
            (unsigned long long)f->resolved.n_ctx);
}

/* A file in a type that the device only emulates. */
static void pl_forecast_native(struct pl_forecast *f)
{
    struct pl_judgement *j = &f->judgement;
    if (f->footprint.n_pool < 2 || f->machine->n_device == 0 || j->n_reason >= PL_REASONS_MAX)
        return;
    if (pl_streq(f->quant, "BF16") && pl_native_lacks(&f->machine->device[0], "bf16",
                                                      j->reason[j->n_reason], sizeof(j->reason[0])))
        j->n_reason++;
}

/* The machine as the engine's formulas want it; devices is where its devices go. */
static struct pl_llamacpp_host pl_forecast_host(const struct pl_forecast *f,
                                                struct pl_used_devices *devices)
{
    pl_llamacpp_devices(f->machine, NULL, devices);
    return (struct pl_llamacpp_host){
        .cpu = f->machine->cpu.isa[0] != '\0' ? &f->machine->cpu : NULL,
        .devices = devices,
        .version_known = pl_streq(f->engine_version, PL_LLAMACPP_PROVED),
    };
}

int pl_forecast_terms(const struct pl_forecast *f, struct pl_terms *ret, struct pl_err *err)
{
    if (f->values.row != NULL) {
        *ret = f->claim.terms;
        return 0;
    }
    struct pl_used_devices devices;
    struct pl_llamacpp_host host = pl_forecast_host(f, &devices);
    struct pl_arena arena;
    struct pl_model seen;
    pl_arena_init(&arena, PL_FORECAST_KEYS_MAX);
    int rc = pl_llamacpp_overridden(f->model, &f->settings, &arena, &seen, err);
    if (rc == 0)
        rc = pl_llamacpp_terms(&seen, &f->settings, &host, &f->footprint, &f->resolved, ret, err);
    pl_arena_done(&arena);
    return rc;
}

/* Fewer experts a token than the file says. What that does to its text is no matter of memory. */
static void pl_forecast_experts(struct pl_forecast *f, const struct pl_model *seen)
{
    struct pl_judgement *j = &f->judgement;
    uint64_t own = pl_model_arch_u64(f->model, "expert_used_count", 0);
    uint64_t asked = pl_model_arch_u64(seen, "expert_used_count", 0);
    const struct pl_expert_floor *floor = pl_llamacpp_expert_floor(f->model);
    if (asked == own || asked > own)
        return;
    char text[PL_REASON_TEXT_MAX];
    if (floor != NULL && asked < floor->least) {
        (void)PL_FMT(text,
                     "%llu experts a token is below %llu, the least that is recorded as safe (%s)",
                     (unsigned long long)asked, (unsigned long long)floor->least, floor->why);
        (void)PL_FMT(f->few_experts, "%s", text);
    } else {
        (void)PL_FMT(text,
                     "%llu experts a token instead of its own %llu: what that does to its text is "
                     "not known%s",
                     (unsigned long long)asked, (unsigned long long)own,
                     floor != NULL ? ", but not below what is recorded as safe" : "");
    }
    if (j->n_reason < PL_REASONS_MAX)
        (void)PL_FMT(j->reason[j->n_reason++], "%s", text);
}

/* All but the claim, half of it all: that is another engine's, read only where `values` has a
 * table, and whole then. */
static void pl_forecast_start(struct pl_forecast *f)
{
    size_t at = offsetof(struct pl_forecast, claim), behind = at + sizeof(f->claim);
    memset(f, 0, at);
    memset((char *)f + behind, 0, sizeof(*f) - behind);
    f->claim.n_fact = 0;
    f->claim.quant[0] = '\0';
}

static int pl_forecast_of(const struct pl_model *model, const struct pl_settings *settings,
                          const struct pl_machine *machine, const struct pl_used_devices *devices,
                          const char *engine_version, struct pl_ledger *ledger,
                          struct pl_forecast *ret, struct pl_err *err)
{
    pl_forecast_start(ret);
    ret->model = model;
    ret->machine = machine;
    ret->engine = "llama.cpp";
    ret->settings = *settings;
    ret->formulas = PL_LLAMACPP_PROVED;
    pl_forecast_names(ret);
    struct pl_str flags;
    pl_str_init(&flags, PL_RUN_TEXT_MAX * 4);
    pl_llamacpp_flags_text(settings, &flags);
    (void)PL_FMT(ret->flags, "%s", pl_str_get(&flags));
    pl_str_done(&flags);
    if (engine_version != NULL)
        (void)PL_FMT(ret->engine_version, "%s", engine_version);
    pl_forecast_remember(ret, ledger);
    struct pl_used_devices own;
    struct pl_llamacpp_host host = pl_forecast_host(ret, &own);
    if (devices != NULL)
        own = *devices;
    int rc = pl_extra_reserved(settings, &own, err);
    if (rc == 0)
        rc = pl_llamacpp_footprint(model, settings, &host, &ret->footprint, &ret->resolved, err);
    if (rc == 0)
        rc = pl_forecast_extras(ret, &host, err);
    if (rc < 0)
        return rc;
    pl_judge(&ret->footprint, machine, &ret->judgement);
    pl_forecast_shortened(ret);
    pl_forecast_no_projector(ret);
    pl_forecast_native(ret);
    if (ret->footprint.fitted[0] != '\0' && ret->judgement.n_reason < PL_REASONS_MAX)
        (void)PL_FMT(ret->judgement.reason[ret->judgement.n_reason++], "%s", ret->footprint.fitted);
    return pl_forecast_speed(ret, model, &host, pl_forecast_bandwidth(machine, ledger), ledger,
                             PL_SPEED_PROMPT, err);
}

/* Decode is forecast at some depths: what lies between goes by the time of a step, which grows with
 * the depth in a straight line. */
static struct pl_rate pl_forecast_decode_at(const struct pl_speed *s, uint64_t depth)
{
    struct pl_rate r = s->decode;
    for (uint32_t i = 0; i + 1 < s->n_depth; i++) {
        const struct pl_rate *a = &s->decode_at[i], *b = &s->decode_at[i + 1];
        double from = (double)s->depth[i], to = (double)s->depth[i + 1], at = (double)depth;
        if (at < from || at > to || !(to > from) || !(a->low > 0) || !(b->low > 0))
            continue;
        double part = (at - from) / (to - from);
        r.low = 1 / ((1 - part) / a->low + part / b->low);
        r.likely = 1 / ((1 - part) / a->likely + part / b->likely);
        r.high = 1 / ((1 - part) / a->high + part / b->high);
        break;
    }
    return r;
}

int pl_forecast_paced(struct pl_forecast *f, const struct pl_used_devices *devices,
                      struct pl_ledger *ledger, uint64_t prompt, uint64_t depth, struct pl_err *err)
{
    struct pl_used_devices own;
    struct pl_llamacpp_host host = pl_forecast_host(f, &own);
    struct pl_speculation how = {0};
    struct pl_arena arena;
    struct pl_model seen;
    if (devices != NULL)
        own = *devices;
    pl_arena_init(&arena, PL_FORECAST_KEYS_MAX);
    int rc = pl_llamacpp_overridden(f->model, &f->settings, &arena, &seen, err);
    if (rc == 0)
        rc = pl_extra_reserved(&f->settings, &own, err);
    if (rc == 0)
        rc = pl_forecast_speed(f, &seen, &host, pl_forecast_bandwidth(f->machine, ledger), ledger,
                               prompt, err);
    if (rc == 0)
        rc = pl_llamacpp_speculation(&f->settings, &how, err);
    pl_arena_done(&arena);
    if (rc < 0)
        return rc;
    if (f->decode.source != PL_SOURCE_UNKNOWN)
        f->decode = pl_forecast_decode_at(&f->speed, depth);
    if (how.any)
        f->decode = (struct pl_rate){.why = "with drafts it hangs on the text"};
    return 0;
}

int pl_forecast_engine(const struct pl_engine *engine, const struct pl_model *model,
                       const struct pl_setting_values *values, const struct pl_machine *machine,
                       struct pl_forecast *ret, struct pl_err *err)
{
    *ret = (struct pl_forecast){
        .model = model, .machine = machine, .engine = engine->name, .values = *values};
    pl_forecast_names(ret);
    struct pl_str flags;
    pl_str_init(&flags, PL_RUN_TEXT_MAX * 4);
    pl_settings_text(values, &flags);
    (void)PL_FMT(ret->flags, "%s", pl_str_get(&flags));
    pl_str_done(&flags);
    int rc = engine->footprint(model, &ret->values, machine, &ret->claim, err);
    if (rc < 0)
        return rc;
    ret->formulas = ret->claim.formulas;
    ret->footprint = ret->claim.footprint;
    if (ret->claim.quant[0] != '\0')
        (void)PL_FMT(ret->quant, "%s", ret->claim.quant);
    pl_claim_judge(&ret->claim, machine, &ret->judgement);
    pl_forecast_no_speed(ret, "the speed of this engine is not predicted yet");
    return 0;
}

int pl_forecast_make(const struct pl_model *model, const struct pl_settings *settings,
                     const struct pl_machine *machine, const struct pl_used_devices *devices,
                     const char *engine_version, struct pl_ledger *ledger, struct pl_forecast *ret,
                     struct pl_err *err)
{
    struct pl_arena arena;
    struct pl_model seen; /* as the engine will read it */
    pl_arena_init(&arena, PL_FORECAST_KEYS_MAX);
    int rc = pl_llamacpp_overridden(model, settings, &arena, &seen, err);
    if (rc == 0)
        rc = pl_forecast_of(&seen, settings, machine, devices, engine_version, ledger, ret, err);
    ret->model = model;
    if (rc == 0)
        pl_forecast_experts(ret, &seen);
    pl_arena_done(&arena);
    return rc;
}
