#include "plan/problem.h"

#include "base/checked.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define PL_CHARGE_MAX (UINT64_MAX / (64ull * PL_PLAN_COMPONENTS_MAX)) /* sums do not wrap */

struct pl_build {
    struct pl_problem *p;
    struct pl_arena *arena;
    struct pl_err *err;
    const char *group[PL_PLAN_COMPONENTS_MAX], *instance[PL_PLAN_COMPONENTS_MAX];
    const char **file;
};

static int pl_build_memory(struct pl_build *b)
{
    return pl_fail(b->err, -ENOMEM, "no memory for the plan");
}

static const struct pl_stack_pool *pl_stack_pool_of(const struct pl_stack *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_pool; i++) {
        if (pl_streq(s->pool[i].name, name))
            return &s->pool[i];
    }
    return NULL;
}

/* One memory line per pool of the machine: what is not used is constant and costs nothing. */
static void pl_build_lines(struct pl_build *b)
{
    struct pl_problem *p = b->p;
    const struct pl_machine *m = p->machine;
    for (uint32_t i = 0; i < m->n_pool && p->n_line < PL_LINES_MAX; i++) {
        const struct pl_pool *q = &m->pool[i];
        const struct pl_stack_pool *s = pl_stack_pool_of(p->stack, q->name);
        struct pl_line *l = &p->line[p->n_line++];
        *l = (struct pl_line){.name = q->name, .pool = i, .policy = -1};
        l->ceiling = PL_NO_LIMIT;
        l->available = PL_NO_LIMIT;
        l->largest = PL_NO_LIMIT;
        if (pl_known(
                q->capacity)) /* what is reserved and not known is part of what is not available */
            l->ceiling = pl_sub_floor(
                p->likely ? q->capacity.likely : q->capacity.low,
                pl_known(q->reserved) ? (p->likely ? q->reserved.likely : q->reserved.high) : 0);
        if (pl_known(q->available))
            l->available = p->likely ? q->available.likely : q->available.low;
        if (pl_known(q->largest_allocation))
            l->largest = q->largest_allocation.high;
        if (s == NULL)
            continue;
        l->reserve = s->reserve;
        l->ceiling_set = s->ceiling != UINT64_MAX;
        if (l->ceiling_set)
            l->ceiling = s->ceiling;
        if (s->largest != UINT64_MAX)
            l->largest = s->largest;
    }
}

uint32_t pl_line_named(const struct pl_problem *p, const char *name)
{
    for (uint32_t l = 0; l < p->n_line; l++) {
        if (p->line[l].policy < 0 && pl_streq(p->line[l].name, name))
            return l;
    }
    return PL_NOTHING;
}

/* Ancestors, and the control group that caps a pool (as pl_machine_available counts). */
static void pl_build_up(struct pl_build *b)
{
    struct pl_problem *p = b->p;
    for (uint32_t l = 0; l < p->n_line; l++) {
        const struct pl_pool *q = &p->machine->pool[p->line[l].pool];
        p->up[l] = 1ull << l;
        for (uint32_t k = 0; k < p->n_line; k++) {
            const struct pl_pool *c = &p->machine->pool[p->line[k].pool];
            if (c->kind == PL_POOL_CAP && pl_starts(c->name, "cgroup") &&
                pl_streq(c->parent, q->name))
                p->up[l] |= 1ull << k;
        }
        for (uint32_t depth = 0; depth < PL_LINES_MAX && q->parent[0] != '\0'; depth++) {
            uint32_t parent = pl_line_named(p, q->parent);
            if (parent == PL_NOTHING)
                break;
            p->up[l] |= 1ull << parent;
            q = &p->machine->pool[p->line[parent].pool];
        }
    }
}

/* What the stack's own processes hold is available to it, on every line they are charged to. */
static void pl_build_held(struct pl_build *b)
{
    struct pl_problem *p = b->p;
    for (uint32_t i = 0; i < p->stack->n_holding; i++) {
        uint32_t at = pl_line_named(p, p->stack->holding[i].pool);
        for (uint32_t l = 0; at != PL_NOTHING && l < p->n_line; l++) {
            struct pl_line *x = &p->line[l];
            struct pl_quantity capacity = p->machine->pool[x->pool].capacity;
            if ((p->up[at] & (1ull << l)) == 0 || x->available == PL_NO_LIMIT)
                continue;
            x->available = pl_add_sat(x->available, p->stack->holding[i].bytes);
            if (pl_known(capacity) && x->available > capacity.likely)
                x->available = capacity.likely;
        }
    }
}

/* Pools that options ask for and the machine does not have: nothing is available there. */
static int pl_build_missing(struct pl_build *b)
{
    struct pl_problem *p = b->p;
    for (uint32_t i = 0; i < p->n_option; i++) {
        for (uint32_t k = 0; k < p->option[i].n_pool; k++) {
            const char *name = p->option[i].pool[k].pool;
            if (pl_line_named(p, name) != PL_NOTHING)
                continue;
            if (p->n_line >= PL_LINES_MAX)
                return pl_fail(b->err, -E2BIG, "more than %u pools", PL_LINES_MAX);
            p->up[p->n_line] = 1ull << p->n_line;
            p->line[p->n_line++] = (struct pl_line){.name = name,
                                                    .pool = PL_NOTHING,
                                                    .policy = -1,
                                                    .ceiling = PL_NO_LIMIT,
                                                    .largest = PL_NO_LIMIT,
                                                    .missing = true};
        }
    }
    return 0;
}

static int pl_build_counts(struct pl_build *b)
{
    struct pl_problem *p = b->p;
    for (uint32_t i = 0; i < p->stack->n_policy; i++) {
        const struct pl_stack_policy *y = &p->stack->policy[i];
        for (uint32_t k = 0; k < y->n_together; k++) {
            if (p->n_line >= PL_LINES_MAX)
                return pl_fail(b->err, -E2BIG, "more than %u pools and counting policies",
                               PL_LINES_MAX);
            p->line[p->n_line++] = (struct pl_line){.name = y->together[k].pool,
                                                    .pool = PL_NOTHING,
                                                    .policy = (int32_t)i,
                                                    .ceiling = y->together[k].n,
                                                    .available = PL_NO_LIMIT,
                                                    .largest = PL_NO_LIMIT};
        }
    }
    return 0;
}

static uint64_t pl_value(const struct pl_problem *p, struct pl_quantity q)
{
    uint64_t v = p->likely ? q.likely : q.high;
    return v < PL_CHARGE_MAX ? v : PL_CHARGE_MAX;
}

/* The vectors of one option: steady, peak, load peak and file pages by line. */
static int pl_build_vectors(struct pl_build *b, const struct pl_option *o, struct pl_item *i)
{
    const struct pl_problem *p = b->p;
    uint64_t *v = pl_arena_alloc(b->arena, 4 * (size_t)p->n_line, sizeof(*v));
    if (v == NULL)
        return pl_build_memory(b);
    uint64_t *steady = v, *peak = v + p->n_line, *load = peak + p->n_line, *file = load + p->n_line;
    for (uint32_t k = 0; k < o->n_pool; k++) {
        const struct pl_option_pool *q = &o->pool[k];
        uint32_t at = pl_line_named(p, q->pool);
        for (uint32_t l = 0; at != PL_NOTHING && l < p->n_line; l++) {
            if ((p->up[at] & (1ull << l)) == 0)
                continue;
            steady[l] = pl_add_sat(steady[l], pl_value(p, q->steady));
            peak[l] = pl_add_sat(peak[l], pl_value(p, q->peak));
            load[l] = pl_add_sat(load[l], pl_value(p, q->load_peak));
            if (o->file != NULL)
                file[l] = pl_add_sat(file[l], q->file_hot);
            uint64_t largest = pl_value(p, q->largest);
            if (largest > 0 && p->line[l].largest != PL_NO_LIMIT && largest > p->line[l].largest)
                i->large |= 1ull << l;
        }
        bool takes = at != PL_NOTHING && (q->peak.high > 0 || q->load_peak.high > 0);
        for (uint32_t l = 0; takes && l < p->n_line; l++) {
            bool counts = p->line[l].policy >= 0 && pl_streq(p->line[l].name, p->line[at].name);
            if (counts)
                steady[l] = peak[l] = load[l] = 1;
        }
    }
    i->steady = steady;
    i->peak = peak;
    i->load = load;
    i->file = o->file != NULL ? file : NULL;
    return 0;
}

static int32_t pl_name_id(const char **names, uint32_t *n, uint32_t max, const char *name)
{
    for (uint32_t i = 0; i < *n; i++) {
        if (pl_streq(names[i], name))
            return (int32_t)i;
    }
    if (*n >= max)
        return -1;
    names[(*n)++] = name;
    return (int32_t)(*n - 1);
}

/* The option in every tier its component allows. */
static int pl_build_option(struct pl_build *b, uint32_t at)
{
    struct pl_problem *p = b->p;
    const struct pl_option *o = &p->option[at];
    const struct pl_stack_component *c = &p->stack->component[o->component];
    struct pl_item plain = {.component = o->component,
                            .option = at,
                            .group = -1,
                            .instance = -1,
                            .file_id = -1,
                            .policies = pl_policies_against(p->stack, o),
                            .floors = pl_floors_missed(c, o)};
    int rc = pl_build_vectors(b, o, &plain);
    if (rc < 0)
        return rc;
    if (o->instance != NULL)
        plain.instance =
            pl_name_id(b->instance, &p->n_instance, PL_PLAN_COMPONENTS_MAX, o->instance);
    if (o->file != NULL)
        plain.file_id = pl_name_id(b->file, &p->n_file, p->n_option, o->file);
    for (uint32_t t = 0; t < c->n_tier; t++) {
        struct pl_item *i = &p->item[p->n_item];
        if (c->tier[t] == PL_SERVE_OFF)
            continue;
        *i = plain;
        i->rank = t;
        i->serve = c->tier[t];
        i->order = p->n_item - p->first[o->component];
        if (i->serve == PL_SERVE_WARM)
            i->group = pl_name_id(b->group, &p->n_group, PL_PLAN_COMPONENTS_MAX, c->group);
        if (i->serve == PL_SERVE_CLOUD) {
            i->steady = i->peak = i->load = i->file = NULL;
            i->instance = i->file_id = -1;
            i->large = 0;
        }
        p->n_item++;
    }
    return 0;
}

static int pl_build_items(struct pl_build *b)
{
    struct pl_problem *p = b->p;
    uint32_t n = p->n_component;
    size_t most = (size_t)p->n_option * PL_SERVES + n;
    p->item = pl_arena_alloc(b->arena, most, sizeof(*p->item));
    p->first = pl_arena_alloc(b->arena, (size_t)n + 1, sizeof(*p->first));
    b->file = pl_arena_alloc(b->arena, (size_t)p->n_option + 1, sizeof(*b->file));
    if (p->item == NULL || p->first == NULL || b->file == NULL)
        return pl_build_memory(b);
    for (uint32_t c = 0; c < n; c++) {
        p->first[c] = p->n_item;
        for (uint32_t i = 0; i < p->n_option; i++) {
            int rc = p->option[i].component == c ? pl_build_option(b, i) : 0;
            if (rc < 0)
                return rc;
        }
        p->item[p->n_item] = (struct pl_item){.component = c,
                                              .option = PL_NOTHING,
                                              .rank = PL_NOTHING,
                                              .serve = PL_SERVE_OFF,
                                              .group = -1,
                                              .instance = -1,
                                              .file_id = -1,
                                              .order = PL_NOTHING};
        p->n_item++;
    }
    p->first[n] = p->n_item;
    return 0;
}

/* A pool that matters must be known: what an option charges, and where something is kept free. */
static int pl_build_known(struct pl_build *b)
{
    const struct pl_problem *p = b->p;
    for (uint32_t l = 0; l < p->n_line; l++) {
        const struct pl_line *line = &p->line[l];
        if (line->policy >= 0 || line->missing)
            continue;
        bool matters = line->reserve > 0;
        for (uint32_t i = 0; i < p->n_item && !matters; i++)
            matters =
                p->item[i].peak != NULL &&
                (p->item[i].peak[l] > 0 || p->item[i].load[l] > 0 || p->item[i].steady[l] > 0);
        if (!matters)
            continue;
        const struct pl_pool *q = &p->machine->pool[line->pool];
        bool available = line->available == PL_NO_LIMIT;
        if (!available && line->ceiling != PL_NO_LIMIT)
            continue;
        struct pl_quantity unknown = available ? q->available : q->capacity;
        (void)pl_fail(b->err, -ENODATA, "cannot tell: what %s of pool %s is unknown%s%.80s",
                      available ? "is available" : "the capacity is", q->name,
                      unknown.why != NULL ? ": " : "", unknown.why != NULL ? unknown.why : "");
        (void)pl_hint(b->err, available
                                  ? "a machine file needs 'available' of each pool that is used"
                                  : "give the pool a ceiling in the stack file");
        return pl_exit_as(b->err, -ENODATA, PL_EXIT_CANNOT_TELL);
    }
    return 0;
}

int pl_problem_make(const struct pl_stack *stack, const struct pl_machine *machine,
                    const struct pl_option *option, uint32_t n_option, bool likely,
                    struct pl_arena *arena, struct pl_problem *ret, struct pl_err *err)
{
    *ret = (struct pl_problem){.stack = stack,
                               .machine = machine,
                               .option = option,
                               .n_option = n_option,
                               .n_component = stack->n_component,
                               .likely = likely};
    struct pl_build b = {.p = ret, .arena = arena, .err = err};
    pl_build_lines(&b);
    pl_build_up(&b);
    pl_build_held(&b);
    int rc = pl_build_missing(&b);
    if (rc == 0)
        rc = pl_build_counts(&b);
    if (rc == 0)
        rc = pl_build_items(&b);
    return rc == 0 ? pl_build_known(&b) : rc;
}
