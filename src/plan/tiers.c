#include "plan/tiers.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"

#include <string.h>

static const struct pl_role pl_role_table[] = {
#include "roles.inc"
};
#define PL_ROLES (sizeof(pl_role_table) / sizeof(pl_role_table[0]))
_Static_assert(PL_ROLES <= PL_ROLES_MAX, "data/roles.tsv has more lines than PL_ROLES_MAX");

static const struct pl_tier_answer pl_answer_table[] = {
#include "tier_answers.inc"
};

const struct pl_role *pl_roles(size_t *ret_n)
{
    *ret_n = PL_ROLES;
    return pl_role_table;
}

const struct pl_tier_answer *pl_tier_answers(size_t *ret_n)
{
    *ret_n = sizeof(pl_answer_table) / sizeof(pl_answer_table[0]);
    return pl_answer_table;
}

static bool pl_role_hot(const struct pl_role *r)
{
    return pl_streq(r->serve, "hot");
}

static bool pl_role_all(const struct pl_role *r)
{
    return pl_streq(r->role, "all");
}

const char *pl_role_quant(const struct pl_role *r, enum pl_role_variant v)
{
    if (v == PL_ROLE_BASE || !pl_role_hot(r) || pl_streq(r->quant, "q8_0"))
        return r->quant;
    return v == PL_ROLE_LARGER ? "q6_k" : "q8_0";
}

uint64_t pl_role_context(enum pl_role_variant v, uint64_t base)
{
    return v == PL_ROLE_CTX_4 ? base * 4 : v == PL_ROLE_CTX_2 ? base * 2 : base;
}

uint32_t pl_steps(void)
{
    return pl_role_table[PL_ROLES - 1].step;
}

bool pl_step_has(uint32_t step, const struct pl_role *r)
{
    uint32_t alone = 0;
    for (size_t i = 0; i < PL_ROLES; i++)
        alone = pl_role_all(&pl_role_table[i]) ? pl_role_table[i].step : alone;
    return step <= alone ? r->step == step : !pl_role_all(r) && r->step <= step;
}

static void pl_carried_sum(struct pl_carried *c)
{
    c->hot = c->warm = 0;
    for (uint32_t i = 0; i < c->n_role; i++) {
        uint64_t all = pl_mul_sat(c->role[i].bytes, c->role[i].instances);
        if (c->role[i].loaded)
            c->hot = pl_add_sat(c->hot, all);
        else if (all > c->warm)
            c->warm = all;
    }
}

static void pl_carried_step(uint32_t step, const struct pl_role_needs *needs, struct pl_carried *c)
{
    c->n_role = 0;
    c->step = step;
    for (size_t i = 0; step > 0 && i < PL_ROLES; i++) {
        const struct pl_role *r = &pl_role_table[i];
        if (pl_step_has(step, r))
            c->role[c->n_role++] = (struct pl_carried_role){
                .role = r, .instances = 1, .loaded = pl_role_hot(r), .bytes = needs->bytes[i][0]};
    }
    pl_carried_sum(c);
}

uint64_t pl_step_need(uint32_t step, const struct pl_role_needs *needs, uint64_t *ret_from)
{
    struct pl_carried c = {0};
    pl_carried_step(step, needs, &c);
    uint64_t need = pl_add_sat(c.hot, c.warm), low = 0, high = 1u << 20;
    if (ret_from == NULL)
        return need;
    while (low < high) { /* least whole GiB whose budget holds it */
        struct pl_budget b;
        uint64_t middle = (low + high) / 2;
        pl_budget_of(middle * PL_GIB, &b);
        if (b.available >= need)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_from = need < UINT64_MAX && low < 1u << 20 ? low * PL_GIB : 0;
    return need;
}

uint32_t pl_step_of(uint64_t size, const struct pl_role_needs *needs)
{
    struct pl_budget b;
    uint32_t step = 0;
    pl_budget_of(size, &b);
    while (step < pl_steps() && pl_step_need(step + 1, needs, NULL) <= b.available)
        step++;
    return step;
}

/* Keeps a change to the configuration when it still fits. */
static bool pl_spend(struct pl_carried *c, const struct pl_carried *changed, const char *text)
{
    struct pl_carried now = *changed;
    pl_carried_sum(&now);
    uint64_t before = pl_add_sat(c->hot, c->warm), after = pl_add_sat(now.hot, now.warm);
    if (after > c->budget.available || now.n_extra >= PL_EXTRAS_MAX)
        return false;
    struct pl_extra *e = &now.extra[now.n_extra++];
    (void)PL_FMT(e->text, "%s", text);
    e->bytes = after > before ? after - before : 0;
    *c = now;
    return true;
}

static size_t pl_row_of(const struct pl_role *r)
{
    return (size_t)(r - pl_role_table);
}

static bool pl_spend_quants(struct pl_carried *c, const struct pl_role_needs *needs,
                            enum pl_role_variant v)
{
    char text[80];
    for (uint32_t i = 0; i < c->n_role; i++) {
        const struct pl_role *r = c->role[i].role;
        if (!pl_role_hot(r) || pl_streq(r->quant, "q8_0"))
            continue;
        struct pl_carried next = *c;
        next.role[i].variant = v;
        next.role[i].bytes = needs->bytes[pl_row_of(r)][v];
        (void)PL_FMT(text, "%s in %s", r->role, pl_role_quant(r, v));
        if (!pl_spend(c, &next, text))
            return false;
    }
    return true;
}

static bool pl_spend_workers(struct pl_carried *c)
{
    char text[80];
    for (uint32_t i = 0; i < c->n_role; i++) {
        while (pl_streq(c->role[i].role->role, "workers") &&
               c->role[i].instances < PL_EXTRA_WORKERS) {
            struct pl_carried next = *c;
            next.role[i].instances++;
            (void)PL_FMT(text, "workers: %u of them", next.role[i].instances);
            if (!pl_spend(c, &next, text))
                return false;
        }
    }
    return true;
}

static bool pl_spend_contexts(struct pl_carried *c, const struct pl_role_needs *needs)
{
    for (enum pl_role_variant v = PL_ROLE_CTX_2; v <= PL_ROLE_CTX_4; v++) {
        struct pl_carried next = *c;
        for (uint32_t i = 0; i < next.n_role; i++) {
            next.role[i].variant = v;
            next.role[i].bytes = needs->bytes[pl_row_of(next.role[i].role)][v];
        }
        if (!pl_spend(c, &next,
                      v == PL_ROLE_CTX_2 ? "every context twice as long"
                                         : "every context four times as long"))
            return false;
    }
    return true;
}

static bool pl_spend_warm(struct pl_carried *c)
{
    char text[80];
    for (uint32_t i = 0; i < c->n_role; i++) {
        if (c->role[i].loaded)
            continue;
        struct pl_carried next = *c;
        next.role[i].loaded = true;
        (void)PL_FMT(text, "%s stays loaded", next.role[i].role->role);
        if (!pl_spend(c, &next, text))
            return false;
    }
    return true;
}

void pl_carried_of(uint64_t size, const struct pl_role_needs *needs, struct pl_carried *ret)
{
    size_t n = 0;
    uint64_t bound = 0;
    const struct pl_tier *tier = pl_tiers(&n);
    memset(ret, 0, sizeof(*ret));
    pl_budget_of(size, &ret->budget);
    ret->tier = pl_tier_name(size);
    for (size_t i = 0; i < n; i++)
        bound = pl_streq(tier[i].name, ret->tier) ? tier[i].from_gib * PL_GIB : bound;
    ret->tier_step = pl_step_of(bound, needs);
    pl_carried_step(pl_step_of(size, needs), needs, ret);
    for (uint32_t i = 0; i < ret->n_role; i++)
        ret->guide_milli += (uint64_t)(ret->role[i].role->guide_gb * 1000 + 0.5);
    if (ret->step < pl_steps())
        (void)pl_step_need(ret->step + 1, needs, &ret->next_from);
    if (ret->n_role > 0 && pl_spend_quants(ret, needs, PL_ROLE_LARGER) &&
        pl_spend_quants(ret, needs, PL_ROLE_LARGEST) && pl_spend_workers(ret) &&
        pl_spend_contexts(ret, needs))
        (void)pl_spend_warm(ret);
    ret->left = ret->budget.available - ret->hot - ret->warm;
}
