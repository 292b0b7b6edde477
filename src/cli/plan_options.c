#include "cli/plan_options.h"

#include "cli/model.h"
#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"
#include "model/catalogue.h"
#include "model/names.h"
#include "model/quality.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PL_CONTEXT_UNIT 256u /* the engine pads its context to this */
#define PL_CONTEXT_DEFAULT 4096u
#define PL_CONTEXTS_MAX 24u
#define PL_ALL_LAYERS 9999

struct pl_enumerate {
    const struct pl_cli *cli;
    const struct pl_stack *stack;
    struct pl_machine *machine;
    struct pl_ledger *ledger;
    struct pl_arena *arena;
    struct pl_option *option;
    uint32_t n, component, candidate, variant;
    const struct pl_model *model;
    struct pl_err *err;
};

/* want, halved down to min, each padded as the engine pads it. */
static uint32_t pl_halves(struct pl_want w, uint64_t unit, uint64_t out[PL_CONTEXTS_MAX])
{
    uint32_t n = 0;
    for (uint64_t v = w.want; v >= w.min && v > 0 && n < PL_CONTEXTS_MAX; v /= 2)
        out[n++] = (v + unit - 1) / unit * unit;
    return n;
}

static const char *pl_keep(struct pl_enumerate *e, const char *text)
{
    return text != NULL ? pl_arena_strdup(e->arena, text) : NULL;
}

static bool pl_option_pools(struct pl_enumerate *e, const struct pl_footprint *f, uint64_t extra,
                            struct pl_option *o)
{
    struct pl_option_pool *p = pl_arena_alloc(e->arena, f->n_pool + 1, sizeof(*p));
    if (p == NULL)
        return false;
    o->pool = p;
    for (uint32_t i = 0; i < f->n_pool; i++) {
        const struct pl_pool_footprint *q = &f->pool[i];
        struct pl_quantity more =
            pl_exact(q->kind == PL_POOL_HOST ? extra : 0, PL_SOURCE_MEASURED, NULL);
        if (!pl_known(q->steady) || !pl_known(q->peak) || !pl_known(q->load_peak))
            return false;
        p[i] = (struct pl_option_pool){.pool = pl_keep(e, q->pool),
                                       .steady = pl_plus(q->steady, more),
                                       .peak = pl_plus(q->peak, more),
                                       .load_peak = pl_plus(q->load_peak, more),
                                       .largest = q->largest_allocation};
        if (q->kind == PL_POOL_HOST && pl_known(q->hold[PL_HOLD_FILE_HOT]))
            p[i].file_hot = q->hold[PL_HOLD_FILE_HOT].low;
        /* reasons with figures live in the forecast, which is made again for each setting */
        p[i].steady.why = p[i].peak.why = p[i].load_peak.why = p[i].largest.why =
            "llama.cpp's footprint of these settings";
        if (p[i].pool == NULL)
            return false;
    }
    o->n_pool = f->n_pool;
    return true;
}

static bool pl_has_device(const struct pl_machine *m)
{
    for (uint32_t i = 0; i < m->n_pool; i++) {
        if (m->pool[i].kind == PL_POOL_DEDICATED || pl_starts(m->pool[i].name, "gpu"))
            return true;
    }
    return false;
}

/* One setting of one model: a forecast, and an option when it can be told. */
static int pl_enumerate_one(struct pl_enumerate *e, const struct pl_settings *s, uint64_t context,
                            uint64_t slots)
{
    static struct pl_forecast f;
    const struct pl_stack_component *c = &e->stack->component[e->component];
    const struct pl_stack_candidate *d = &c->candidate[e->candidate];
    if (e->n >= PL_PLAN_OPTIONS_MAX)
        return pl_fail(e->err, -E2BIG, "more than %u options", PL_PLAN_OPTIONS_MAX);
    struct pl_err own = {0};
    int rc = pl_forecast_make(e->model, s, e->machine, NULL, NULL, e->ledger, &f, &own);
    if (rc < 0) {
        pl_machine_note(e->machine, "%.40s, %.40s: %.70s", c->name, d->name, own.what);
        return 0;
    }
    struct pl_option *o = &e->option[e->n];
    *o = (struct pl_option){.component = e->component,
                            .candidate = e->candidate,
                            .variant = e->variant++,
                            .name = d->name,
                            .instance = d->instance,
                            .file = pl_keep(e, e->model->path),
                            .quality = d->quality,
                            .quality_known = d->quality_known,
                            .decode_milli = d->decode_milli,
                            .first_token_us = d->first_token_us,
                            .context = context,
                            .slots = slots,
                            .layers_wanted = pl_has_device(e->machine) ? 1 : 0,
                            .layers = s->n_gpu_layers != 0,
                            .model_bytes =
                                d->model_bytes > 0 ? d->model_bytes : e->model->file_bytes,
                            .model = d->model,
                            .quant = pl_keep(e, f.quant),
                            .precision = d->precision,
                            .language = d->language,
                            .settings = pl_keep(e, f.flags),
                            .why = "estimated from the model's header"};
    if (o->decode_milli == 0 && f.decode.source != PL_SOURCE_UNKNOWN && f.decode.low > 0)
        o->decode_milli = (uint64_t)(f.decode.low * 1000.0);
    if (o->file == NULL || o->quant == NULL || o->settings == NULL)
        return pl_fail(e->err, -ENOMEM, "no memory for the options");
    if (pl_option_pools(e, &f.footprint, d->extra_bytes, o))
        e->n++;
    else
        pl_machine_note(e->machine, "%.40s, %.40s: its footprint cannot be told", c->name, d->name);
    return 0;
}

/* Slots of every component that may share the instance: the process serves them all. */
static uint64_t pl_shared_slots(const struct pl_stack *s, uint32_t component, const char *instance)
{
    uint64_t n = 0;
    for (uint32_t c = 0; instance != NULL && c < s->n_component; c++) {
        for (uint32_t k = 0; k < s->component[c].n_candidate; k++) {
            const char *other = s->component[c].candidate[k].instance;
            if (c == component || other == NULL || !pl_streq(other, instance))
                continue;
            n += s->component[c].slots.want > 0 ? s->component[c].slots.want : 1;
            break;
        }
    }
    return n;
}

static int pl_candidate_flags(struct pl_enumerate *e, const struct pl_stack_candidate *d,
                              const char *kv, struct pl_settings *s)
{
    char *argv[64];
    int n = 0;
    pl_llamacpp_defaults(s);
    for (size_t i = 0; d->flags != NULL && d->flags[i] != NULL && n < 58; i++)
        argv[n++] = pl_arena_strdup(e->arena, d->flags[i]);
    const char *const types[] = {"-ctk", kv, "-ctv", kv};
    for (size_t i = 0; kv != NULL && i < 4; i++)
        argv[n++] = pl_arena_strdup(e->arena, types[i]);
    for (int i = 0; i < n; i++) {
        if (argv[i] == NULL)
            return pl_fail(e->err, -ENOMEM, "no memory for the options");
    }
    for (int at = 0; at < n;) {
        int took = pl_llamacpp_flag(s, n - at, argv + at, e->err);
        if (took <= 0) {
            pl_err_at(e->err, d->at->file, d->at->line, d->at->col);
            return pl_exit_as(e->err, took < 0 ? took : -EINVAL, PL_EXIT_USAGE);
        }
        at += took;
    }
    /* a prompt cache grows to its limit, 8 GiB by default: in a plan it is asked for by a flag */
    if (s->cache_ram_mib == PL_CACHE_RAM_UNSET)
        s->cache_ram_mib = 0;
    return 0;
}

/* Every setting of a model: cache types, offload, slots, contexts; the preferred first. */
static int pl_enumerate_model(struct pl_enumerate *e)
{
    static const char *const no_types[] = {NULL};
    const struct pl_stack_component *c = &e->stack->component[e->component];
    const struct pl_stack_candidate *d = &c->candidate[e->candidate];
    uint64_t contexts[PL_CONTEXTS_MAX], slots[PL_CONTEXTS_MAX];
    struct pl_want want = c->context, slot = c->slots;
    if (want.want == 0)
        want = (struct pl_want){PL_CONTEXT_DEFAULT, PL_CONTEXT_DEFAULT};
    if (slot.want == 0)
        slot = (struct pl_want){1, 1};
    uint32_t n_context = pl_halves(want, PL_CONTEXT_UNIT, contexts),
             n_slot = pl_halves(slot, 1, slots);
    uint64_t others = pl_shared_slots(e->stack, e->component, d->instance);
    const char *const *types = d->kv_types != NULL ? d->kv_types : no_types;
    const int64_t offload[] = {PL_ALL_LAYERS, 0};
    uint32_t n_offload = pl_has_device(e->machine) ? 2 : 1;
    int rc = 0;
    for (uint32_t t = 0; rc == 0 && (t == 0 || types[t] != NULL); t++) {
        struct pl_settings s;
        rc = pl_candidate_flags(e, d, types[t], &s);
        bool fixed = s.n_gpu_layers >= 0;
        for (uint32_t g = 0; rc == 0 && g < (fixed ? 1 : n_offload); g++) {
            for (uint32_t k = 0; rc == 0 && k < n_slot; k++) {
                for (uint32_t x = 0; rc == 0 && x < n_context; x++) {
                    struct pl_settings one = s;
                    one.n_parallel = (int64_t)(slots[k] + others);
                    one.n_ctx = contexts[x] * (slots[k] + others);
                    one.kv_unified = PL_OFF;
                    if (!fixed)
                        one.n_gpu_layers = n_offload == 1 ? 0 : offload[g];
                    if (!fixed && one.n_gpu_layers == 0)
                        one.devices = "none";
                    rc = pl_enumerate_one(e, &one, contexts[x], slots[k]);
                }
            }
        }
        if (types[t] == NULL)
            break;
    }
    return rc;
}

/* The catalogue's score in thousandths, when no candidate of the component says one itself and all
 * are scored by the same benchmark: scores of different ones are not on one scale. */
static void pl_catalogue_quality(struct pl_enumerate *e, uint32_t component, uint32_t from)
{
    const char *benchmark = NULL;
    double score[PL_STACK_CANDIDATES_MAX] = {0};
    const struct pl_stack_component *c = &e->stack->component[component];
    for (uint32_t k = 0; k < c->n_candidate; k++) {
        const struct pl_stack_candidate *d = &c->candidate[k];
        if (d->quality_known)
            return; /* whose scale is not known */
        if (d->declared)
            continue;
        char id[200];
        (void)PL_FMT(id, "%.190s", d->model);
        id[strcspn(id, ":")] = '\0';
        const struct pl_catalogue_row *row = pl_catalogue_find(id);
        const struct pl_quality *q = row != NULL ? pl_quality_of(row->id) : NULL;
        if (q == NULL || !pl_parse_double(q->score, &score[k]) || score[k] < 0 ||
            (benchmark != NULL && !pl_streq(benchmark, q->benchmark)))
            return;
        benchmark = q->benchmark;
    }
    for (uint32_t i = from; i < e->n; i++) {
        struct pl_option *o = &e->option[i];
        if (o->quality_known || c->candidate[o->candidate].declared)
            continue;
        o->quality = (int64_t)llround(1000.0 * score[o->candidate]);
        o->quality_known = true;
    }
}

static int pl_enumerate_candidate(struct pl_enumerate *e)
{
    const struct pl_stack_candidate *d = &e->stack->component[e->component].candidate[e->candidate];
    struct pl_model *model = NULL;
    char spec[PL_PATH_TEXT_MAX];
    (void)PL_FMT(spec, "%s%s%s", d->model, d->quant != NULL ? ":" : "",
                 d->quant != NULL ? d->quant : "");
    struct pl_err own = {0};
    int rc = pl_cli_model(e->cli, spec, NULL, &model, &own);
    if (rc < 0) {
        *e->err = own;
        pl_err_at(e->err, d->at->file, d->at->line, d->at->col);
        return rc;
    }
    e->model = model;
    e->variant = 0;
    rc = pl_enumerate_model(e);
    (void)pl_model_free(model);
    return rc;
}

int pl_plan_options(const struct pl_cli *cli, const struct pl_stack *stack,
                    struct pl_machine *machine, struct pl_ledger *ledger, struct pl_arena *arena,
                    struct pl_option **ret, uint32_t *ret_n, struct pl_err *err)
{
    struct pl_enumerate e = {.cli = cli,
                             .stack = stack,
                             .machine = machine,
                             .ledger = ledger,
                             .arena = arena,
                             .err = err};
    e.option = pl_arena_alloc(arena, PL_PLAN_OPTIONS_MAX, sizeof(*e.option));
    if (e.option == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the options");
    e.n = pl_stack_declared(stack, e.option, PL_PLAN_OPTIONS_MAX);
    int rc = 0;
    for (e.component = 0; rc == 0 && e.component < stack->n_component; e.component++) {
        const struct pl_stack_component *c = &stack->component[e.component];
        uint32_t from = e.n;
        for (e.candidate = 0; rc == 0 && e.candidate < c->n_candidate; e.candidate++) {
            if (!c->candidate[e.candidate].declared)
                rc = pl_enumerate_candidate(&e);
        }
        if (rc == 0)
            pl_catalogue_quality(&e, e.component, from);
    }
    *ret = e.option;
    *ret_n = e.n;
    return rc;
}
