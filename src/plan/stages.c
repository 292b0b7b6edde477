/* The objective as stages: what each item is worth in each. */
#include "plan/solve.h"

#include <errno.h>

#define PL_PACK_MAX (1ll << 40)             /* values of one stage stay far below 64 bits */
#define PL_UNKNOWN_TOKEN_US 1000000000000ll /* an unknown wait counts as the longest */

struct pl_stages {
    const struct pl_problem *p;
    struct pl_arena *arena;
    struct pl_stage *out;
    uint32_t n;
    bool failed;
};

static struct pl_stage *pl_stage_add(struct pl_stages *s, enum pl_stage_kind kind,
                                     enum pl_term_kind term)
{
    if (s->failed || s->n >= PL_STAGES_MAX) {
        s->failed = true;
        return NULL;
    }
    struct pl_stage *t = &s->out[s->n++];
    *t = (struct pl_stage){.kind = kind, .term = term};
    if (kind == PL_STAGE_SUM) {
        t->value = pl_arena_alloc(s->arena, s->p->n_item, sizeof(*t->value));
        s->failed = t->value == NULL;
    }
    return s->failed ? NULL : t;
}

static bool pl_served(const struct pl_item *i)
{
    return i->option != PL_NOTHING;
}

/* The next priority above `from`, and how many components have it; false after the last. */
static bool pl_next_priority(const struct pl_problem *p, uint32_t from, uint32_t *ret, uint32_t *n)
{
    uint32_t best = UINT32_MAX;
    *n = 0;
    for (uint32_t c = 0; c < p->n_component; c++) {
        uint32_t v = p->stack->component[c].priority;
        if (v > from && v < best) {
            best = v;
            *n = 0;
        }
        *n += v == best && v > from;
    }
    *ret = best;
    return best != UINT32_MAX;
}

/* Counts per priority, packed: a component of one priority outweighs all of the later ones that are
 * in the same stage. */
static void pl_stages_served(struct pl_stages *s)
{
    uint32_t from = 0, level[PL_PLAN_COMPONENTS_MAX], count[PL_PLAN_COMPONENTS_MAX], n = 0;
    while (n < PL_PLAN_COMPONENTS_MAX && pl_next_priority(s->p, from, &level[n], &count[n]))
        from = level[n++];
    for (uint32_t a = 0; a < n;) {
        uint32_t b = a;
        int64_t span = 1;
        while (b < n && span * (count[b] + 1) <= PL_PACK_MAX)
            span *= count[b++] + 1;
        struct pl_stage *t = pl_stage_add(s, PL_STAGE_SUM, PL_TERM_SERVED);
        if (t == NULL)
            return;
        for (uint32_t k = a; k < b; k++) {
            span /= count[k] + 1;
            for (uint32_t i = 0; i < s->p->n_item; i++) {
                const struct pl_item *x = &s->p->item[i];
                if (pl_served(x) && s->p->stack->component[x->component].priority == level[k])
                    t->value[i] = span;
            }
        }
        a = b;
    }
}

static void pl_stages_tiers(struct pl_stages *s)
{
    struct pl_stage *t = pl_stage_add(s, PL_STAGE_SUM, PL_TERM_TIERS);
    int64_t n = (int64_t)s->p->n_component + 1, of[PL_SERVES + 1] = {n * n * n, n * n, n, 1, 0};
    for (uint32_t i = 0; t != NULL && i < s->p->n_item; i++) {
        if (pl_served(&s->p->item[i]))
            t->value[i] = of[s->p->item[i].rank];
    }
}

static void pl_stages_quality(struct pl_stages *s)
{
    struct pl_stage *t = pl_stage_add(s, PL_STAGE_SUM, PL_TERM_QUALITY);
    for (uint32_t i = 0; t != NULL && i < s->p->n_item; i++) {
        const struct pl_item *x = &s->p->item[i];
        if (pl_served(x) && s->p->option[x->option].quality_known)
            t->value[i] = (int64_t)s->p->stack->component[x->component].weight *
                          s->p->option[x->option].quality;
    }
}

static int64_t pl_short_of(uint64_t want, uint64_t got)
{
    if (want == 0 || got >= want)
        return 0;
    return (int64_t)((pl_uwide)1000000u * (want - got) / want);
}

static void pl_stages_settings(struct pl_stages *s)
{
    struct pl_stage *t = pl_stage_add(s, PL_STAGE_SUM, PL_TERM_SETTINGS);
    for (uint32_t i = 0; t != NULL && i < s->p->n_item; i++) {
        const struct pl_item *x = &s->p->item[i];
        const struct pl_stack_component *c = &s->p->stack->component[x->component];
        if (!pl_served(x) || x->serve == PL_SERVE_CLOUD)
            continue;
        const struct pl_option *o = &s->p->option[x->option];
        t->value[i] =
            -pl_short_of(c->context.want, o->context) - pl_short_of(c->slots.want, o->slots) -
            pl_short_of(o->layers_wanted, o->layers) - pl_short_of(o->cache_wanted, o->cache);
    }
}

static void pl_stages_speed(struct pl_stages *s, bool voice)
{
    struct pl_stage *t = pl_stage_add(s, PL_STAGE_SUM, voice ? PL_TERM_FIRST_TOKEN : PL_TERM_SPEED);
    for (uint32_t i = 0; t != NULL && i < s->p->n_item; i++) {
        const struct pl_item *x = &s->p->item[i];
        if (!pl_served(x))
            continue;
        const struct pl_option *o = &s->p->option[x->option];
        uint64_t wait = o->first_token_us, most = PL_UNKNOWN_TOKEN_US;
        if (!voice)
            t->value[i] = o->decode_milli < most ? (int64_t)o->decode_milli : (int64_t)most;
        else
            t->value[i] = wait == 0 || wait > most ? -PL_UNKNOWN_TOKEN_US : -(int64_t)wait;
    }
}

int pl_stages_make(const struct pl_problem *p, enum pl_objective o, struct pl_arena *arena,
                   struct pl_stage out[PL_STAGES_MAX])
{
    struct pl_stages s = {.p = p, .arena = arena, .out = out};
    pl_stages_served(&s);
    if (o == PL_OBJECTIVE_CAPABILITY)
        pl_stages_quality(&s);
    pl_stages_tiers(&s);
    if (o == PL_OBJECTIVE_RELIABILITY)
        (void)pl_stage_add(&s, PL_STAGE_HEADROOM, PL_TERM_HEADROOM);
    if (o == PL_OBJECTIVE_SPEED || o == PL_OBJECTIVE_VOICE)
        pl_stages_speed(&s, o == PL_OBJECTIVE_VOICE);
    if (o != PL_OBJECTIVE_CAPABILITY)
        pl_stages_quality(&s);
    pl_stages_settings(&s);
    if (o != PL_OBJECTIVE_RELIABILITY)
        (void)pl_stage_add(&s, PL_STAGE_HEADROOM, PL_TERM_HEADROOM);
    (void)pl_stage_add(&s, PL_STAGE_ORDER, PL_TERM_FILE_ORDER);
    return s.failed ? -ENOMEM : (int)s.n;
}
