/* A plan for people: the budget table per pool, bars, load order, reasons. */
#include "report/plan.h"

#include "base/table.h"
#include "base/units.h"
#include "report/plan_rows.h"
#include "report/quantity.h"

#define PL_BAR_WIDTH 40

static bool pl_headroom_below(const struct pl_plan_pool *q, uint32_t permyriad)
{
    __extension__ typedef unsigned __int128 pl_product;
    return (pl_product)q->headroom * 10000u < (pl_product)q->ceiling * permyriad;
}

const char *pl_headroom_label(const struct pl_plan *p, const struct pl_plan_pool *q)
{
    if (pl_headroom_below(q, p->tight_permyriad))
        return "tight";
    return pl_headroom_below(q, p->comfortable_permyriad) ? "fair" : "comfortable";
}

/* A pool that the plan uses, and that is tight. */
static const struct pl_plan_pool *pl_tight_pool(const struct pl_plan *p)
{
    for (uint32_t i = 0; i < p->n_pool; i++) {
        const struct pl_plan_pool *q = &p->pool[i];
        if (q->known && q->planned > 0 && pl_headroom_below(q, p->tight_permyriad))
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

struct pl_plan_table {
    struct pl_table *t;
    enum pl_row_kind before;
};

static void pl_plan_table_row(void *ctx, const struct pl_budget_row *r)
{
    struct pl_plan_table *x = ctx;
    if (r->kind == PL_ROW_TOTAL && x->before != PL_ROW_TOTAL)
        pl_table_rule(x->t);
    x->before = r->kind;
    pl_table_row(x->t);
    pl_table_cell(x->t, "%s", r->what);
    pl_table_cell(x->t, "%s", r->config);
    pl_table_cell(x->t, "%s", r->allocated);
    pl_table_cell(x->t, "%s", r->actual);
    pl_table_cell(x->t, "%s", r->status);
}

/* The budget of a pool and its bar, with the line drawn. */
static void pl_plan_pool_text(const struct pl_plan *p, uint32_t at, bool colour, struct pl_str *out)
{
    const struct pl_plan_pool *q = &p->pool[at];
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], c[PL_SIZE_TEXT_MAX];
    if (!pl_plan_pool_used(q))
        return;
    struct pl_plan_table x = {pl_table_new(pl_budget_columns), PL_ROW_HELD};
    if (x.t == NULL)
        return;
    pl_str_addf(out, "\n%s%s%s\n", q->name, q->parent[0] != '\0' ? ", part of " : "", q->parent);
    pl_budget_rows(p, at, pl_plan_table_row, &x);
    pl_table_print(x.t, out, colour);
    x.t = pl_table_free(x.t);
    struct pl_plan_bar bar = pl_plan_bar_of(q);
    if (bar.total == 0)
        return;
    pl_bar(out, PL_BAR_WIDTH, bar.held, bar.planned, bar.line, bar.total);
    pl_str_addf(out, " %s of %s, line at %s\n", pl_size_text(q->planned, a),
                pl_size_text(bar.total, b), pl_size_text(bar.line, c));
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
        pl_str_addf(out, "  %s: %s%s%s", c->name, c->served && c->option ? c->option->name : "",
                    c->served ? ", " : "", c->served ? pl_serve_name(c->tier) : "off");
        if (c->served && c->option != NULL) {
            pl_str_add(out, ", ");
            pl_plan_speed(c->option, out);
        }
        pl_str_addf(out, ": %s\n", c->why);
    }
}

static void pl_plan_extras_text(const struct pl_plan *p, struct pl_str *out)
{
    if (p->n_rung > 0)
        pl_str_add(out, "\nsteps down\n");
    for (uint32_t i = 0; i < p->n_rung; i++) {
        pl_str_add(out, "  ");
        pl_plan_rung_text(p, &p->rung[i], out);
        pl_str_add(out, "\n");
    }
    if (p->n_lack > 0)
        pl_str_add(out, "\nwhat this cannot do\n");
    for (uint32_t i = 0; i < p->n_lack; i++)
        pl_str_addf(out, "  %s\n", p->lack[i]);
    pl_str_add(out, "\n");
    pl_plan_thresholds(p, out);
    pl_str_add(out, "\n");
}

void pl_plan_text(const struct pl_plan *p, bool colour, struct pl_str *out)
{
    pl_str_addf(out, "%s%s%s: ", p->stack != NULL ? p->stack : "plan",
                p->environment != NULL ? ", " : "", p->environment != NULL ? p->environment : "");
    pl_plan_headline(p, out);
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
        pl_plan_extras_text(p, out);
        if (p->gap != NULL)
            pl_str_addf(out, "\nnot proved to be the best: %s\n", p->gap);
    }
    for (uint32_t i = 0; i < p->n_note; i++)
        pl_str_addf(out, "note: %s\n", p->note[i]);
}
