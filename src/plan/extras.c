/* What a reader wants to know besides the plan: the steps down that are left, with what each frees,
 * and what this configuration cannot do. */
#include "plan/plan.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

#define PL_LACKS_MAX (4u * PL_PLAN_COMPONENTS_MAX)
#define PL_RUNG_COST_MAX 400

struct pl_extras {
    const struct pl_stack *stack;
    const struct pl_option *option;
    uint32_t n_option;
    struct pl_arena *arena;
    struct pl_plan *p;
    bool failed;
};

static const char *pl_told(struct pl_extras *x, const char *text)
{
    const char *kept = pl_arena_strdup(x->arena, text);
    x->failed |= kept == NULL;
    return kept;
}

/* The option of a candidate that is most like the one chosen: the longest context not above its. */
static const struct pl_option *pl_like(const struct pl_extras *x, uint32_t component,
                                       uint32_t candidate, const struct pl_option *now)
{
    const struct pl_option *best = NULL;
    for (uint32_t i = 0; i < x->n_option; i++) {
        const struct pl_option *o = &x->option[i];
        if (o->component != component || o->candidate != candidate)
            continue;
        if (best == NULL || (o->context == now->context && o->slots == now->slots &&
                             (best->context != now->context || best->slots != now->slots)))
            best = o;
    }
    return best;
}

static uint64_t pl_peak_in(const struct pl_option *o, const char *pool, bool likely)
{
    for (uint32_t i = 0; o != NULL && i < o->n_pool; i++) {
        if (pl_streq(o->pool[i].pool, pool))
            return likely ? o->pool[i].peak.likely : o->pool[i].peak.high;
    }
    return 0;
}

static void pl_delta(struct pl_extras *x, struct pl_plan_rung *r, const char *pool,
                     const struct pl_option *now, const struct pl_option *then)
{
    uint64_t a = pl_peak_in(now, pool, x->p->on_likely);
    uint64_t b = pl_peak_in(then, pool, x->p->on_likely);
    for (uint32_t i = 0; i < r->n_delta; i++) {
        if (pl_streq(r->delta[i].pool, pool))
            return;
    }
    if (a != b)
        r->delta[r->n_delta++] =
            (struct pl_plan_delta){.pool = pool, .bytes = a > b ? a - b : b - a, .more = b > a};
}

static void pl_rung_cost(struct pl_extras *x, const struct pl_option *now,
                         const struct pl_option *then, struct pl_plan_rung *r)
{
    struct pl_str s;
    pl_str_init(&s, PL_RUNG_COST_MAX);
    if (then->quality_known && now->quality_known && then->quality != now->quality)
        pl_str_addf(&s, "quality %lld for %lld", (long long)then->quality, (long long)now->quality);
    if (then->language != NULL &&
        (now->language == NULL || !pl_streq(now->language, then->language)))
        pl_str_addf(&s, "%sonly %.60s", s.len > 0 ? "; " : "", then->language);
    if (then->context < now->context)
        pl_str_addf(&s, "%scontext %llu for %llu", s.len > 0 ? "; " : "",
                    (unsigned long long)then->context, (unsigned long long)now->context);
    r->cost = pl_told(x, pl_str_get(&s));
    pl_str_done(&s);
}

/* then NULL: nothing is held any more. */
static void pl_rung(struct pl_extras *x, uint32_t component, const char *step,
                    const struct pl_option *then)
{
    const struct pl_option *now = x->p->component[component].option;
    struct pl_plan_rung *r = &x->p->rung[x->p->n_rung];
    uint32_t n = now->n_pool + (then != NULL ? then->n_pool : 0);
    *r = (struct pl_plan_rung){.component = component, .step = step, .cost = ""};
    r->delta = pl_arena_alloc(x->arena, n + 1, sizeof(*r->delta));
    if (r->delta == NULL) {
        x->failed = true;
        return;
    }
    for (uint32_t i = 0; i < now->n_pool; i++)
        pl_delta(x, r, now->pool[i].pool, now, then);
    for (uint32_t i = 0; then != NULL && i < then->n_pool; i++)
        pl_delta(x, r, then->pool[i].pool, now, then);
    if (then != NULL)
        pl_rung_cost(x, now, then, r);
    x->p->n_rung++;
}

static uint32_t pl_candidate_of(const struct pl_stack_component *c, const char *name)
{
    uint32_t k = 0;
    while (k < c->n_candidate && !pl_streq(c->candidate[k].name, name))
        k++;
    return k;
}

/* Does a list such as "en,de" name the language? */
static bool pl_speaks(const char *list, const char *language)
{
    size_t n = strlen(language);
    for (const char *s = list; s != NULL && *s != '\0'; s += strcspn(s, ","), s += *s == ',') {
        if (strcspn(s, ",") == n && strncmp(s, language, n) == 0)
            return true;
    }
    return false;
}

/* The candidates below the chosen one in the ladder, or in the file. */
static void pl_rungs_of(struct pl_extras *x, uint32_t component)
{
    const struct pl_stack_component *c = &x->stack->component[component];
    const struct pl_plan_component *p = &x->p->component[component];
    bool below = false;
    for (uint32_t i = 0; !x->failed; i++) {
        uint32_t k = i;
        if (c->fallback != NULL && c->fallback[i] == NULL)
            break;
        if (c->fallback != NULL)
            k = pl_candidate_of(c, c->fallback[i]);
        if (k >= c->n_candidate)
            break;
        if (below) {
            const struct pl_option *then = pl_like(x, component, k, p->option);
            bool spoken = c->language == NULL || then == NULL || then->language == NULL ||
                          pl_speaks(then->language, c->language);
            if (then != NULL && spoken)
                pl_rung(x, component, c->candidate[k].name, then);
        }
        below = below || k == p->option->candidate;
    }
    bool warm = false;
    for (uint32_t i = 0; i < c->n_tier; i++)
        warm = warm || c->tier[i] == PL_SERVE_WARM;
    if (!x->failed && warm && p->tier == PL_SERVE_HOT)
        pl_rung(x, component, "on demand", NULL);
    if (!x->failed && !c->required)
        pl_rung(x, component, "off", NULL);
}

static void pl_lack(struct pl_extras *x, const char *text)
{
    if (x->p->n_lack < PL_LACKS_MAX)
        x->p->lack[x->p->n_lack++] = pl_told(x, text);
}

static void pl_lacks_of(struct pl_extras *x, uint32_t component)
{
    const struct pl_stack_component *c = &x->stack->component[component];
    const struct pl_plan_component *p = &x->p->component[component];
    const struct pl_option *o = p->option;
    char text[400];
    if (!p->served) {
        (void)PL_FMT(text, "no %s", c->role != NULL ? c->role : c->name);
        if (c->role != NULL && !pl_streq(c->role, c->name))
            (void)PL_FMT(text, "no %.120s (%.120s)", c->role, c->name);
        pl_lack(x, text);
        return;
    }
    if (o == NULL)
        return;
    if (p->shared &&
        PL_FMT(text, "%.120s shares the process of another: they wait for each other", c->name))
        pl_lack(x, text);
    if (o->slots > 0 && o->slots < c->slots.want &&
        PL_FMT(text, "%.120s: %llu requests at once, not %llu", c->name,
               (unsigned long long)o->slots, (unsigned long long)c->slots.want))
        pl_lack(x, text);
    if (o->context > 0 && o->context < c->context.want &&
        PL_FMT(text, "%.120s: a context of %llu tokens, not %llu", c->name,
               (unsigned long long)o->context, (unsigned long long)c->context.want))
        pl_lack(x, text);
    if (o->language != NULL && PL_FMT(text, "%.120s: no language but %.120s", c->name, o->language))
        pl_lack(x, text);
}

/* Of one group only one answers at a time. */
static void pl_lacks_together(struct pl_extras *x)
{
    for (uint32_t i = 0; i < x->p->n_component; i++) {
        struct pl_str s;
        uint32_t n = 0;
        bool first = true;
        const char *group = x->stack->component[i].group;
        pl_str_init(&s, 4096);
        for (uint32_t k = 0; k < x->p->n_component; k++) {
            const struct pl_plan_component *p = &x->p->component[k];
            if (!p->served || p->tier != PL_SERVE_WARM ||
                !pl_streq(x->stack->component[k].group, group))
                continue;
            first = first && (n > 0 || k == i);
            pl_str_addf(&s, "%s%s", n++ > 0 ? ", " : "", p->name);
        }
        pl_str_add(&s, " at the same time: one of them is loaded, the others wait");
        if (n > 1 && first)
            pl_lack(x, pl_str_get(&s));
        pl_str_done(&s);
    }
}

int pl_plan_extras(const struct pl_stack *stack, const struct pl_option *option, uint32_t n_option,
                   struct pl_arena *arena, struct pl_plan *p, struct pl_err *err)
{
    struct pl_extras x = {stack, option, n_option, arena, p, false};
    size_t rungs = 1;
    for (uint32_t i = 0; i < stack->n_component; i++) {
        size_t n = stack->component[i].n_candidate;
        for (size_t k = 0;
             stack->component[i].fallback != NULL && stack->component[i].fallback[k] != NULL; k++)
            n = k + 1 > n ? k + 1 : n;
        rungs += n + 2;
    }
    p->rung = pl_arena_alloc(arena, rungs, sizeof(*p->rung));
    p->lack = pl_arena_alloc(arena, PL_LACKS_MAX, sizeof(*p->lack));
    x.failed = p->rung == NULL || p->lack == NULL;
    for (uint32_t i = 0; !x.failed && p->feasible && i < p->n_component; i++) {
        pl_lacks_of(&x, i);
        if (p->component[i].served && p->component[i].option != NULL && !p->component[i].shared)
            pl_rungs_of(&x, i);
    }
    if (!x.failed && p->feasible)
        pl_lacks_together(&x);
    return x.failed ? pl_fail(err, -ENOMEM, "no memory for the ladder") : 0;
}
