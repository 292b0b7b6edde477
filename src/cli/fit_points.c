#include "base/arena.h"
#include "base/checked.h"
#include "cli/fit.h"
#include "cli/model.h"
#include "cli/quality.h"
#include "cli/rank.h"
#include "cli/run.h"
#include "domain/tensor_type.h"
#include "domain/whisper.h"
#include "engine/llamacpp/devices.h"
#include "engine/llamacpp/settings.h"
#include "measure/sweep.h"
#include "model/quants.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PL_FIT_TYPES 3
#define PL_FIT_SAME 0.05
#define PL_FIT_ARENA_MAX (64u * 1024u)

/* Best first: what each costs in quality is not in data/quants.tsv, that more bits keep more is. */
static const char *const pl_fit_types[PL_FIT_TYPES] = {"f16", "q8_0", "q4_0"};

const char *pl_fit_place_name(enum pl_fit_place place)
{
    static const char *const names[PL_FIT_PLACES] = {
        "devices", "some experts on host", "experts on host", "split", "host", "as asked"};
    return names[place];
}

void pl_fit_command(const struct pl_settings *s, const char *model, char out[PL_FIT_COMMAND_MAX],
                    char flags[PL_FIT_COMMAND_MAX])
{
    const char *argv[PL_FLAG_ARGV_MAX] = {NULL},
               *line[PL_FLAG_ARGV_MAX + 4] = {"llama-server", "-m", model};
    struct pl_arena arena;
    struct pl_str text;
    pl_arena_init(&arena, PL_FIT_ARENA_MAX);
    pl_str_init(&text, PL_FIT_COMMAND_MAX - 1);
    out[0] = flags[0] = '\0';
    int n = pl_llamacpp_argv(s, &arena, argv, NULL);
    if (n >= 0 && n < PL_FLAG_ARGV_MAX) {
        argv[n] = NULL;
        memcpy(line + 3, argv, (size_t)n * sizeof(*argv));
        line[3 + n] = NULL;
        pl_run_quote(NULL, argv, &text);
        if (!text.failed)
            (void)pl_fmt(flags, PL_FIT_COMMAND_MAX, "%s", pl_str_get(&text));
        pl_str_clear(&text);
        pl_run_quote(NULL, line, &text);
        if (!text.failed)
            (void)pl_fmt(out, PL_FIT_COMMAND_MAX, "%s", pl_str_get(&text));
    }
    pl_str_done(&text);
    pl_arena_done(&arena);
}

struct pl_fitting {
    const struct pl_fit_ask *ask;
    struct pl_fit_answer *answer;
    struct pl_reach reach;
    struct pl_forecast forecast;
    const char *file; /* for the command */
    bool devices, experts;
};

static void pl_fit_placed(struct pl_fitting *f, enum pl_fit_place place)
{
    struct pl_settings *s = &f->reach.settings;
    uint64_t layers = pl_model_arch_u64(f->reach.model, "block_count", 0) + 1;
    *s = f->ask->settings;
    if (place == PL_FIT_ASKED || !f->devices)
        return;
    s->n_gpu_layers = place == PL_FIT_HOST ? 0 : (int64_t)layers;
    if (place == PL_FIT_HOST)
        s->devices = "none";
    if ((place == PL_FIT_EXPERTS || place == PL_FIT_SOME) && s->overrides.n < PL_OVERRIDES_MAX)
        s->overrides.one[s->overrides.n++] =
            (struct pl_override){.kind = PL_OVERRIDE_EXPERTS, .n = UINT64_MAX};
}

static void pl_fit_note(struct pl_fitting *f, struct pl_fit_point *p)
{
    const struct pl_forecast *at = &f->forecast;
    p->decode = at->decode;
    p->verdict = at->judgement.verdict;
    if (at->judgement.n_reason > 0)
        (void)PL_FMT(p->reason, "%s", at->judgement.reason[0]);
    p->steady = at->footprint.n_pool > 0 ? at->footprint.pool[0].steady : PL_QUANTITY_UNKNOWN("");
    for (uint32_t i = 1; i < at->footprint.n_pool; i++)
        p->steady = pl_plus(p->steady, at->footprint.pool[i].steady);
    p->slow = p->decode.source != PL_SOURCE_UNKNOWN && p->decode.likely < f->ask->floor;
}

/* The settings of what was found, as a line to paste. */
static void pl_fit_line(struct pl_fitting *f, struct pl_fit_point *p)
{
    uint64_t slots = f->ask->question == PL_FIT_MAX_SLOTS ? p->slots.value : f->ask->slots;
    uint64_t context = f->ask->question == PL_FIT_MAX_SLOTS || f->ask->question == PL_FIT_BEST_QUANT
                           ? f->answer->context
                           : p->context.value;
    struct pl_settings s = f->reach.settings;
    char model[200];
    if (context == 0 || slots == 0 || (f->ask->question == PL_FIT_BEST_QUANT && !p->wanted))
        return;
    s.n_parallel = (int64_t)slots;
    s.n_ctx = pl_mul_sat(context, slots);
    s.kv_unified = slots > 1 ? PL_OFF : s.kv_unified;
    if (f->file != NULL)
        (void)PL_FMT(model, "%s", f->file);
    else
        (void)PL_FMT(model, "%.120s-%s.gguf", f->answer->name, p->quant);
    pl_fit_command(&s, model, p->command, p->flags);
}

/* The weights alone are too large, whatever the context. */
static bool pl_fit_hopeless(const struct pl_fitting *f)
{
    const struct pl_footprint *at = &f->forecast.footprint;
    for (uint32_t i = 0; i < at->n_pool; i++) {
        struct pl_quantity all = pl_machine_available(f->ask->machine, at->pool[i].pool);
        struct pl_quantity weights = at->pool[i].part[PL_PART_WEIGHTS];
        if (pl_known(all) && pl_known(weights) && weights.low > all.high)
            return true;
    }
    return false;
}

static void pl_fit_point(struct pl_fitting *f, enum pl_fit_place place, uint32_t type,
                         uint32_t rank, const char *quant)
{
    struct pl_fit_answer *a = f->answer;
    struct pl_quant q;
    if (a->n >= PL_FIT_POINTS_MAX)
        return;
    pl_fit_placed(f, place);
    struct pl_fit_point *p = &a->point[a->n];
    *p = (struct pl_fit_point){
        .file_bytes = f->reach.model->file_bytes, .place = place, .type = type, .type_rank = rank};
    (void)PL_FMT(p->quant, "%s", quant);
    bool own = a->id != NULL && pl_catalogue_quant_own(pl_catalogue_find(a->id), quant);
    p->rated = own || (pl_quant_of(quant, &q) && q.rated);
    p->kld = p->rated && !own ? q.kld : 0; /* published so: F16 is made of it */
    f->reach.settings.type_k = f->reach.settings.type_v = type;
    if (place == PL_FIT_SPLIT) {
        struct pl_reached layers = pl_reach_layers(&f->reach, a->context, f->ask->slots);
        if (layers.value == 0 || layers.over == 0)
            return; /* all of them fit, or none does: that is another place */
        p->layers = layers.value;
    }
    if (place == PL_FIT_SOME) {
        const struct pl_overrides *o = &f->reach.settings.overrides;
        struct pl_reached some = pl_reach_experts(&f->reach, a->context, f->ask->slots);
        if (some.value == 0 || some.over == 0)
            return;
        p->experts = o->one[o->n - 1].n;
    }
    p->wanted = pl_reach_fits(&f->reach, a->context, f->ask->slots);
    pl_fit_note(f, p);
    a->n++;
    if (f->ask->question == PL_FIT_MAX_SLOTS && p->wanted)
        p->slots = pl_reach_slots(&f->reach, a->context);
    else if (f->ask->question == PL_FIT_MAX_SLOTS || (!p->wanted && pl_fit_hopeless(f)))
        return;
    else if (f->ask->question != PL_FIT_BEST_QUANT)
        p->context = pl_reach_context(&f->reach, f->ask->slots);
    if (!p->wanted && p->context.value > 0) {
        char reason[PL_REASON_TEXT_MAX];
        memcpy(reason, p->reason, sizeof(reason));
        (void)pl_reach_fits(&f->reach, p->context.value, f->ask->slots);
        pl_fit_note(f, p);
        memcpy(p->reason, reason, sizeof(reason));
    }
    pl_fit_line(f, p);
}

static void pl_fit_places(struct pl_fitting *f, uint32_t type, uint32_t rank, const char *quant)
{
    if (f->ask->place_given) {
        pl_fit_point(f, PL_FIT_ASKED, type, rank, quant);
        return;
    }
    if (f->devices) {
        uint32_t at = f->answer->n;
        pl_fit_point(f, PL_FIT_DEVICE, type, rank, quant);
        bool all = f->answer->n > at && f->answer->point[at].wanted;
        if (f->experts && !all && rank == 0)
            pl_fit_point(f, PL_FIT_SOME, type, rank, quant);
        if (f->experts && !all)
            pl_fit_point(f, PL_FIT_EXPERTS, type, rank, quant);
        if (!all && rank == 0)
            pl_fit_point(f, PL_FIT_SPLIT, type, rank, quant);
    }
    pl_fit_point(f, PL_FIT_HOST, type, rank, quant);
}

static void pl_fit_variant(struct pl_fitting *f, const struct pl_model *m, const char *quant)
{
    const struct pl_fit_ask *ask = f->ask;
    struct pl_used_devices devices;
    f->reach.model = m;
    f->experts = pl_model_arch_u64(m, "expert_count", 0) > 0;
    pl_llamacpp_devices(ask->machine, NULL, &devices);
    f->devices = devices.n > 0;
    f->answer->limit = pl_reach_context_limit(m);
    f->answer->context = ask->context < f->answer->limit ? ask->context : f->answer->limit;
    for (uint32_t t = 0; t < (ask->types_given ? 1 : PL_FIT_TYPES); t++) {
        uint32_t type =
            ask->types_given ? ask->settings.type_k : pl_tensor_type_named(pl_fit_types[t])->id;
        pl_fit_places(f, type, t, quant);
    }
}

static uint64_t pl_fit_extent(const struct pl_fit_point *p)
{
    return p->context.value + p->slots.value; /* one of them was asked for */
}

/* a beats b: nowhere worse, and better somewhere. Speed and reach within PL_FIT_SAME count as the
 * same: forecasts of speed are not better than that. */
static bool pl_fit_beats(const struct pl_fit_point *a, const struct pl_fit_point *b)
{
    double x = (double)pl_fit_extent(a), y = (double)pl_fit_extent(b);
    double fast = a->decode.likely, slow = b->decode.likely;
    if (a->kld > b->kld || a->type_rank > b->type_rank || x < y * (1 - PL_FIT_SAME) ||
        fast < slow * (1 - PL_FIT_SAME))
        return false;
    return a->kld < b->kld || a->type_rank < b->type_rank || y < x * (1 - PL_FIT_SAME) ||
           slow < fast * (1 - PL_FIT_SAME);
}

static void pl_fit_front(struct pl_fit_answer *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct pl_fit_point *p = &a->point[i];
        p->front = p->rated && pl_fit_extent(p) > 0;
        for (uint32_t k = 0; k < a->n && p->front; k++) {
            const struct pl_fit_point *q = &a->point[k];
            p->front = !(q->rated && pl_fit_extent(q) > 0 && pl_fit_beats(q, p));
        }
    }
}

/* 0 fast enough, 1 not known, 2 too slow. */
static int pl_fit_pace(const struct pl_fit_point *p)
{
    return p->decode.source == PL_SOURCE_UNKNOWN ? 1 : p->slow ? 2 : 0;
}

/* Better: known to be fast enough, then the quantisation nearer to F16, then caches of 16 or 8 bits
 * (coarser ones only where nothing else fits), then faster. */
static bool pl_fit_better(const struct pl_fit_point *a, const struct pl_fit_point *b)
{
    bool coarse_a = a->type_rank > 1, coarse_b = b->type_rank > 1;
    if (pl_fit_pace(a) != pl_fit_pace(b))
        return pl_fit_pace(a) < pl_fit_pace(b);
    if (coarse_a != coarse_b)
        return !coarse_a;
    if (a->rated != b->rated)
        return a->rated;
    if (a->kld < b->kld || a->kld > b->kld)
        return a->kld < b->kld;
    if (a->type_rank != b->type_rank)
        return a->type_rank < b->type_rank;
    return a->decode.likely > b->decode.likely;
}

static void pl_fit_best(struct pl_fit_answer *a)
{
    a->best = a->better = -1;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct pl_fit_point *p = &a->point[i];
        if (p->wanted && (a->best < 0 || pl_fit_better(p, &a->point[a->best])))
            a->best = (int)i;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        const struct pl_fit_point *p = &a->point[i];
        bool out = !p->wanted || p->slow ||
                   (a->best >= 0 && pl_fit_pace(p) > pl_fit_pace(&a->point[a->best]));
        bool above = a->best < 0 || (p->rated && p->kld < a->point[a->best].kld);
        if (out && above && p->rated && p->type_rank == 0 &&
            (a->better < 0 || p->kld > a->point[a->better].kld))
            a->better = (int)i;
    }
}

const char *pl_fit_preset_name(enum pl_fit_preset preset)
{
    static const char *const names[PL_FIT_PRESETS] = {"quality", "balanced", "speed"};
    return names[preset];
}

/* The fastest that are no further from F16 than `far`, and of those (PL_FIT_SAME is no difference)
 * the nearest to it, with the finer cache. */
static int pl_fit_fastest(const struct pl_fit_answer *a, double far, uint32_t coarsest)
{
    int best = -1;
    double most = 0;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < a->n; i++) {
            const struct pl_fit_point *p = &a->point[i], *q = best >= 0 ? &a->point[best] : NULL;
            if (!p->wanted || !p->rated || p->kld > far || p->type_rank > coarsest)
                continue;
            if (round == 0)
                most = fmax(most, p->decode.likely);
            else if (p->decode.likely >= most * (1 - PL_FIT_SAME) &&
                     (q == NULL || p->kld < q->kld ||
                      (p->kld <= q->kld && p->type_rank < q->type_rank)))
                best = (int)i;
        }
    }
    return best;
}

static void pl_fit_presets(struct pl_fit_answer *a)
{
    struct pl_quant usual;
    bool known = pl_quant_of("Q4_K_M", &usual) && usual.rated;
    a->preset[PL_FIT_QUALITY] = a->best;
    a->preset[PL_FIT_BALANCED] = known ? pl_fit_fastest(a, usual.kld, 1) : -1;
    a->preset[PL_FIT_SPEED] = pl_fit_fastest(a, HUGE_VAL, PL_FIT_TYPES);
}

/* Of a catalogue row without a quantisation: all that people publish. */
static int pl_fit_row(struct pl_fitting *f, const struct pl_catalogue_row *row, struct pl_err *err)
{
    struct pl_sweep sweep;
    struct pl_err own = {0};
    pl_sweep_usual(&sweep);
    const char *first = pl_catalogue_quant(row);
    uint32_t extra = pl_catalogue_quant_own(row, first) ? 1 : 0;
    for (uint32_t i = 0; i < sweep.n_mix + extra; i++) {
        struct pl_model *m = NULL;
        const char *quant = i < extra ? first : sweep.mix[i - extra]->name;
        int rc = pl_catalogue_model(row, quant, &m, &own);
        if (rc == 0)
            pl_fit_variant(f, m, quant);
        (void)pl_model_free(m);
        if (rc < 0 && rc != -EINVAL) { /* its rows suit no such blocks: the others may */
            *err = own;
            return rc;
        }
    }
    return 0;
}

int pl_fit_model(const struct pl_fit_ask *ask, const char *spec, struct pl_fit_answer *ret,
                 struct pl_err *err)
{
    static struct pl_fitting f;
    struct pl_model *m = NULL;
    memset(ret, 0, sizeof(*ret));
    memset(&f, 0, sizeof(f));
    f.ask = ask;
    f.answer = ret;
    f.reach =
        (struct pl_reach){.machine = ask->machine, .ledger = ask->ledger, .forecast = &f.forecast};
    int rc = pl_cli_catalogue(ask->cli, err);
    const struct pl_catalogue_row *row = rc == 0 ? pl_catalogue_find(spec) : NULL;
    /* a speech model's files are no answer to what llama.cpp could run: told as of any file */
    bool speech =
        row != NULL && row->gguf_arch != NULL && pl_streq(row->gguf_arch, PL_WHISPER_ARCH);
    if (row != NULL && !speech) {
        (void)PL_FMT(ret->name, "%s", row->id);
        ret->id = row->id;
        rc = pl_fit_row(&f, row, err);
    } else if (rc == 0) {
        rc = pl_cli_model(ask->cli, spec, NULL, &m, err);
        f.reach.settings = ask->settings;
        f.reach.model = m;
        if (rc == 0) { /* a first question, for the names */
            (void)pl_reach_fits(&f.reach, PL_REACH_CONTEXT_STEP, 1);
            (void)PL_FMT(ret->name, "%.150s", f.forecast.name);
            ret->id = pl_cli_catalogue_id(f.forecast.name);
            f.file = m->n_file > 0 ? m->path : NULL;
            char quant[32];
            (void)PL_FMT(quant, "%s", f.forecast.quant);
            pl_fit_variant(&f, m, quant);
        }
    }
    ret->asked = f.reach.asked;
    pl_fit_front(ret);
    pl_fit_best(ret);
    pl_fit_presets(ret);
    (void)pl_model_free(m);
    return rc;
}
