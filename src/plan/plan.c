#include "plan/plan.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

struct pl_make {
    const struct pl_plan_options *options;
    struct pl_arena *arena;
    struct pl_problem *p;
    struct pl_active active;
    struct pl_stage stage[PL_STAGES_MAX];
    uint32_t n_stage;
    struct pl_solution found;
    struct pl_engines engines;
    uint64_t load[PL_LINES_MAX], room[PL_LINES_MAX];
    struct pl_plan *plan;
    struct pl_err *err;
};

static int pl_make_memory(struct pl_make *m)
{
    return pl_fail(m->err, -ENOMEM, "no memory for the plan");
}

static void *pl_make_take(struct pl_make *m, size_t n, size_t size)
{
    return pl_arena_alloc(m->arena, n > 0 ? n : 1, size);
}

static bool pl_interval(struct pl_quantity q)
{
    return pl_known(q) && (q.low != q.high);
}

/* Would likely values give another problem than high ones? */
static bool pl_intervals(const struct pl_machine *m, const struct pl_option *o, uint32_t n)
{
    bool any = false;
    for (uint32_t i = 0; i < m->n_pool && !any; i++)
        any = pl_interval(m->pool[i].available) || pl_interval(m->pool[i].capacity) ||
              pl_interval(m->pool[i].reserved);
    for (uint32_t i = 0; i < n && !any; i++) {
        for (uint32_t k = 0; k < o[i].n_pool && !any; k++)
            any = pl_interval(o[i].pool[k].steady) || pl_interval(o[i].pool[k].peak) ||
                  pl_interval(o[i].pool[k].load_peak) || pl_interval(o[i].pool[k].largest);
    }
    return any;
}

static int pl_make_solve(struct pl_make *m, const struct pl_stack *stack,
                         const struct pl_machine *machine, const struct pl_option *option,
                         uint32_t n_option, bool likely)
{
    m->p = pl_make_take(m, 1, sizeof(*m->p));
    if (m->p == NULL)
        return pl_make_memory(m);
    int rc = pl_problem_make(stack, machine, option, n_option, likely, m->arena, m->p, m->err);
    if (rc < 0)
        return rc;
    rc = pl_stages_make(m->p, stack->objective, m->arena, m->stage);
    if (rc < 0)
        return pl_make_memory(m);
    m->n_stage = (uint32_t)rc;
    pl_active_all(m->p, &m->active);
    rc = pl_solve(m->p, &m->active, m->stage, m->n_stage, &m->options->limits, m->arena, &m->found,
                  m->err);
    if (rc == 0 && !m->found.feasible && !m->found.complete) {
        (void)pl_fail(m->err, -ETIME, "the time limit ended the search before a plan was found");
        (void)pl_hint(m->err, "give it more: --time-limit 60");
        return pl_exit_as(m->err, -ETIME, PL_EXIT_CANNOT_TELL);
    }
    return rc;
}

/* Is the objective of a better than that of b? Both have the same stages. */
static bool pl_solution_better(const struct pl_make *m, const struct pl_solution *a,
                               const struct pl_solution *b)
{
    for (uint32_t k = 0; k < m->n_stage; k++) {
        if (m->stage[k].kind == PL_STAGE_SUM && a->best[k] != b->best[k])
            return a->best[k] > b->best[k];
        if (m->stage[k].kind != PL_STAGE_HEADROOM || a->line == 0 || b->line == 0)
            continue;
        if (pl_ratio_more(a->head, a->line, b->head, b->line))
            return true;
        if (pl_ratio_more(b->head, b->line, a->head, a->line))
            return false;
    }
    return false;
}

/* High values first; likely ones when those do not fit, or when they give a better plan and someone
 * accepts a fragile one. */
static int pl_make_choose(struct pl_make *m, const struct pl_stack *stack,
                          const struct pl_machine *machine, const struct pl_option *option,
                          uint32_t n_option)
{
    int rc = pl_make_solve(m, stack, machine, option, n_option, false);
    if (rc < 0 || (m->found.feasible && !m->options->allow_fragile) ||
        !pl_intervals(machine, option, n_option))
        return rc;
    struct pl_make *likely = pl_make_take(m, 1, sizeof(*likely));
    if (likely == NULL)
        return pl_make_memory(m);
    *likely = *m;
    rc = pl_make_solve(likely, stack, machine, option, n_option, true);
    if (rc == 0 && (!m->found.feasible || pl_solution_better(likely, &likely->found, &m->found))) {
        *m = *likely;
        m->plan->on_likely = m->found.feasible;
    }
    return rc;
}

static int64_t *pl_term(struct pl_make *m, enum pl_term_kind kind, uint32_t n)
{
    struct pl_plan_term *t = &m->plan->term[m->plan->n_term];
    int64_t *v = pl_make_take(m, n, sizeof(*v));
    if (v == NULL || m->plan->n_term >= PL_PLAN_TERMS_MAX)
        return NULL;
    *t = (struct pl_plan_term){kind, pl_term_name(kind), v, n};
    m->plan->n_term++;
    return v;
}

/* Components served, by ascending priority number. */
static bool pl_term_served(struct pl_make *m)
{
    uint32_t level[PL_PLAN_COMPONENTS_MAX], n = 0;
    int64_t count[PL_PLAN_COMPONENTS_MAX] = {0};
    for (uint32_t c = 0; c < m->p->n_component; c++) {
        uint32_t v = m->p->stack->component[c].priority, at = 0;
        int64_t served = m->p->item[m->found.choice[c]].option != PL_NOTHING;
        while (at < n && level[at] < v)
            at++;
        if (at == n || level[at] != v) {
            memmove(&level[at + 1], &level[at], (n - at) * sizeof(*level));
            memmove(&count[at + 1], &count[at], (n - at) * sizeof(*count));
            level[at] = v;
            count[at] = 0;
            n++;
        }
        count[at] += served;
    }
    int64_t *v = pl_term(m, PL_TERM_SERVED, n);
    if (v != NULL)
        memcpy(v, count, n * sizeof(*v));
    return v != NULL;
}

static bool pl_term_tiers(struct pl_make *m)
{
    int64_t *v = pl_term(m, PL_TERM_TIERS, PL_SERVES - 1);
    for (uint32_t c = 0; v != NULL && c < m->p->n_component; c++) {
        uint32_t rank = m->p->item[m->found.choice[c]].rank;
        if (rank < PL_SERVES - 1)
            v[rank]++;
    }
    return v != NULL;
}

static int pl_make_terms(struct pl_make *m)
{
    bool ok = true, served = false;
    for (uint32_t k = 0; ok && k < m->n_stage; k++) {
        const struct pl_stage *s = &m->stage[k];
        int64_t *v = NULL;
        if (s->kind == PL_STAGE_ORDER)
            break;
        if (s->term == PL_TERM_SERVED) {
            ok = served || pl_term_served(m);
            served = true;
        } else if (s->term == PL_TERM_TIERS) {
            ok = pl_term_tiers(m);
        } else if (s->kind == PL_STAGE_HEADROOM) {
            v = pl_term(m, s->term, 2);
            ok = v != NULL;
            if (ok) {
                v[0] = (int64_t)m->found.head;
                v[1] = (int64_t)m->found.line;
            }
        } else {
            v = pl_term(m, s->term, 1);
            ok = v != NULL;
            bool less = s->term == PL_TERM_SETTINGS || s->term == PL_TERM_FIRST_TOKEN;
            if (ok)
                v[0] = less ? -m->found.best[k] : m->found.best[k];
        }
    }
    return ok ? 0 : pl_make_memory(m);
}

static int pl_make_components(struct pl_make *m)
{
    const struct pl_stack *s = m->p->stack;
    struct pl_plan_component *out = pl_make_take(m, s->n_component, sizeof(*out));
    if (out == NULL)
        return pl_make_memory(m);
    m->plan->component = out;
    m->plan->n_component = s->n_component;
    for (uint32_t c = 0; c < s->n_component; c++) {
        out[c] = (struct pl_plan_component){.name = s->component[c].name,
                                            .required = s->component[c].required,
                                            .priority = s->component[c].priority,
                                            .tier = PL_SERVE_OFF,
                                            .why = "no plan fits"};
        if (!m->found.feasible)
            continue;
        const struct pl_item *i = &m->p->item[m->found.choice[c]];
        out[c].served = i->option != PL_NOTHING;
        out[c].tier = i->serve;
        out[c].allowed_rank = i->rank;
        out[c].why = pl_plan_why(m->p, &m->active, m->found.choice, c, m->arena);
        if (out[c].served)
            out[c].option = &m->p->option[i->option];
        for (uint32_t k = 0; i->instance >= 0 && k < m->engines.n; k++) {
            const struct pl_item *e = m->engines.use[k].item;
            out[c].shared = out[c].shared || (e->instance == i->instance && e->component < c);
        }
    }
    return 0;
}

static uint64_t pl_or_none(struct pl_quantity q)
{
    return pl_known(q) ? q.likely : UINT64_MAX;
}

static int pl_make_pools(struct pl_make *m)
{
    const struct pl_machine *machine = m->p->machine;
    struct pl_plan_pool *out = pl_make_take(m, machine->n_pool, sizeof(*out));
    if (out == NULL)
        return pl_make_memory(m);
    m->plan->pool = out;
    for (uint32_t l = 0; l < m->p->n_line; l++) {
        const struct pl_line *x = &m->p->line[l];
        if (x->pool == PL_NOTHING)
            continue;
        const struct pl_pool *q = &machine->pool[x->pool];
        struct pl_plan_pool *r = &out[m->plan->n_pool++];
        *r = (struct pl_plan_pool){.name = q->name,
                                   .parent = q->parent,
                                   .kind = q->kind,
                                   .known = x->ceiling != PL_NO_LIMIT,
                                   .ceiling = x->ceiling,
                                   .reserve = x->reserve,
                                   .ceiling_set = x->ceiling_set,
                                   .capacity = pl_or_none(q->capacity),
                                   .used = pl_or_none(q->used),
                                   .available = pl_or_none(q->available)};
        r->planned = m->found.feasible ? m->load[l] : 0;
        if (r->known)
            r->headroom = pl_sub_floor(r->ceiling, pl_add_sat(r->reserve, r->planned));
    }
    return 0;
}

/* Components in the order their processes are loaded; those that share one come together. */
static int pl_make_order(struct pl_make *m)
{
    uint32_t order[PL_PLAN_COMPONENTS_MAX], n = 0;
    m->plan->load_order = pl_make_take(m, m->p->n_component, sizeof(*m->plan->load_order));
    if (m->plan->load_order == NULL)
        return pl_make_memory(m);
    (void)pl_engines_order(m->p, &m->engines, m->room, order, &n);
    for (uint32_t k = 0; k < n; k++) {
        const struct pl_item *e = m->engines.use[order[k]].item;
        for (uint32_t c = 0; c < m->p->n_component; c++) {
            const struct pl_item *i = &m->p->item[m->found.choice[c]];
            bool same = i == e || (e->instance >= 0 && i->instance == e->instance);
            if (same && i->serve == PL_SERVE_HOT)
                m->plan->load_order[m->plan->n_load++] = c;
        }
    }
    return 0;
}

/* Rows of the budget table: what each component takes from each pool, ancestors included. */
static int pl_make_charges(struct pl_make *m)
{
    const struct pl_problem *p = m->p;
    size_t most = (size_t)p->n_component * p->machine->n_pool;
    m->plan->charge = pl_make_take(m, most, sizeof(*m->plan->charge));
    if (m->plan->charge == NULL)
        return pl_make_memory(m);
    for (uint32_t c = 0; c < p->n_component; c++) {
        const struct pl_item *i = &p->item[m->found.choice[c]];
        for (uint32_t l = 0; i->peak != NULL && l < p->n_line; l++) {
            struct pl_quantity zero = pl_exact(0, PL_SOURCE_MEASURED, NULL);
            struct pl_plan_charge r = {
                .component = c,
                .steady = zero,
                .peak = zero,
                .load_peak = zero,
                .actual = PL_QUANTITY_UNKNOWN("no run with these settings is remembered here")};
            const struct pl_option *o = &p->option[i->option];
            if (p->line[l].pool == PL_NOTHING || (i->peak[l] == 0 && i->load[l] == 0))
                continue;
            for (uint32_t k = 0; k < o->n_pool; k++) {
                uint32_t at = pl_line_named(p, o->pool[k].pool);
                if (at == PL_NOTHING || (p->up[at] & (1ull << l)) == 0)
                    continue;
                r.steady = pl_plus(o->pool[k].steady, r.steady);
                r.peak = pl_plus(o->pool[k].peak, r.peak);
                r.load_peak = pl_plus(o->pool[k].load_peak, r.load_peak);
            }
            r.pool = p->line[l].pool;
            m->plan->charge[m->plan->n_charge++] = r;
        }
    }
    return 0;
}

/* Could each hot process reload beside the others at peak after a crash? */
static int pl_make_restart(struct pl_make *m)
{
    struct pl_str s;
    char names[200] = "", a[PL_SIZE_TEXT_MAX];
    pl_str_init(&s, 600);
    uint32_t line = PL_NOTHING;
    for (uint32_t k = 0; k < m->engines.n; k++) {
        if (!m->engines.use[k].hot)
            continue;
        uint32_t at = pl_engine_stuck(m->p, &m->engines, k, m->load, m->room);
        size_t n = strlen(names);
        if (at == PL_NOTHING)
            continue;
        line = line == PL_NOTHING ? at : line;
        (void)pl_fmt(names + n, sizeof(names) - n, "%s%s", n > 0 ? ", " : "",
                     m->p->stack->component[m->engines.use[k].item->component].name);
    }
    if (names[0] != '\0') {
        pl_str_addf(
            &s, "drain the others before %s loads again: beside them at peak %s would exceed %s",
            names, m->p->line[line].name,
            pl_size_text(m->room[line] + m->p->line[line].reserve, a));
        m->plan->restart = pl_arena_strdup(m->arena, pl_str_get(&s));
    }
    pl_str_done(&s);
    return names[0] != '\0' && m->plan->restart == NULL ? pl_make_memory(m) : 0;
}

static int pl_make_gap(struct pl_make *m)
{
    const struct pl_solution *f = &m->found;
    char text[200];
    m->plan->optimal = f->complete;
    m->plan->nodes = f->nodes;
    if (f->complete)
        return 0;
    const struct pl_stage *s = &m->stage[f->open_stage];
    const char *name = pl_term_name(s->term), *then = "what ranks below it is not settled";
    int64_t value = f->best[f->open_stage], bound = f->open_bound, n = m->p->n_component + 1;
    bool less = s->term == PL_TERM_SETTINGS || s->term == PL_TERM_FIRST_TOKEN;
    if (bound == INT64_MAX || s->kind == PL_STAGE_ORDER)
        (void)PL_FMT(text, "%s is not proved to be the best", name);
    else if (s->kind == PL_STAGE_HEADROOM)
        (void)PL_FMT(text, "%s: %.2f %% found, at most %.2f %% possible; %s", name,
                     f->line > 0 ? 100.0 * (double)f->head / (double)f->line : 0,
                     100.0 * (double)bound / (double)(1ull << PL_RATIO_BITS) + 0.005, then);
    else if (s->term == PL_TERM_TIERS)
        (void)PL_FMT(text, "%s: %lld in their first tier, at most %lld possible; %s", name,
                     (long long)(value / (n * n * n)), (long long)(bound / (n * n * n)), then);
    else if (s->term == PL_TERM_SERVED) /* a packed count per priority */
        (void)PL_FMT(text, "%s: %.2f %% below what is possible at most; %s", name,
                     bound > 0 ? 100.0 * (double)(bound - value) / (double)bound : 0, then);
    else
        (void)PL_FMT(text, "%s: %lld found, at %s %lld possible; %s", name,
                     (long long)(less ? -value : value), less ? "least" : "most",
                     (long long)(less ? -bound : bound), then);
    m->plan->gap = pl_arena_strdup(m->arena, text);
    return m->plan->gap != NULL ? 0 : pl_make_memory(m);
}

static void pl_make_note(struct pl_make *m, const char *text)
{
    const char *copy = pl_arena_strdup(m->arena, text);
    if (copy != NULL && m->plan->n_note < PL_PLAN_COMPONENTS_MAX)
        m->plan->note[m->plan->n_note++] = copy;
}

/* What the stack holds already, summed by pool. */
static void pl_note_held(struct pl_make *m)
{
    const struct pl_stack *s = m->p->stack;
    struct pl_str text;
    char size[PL_SIZE_TEXT_MAX];
    pl_str_init(&text, 4096);
    pl_str_add(&text, "what this stack holds now is available to it:");
    for (uint32_t i = 0; i < s->n_holding; i++) {
        uint64_t sum = 0;
        bool before = false;
        for (uint32_t k = 0; k < s->n_holding; k++) {
            bool same = pl_streq(s->holding[k].pool, s->holding[i].pool);
            before = before || (same && k < i);
            sum = pl_add_sat(sum, same ? s->holding[k].bytes : 0);
        }
        if (!before)
            pl_str_addf(&text, "%s %s %s", i > 0 ? "," : "", s->holding[i].pool,
                        pl_size_text(sum, size));
    }
    if (s->held_by != NULL)
        pl_str_addf(&text, ", by %s", s->held_by);
    if (s->n_holding > 0)
        pl_make_note(m, pl_str_get(&text));
    pl_str_done(&text);
}

/* What the plan rests on without knowing it. */
static int pl_make_notes(struct pl_make *m)
{
    char text[240];
    const struct pl_stack *s = m->p->stack;
    m->plan->note = pl_make_take(m, PL_PLAN_COMPONENTS_MAX, sizeof(*m->plan->note));
    if (m->plan->note == NULL)
        return pl_make_memory(m);
    for (uint32_t i = 0; i < s->n_pool; i++) {
        if (pl_machine_pool_const(m->p->machine, s->pool[i].name) == NULL &&
            PL_FMT(text, "pools.%s: this machine has no such pool", s->pool[i].name))
            pl_make_note(m, text);
    }
    pl_note_held(m);
    for (uint32_t c = 0; m->found.feasible && c < m->p->n_component; c++) {
        const struct pl_option *o = m->plan->component[c].option;
        if (o == NULL)
            continue;
        if (o->decode_milli == 0 && s->component[c].min_decode_given &&
            PL_FMT(text, "%s: its decode rate is unknown, min_decode was not checked",
                   s->component[c].name))
            pl_make_note(m, text);
        if (!o->quality_known && s->component[c].n_candidate > 1 &&
            PL_FMT(text, "%s: the quality of %s is unknown and counts as 0", s->component[c].name,
                   o->name))
            pl_make_note(m, text);
    }
    return 0;
}

static int pl_make_feasible(struct pl_make *m)
{
    pl_engines_of(m->p, m->found.choice, m->p->n_component, &m->engines);
    pl_engines_load(m->p, &m->engines, m->load);
    for (uint32_t l = 0; l < m->p->n_line; l++)
        (void)pl_line_room(m->p, &m->active, l, &m->room[l]);
    int rc = pl_make_terms(m);
    if (rc == 0)
        rc = pl_make_order(m);
    if (rc == 0)
        rc = pl_make_charges(m);
    if (rc == 0)
        rc = pl_make_restart(m);
    if (rc == 0)
        rc = pl_make_gap(m);
    m->plan->verdict = m->plan->on_likely         ? PL_VERDICT_FRAGILE
                       : m->plan->restart != NULL ? PL_VERDICT_CONSTRAINED
                                                  : PL_VERDICT_SAFE;
    return rc;
}

int pl_plan_make(const struct pl_stack *stack, const struct pl_machine *machine,
                 const struct pl_option *option, uint32_t n_option,
                 const struct pl_plan_options *options, struct pl_arena *arena, struct pl_plan *ret,
                 struct pl_err *err)
{
    struct pl_make *m = pl_arena_alloc(arena, 1, sizeof(*m));
    *ret = (struct pl_plan){.stack = stack->name,
                            .environment = stack->environment,
                            .always = stack->duty == PL_DUTY_ALWAYS,
                            .tight_permyriad = stack->tight_permyriad,
                            .comfortable_permyriad = stack->comfortable_permyriad,
                            .verdict = PL_VERDICT_DOES_NOT_FIT};
    if (m == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the plan");
    *m = (struct pl_make){.options = options, .arena = arena, .plan = ret, .err = err};
    int rc = pl_make_choose(m, stack, machine, option, n_option);
    if (rc < 0)
        return rc;
    ret->feasible = m->found.feasible;
    if (ret->feasible)
        rc = pl_make_feasible(m);
    else
        rc = pl_conflict_find(m->p, &options->limits, arena, ret, err);
    if (rc == 0)
        rc = pl_make_components(m);
    if (rc == 0)
        rc = pl_make_pools(m);
    return rc == 0 ? pl_make_notes(m) : rc;
}
