/* Which demands cannot be met together. Members are dropped one by one; what can be dropped without
 * making the rest feasible does not belong to the conflict. What remains is irreducible. */
#include "plan/plan.h"

#include "base/str.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

#define PL_CONFLICT_ARENA_MAX (256u * 1024u * 1024u)
#define PL_MEMBER_TEXT_MAX 240

enum pl_member_kind {
    PL_MEMBER_AVAILABLE = 0,
    PL_MEMBER_LARGEST,
    PL_MEMBER_POLICY,
    PL_MEMBER_FLOOR, /* a policy of one component: policy:llm.min_decode */
    PL_MEMBER_CEILING,
    PL_MEMBER_COMPONENT,
};

struct pl_member {
    enum pl_member_kind kind;
    uint32_t at, floor; /* component, line or policy */
};

struct pl_conflict {
    const struct pl_problem *p;
    const struct pl_solve_limits *limits;
    struct pl_arena *arena;
    struct pl_err *err;
    struct pl_active active;
    struct pl_member member[PL_PLAN_COMPONENTS_MAX * 5 + PL_LINES_MAX * 3 + PL_STACK_POLICIES_MAX];
    uint32_t n;
};

static const char *const pl_floor_names[PL_FLOORS] = {"min_decode", "min_quality", "language",
                                                      "max_first_token"};

/* 1 feasible, 0 not, negative errno. What no pool could hold even alone is handled by it too. */
static int pl_holds(struct pl_conflict *k, const struct pl_active *a)
{
    struct pl_arena scratch;
    struct pl_solution s;
    pl_arena_init(&scratch, PL_CONFLICT_ARENA_MAX);
    int rc = pl_solve(k->p, a, NULL, 0, k->limits, &scratch, &s, k->err);
    pl_arena_done(&scratch);
    if (rc == 0 && !s.feasible && !s.complete)
        return pl_fail(k->err, -ETIME, "the time limit ended the search for the conflict");
    return rc < 0 ? rc : s.feasible;
}

static void pl_member_set(struct pl_active *a, const struct pl_member *m, bool on)
{
    switch (m->kind) {
    case PL_MEMBER_AVAILABLE:
        a->available[m->at] = on;
        break;
    case PL_MEMBER_LARGEST:
        a->largest[m->at] = on;
        break;
    case PL_MEMBER_POLICY:
        a->policy[m->at] = on;
        break;
    case PL_MEMBER_FLOOR:
        if (on)
            a->floors[m->at] |= (uint8_t)(1u << m->floor);
        else
            a->floors[m->at] &= (uint8_t) ~(1u << m->floor);
        break;
    case PL_MEMBER_CEILING:
        a->ceiling[m->at] = on;
        break;
    case PL_MEMBER_COMPONENT:
        a->required[m->at] = on;
        break;
    }
}

static void pl_member_add(struct pl_conflict *k, enum pl_member_kind kind, uint32_t at,
                          uint32_t floor)
{
    k->member[k->n++] = (struct pl_member){kind, at, floor};
}

/* Members in the order they are tried to be dropped: what is dropped early is named only when it is
 * needed. A ceiling someone set is kept longer than one that follows from the capacity. */
static void pl_members(struct pl_conflict *k)
{
    const struct pl_problem *p = k->p;
    const struct pl_active *a = &k->active;
    for (uint32_t c = 0; c < p->n_component; c++) {
        for (uint32_t f = 0; f < PL_FLOORS; f++)
            pl_member_add(k, PL_MEMBER_FLOOR, c, f);
    }
    for (uint32_t i = 0; i < p->stack->n_policy; i++)
        pl_member_add(k, PL_MEMBER_POLICY, i, 0);
    for (uint32_t l = 0; l < p->n_line; l++) {
        if (a->largest[l])
            pl_member_add(k, PL_MEMBER_LARGEST, l, 0);
    }
    for (uint32_t l = 0; l < p->n_line; l++) {
        if (a->ceiling[l] && !p->line[l].ceiling_set)
            pl_member_add(k, PL_MEMBER_CEILING, l, 0);
    }
    for (uint32_t l = 0; l < p->n_line; l++) {
        if (a->available[l])
            pl_member_add(k, PL_MEMBER_AVAILABLE, l, 0);
    }
    for (uint32_t l = 0; l < p->n_line; l++) {
        if (a->ceiling[l] && p->line[l].ceiling_set)
            pl_member_add(k, PL_MEMBER_CEILING, l, 0);
    }
    /* the least important component first: the conflict is between the important ones */
    uint32_t first = k->n;
    for (uint32_t c = 0; c < p->n_component; c++) {
        uint32_t at = k->n;
        if (!a->required[c])
            continue;
        pl_member_add(k, PL_MEMBER_COMPONENT, c, 0);
        for (; at > first && p->stack->component[k->member[at - 1].at].priority <=
                                 p->stack->component[c].priority;
             at--) {
            k->member[at] = k->member[at - 1];
            k->member[at - 1] = (struct pl_member){PL_MEMBER_COMPONENT, c, 0};
        }
    }
}

/* The least value of one limit that makes the rest of the conflict feasible: PL_NO_LIMIT when the
 * search for it fails. The limit is tried within a copy of the problem. */
static uint64_t pl_least_limit(struct pl_conflict *k, const struct pl_member *m)
{
    struct pl_problem *p = pl_arena_alloc(k->arena, 1, sizeof(*p));
    if (p == NULL)
        return PL_NO_LIMIT;
    *p = *k->p;
    struct pl_conflict copy = {.p = p, .limits = k->limits, .arena = k->arena};
    struct pl_line *l = &p->line[m->at];
    uint64_t *limit = m->kind == PL_MEMBER_CEILING ? &l->ceiling : &l->available;
    uint64_t low = *limit, high = PL_NO_LIMIT / 8;
    while (low + 1 < high) {
        uint64_t mid = low + (high - low) / 2;
        *limit = mid;
        int rc = pl_holds(&copy, &k->active);
        if (rc < 0)
            return PL_NO_LIMIT;
        if (rc > 0)
            high = mid;
        else
            low = mid;
    }
    return high;
}

/* The smallest largest allocation among the items of components in the conflict that exceed it. */
static uint64_t pl_least_largest(const struct pl_conflict *k, uint32_t line)
{
    uint64_t least = PL_NO_LIMIT;
    for (uint32_t i = 0; i < k->p->n_item; i++) {
        const struct pl_item *x = &k->p->item[i];
        if (!k->active.required[x->component] || (x->large & (1ull << line)) == 0)
            continue;
        const struct pl_option *o = &k->p->option[x->option];
        uint64_t most = 0;
        for (uint32_t q = 0; q < o->n_pool; q++) {
            uint64_t v = k->p->likely ? o->pool[q].largest.likely : o->pool[q].largest.high;
            most = v > most ? v : most;
        }
        least = most < least ? most : least;
    }
    return least;
}

static void pl_resolve_limit(struct pl_conflict *k, const struct pl_member *m, struct pl_str *out)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    const struct pl_line *l = &k->p->line[m->at];
    uint64_t now = m->kind == PL_MEMBER_CEILING ? l->ceiling : l->available;
    if (l->missing) {
        pl_str_addf(out, "this machine has no pool %s: give the component a candidate without it",
                    l->name);
        return;
    }
    uint64_t need = pl_least_limit(k, m);
    if (need == PL_NO_LIMIT)
        pl_str_addf(out, "no value was found within the time");
    else if (m->kind == PL_MEMBER_CEILING)
        pl_str_addf(out, "%s of %s from %s to at least %s",
                    l->ceiling_set ? "raise the ceiling" : "raise the capacity", l->name,
                    pl_size_text(now, a), pl_size_text(need, b));
    else
        pl_str_addf(out, "free %s of %s: %s is available, at least %s is needed",
                    pl_size_text(need - now, (char[PL_SIZE_TEXT_MAX]){0}), l->name,
                    pl_size_text(now, a), pl_size_text(need, b));
}

static const char *pl_resolve(struct pl_conflict *k, const struct pl_member *m)
{
    struct pl_str s;
    char a[PL_SIZE_TEXT_MAX];
    pl_str_init(&s, 1024);
    const struct pl_stack *stack = k->p->stack;
    switch (m->kind) {
    case PL_MEMBER_COMPONENT:
        pl_str_addf(&s, "make %s optional (required: false), or give it a smaller candidate",
                    stack->component[m->at].name);
        break;
    case PL_MEMBER_LARGEST:
        pl_str_addf(
            &s, "allow a single allocation of at least %s in %s, or a candidate with smaller ones",
            pl_size_text(pl_least_largest(k, m->at), a), k->p->line[m->at].name);
        break;
    case PL_MEMBER_POLICY:
        pl_str_addf(&s, "relax the policy %s, or add a candidate that it allows",
                    stack->policy[m->at].name);
        break;
    case PL_MEMBER_FLOOR:
        pl_str_addf(&s, "lower %s of %s, or add a candidate that meets it",
                    pl_floor_names[m->floor], stack->component[m->at].name);
        break;
    case PL_MEMBER_AVAILABLE:
    case PL_MEMBER_CEILING:
        pl_resolve_limit(k, m, &s);
        break;
    }
    const char *text = pl_arena_strdup(k->arena, pl_str_get(&s));
    pl_str_done(&s);
    return text;
}

static const char *pl_member_text(struct pl_conflict *k, const struct pl_member *m)
{
    char text[PL_MEMBER_TEXT_MAX] = "";
    const struct pl_problem *p = k->p;
    switch (m->kind) {
    case PL_MEMBER_COMPONENT:
        (void)PL_FMT(text, "component:%s", p->stack->component[m->at].name);
        break;
    case PL_MEMBER_LARGEST:
        (void)PL_FMT(text, "largest:%s", p->line[m->at].name);
        break;
    case PL_MEMBER_POLICY:
        (void)PL_FMT(text, "policy:%s", p->stack->policy[m->at].name);
        break;
    case PL_MEMBER_FLOOR:
        (void)PL_FMT(text, "policy:%s.%s", p->stack->component[m->at].name,
                     pl_floor_names[m->floor]);
        break;
    case PL_MEMBER_AVAILABLE:
        (void)PL_FMT(text, "available:%s", p->line[m->at].name);
        break;
    case PL_MEMBER_CEILING:
        (void)PL_FMT(text, "ceiling:%s", p->line[m->at].name);
        break;
    }
    return pl_arena_strdup(k->arena, text);
}

int pl_conflict_find(const struct pl_problem *p, const struct pl_solve_limits *limits,
                     struct pl_arena *arena, struct pl_plan *ret, struct pl_err *err)
{
    struct pl_conflict *k = pl_arena_alloc(arena, 1, sizeof(*k));
    uint32_t kept = 0;
    if (k == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the conflict");
    *k = (struct pl_conflict){.p = p, .limits = limits, .arena = arena, .err = err};
    pl_active_all(p, &k->active);
    pl_members(k);
    for (uint32_t i = 0; i < k->n; i++) {
        struct pl_active without = k->active;
        pl_member_set(&without, &k->member[i], false);
        int rc = pl_holds(k, &without);
        if (rc < 0)
            return rc;
        if (rc > 0) /* without it all is well: it belongs to the conflict */
            k->member[kept++] = k->member[i];
        else
            k->active = without;
    }
    ret->conflict = pl_arena_alloc(arena, (size_t)kept + 1, sizeof(*ret->conflict));
    for (uint32_t i = kept; ret->conflict != NULL && i-- > 0;) {
        struct pl_plan_member *m = &ret->conflict[ret->n_conflict++];
        *m =
            (struct pl_plan_member){pl_member_text(k, &k->member[i]), pl_resolve(k, &k->member[i])};
        if (m->name == NULL || m->resolve == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the conflict");
    }
    return ret->conflict != NULL ? 0 : pl_fail(err, -ENOMEM, "no memory for the conflict");
}
