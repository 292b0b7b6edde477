#include "base/json.h"
#include "base/units.h"
#include "cli/tiers.h"

#include <math.h>

/* Hundredths of a GiB: what the text shows. */
static double pl_json_gib(uint64_t bytes)
{
    return round((double)bytes / (double)PL_GIB * 100) / 100;
}

static void pl_tiers_amount(struct pl_json *j, const char *key, uint64_t bytes)
{
    pl_json_object(j, key);
    pl_json_u64(j, "bytes", bytes);
    pl_json_num(j, "gib", pl_json_gib(bytes));
    pl_json_end(j);
}

static void pl_tiers_budget_json(struct pl_json *j, const struct pl_budget *b)
{
    pl_json_object(j, "budget");
    pl_tiers_amount(j, "system", b->system);
    pl_tiers_amount(j, "safety", b->safety);
    pl_tiers_amount(j, "available_for_models", b->available);
    pl_tiers_amount(j, "hot_tenth", b->hot);
    pl_tiers_amount(j, "warm_rest", b->warm);
    pl_tiers_amount(j, "missing", b->missing);
    pl_json_object(j, "rounded_gib");
    pl_json_u64(j, "system", b->system / PL_GIB);
    pl_json_u64(j, "safety", b->gib_safety);
    pl_json_u64(j, "available_for_models", b->gib_available);
    pl_json_u64(j, "hot_tenth", b->gib_hot);
    pl_json_u64(j, "warm_rest", b->gib_warm);
    pl_json_end(j);
    pl_json_str(j, "reason",
                b->missing > 0
                    ? "16 GiB for the system and 15 % for safety are more than there is: "
                      "nothing is left for models"
                    : NULL);
    pl_json_end(j);
}

static void pl_tiers_role_names(struct pl_json *j, const char *key, uint32_t step)
{
    size_t n = 0;
    const struct pl_role *role = pl_roles(&n);
    pl_json_array(j, key);
    for (size_t i = 0; i < n; i++) {
        if (pl_step_has(step, &role[i]))
            pl_json_str(j, NULL, role[i].role);
    }
    pl_json_end(j);
}

static void pl_tiers_roles_json(struct pl_json *j, const struct pl_tiers_shown *s,
                                const struct pl_carried *c)
{
    pl_json_array(j, "roles");
    for (uint32_t i = 0; i < c->n_role; i++) {
        const struct pl_carried_role *r = &c->role[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "role", r->role->role);
        pl_json_str(j, "serve", r->role->serve);
        pl_json_str(j, "model", r->role->model);
        pl_json_str(j, "quant", pl_role_quant(r->role, r->variant));
        pl_json_u64(j, "n_ctx", pl_role_context(r->variant, s->context));
        pl_json_u64(j, "instances", r->instances);
        pl_json_bool(j, "loaded", r->loaded);
        pl_json_u64(j, "bytes", r->bytes);
        if (r->role->guide_gb > 0)
            pl_json_num(j, "guide_gb", r->role->guide_gb);
        else
            pl_json_null(j, "guide_gb");
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_array(j, "surplus");
    for (uint32_t i = 0; i < c->n_extra; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "on", c->extra[i].text);
        pl_json_u64(j, "bytes", c->extra[i].bytes);
        pl_json_end(j);
    }
    pl_json_end(j);
    size_t n = 0;
    const struct pl_role *role = pl_roles(&n);
    pl_json_array(j, "without");
    for (size_t i = 0; i < n; i++) {
        if (role[i].step > c->step)
            pl_json_str(j, NULL, role[i].without);
    }
    pl_json_end(j);
}

static void pl_tiers_size_json(struct pl_json *j, const struct pl_tiers_shown *s,
                               const struct pl_carried *c)
{
    size_t n = 0;
    const struct pl_tier_answer *answer = pl_tier_answers(&n);
    pl_json_object(j, NULL);
    pl_tiers_amount(j, "size", c->budget.size);
    pl_json_str(j, "tier", c->tier);
    pl_tiers_budget_json(j, &c->budget);
    pl_json_u64(j, "step", c->step);
    pl_tiers_role_names(j, "promised", c->tier_step);
    pl_tiers_roles_json(j, s, c);
    pl_json_object(j, "planned");
    pl_tiers_amount(j, "hot", c->hot);
    pl_tiers_amount(j, "warm", c->warm);
    pl_tiers_amount(j, "left", c->left);
    pl_json_num(j, "guide_gb", (double)c->guide_milli / 1000);
    pl_json_end(j);
    if (c->next_from > 0)
        pl_json_u64(j, "next_from_gib", c->next_from / PL_GIB);
    else
        pl_json_null(j, "next_from_gib");
    pl_json_array(j, "guide");
    for (size_t i = 0; i < n; i++) {
        uint64_t gib = c->budget.size / PL_GIB;
        if (gib < answer[i].from_gib || gib > answer[i].to_gib)
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "about", answer[i].name);
        pl_json_str(j, "says", answer[i].says);
        pl_json_str(j, "right", answer[i].right);
        pl_json_str(j, "source", answer[i].source);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}

static void pl_tiers_table_json(struct pl_json *j, const struct pl_tiers_shown *s)
{
    size_t n = 0, n_role = 0;
    const struct pl_tier *tier = pl_tiers(&n);
    const struct pl_role *role = pl_roles(&n_role);
    pl_json_array(j, "tiers");
    for (size_t i = 0; i < n; i++) {
        struct pl_str words;
        uint32_t step = pl_step_of(tier[i].from_gib * PL_GIB, &s->needs);
        pl_str_init(&words, 512);
        pl_tiers_promise(step, &words);
        pl_json_object(j, NULL);
        pl_json_str(j, "tier", tier[i].name);
        pl_json_u64(j, "from_gib", tier[i].from_gib);
        if (i + 1 < n)
            pl_json_u64(j, "below_gib", tier[i + 1].from_gib);
        else
            pl_json_null(j, "below_gib");
        pl_json_str(j, "carries", pl_str_get(&words));
        pl_tiers_role_names(j, "roles", step);
        pl_json_str(j, "guide", tier[i].guide);
        pl_json_str(j, "source", tier[i].source);
        pl_json_end(j);
        pl_str_done(&words);
    }
    pl_json_end(j);
    pl_json_array(j, "steps");
    for (size_t i = 0; i < n_role; i++) {
        uint64_t from = 0, need = pl_step_need(role[i].step, &s->needs, &from);
        pl_json_object(j, NULL);
        pl_json_u64(j, "step", role[i].step);
        pl_json_str(j, "role", role[i].role);
        pl_json_u64(j, "need_bytes", need);
        pl_json_u64(j, "from_gib", from / PL_GIB);
        pl_json_str(j, "source", role[i].source);
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_tiers_json(const struct pl_tiers_shown *s, struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.tiers/1");
    pl_json_str(&j, "rule", pl_tier_rule());
    pl_json_u64(&j, "n_ctx", s->context);
    pl_json_array(&j, "sizes");
    for (uint32_t i = 0; i < s->n; i++)
        pl_tiers_size_json(&j, s, &s->size[i]);
    pl_json_end(&j);
    pl_tiers_table_json(&j, s);
    pl_json_end(&j);
}
