/* A plan for people: the budget table per pool, bars, load order, reasons. */
#include "report/plan.h"

#include "base/checked.h"
#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"

#define PL_BAR_WIDTH 40

const char *pl_headroom_label(const struct pl_plan *p, const struct pl_plan_pool *q)
{
    __extension__ typedef unsigned __int128 pl_product;
    pl_product part = (pl_product)q->headroom * 10000u;
    if (part < (pl_product)q->ceiling * p->tight_permyriad)
        return "tight";
    return part < (pl_product)q->ceiling * p->comfortable_permyriad ? "fair" : "comfortable";
}

/* A pool that the plan uses, and that is tight. */
static const struct pl_plan_pool *pl_tight_pool(const struct pl_plan *p)
{
    for (uint32_t i = 0; i < p->n_pool; i++) {
        const struct pl_plan_pool *q = &p->pool[i];
        if (q->known && q->planned > 0 && q->headroom < q->ceiling / 10000u * p->tight_permyriad)
            return q;
    }
    return NULL;
}

const char *pl_duty_text(const struct pl_plan *p, bool always)
{
    if (!p->feasible)
        return "does not fit";
    if (p->verdict == PL_VERDICT_FRAGILE)
        return always ? "not for 24/7: fragile" : "fragile";
    if (!always)
        return "OK for sessions";
    if (p->restart != NULL)
        return "not for 24/7: a crashed component cannot reload beside the others";
    return pl_tight_pool(p) != NULL ? "not for 24/7: headroom is tight" : "OK for 24/7";
}

static const char *pl_status(const struct pl_plan_component *c)
{
    if (!c->served)
        return c->required ? "NOT SERVED" : "off";
    return c->shared ? "shared" : pl_serve_name(c->tier);
}

static void pl_plan_row(struct pl_table *t, const char *what, const char *config, uint64_t bytes,
                        const char *status)
{
    char a[PL_SIZE_TEXT_MAX];
    pl_table_row(t);
    pl_table_cell(t, "%s", what);
    pl_table_cell(t, "%s", config);
    pl_table_cell(t, "%s", pl_mib_text(bytes, a));
    pl_table_cell(t, "-");
    pl_table_cell(t, "%s", status);
}

static void pl_plan_charges(const struct pl_plan *p, uint32_t pool, struct pl_table *t)
{
    for (uint32_t i = 0; i < p->n_charge; i++) {
        const struct pl_plan_charge *c = &p->charge[i];
        const struct pl_plan_component *k = &p->component[c->component];
        char config[160];
        if (c->pool != pool)
            continue;
        (void)PL_FMT(config, "%.80s%s%.60s", k->option->name,
                     k->option->settings[0] != '\0' ? " " : "", k->option->settings);
        pl_plan_row(t, k->name, config, p->on_likely ? c->peak.likely : c->peak.high, pl_status(k));
    }
}

/* Total, reserve, ceiling and headroom; then what others hold of the pool. */
static void pl_plan_pool_text(const struct pl_plan *p, uint32_t at, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {
        "component", "model, configuration", ">allocated", ">actual", "status", NULL};
    const struct pl_plan_pool *q = &p->pool[at];
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    bool used = q->planned > 0 || q->ceiling_set || q->reserve > 0;
    if (!used || !q->known)
        return;
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    pl_str_addf(out, "\n%s%s%s\n", q->name, q->parent[0] != '\0' ? ", part of " : "", q->parent);
    if (q->used != UINT64_MAX)
        pl_plan_row(t, "system and others", "held now, below what is available", q->used,
                    "not planned");
    pl_plan_charges(p, at, t);
    pl_table_rule(t);
    pl_plan_row(t, "total", "at peak", q->planned, "");
    if (q->reserve > 0)
        pl_plan_row(t, "reserve", "", q->reserve, "kept free");
    pl_plan_row(t, "ceiling", q->ceiling_set ? "set by the stack" : "capacity - reserved",
                q->ceiling, "");
    pl_plan_row(t, "headroom", "", q->headroom, pl_headroom_label(p, q));
    pl_table_print(t, out, colour);
    t = pl_table_free(t);
    uint64_t total =
        q->capacity != UINT64_MAX && q->capacity >= q->ceiling ? q->capacity : q->ceiling;
    uint64_t held = q->used != UINT64_MAX ? q->used : 0;
    if (total == 0)
        return;
    pl_bar(out, PL_BAR_WIDTH, held < total ? held : total, pl_add_sat(q->planned, q->reserve),
           q->ceiling, total);
    pl_str_addf(out, " %s of %s, line at %s\n", pl_size_text(q->planned, a), pl_size_text(total, b),
                pl_size_text(q->ceiling, (char[PL_SIZE_TEXT_MAX]){0}));
}

static void pl_plan_conflict_text(const struct pl_plan *p, struct pl_str *out)
{
    pl_str_add(out,
               "\nThese demands cannot be met together; without any one of them the rest can:\n");
    for (uint32_t i = 0; i < p->n_conflict; i++)
        pl_str_addf(out, "  %-24s %s\n", p->conflict[i].name, p->conflict[i].resolve);
}

static void pl_plan_components_text(const struct pl_plan *p, struct pl_str *out)
{
    pl_str_add(out, "\nwhy\n");
    for (uint32_t i = 0; i < p->n_component; i++) {
        const struct pl_plan_component *c = &p->component[i];
        pl_str_addf(out, "  %s: %s%s%s", c->name, c->served ? c->option->name : "",
                    c->served ? ", " : "", c->served ? pl_serve_name(c->tier) : "off");
        if (c->served && c->option->decode_milli > 0)
            pl_str_addf(out, ", %.1f tokens/s", (double)c->option->decode_milli / 1000.0);
        if (c->served && c->option->first_token_us > 0)
            pl_str_addf(out, ", first token %.0f ms", (double)c->option->first_token_us / 1000.0);
        pl_str_addf(out, ": %s\n", c->why);
    }
}

void pl_plan_text(const struct pl_plan *p, bool colour, struct pl_str *out)
{
    pl_str_addf(out, "%s%s%s: %s", p->stack != NULL ? p->stack : "plan",
                p->environment != NULL ? ", " : "", p->environment != NULL ? p->environment : "",
                p->feasible ? "fits" : "does not fit");
    if (p->feasible)
        pl_str_addf(out, ", %s; %s; %s", pl_verdict_name(p->verdict), pl_duty_text(p, false),
                    pl_duty_text(p, true));
    pl_str_add(out, "\n");
    if (!p->feasible) {
        pl_plan_conflict_text(p, out);
    } else {
        for (uint32_t i = 0; i < p->n_pool; i++)
            pl_plan_pool_text(p, i, colour, out);
        pl_str_add(out, "\nload order: ");
        for (uint32_t i = 0; i < p->n_load; i++)
            pl_str_addf(out, "%s%s", i > 0 ? ", " : "", p->component[p->load_order[i]].name);
        pl_str_add(out, p->n_load > 0 ? "\n" : "nothing is resident\n");
        if (p->restart != NULL)
            pl_str_addf(out, "restart: %s\n", p->restart);
        pl_plan_components_text(p, out);
        if (p->gap != NULL)
            pl_str_addf(out, "\nnot proved to be the best: %s\n", p->gap);
    }
    for (uint32_t i = 0; i < p->n_note; i++)
        pl_str_addf(out, "note: %s\n", p->note[i]);
}
