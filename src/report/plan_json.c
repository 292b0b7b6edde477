#include "report/plan.h"

#include "report/json_unknown.h"
#include "report/quantity.h"

static void pl_json_term(struct pl_json *j, const struct pl_plan_term *t)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "name", t->name);
    if (t->n_value == 1) {
        pl_json_i64(j, "value", t->value[0]);
    } else {
        pl_json_array(j, "value");
        for (uint32_t i = 0; i < t->n_value; i++)
            pl_json_i64(j, NULL, t->value[i]);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_settings(struct pl_json *j, const struct pl_option *o)
{
    pl_json_object(j, "settings");
    if (o != NULL) {
        if (o->context > 0)
            pl_json_u64(j, "context", o->context);
        if (o->slots > 0)
            pl_json_u64(j, "slots", o->slots);
        if (o->settings != NULL && o->settings[0] != '\0')
            pl_json_str(j, "flags", o->settings);
    }
    pl_json_end(j);
}

static void pl_json_component(struct pl_json *j, const struct pl_plan_component *c)
{
    const struct pl_option *o = c->option;
    pl_json_object(j, c->name);
    pl_json_bool(j, "served", c->served);
    pl_json_bool(j, "required", c->required);
    pl_json_u64(j, "priority", c->priority);
    pl_json_str(j, "candidate", o != NULL ? o->name : NULL);
    pl_json_str(j, "tier", pl_serve_name(c->tier));
    pl_json_settings(j, o);
    if (o != NULL && o->quality_known)
        pl_json_i64(j, "quality", o->quality);
    else
        pl_json_null(j, "quality");
    if (o != NULL && o->decode_milli > 0)
        pl_json_num(j, "decode_tokens_per_second", (double)o->decode_milli / 1000.0);
    else
        pl_json_null(j, "decode_tokens_per_second");
    if (o != NULL && o->first_token_us > 0)
        pl_json_num(j, "first_token_ms", (double)o->first_token_us / 1000.0);
    else
        pl_json_null(j, "first_token_ms");
    pl_json_str(j, "instance", o != NULL ? o->instance : NULL);
    pl_json_str(j, "why", c->why);
    pl_json_end(j);
}

static void pl_json_plan_pool(struct pl_json *j, const struct pl_plan *p,
                              const struct pl_plan_pool *q)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "pool", q->name);
    if (q->known)
        pl_json_u64(j, "ceiling", q->ceiling);
    else
        pl_json_null(j, "ceiling");
    pl_json_u64(j, "reserve", q->reserve);
    if (p->feasible)
        pl_json_u64(j, "planned", q->planned);
    else
        pl_json_null(j, "planned");
    if (p->feasible && q->known)
        pl_json_u64(j, "headroom", q->headroom);
    else
        pl_json_null(j, "headroom");
    pl_json_str(j, "label", p->feasible && q->known ? pl_headroom_label(p, q) : NULL);
    if (q->available != UINT64_MAX)
        pl_json_u64(j, "available", q->available);
    else
        pl_json_null(j, "available");
    if (q->used != UINT64_MAX)
        pl_json_u64(j, "used", q->used);
    else
        pl_json_null(j, "used");
    pl_json_end(j);
}

static void pl_json_budget(struct pl_json *j, const struct pl_plan *p)
{
    pl_json_array(j, "budget");
    for (uint32_t i = 0; i < p->n_charge; i++) {
        const struct pl_plan_charge *c = &p->charge[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "component", p->component[c->component].name);
        pl_json_str(j, "pool", p->pool[c->pool].name);
        pl_json_quantity(j, "steady", c->steady);
        pl_json_quantity(j, "peak", c->peak);
        pl_json_quantity(j, "load_peak", c->load_peak);
        pl_json_quantity(j, "actual", c->actual);
        pl_json_bool(j, "charged", !p->component[c->component].shared);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_rung(struct pl_json *j, const struct pl_plan *p, const struct pl_plan_rung *r)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "component", p->component[r->component].name);
    pl_json_str(j, "step", r->step);
    pl_json_array(j, "frees");
    for (uint32_t i = 0; i < r->n_delta; i++) {
        int64_t bytes = r->delta[i].bytes > INT64_MAX ? INT64_MAX : (int64_t)r->delta[i].bytes;
        pl_json_object(j, NULL);
        pl_json_str(j, "pool", r->delta[i].pool);
        pl_json_i64(j, "bytes", r->delta[i].more ? -bytes : bytes);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_str(j, "cost", r->cost[0] != '\0' ? r->cost : NULL);
    pl_json_end(j);
}

static void pl_json_extras(struct pl_json *j, const struct pl_plan *p)
{
    pl_json_array(j, "ladder");
    for (uint32_t i = 0; i < p->n_rung; i++)
        pl_json_rung(j, p, &p->rung[i]);
    pl_json_end(j);
    pl_json_array(j, "cannot");
    for (uint32_t i = 0; i < p->n_lack; i++)
        pl_json_str(j, NULL, p->lack[i]);
    pl_json_end(j);
    pl_json_object(j, "thresholds");
    pl_json_num(j, "tight_percent", (double)p->tight_permyriad / 100.0);
    pl_json_num(j, "comfortable_percent", (double)p->comfortable_permyriad / 100.0);
    pl_json_end(j);
}

void pl_plan_json(const struct pl_plan *p, struct pl_json *j)
{
    pl_json_str(j, "name", p->stack);
    pl_json_str(j, "environment", p->environment);
    pl_json_bool(j, "feasible", p->feasible);
    pl_json_bool(j, "optimal", p->optimal);
    pl_json_str(j, "verdict", pl_verdict_name(p->verdict));
    pl_json_object(j, "duty");
    pl_json_str(j, "asked", p->always ? "24/7" : "session");
    pl_json_str(j, "session", pl_duty_text(p, false));
    pl_json_str(j, "24/7", pl_duty_text(p, true));
    pl_json_end(j);
    pl_json_array(j, "objective");
    for (uint32_t i = 0; i < p->n_term; i++)
        pl_json_term(j, &p->term[i]);
    pl_json_end(j);
    pl_json_str(j, "gap", p->gap);
    pl_json_object(j, "components");
    for (uint32_t i = 0; i < p->n_component; i++)
        pl_json_component(j, &p->component[i]);
    pl_json_end(j);
    pl_json_array(j, "load_order");
    for (uint32_t i = 0; i < p->n_load; i++)
        pl_json_str(j, NULL, p->component[p->load_order[i]].name);
    pl_json_end(j);
    pl_json_str(j, "restart", p->restart);
    pl_json_array(j, "pools");
    for (uint32_t i = 0; i < p->n_pool; i++)
        pl_json_plan_pool(j, p, &p->pool[i]);
    pl_json_end(j);
    pl_json_budget(j, p);
    pl_json_extras(j, p);
    pl_json_array(j, "conflict");
    for (uint32_t i = 0; i < p->n_conflict; i++)
        pl_json_str(j, NULL, p->conflict[i].name);
    pl_json_end(j);
    pl_json_array(j, "resolve");
    for (uint32_t i = 0; i < p->n_conflict; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "member", p->conflict[i].name);
        pl_json_str(j, "by", p->conflict[i].resolve);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_array(j, "notes");
    for (uint32_t i = 0; i < p->n_note; i++)
        pl_json_str(j, NULL, p->note[i]);
    pl_json_end(j);
}
