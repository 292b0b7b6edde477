#include "cli/plan_options.h"

#include "cli/model.h"
#include "cli/plan_places.h"
#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"
#include "model/catalogue.h"
#include "model/names.h"
#include "model/quality.h"
#include "plan/worthwhile.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PL_CONTEXT_UNIT 256u /* the engine pads its context to this */
#define PL_CONTEXT_DEFAULT 4096u
#define PL_CONTEXTS_MAX 24u
#define PL_MODELS_MAX 256u
#define PL_FLAGS_TEXT_MAX 8192u

struct pl_opened {
    char spec[PL_PATH_TEXT_MAX];
    struct pl_model *model;
};

struct pl_enumerate {
    const struct pl_cli *cli;
    const struct pl_stack *stack;
    struct pl_machine *machine;
    struct pl_ledger *ledger;
    struct pl_arena *arena;
    struct pl_option *option;
    uint32_t n, component, candidate, variant;
    const struct pl_model *model;
    struct pl_opened *opened;
    uint32_t n_opened;
    const struct pl_model **made_of; /* by option */
    uint64_t *decode_made;           /* by option: as predicted; 0 = unknown */
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

/* What a component gets of what it wants. */
struct pl_got {
    uint64_t context, slots;
    uint32_t parts, cache, caches; /* layers on devices; grade of the cache type, of how many */
    bool places;                   /* there is a choice of them */
};

/* The option of another component that was made of the same model with the same settings. */
static const struct pl_option *pl_option_made(const struct pl_enumerate *e, const char *flags,
                                              uint64_t extra)
{
    for (uint32_t i = 0; i < e->n; i++) {
        const struct pl_option *o = &e->option[i];
        const struct pl_stack_candidate *d =
            &e->stack->component[o->component].candidate[o->candidate];
        if (e->made_of[i] == e->model && d->extra_bytes == extra && pl_streq(o->settings, flags))
            return o;
    }
    return NULL;
}

/* What the forecast says of an option: pools, speed, names. False: its footprint cannot be told. */
static int pl_option_forecast(struct pl_enumerate *e, const struct pl_settings *s,
                              struct pl_option *o)
{
    static struct pl_forecast f;
    const struct pl_stack_component *c = &e->stack->component[e->component];
    const struct pl_stack_candidate *d = &c->candidate[e->candidate];
    struct pl_err own = {0};
    int rc = pl_forecast_make(e->model, s, e->machine, NULL, NULL, e->ledger, &f, &own);
    if (rc < 0) {
        pl_machine_note(e->machine, "%.40s, %.40s: %.70s", c->name, d->name, own.what);
        return 0;
    }
    if (f.decode.source != PL_SOURCE_UNKNOWN && f.decode.low > 0)
        o->decode_milli = (uint64_t)(f.decode.low * 1000.0);
    const struct pl_rate *first = &f.speed.first_token;
    if (o->first_token_us == 0 && first->source != PL_SOURCE_UNKNOWN && first->high > 0 &&
        first->high < 1e9)
        o->first_token_us = (uint64_t)(first->high * 1e6);
    o->quant = pl_keep(e, f.quant);
    o->settings = pl_keep(e, f.flags);
    o->known_as = pl_keep(e, f.name);
    if (o->quant == NULL || o->settings == NULL)
        return pl_fail(e->err, -ENOMEM, "no memory for the options");
    if (pl_option_pools(e, &f.footprint, d->extra_bytes, o))
        return 1;
    pl_machine_note(e->machine, "%.40s, %.40s: its footprint cannot be told", c->name, d->name);
    return 0;
}

/* What starts it; NULL when there is no memory. */
static const char *const *pl_option_argv(struct pl_enumerate *e, const struct pl_settings *s)
{
    const char *argv[PL_FLAG_ARGV_MAX];
    int n = pl_llamacpp_argv(s, e->arena, argv, NULL);
    const char **kept = n >= 0 ? pl_arena_alloc(e->arena, (size_t)n + 1, sizeof(*kept)) : NULL;
    for (int i = 0; kept != NULL && i < n; i++)
        kept[i] = argv[i];
    return kept;
}

/* One setting of one model: an option when it can be told. */
static int pl_enumerate_one(struct pl_enumerate *e, const struct pl_settings *s,
                            const struct pl_got *got)
{
    const struct pl_stack_component *c = &e->stack->component[e->component];
    const struct pl_stack_candidate *d = &c->candidate[e->candidate];
    if (e->n >= PL_PLAN_OPTIONS_MAX)
        return pl_fail(e->err, -E2BIG, "more than %u options", PL_PLAN_OPTIONS_MAX);
    struct pl_option o = {.component = e->component,
                          .candidate = e->candidate,
                          .variant = e->variant++,
                          .name = d->name,
                          .instance = d->instance,
                          .file = pl_keep(e, e->model->path),
                          .quality = d->quality,
                          .quality_known = d->quality_known,
                          .first_token_us = d->first_token_us,
                          .context = got->context,
                          .slots = got->slots,
                          .layers_wanted = got->places ? PL_PLACE_PARTS : 0,
                          .layers = got->parts,
                          .cache_wanted = got->caches,
                          .cache = got->caches - got->cache,
                          .model_bytes = d->model_bytes > 0 ? d->model_bytes : e->model->file_bytes,
                          .model = d->model,
                          .precision = d->precision,
                          .language = d->language,
                          .why = "estimated from the model's header"};
    struct pl_str flags;
    pl_str_init(&flags, PL_FLAGS_TEXT_MAX);
    pl_llamacpp_flags_text(s, &flags);
    const struct pl_option *made = pl_option_made(e, pl_str_get(&flags), d->extra_bytes);
    pl_str_done(&flags);
    int rc = 1;
    if (made != NULL) {
        o.pool = made->pool;
        o.n_pool = made->n_pool;
        o.decode_milli = e->decode_made[made - e->option];
        o.quant = made->quant;
        o.settings = made->settings;
        o.known_as = made->known_as;
        if (e->stack->component[made->component].candidate[made->candidate].first_token_us == 0 &&
            o.first_token_us == 0)
            o.first_token_us = made->first_token_us;
    } else {
        rc = pl_option_forecast(e, s, &o);
    }
    o.argv = pl_option_argv(e, s);
    if (o.file == NULL || o.argv == NULL)
        return pl_fail(e->err, -ENOMEM, "no memory for the options");
    if (rc <= 0)
        return rc;
    e->made_of[e->n] = e->model;
    e->decode_made[e->n] = o.decode_milli;
    if (d->decode_milli > 0)
        o.decode_milli = d->decode_milli;
    e->option[e->n++] = o;
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

/* Slots and contexts of one cache type in one place. */
static int pl_enumerate_sizes(struct pl_enumerate *e, const struct pl_settings *s,
                              struct pl_got got)
{
    const struct pl_stack_component *c = &e->stack->component[e->component];
    uint64_t contexts[PL_CONTEXTS_MAX], slots[PL_CONTEXTS_MAX];
    struct pl_want want = c->context, slot = c->slots;
    if (want.want == 0)
        want = (struct pl_want){PL_CONTEXT_DEFAULT, PL_CONTEXT_DEFAULT};
    if (slot.want == 0)
        slot = (struct pl_want){1, 1};
    uint32_t n_context = pl_halves(want, PL_CONTEXT_UNIT, contexts),
             n_slot = pl_halves(slot, 1, slots);
    uint64_t others = pl_shared_slots(e->stack, e->component, c->candidate[e->candidate].instance);
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < n_slot; k++) {
        for (uint32_t x = 0; rc == 0 && x < n_context; x++) {
            struct pl_settings one = *s;
            one.n_parallel = (int64_t)(slots[k] + others);
            one.n_ctx = contexts[x] * (slots[k] + others);
            one.kv_unified = PL_OFF;
            got.context = contexts[x];
            got.slots = slots[k];
            rc = pl_enumerate_one(e, &one, &got);
        }
    }
    return rc;
}

/* Every setting of a model: cache types, places, slots, contexts; the preferred first. */
static int pl_enumerate_model(struct pl_enumerate *e)
{
    static const char *const no_types[] = {NULL};
    const struct pl_stack_candidate *d = &e->stack->component[e->component].candidate[e->candidate];
    const char *const *types = d->kv_types != NULL ? d->kv_types : no_types;
    struct pl_plan_place place[PL_PLAN_PLACES_MAX];
    struct pl_got got = {0};
    while (types[got.caches] != NULL)
        got.caches++;
    int rc = 0;
    do {
        struct pl_settings s;
        rc = pl_candidate_flags(e, d, types[got.cache], &s);
        uint32_t n = rc == 0 ? pl_plan_places(e->machine, e->model, &s, e->arena, place) : 0;
        if (rc == 0 && n == 0)
            rc = pl_fail(e->err, -ENOMEM, "no memory for the options");
        for (uint32_t i = 0; rc == 0 && i < n; i++) {
            struct pl_settings one = s;
            one.n_gpu_layers = place[i].n_gpu_layers;
            one.devices = place[i].devices;
            if (place[i].experts > 0)
                one.overrides.one[one.overrides.n++] =
                    (struct pl_override){.kind = PL_OVERRIDE_EXPERTS, .n = place[i].experts};
            got.parts = place[i].parts;
            got.places = n > 1;
            rc = pl_enumerate_sizes(e, &one, got);
        }
        got.cache++;
    } while (rc == 0 && got.cache < got.caches);
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

/* The model of a specification, opened once. */
static int pl_enumerate_open(struct pl_enumerate *e, const char *spec)
{
    for (uint32_t i = 0; i < e->n_opened; i++) {
        if (pl_streq(e->opened[i].spec, spec)) {
            e->model = e->opened[i].model;
            return 0;
        }
    }
    struct pl_opened *o = &e->opened[e->n_opened];
    if (e->n_opened >= PL_MODELS_MAX)
        return pl_fail(e->err, -E2BIG, "more than %u models", PL_MODELS_MAX);
    struct pl_err own = {0};
    int rc = pl_cli_model(e->cli, spec, NULL, &o->model, &own);
    if (rc < 0) {
        *e->err = own;
        return rc;
    }
    (void)PL_FMT(o->spec, "%s", spec);
    e->model = o->model;
    e->n_opened++;
    return 0;
}

static int pl_enumerate_candidate(struct pl_enumerate *e)
{
    const struct pl_stack_candidate *d = &e->stack->component[e->component].candidate[e->candidate];
    char spec[PL_PATH_TEXT_MAX];
    (void)PL_FMT(spec, "%s%s%s", d->model, d->quant != NULL ? ":" : "",
                 d->quant != NULL ? d->quant : "");
    int rc = pl_enumerate_open(e, spec);
    if (rc < 0) {
        pl_err_at(e->err, d->at->file, d->at->line, d->at->col);
        return rc;
    }
    e->variant = 0;
    return pl_enumerate_model(e);
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
    e.made_of = pl_arena_alloc(arena, PL_PLAN_OPTIONS_MAX, sizeof(*e.made_of));
    e.decode_made = pl_arena_alloc(arena, PL_PLAN_OPTIONS_MAX, sizeof(*e.decode_made));
    e.opened = pl_arena_alloc(arena, PL_MODELS_MAX, sizeof(*e.opened));
    if (e.option == NULL || e.made_of == NULL || e.decode_made == NULL || e.opened == NULL)
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
    for (uint32_t i = 0; i < e.n_opened; i++)
        (void)pl_model_free(e.opened[i].model);
    *ret = e.option;
    *ret_n = rc == 0 ? pl_options_worthwhile(stack, e.option, e.n) : 0;
    return rc;
}
