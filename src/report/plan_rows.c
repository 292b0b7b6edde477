#include "report/plan_rows.h"

#include "base/checked.h"
#include "base/units.h"
#include "report/plan.h"
#include "report/quantity.h"

#include <string.h>

const char *const pl_budget_columns[] = {
    "component", "model and configuration", ">allocated", ">actual", "status", NULL};

bool pl_plan_pool_used(const struct pl_plan_pool *q)
{
    return q->known && (q->planned > 0 || q->ceiling_set || q->reserve > 0);
}

struct pl_rows {
    void (*row)(void *ctx, const struct pl_budget_row *r);
    void *ctx;
};

static void pl_row_out(const struct pl_rows *out, enum pl_row_kind kind, const char *what,
                       const char *config, uint64_t bytes, const char *status)
{
    struct pl_budget_row r = {.kind = kind, .actual = "-"};
    char a[PL_SIZE_TEXT_MAX];
    (void)PL_FMT(r.what, "%.190s", what);
    (void)PL_FMT(r.config, "%.190s", config);
    (void)PL_FMT(r.allocated, "%s", pl_mib_text(bytes, a));
    (void)PL_FMT(r.status, "%.190s", status);
    out->row(out->ctx, &r);
}

/* Hot, warm ..., and what the last run says of the allocation. */
static void pl_component_status(const struct pl_plan_component *k, uint64_t allocated,
                                const struct pl_plan_charge *c, char out[PL_ROW_TEXT_MAX])
{
    const char *tier = !k->served  ? (k->required ? "NOT SERVED" : "off")
                       : k->shared ? "shared"
                                   : pl_serve_name(k->tier);
    if (!pl_known(c->actual))
        (void)pl_fmt(out, PL_ROW_TEXT_MAX, "%s, not measured", tier);
    else if (c->actual.likely <= allocated)
        (void)pl_fmt(out, PL_ROW_TEXT_MAX, "%s, measured within", tier);
    else
        (void)pl_fmt(out, PL_ROW_TEXT_MAX, "%s, OVER what is allocated", tier);
}

static void pl_charge_row(const struct pl_plan *p, const struct pl_plan_charge *c,
                          const struct pl_rows *out)
{
    const struct pl_plan_component *k = &p->component[c->component];
    struct pl_budget_row r = {.kind = PL_ROW_COMPONENT, .actual = "-"};
    uint64_t bytes = p->on_likely ? c->peak.likely : c->peak.high;
    char a[PL_SIZE_TEXT_MAX];
    (void)PL_FMT(r.what, "%.190s", k->name);
    (void)PL_FMT(r.config, "%.80s%s%.100s", k->option->name,
                 k->option->settings[0] != '\0' ? " " : "", k->option->settings);
    (void)PL_FMT(r.allocated, "%s", pl_mib_text(bytes, a));
    if (pl_known(c->actual))
        (void)PL_FMT(r.actual, "%s", pl_mib_text(c->actual.likely, a));
    pl_component_status(k, bytes, c, r.status);
    out->row(out->ctx, &r);
}

static uint64_t pl_left_now(const struct pl_plan_pool *q)
{
    return pl_sub_floor(q->available, pl_add_sat(q->planned, q->reserve));
}

void pl_budget_rows(const struct pl_plan *p, uint32_t pool,
                    void (*row)(void *ctx, const struct pl_budget_row *r), void *ctx)
{
    const struct pl_rows out = {row, ctx};
    const struct pl_plan_pool *q = &p->pool[pool];
    if (q->used != UINT64_MAX)
        pl_row_out(&out, PL_ROW_HELD, "system and others", "held now, below what is available",
                   q->used, "not planned");
    for (uint32_t i = 0; i < p->n_charge; i++) {
        if (p->charge[i].pool == pool)
            pl_charge_row(p, &p->charge[i], &out);
    }
    pl_row_out(&out, PL_ROW_TOTAL, "total", "at peak", q->planned, "");
    if (q->reserve > 0)
        pl_row_out(&out, PL_ROW_TOTAL, "reserve", "", q->reserve, "kept free");
    pl_row_out(&out, PL_ROW_TOTAL, "ceiling",
               q->ceiling_set ? "set by the stack" : "capacity - reserved", q->ceiling, "");
    pl_row_out(&out, PL_ROW_TOTAL, "headroom", "below the ceiling", q->headroom,
               pl_headroom_label(p, q));
    if (q->available != UINT64_MAX && pl_left_now(q) < q->headroom)
        pl_row_out(&out, PL_ROW_TOTAL, "left now", "of what is available", pl_left_now(q),
                   "others hold the rest");
}

struct pl_plan_bar pl_plan_bar_of(const struct pl_plan_pool *q)
{
    uint64_t total =
        q->capacity != UINT64_MAX && q->capacity >= q->ceiling ? q->capacity : q->ceiling;
    uint64_t held = q->used != UINT64_MAX ? q->used : 0;
    return (struct pl_plan_bar){held < total ? held : total, pl_add_sat(q->planned, q->reserve),
                                q->ceiling, total};
}

void pl_plan_headline(const struct pl_plan *p, struct pl_str *out)
{
    pl_str_add(out, p->feasible ? "fits" : "does not fit");
    if (p->feasible)
        pl_str_addf(out, ", %s; %s; %s", pl_verdict_name(p->verdict), pl_duty_text(p, false),
                    pl_duty_text(p, true));
}

void pl_plan_speed(const struct pl_option *o, struct pl_str *out)
{
    if (o->decode_milli > 0)
        pl_str_addf(out, "%.1f tokens/s", (double)o->decode_milli / 1000.0);
    if (o->first_token_us > 0)
        pl_str_addf(out, "%sfirst token %.0f ms", o->decode_milli > 0 ? ", " : "",
                    (double)o->first_token_us / 1000.0);
    if (o->decode_milli == 0 && o->first_token_us == 0)
        pl_str_add(out, "speed unknown");
}

void pl_plan_rung_text(const struct pl_plan *p, const struct pl_plan_rung *r, struct pl_str *out)
{
    char a[PL_SIZE_TEXT_MAX];
    pl_str_addf(out, "%s -> %s:", p->component[r->component].name, r->step);
    if (r->n_delta == 0)
        pl_str_add(out, " frees nothing");
    for (int more = 0; more < 2; more++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < r->n_delta; i++) {
            const struct pl_plan_delta *d = &r->delta[i];
            if (d->more != (more == 1))
                continue;
            pl_str_addf(out, "%s%s of %s", n == 0 ? (more ? "; takes " : " frees ") : ", ",
                        pl_size_text(d->bytes, a), d->pool);
            n++;
        }
        pl_str_add(out, more && n > 0 ? " more" : "");
    }
    pl_str_addf(out, "%s%s", r->cost[0] != '\0' ? "; " : "", r->cost);
}

void pl_plan_thresholds(const struct pl_plan *p, struct pl_str *out)
{
    pl_str_addf(out, "headroom is tight below %.4g %% of a ceiling, comfortable from %.4g %%",
                (double)p->tight_permyriad / 100.0, (double)p->comfortable_permyriad / 100.0);
}
