/* A plan as Markdown, as a page, and several beside each other. */
#include "base/table.h"
#include "base/units.h"
#include "report/plan.h"
#include "report/plan_rows.h"

#include <string.h>

enum pl_form { PL_FORM_MARKDOWN = 0, PL_FORM_HTML };

struct pl_page {
    struct pl_str *out;
    enum pl_form form;
};

/* Foreign text: what means something to the form is made plain. */
static void pl_plain(const struct pl_page *g, const char *text)
{
    for (const char *s = text; *s != '\0'; s++) {
        const char *as = NULL;
        if (g->form == PL_FORM_HTML || *s == '<' || *s == '&')
            as = *s == '<'   ? "&lt;"
                 : *s == '>' ? "&gt;"
                 : *s == '&' ? "&amp;"
                 : *s == '"' ? "&quot;"
                             : NULL;
        if (g->form == PL_FORM_MARKDOWN && strchr("\\`*_[]|", *s) != NULL)
            pl_str_add(g->out, "\\");
        if (as != NULL)
            pl_str_add(g->out, as);
        else
            pl_str_addn(g->out, (unsigned char)*s < 0x20 ? " " : s, 1);
    }
}

static void pl_heading(const struct pl_page *g, const char *text)
{
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "<h2>" : "\n## ");
    pl_plain(g, text);
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "</h2>\n" : "\n\n");
}

static void pl_paragraph(const struct pl_page *g, const char *text)
{
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "<p>" : "");
    pl_plain(g, text);
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "</p>\n" : "\n");
}

static void pl_items(const struct pl_page *g, bool open)
{
    if (g->form == PL_FORM_HTML)
        pl_str_add(g->out, open ? "<ul>\n" : "</ul>\n");
}

static void pl_item_of(const struct pl_page *g, const char *text)
{
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "<li>" : "- ");
    pl_plain(g, text);
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "</li>\n" : "\n");
}

static void pl_cell(const struct pl_page *g, const char *text, bool right, bool head)
{
    if (g->form == PL_FORM_HTML)
        pl_str_addf(g->out, "<%s%s>", head ? "th" : "td", right ? " class=n" : "");
    else
        pl_str_add(g->out, " ");
    pl_plain(g, text);
    pl_str_addf(g->out, g->form == PL_FORM_HTML ? "</%s>" : " |", head ? "th" : "td");
}

static void pl_page_row(void *ctx, const struct pl_budget_row *r)
{
    const struct pl_page *g = ctx;
    pl_str_add(g->out, g->form == PL_FORM_MARKDOWN   ? "|"
                       : r->kind == PL_ROW_COMPONENT ? "<tr>"
                       : r->kind == PL_ROW_HELD      ? "<tr class=held>"
                                                     : "<tr class=sum>");
    pl_cell(g, r->what, false, false);
    pl_cell(g, r->config, false, false);
    pl_cell(g, r->allocated, true, false);
    pl_cell(g, r->actual, true, false);
    pl_cell(g, r->status, false, false);
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "</tr>\n" : "\n");
}

static void pl_page_head(const struct pl_page *g)
{
    pl_str_add(g->out, g->form == PL_FORM_HTML ? "<table><tr>" : "|");
    for (size_t i = 0; pl_budget_columns[i] != NULL; i++) {
        const char *title = pl_budget_columns[i];
        bool right = title[0] == '>';
        pl_cell(g, title + right, right, true);
    }
    pl_str_add(g->out,
               g->form == PL_FORM_HTML ? "</tr>\n" : "\n| --- | --- | ---: | ---: | --- |\n");
}

static double pl_part_of(uint64_t n, uint64_t total)
{
    double part = total > 0 ? 100.0 * (double)n / (double)total : 0;
    return part > 100 ? 100 : part;
}

/* Held, planned, and the line, in a picture of the pool. */
static void pl_page_bar(const struct pl_page *g, const struct pl_plan_pool *q)
{
    struct pl_plan_bar b = pl_plan_bar_of(q);
    char planned[PL_SIZE_TEXT_MAX], total[PL_SIZE_TEXT_MAX], line[PL_SIZE_TEXT_MAX];
    if (b.total == 0)
        return;
    (void)pl_size_text(q->planned, planned);
    (void)pl_size_text(b.total, total);
    (void)pl_size_text(b.line, line);
    if (g->form == PL_FORM_MARKDOWN) {
        pl_str_add(g->out, "\n`");
        pl_bar(g->out, 40, b.held, b.planned, b.line, b.total);
        pl_str_addf(g->out, "` %s of %s, line at %s\n", planned, total, line);
        return;
    }
    double held = pl_part_of(b.held, b.total), use = pl_part_of(b.planned, b.total);
    pl_str_addf(g->out,
                "<svg viewBox=\"0 0 100 6\" preserveAspectRatio=none role=img aria-label=\"%s of "
                "%s, line at %s\"><rect width=100 height=6 class=free />"
                "<rect width=%.2f height=6 class=others /><rect x=%.2f width=%.2f height=6 "
                "class=plan /><rect x=%.2f width=.5 height=6 class=line /></svg>\n"
                "<p>%s of %s, line at %s</p>\n",
                planned, total, line, held, held, held + use > 100 ? 100 - held : use,
                pl_part_of(b.line, b.total) - .25, planned, total, line);
}

static void pl_page_pools(struct pl_page *g, const struct pl_plan *p)
{
    for (uint32_t i = 0; i < p->n_pool; i++) {
        char title[200];
        if (!pl_plan_pool_used(&p->pool[i]))
            continue;
        (void)PL_FMT(title, "%s%s%s", p->pool[i].name,
                     p->pool[i].parent[0] != '\0' ? ", part of " : "", p->pool[i].parent);
        pl_heading(g, title);
        pl_page_head(g);
        pl_budget_rows(p, i, pl_page_row, g);
        pl_str_add(g->out, g->form == PL_FORM_HTML ? "</table>\n" : "");
        pl_page_bar(g, &p->pool[i]);
    }
}

static void pl_page_components(const struct pl_page *g, const struct pl_plan *p)
{
    struct pl_str s;
    pl_str_init(&s, 64 * 1024);
    pl_heading(g, "Why");
    pl_items(g, true);
    for (uint32_t i = 0; i < p->n_component; i++) {
        const struct pl_plan_component *c = &p->component[i];
        pl_str_clear(&s);
        pl_str_addf(&s, "%s: ", c->name);
        if (c->served && c->option != NULL) {
            pl_str_addf(&s, "%s, %s, ", c->option->name, pl_serve_name(c->tier));
            pl_plan_speed(c->option, &s);
        } else {
            pl_str_add(&s, c->served ? pl_serve_name(c->tier) : "off");
        }
        pl_str_addf(&s, ": %s", c->why);
        pl_item_of(g, pl_str_get(&s));
    }
    pl_items(g, false);
    pl_str_done(&s);
}

static void pl_page_lists(const struct pl_page *g, const struct pl_plan *p)
{
    struct pl_str s;
    pl_str_init(&s, 64 * 1024);
    pl_str_add(&s, "Load order: ");
    for (uint32_t i = 0; i < p->n_load; i++)
        pl_str_addf(&s, "%s%s", i > 0 ? ", " : "", p->component[p->load_order[i]].name);
    pl_heading(g, "Order");
    pl_paragraph(g, p->n_load > 0 ? pl_str_get(&s) : "Nothing is resident.");
    if (p->restart != NULL)
        pl_paragraph(g, p->restart);
    pl_page_components(g, p);
    if (p->n_rung > 0) {
        pl_heading(g, "Steps down");
        pl_items(g, true);
        for (uint32_t i = 0; i < p->n_rung; i++) {
            pl_str_clear(&s);
            pl_plan_rung_text(p, &p->rung[i], &s);
            pl_item_of(g, pl_str_get(&s));
        }
        pl_items(g, false);
    }
    if (p->n_lack > 0) {
        pl_heading(g, "What this cannot do");
        pl_items(g, true);
        for (uint32_t i = 0; i < p->n_lack; i++)
            pl_item_of(g, p->lack[i]);
        pl_items(g, false);
    }
    pl_str_done(&s);
}

static void pl_page_conflict(const struct pl_page *g, const struct pl_plan *p)
{
    struct pl_str s;
    pl_str_init(&s, 64 * 1024);
    pl_heading(g, "What conflicts");
    pl_items(g, true);
    for (uint32_t i = 0; i < p->n_conflict; i++) {
        pl_str_clear(&s);
        pl_str_addf(&s, "%s: %s", p->conflict[i].name, p->conflict[i].resolve);
        pl_item_of(g, pl_str_get(&s));
    }
    pl_items(g, false);
    pl_str_done(&s);
}

static void pl_page_body(struct pl_page *g, const struct pl_plan *p)
{
    struct pl_str s;
    pl_str_init(&s, 64 * 1024);
    pl_plan_headline(p, &s);
    pl_paragraph(g, pl_str_get(&s));
    if (p->feasible) {
        pl_page_pools(g, p);
        pl_page_lists(g, p);
    } else {
        pl_page_conflict(g, p);
    }
    if (p->gap != NULL)
        pl_paragraph(g, p->gap);
    pl_heading(g, "Notes");
    pl_items(g, true);
    pl_str_clear(&s);
    pl_plan_thresholds(p, &s);
    pl_item_of(g, pl_str_get(&s));
    for (uint32_t i = 0; i < p->n_note; i++)
        pl_item_of(g, p->note[i]);
    pl_items(g, false);
    pl_str_done(&s);
}

static void pl_page_title(const struct pl_page *g, const struct pl_plan *p)
{
    pl_plain(g, p->stack != NULL ? p->stack : "plan");
    if (p->environment != NULL) {
        pl_str_add(g->out, ", ");
        pl_plain(g, p->environment);
    }
}

void pl_plan_markdown(const struct pl_plan *p, struct pl_str *out)
{
    struct pl_page g = {out, PL_FORM_MARKDOWN};
    pl_str_add(out, "# ");
    pl_page_title(&g, p);
    pl_str_add(out, "\n\n");
    pl_page_body(&g, p);
}

void pl_plan_page(const struct pl_plan *p, struct pl_str *out)
{
    struct pl_page g = {out, PL_FORM_HTML};
    pl_str_add(out, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
                    "<meta name=viewport content=\"width=device-width\">\n<title>");
    pl_page_title(&g, p);
    pl_str_add(out,
               "</title>\n<style>\n"
               ":root{color-scheme:light dark}\n"
               "body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;margin:2rem auto;padding:0 "
               "1rem}\n"
               "table{border-collapse:collapse;width:100%}\n"
               "td,th{padding:.25rem .6rem;text-align:left;border-bottom:1px solid #8884}\n"
               ".n{text-align:right;font-variant-numeric:tabular-nums}\n"
               ".held{opacity:.7}.sum td:first-child{font-weight:600}\n"
               "svg{width:100%;height:1.4rem;margin-top:.6rem}\n"
               ".free{fill:#8883}.others{fill:#888}.plan{fill:#2a7de1}.line{fill:#d33}\n"
               "</style></head><body>\n<h1>");
    pl_page_title(&g, p);
    pl_str_add(out, "</h1>\n");
    pl_page_body(&g, p);
    pl_str_add(out, "</body></html>\n");
}

static void pl_beside_component(struct pl_table *t, const struct pl_plan *const *plan, uint32_t n,
                                uint32_t at)
{
    pl_table_row(t);
    pl_table_cell(t, "%s", plan[0]->component[at].name);
    for (uint32_t i = 0; i < n; i++) {
        const struct pl_plan_component *c = &plan[i]->component[at];
        if (!plan[i]->feasible)
            pl_table_cell(t, "-");
        else if (!c->served || c->option == NULL)
            pl_table_cell(t, "%s", c->served ? pl_serve_name(c->tier) : "off");
        else if (c->option->context > 0)
            pl_table_cell(t, "%.60s, %s, context %llu", c->option->name, pl_serve_name(c->tier),
                          (unsigned long long)c->option->context);
        else
            pl_table_cell(t, "%.60s, %s", c->option->name, pl_serve_name(c->tier));
    }
}

static const struct pl_plan_pool *pl_pool_of(const struct pl_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_pool; i++) {
        if (pl_streq(p->pool[i].name, name))
            return &p->pool[i];
    }
    return NULL;
}

static void pl_beside_pool(struct pl_table *t, const struct pl_plan *const *plan, uint32_t n,
                           const char *pool)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    pl_table_row(t);
    pl_table_cell(t, "%s", pool);
    for (uint32_t i = 0; i < n; i++) {
        const struct pl_plan_pool *q = pl_pool_of(plan[i], pool);
        if (q == NULL || !q->known)
            pl_table_cell(t, "-");
        else if (!plan[i]->feasible)
            pl_table_cell(t, "line at %s", pl_size_text(q->ceiling, b));
        else
            pl_table_cell(t, "%s of %s, %s", pl_size_text(q->planned, a),
                          pl_size_text(q->ceiling, b), pl_headroom_label(plan[i], q));
    }
}

void pl_plans_beside(const struct pl_plan *const *plan, const char *const *title, uint32_t n,
                     bool colour, struct pl_str *out)
{
    const char *titles[PL_PLANS_BESIDE_MAX + 2] = {""};
    n = n > PL_PLANS_BESIDE_MAX ? PL_PLANS_BESIDE_MAX : n;
    for (uint32_t i = 0; i < n; i++)
        titles[i + 1] = title[i];
    titles[n + 1] = NULL;
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    pl_table_row(t);
    pl_table_cell(t, "verdict");
    for (uint32_t i = 0; i < n; i++)
        pl_table_cell(t, "%s",
                      plan[i]->feasible ? pl_verdict_name(plan[i]->verdict) : "does not fit");
    for (uint32_t c = 0; c < plan[0]->n_component; c++)
        pl_beside_component(t, plan, n, c);
    for (uint32_t k = 0; k < plan[0]->n_pool; k++) {
        if (pl_plan_pool_used(&plan[0]->pool[k]))
            pl_beside_pool(t, plan, n, plan[0]->pool[k].name);
    }
    pl_table_print(t, out, colour);
    t = pl_table_free(t);
}
