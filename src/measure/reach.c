#include "measure/reach.h"

#include "base/checked.h"
#include "base/str.h"
#include "measure/forecast.h"

#include <math.h>

#define PL_REACH_GUESSES 4 /* on a line; halving after that */

bool pl_reach_fits(struct pl_reach *r, uint64_t context, uint64_t slots)
{
    struct pl_settings s = r->settings;
    s.n_parallel = (int64_t)slots;
    s.n_ctx = pl_mul_sat(context, slots);
    if (slots > 1)
        s.kv_unified = PL_OFF; /* each slot has its own */
    r->asked++;
    if (pl_forecast_make(r->model, &s, r->machine, NULL, "", r->ledger, r->forecast, NULL) < 0) {
        r->forecast->judgement.verdict = PL_VERDICT_CANNOT_TELL;
        r->forecast->footprint.n_pool = 0;
        return false;
    }
    enum pl_verdict v = r->forecast->judgement.verdict;
    return v == PL_VERDICT_SAFE || v == PL_VERDICT_CONSTRAINED;
}

uint64_t pl_reach_context_limit(const struct pl_model *m)
{
    uint64_t own = pl_model_arch_u64(m, "context_length", 0);
    return own > 0 && own < PL_REACH_CONTEXT_MAX ? own : PL_REACH_CONTEXT_MAX;
}

/* What a question is about: tokens by the step, or slots. */
struct pl_reach_axis {
    uint64_t context, slots; /* the one that is 0 is looked for */
    uint64_t step, limit;
};

/* The room of each pool that was left, as doubles: negative where there is none. */
struct pl_reach_room {
    double left[PL_FOOTPRINT_POOLS_MAX];
    uint32_t n;
    bool known;
};

static struct pl_reach_room pl_reach_room(const struct pl_reach *r)
{
    const struct pl_footprint *f = &r->forecast->footprint;
    struct pl_reach_room room = {.n = f->n_pool, .known = f->n_pool > 0};
    for (uint32_t i = 0; i < f->n_pool; i++) {
        const struct pl_pool_footprint *p = &f->pool[i];
        struct pl_quantity q = pl_machine_available(r->machine, p->pool);
        uint64_t need = p->peak.high > p->load_peak.high ? p->peak.high : p->load_peak.high;
        room.known = room.known && pl_known(q) && pl_known(p->peak) && pl_known(p->load_peak);
        room.left[i] = (double)q.low - (double)need;
    }
    return room;
}

static bool pl_reach_try(struct pl_reach *r, const struct pl_reach_axis *a, uint64_t steps,
                         struct pl_reach_room *ret)
{
    uint64_t v = pl_mul_sat(steps, a->step);
    v = v < a->limit ? v : a->limit;
    bool fits = a->context == 0 ? pl_reach_fits(r, v, a->slots) : pl_reach_fits(r, a->context, v);
    *ret = pl_reach_room(r);
    return fits;
}

/* Where the first pool is full on the line from `low` (which fits) to `high` (which does not). */
static uint64_t pl_reach_guess(uint64_t low, const struct pl_reach_room *a, uint64_t high,
                               const struct pl_reach_room *b)
{
    double at = 1;
    for (uint32_t i = 0; a->known && b->known && i < a->n && i < b->n; i++) {
        if (b->left[i] < 0 && a->left[i] >= 0)
            at = fmin(at, a->left[i] / (a->left[i] - b->left[i]));
    }
    uint64_t guess = at < 1 ? low + (uint64_t)((double)(high - low) * at) : low + (high - low) / 2;
    return guess <= low ? low + 1 : guess >= high ? high - 1 : guess;
}

static struct pl_reached pl_reach_search(struct pl_reach *r, const struct pl_reach_axis *a)
{
    struct pl_reach_room at_low, at_high, room;
    uint64_t low = 1, high = (a->limit + a->step - 1) / a->step, guesses = 0;
    if (pl_reach_try(r, a, high, &at_high))
        return (struct pl_reached){.value = a->limit};
    if (high == 1 || !pl_reach_try(r, a, 1, &at_low))
        return (struct pl_reached){.over = a->step < a->limit ? a->step : a->limit};
    bool beside = false; /* ask just beyond the last guess: a line is nearly always right */
    bool fits = false;
    uint64_t v = low;
    while (high - low > 1) {
        if (beside)
            v = fits ? low + 1 : high - 1;
        else if (guesses++ < PL_REACH_GUESSES)
            v = pl_reach_guess(low, &at_low, high, &at_high);
        else
            v = low + (high - low) / 2;
        beside = !beside && guesses <= PL_REACH_GUESSES;
        fits = pl_reach_try(r, a, v, &room);
        if (fits) {
            low = v;
            at_low = room;
        } else {
            high = v;
            at_high = room;
        }
    }
    uint64_t over = pl_mul_sat(high, a->step);
    return (struct pl_reached){.value = low * a->step, .over = over < a->limit ? over : a->limit};
}

struct pl_reached pl_reach_context(struct pl_reach *r, uint64_t slots)
{
    const struct pl_reach_axis a = {
        .slots = slots, .step = PL_REACH_CONTEXT_STEP, .limit = pl_reach_context_limit(r->model)};
    return pl_reach_search(r, &a);
}

struct pl_reached pl_reach_slots(struct pl_reach *r, uint64_t context)
{
    const struct pl_reach_axis a = {.context = context, .step = 1, .limit = PL_REACH_SLOTS_MAX};
    return pl_reach_search(r, &a);
}

/* Pools in which less is left the more layers devices hold, by the rooms at both ends. */
struct pl_reach_sides {
    struct pl_reach_room none, all;
};

/* With n layers on devices it fits, or only what layers leave behind is full. Where the host cannot
 * hold all, it may hold what a full device leaves. */
static bool pl_reach_device_fits(struct pl_reach *r, const struct pl_reach_sides *s, bool fits)
{
    struct pl_reach_room room = pl_reach_room(r);
    bool behind = false;
    if (fits || !room.known || !s->none.known || !s->all.known || room.n != s->none.n ||
        room.n != s->all.n)
        return fits;
    for (uint32_t i = 0; i < room.n; i++) {
        bool device = s->all.left[i] < s->none.left[i];
        if (room.left[i] < 0 && device)
            return false;
        behind = behind || room.left[i] < 0;
    }
    return behind;
}

typedef void (*pl_reach_place)(struct pl_reach *r, uint64_t layers, uint64_t n);

/* The most of `layers` that devices take, by `place`; r->settings keeps them. */
static struct pl_reached pl_reach_most(struct pl_reach *r, pl_reach_place place, uint64_t layers,
                                       uint64_t context, uint64_t slots)
{
    struct pl_reach_sides s;
    uint64_t low = 0, high = layers;
    place(r, layers, high);
    if (pl_reach_fits(r, context, slots))
        return (struct pl_reached){.value = high};
    s.all = pl_reach_room(r);
    place(r, layers, 0);
    bool fits = pl_reach_fits(r, context, slots);
    s.none = pl_reach_room(r);
    if (!pl_reach_device_fits(r, &s, fits))
        return (struct pl_reached){.over = 0};
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        place(r, layers, middle);
        fits = pl_reach_fits(r, context, slots);
        if (pl_reach_device_fits(r, &s, fits))
            low = middle;
        else
            high = middle;
    }
    place(r, layers, low);
    if (!pl_reach_fits(r, context, slots))
        return (struct pl_reached){.over = 0};
    return (struct pl_reached){.value = low, .over = high};
}

static void pl_reach_place_layers(struct pl_reach *r, uint64_t layers, uint64_t n)
{
    (void)layers;
    r->settings.n_gpu_layers = (int64_t)n;
}

struct pl_reached pl_reach_layers(struct pl_reach *r, uint64_t context, uint64_t slots)
{
    uint64_t layers = pl_model_arch_u64(r->model, "block_count", 0) + 1;
    return pl_reach_most(r, pl_reach_place_layers, layers, context, slots);
}

static void pl_reach_place_experts(struct pl_reach *r, uint64_t layers, uint64_t n)
{
    struct pl_override *o = &r->settings.overrides.one[r->settings.overrides.n - 1];
    *o = (struct pl_override){.kind = PL_OVERRIDE_EXPERTS, .n = n > 0 ? layers - n : UINT64_MAX};
}

struct pl_reached pl_reach_experts(struct pl_reach *r, uint64_t context, uint64_t slots)
{
    uint64_t layers = pl_model_arch_u64(r->model, "block_count", 0);
    return pl_reach_most(r, pl_reach_place_experts, layers, context, slots);
}
