#include "report/fleet.h"

#include "base/str.h"
#include "base/table.h"
#include "report/svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_FLEET_MODELS_MAX 100 /* side by side; the newest ones */
#define PL_FLEET_CELL_MAX 160
#define PL_FLEET_COLUMNS (PL_FLEET_MACHINES_MAX + 1 > 8 ? PL_FLEET_MACHINES_MAX + 1 : 8)

static bool pl_fleet_same(const struct pl_result *a, const struct pl_result *b)
{
    return pl_streq(a->model, b->model) && pl_streq(a->quant, b->quant);
}

static uint32_t pl_fleet_place(const struct pl_fleet *f, const struct pl_result *one)
{
    uint32_t k = 0;
    while (k < f->n && !pl_streq(pl_result_machine(f->one[k].first), pl_result_machine(one)))
        k++;
    return k;
}

/* Is it the first run of its model on its machine? */
static bool pl_fleet_new_model(const struct pl_results *r, uint32_t at)
{
    const struct pl_result *one = &r->one[at];
    for (uint32_t i = 0; i < at; i++) {
        if (pl_fleet_same(&r->one[i], one) &&
            pl_streq(pl_result_machine(&r->one[i]), pl_result_machine(one)))
            return false;
    }
    return true;
}

static void pl_fleet_names(struct pl_fleet *f)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct pl_result *one = f->one[i].first;
        char text[80];
        bool twin = false;
        for (uint32_t k = 0; k < f->n; k++)
            twin = twin || (k != i && pl_streq(f->one[k].first->machine_text, one->machine_text));
        (void)pl_text_cut(text, sizeof(text),
                          one->machine_text[0] != '\0' ? one->machine_text : "unknown machine");
        (void)PL_FMT(f->one[i].name, "%s%s%.8s%s", text, twin ? " (" : "",
                     twin ? one->machine_id : "", twin ? ")" : "");
        pl_text_clean(f->one[i].name);
    }
}

int pl_fleet_of(const struct pl_results *r, struct pl_fleet *ret, struct pl_err *err)
{
    *ret = (struct pl_fleet){0};
    for (uint32_t i = 0; i < r->n; i++) {
        const struct pl_result *one = &r->one[i];
        uint32_t k = pl_fleet_place(ret, one);
        if (pl_result_machine(one)[0] == '\0')
            continue; /* of a run that was not started little is known */
        if (k == PL_FLEET_MACHINES_MAX) {
            ret->left_out++;
            continue;
        }
        if (k == ret->n)
            ret->one[ret->n++].first = one;
        struct pl_fleet_machine *m = &ret->one[k];
        m->runs++;
        m->ended_well += one->status == PL_RUN_OK;
        m->models += pl_fleet_new_model(r, i);
    }
    pl_fleet_names(ret);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < ret->n; i++) {
        const char *machine = pl_result_machine(ret->one[i].first);
        rc = pl_results_error(r, PL_RESULTS_MEMORY, machine, &ret->one[i].memory, err);
        if (rc == 0)
            rc = pl_results_error(r, PL_RESULTS_DECODE, machine, &ret->one[i].decode, err);
    }
    return rc;
}

/* A table of texts that is written in several ways. */
struct pl_fleet_grid {
    const char *title, *note;
    const char *head[PL_FLEET_COLUMNS];
    uint32_t columns, rows;
    char (*cell)[PL_FLEET_CELL_MAX]; /* rows x columns */
};

static char *pl_grid_at(const struct pl_fleet_grid *g, uint32_t row, uint32_t column)
{
    return g->cell[row * g->columns + column];
}

static void pl_grid_share(const struct pl_fleet_grid *g, uint32_t row, uint32_t column, bool known,
                          double share)
{
    (void)pl_fmt(pl_grid_at(g, row, column), PL_FLEET_CELL_MAX, known ? "%.1f %%" : "unknown",
                 100 * share);
}

static bool pl_grid_machines(const struct pl_fleet *f, struct pl_fleet_grid *g)
{
    static const char *const head[] = {"machine",    "runs",
                                       "models",     "memory, median error",
                                       "calibrated", "decode, median error",
                                       "calibrated", "decode inside its interval"};
    *g = (struct pl_fleet_grid){.title = "Machines",
                                .note = "Calibrated: with what the other runs of its ledger teach, "
                                        "never the run itself.",
                                .columns = 8,
                                .rows = f->n,
                                .cell = calloc(f->n * 8 + 1, PL_FLEET_CELL_MAX)};
    memcpy(g->head, head, sizeof(head));
    for (uint32_t i = 0; g->cell != NULL && i < f->n; i++) {
        const struct pl_fleet_machine *m = &f->one[i];
        const struct pl_results_error *d = &m->decode;
        (void)pl_fmt(pl_grid_at(g, i, 0), PL_FLEET_CELL_MAX, "%s", m->name);
        if (m->ended_well < m->runs)
            (void)pl_fmt(pl_grid_at(g, i, 1), PL_FLEET_CELL_MAX, "%u (%u failed)", m->runs,
                         m->runs - m->ended_well);
        else
            (void)pl_fmt(pl_grid_at(g, i, 1), PL_FLEET_CELL_MAX, "%u", m->runs);
        (void)pl_fmt(pl_grid_at(g, i, 2), PL_FLEET_CELL_MAX, "%u", m->models);
        pl_grid_share(g, i, 3, m->memory.n > 0, m->memory.median);
        pl_grid_share(g, i, 4, m->memory.n_calibrated > 0, m->memory.calibrated_median);
        pl_grid_share(g, i, 5, d->n > 0, d->median);
        pl_grid_share(g, i, 6, d->n_calibrated > 0, d->calibrated_median);
        (void)pl_fmt(pl_grid_at(g, i, 7), PL_FLEET_CELL_MAX, d->n > 0 ? "%u of %u" : "unknown",
                     d->inside, d->n);
    }
    return g->cell != NULL;
}

/* The newest valid rate of what is like `one` on machine m; 0 = none. */
static double pl_fleet_rate(const struct pl_fleet *f, const struct pl_results *r,
                            const struct pl_result *one, uint32_t m)
{
    const struct pl_result *best = NULL;
    for (uint32_t i = 0; i < r->n; i++) {
        const struct pl_result *o = &r->one[i];
        if (o->status != PL_RUN_OK || !(o->decode > 0) || o->disturbed || o->hollow ||
            !pl_fleet_same(o, one) || !pl_streq(o->flags, one->flags) || pl_fleet_place(f, o) != m)
            continue;
        best = best == NULL || o->started_unix > best->started_unix ? o : best;
    }
    return best != NULL ? best->decode : 0;
}

/* Does an earlier row speak of the same model and flags? */
static bool pl_fleet_listed(const struct pl_results *r, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (pl_fleet_same(&r->one[i], &r->one[at]) && pl_streq(r->one[i].flags, r->one[at].flags))
            return true;
    }
    return false;
}

static bool pl_grid_models(const struct pl_fleet *f, const struct pl_results *r,
                           struct pl_fleet_grid *g)
{
    char model[64], flags[64];
    *g = (struct pl_fleet_grid){
        .title = "The same model on each machine",
        .note = "Tokens per second of one answer, the newest run that nothing disturbed.",
        .head = {"model"},
        .columns = f->n + 1,
        .cell = calloc((size_t)PL_FLEET_MODELS_MAX * (f->n + 1), PL_FLEET_CELL_MAX)};
    for (uint32_t k = 0; k < f->n; k++)
        g->head[k + 1] = f->one[k].name;
    for (uint32_t i = 0; g->cell != NULL && i < r->n && g->rows < PL_FLEET_MODELS_MAX; i++) {
        uint32_t on = 0;
        if (pl_fleet_listed(r, i))
            continue;
        for (uint32_t k = 0; k < f->n; k++) {
            double rate = pl_fleet_rate(f, r, &r->one[i], k);
            on += rate > 0;
            (void)pl_fmt(pl_grid_at(g, g->rows, k + 1), PL_FLEET_CELL_MAX,
                         rate > 0 ? "%.1f" : "unknown", rate);
        }
        if (on < 2)
            continue;
        (void)pl_fmt(pl_grid_at(g, g->rows++, 0), PL_FLEET_CELL_MAX, "%s %.20s %s",
                     pl_text_cut(model, sizeof(model), r->one[i].model), r->one[i].quant,
                     pl_text_cut(flags, sizeof(flags), r->one[i].flags));
    }
    return g->cell != NULL;
}

static void pl_grid_text(const struct pl_fleet_grid *g, bool colour, struct pl_str *out)
{
    char heads[PL_FLEET_COLUMNS][100];
    const char *titles[PL_FLEET_COLUMNS + 1] = {0};
    for (uint32_t k = 0; k < g->columns; k++) {
        (void)PL_FMT(heads[k], "%s%s", k > 0 ? ">" : "", g->head[k]);
        titles[k] = heads[k];
    }
    struct pl_table *t = g->rows > 0 ? pl_table_new(titles) : NULL;
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < g->rows; i++) {
        pl_table_row(t);
        for (uint32_t k = 0; k < g->columns; k++)
            pl_table_cell(t, "%s", pl_grid_at(g, i, k));
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    pl_str_addf(out, "%s\n", g->note);
}

static void pl_grid_markdown(const struct pl_fleet_grid *g, struct pl_str *out)
{
    if (g->rows == 0)
        return;
    pl_str_addf(out, "\n%s\n\n|", g->note);
    for (uint32_t k = 0; k < g->columns; k++)
        pl_results_markdown_cell(out, g->head[k]);
    pl_str_add(out, "\n|");
    for (uint32_t k = 0; k < g->columns; k++)
        pl_str_add(out, k > 0 ? " ---: |" : " --- |");
    for (uint32_t i = 0; i < g->rows; i++) {
        pl_str_add(out, "\n|");
        for (uint32_t k = 0; k < g->columns; k++)
            pl_results_markdown_cell(out, pl_grid_at(g, i, k));
    }
    pl_str_add(out, "\n");
}

static void pl_grid_html(const struct pl_fleet_grid *g, struct pl_str *out)
{
    if (g->rows == 0)
        return;
    pl_str_addf(out,
                "<h2>%s</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
                "aria-label=\"%s\"><table>\n<thead><tr>",
                g->title, g->title);
    for (uint32_t k = 0; k < g->columns; k++) {
        pl_str_addf(out, "<th%s scope=\"col\">", k > 0 ? " class=\"n\"" : "");
        pl_xml_text(g->head[k], out);
        pl_str_add(out, "</th>");
    }
    pl_str_add(out, "</tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < g->rows; i++) {
        pl_str_add(out, "<tr>");
        for (uint32_t k = 0; k < g->columns; k++) {
            pl_str_add(out, k > 0 ? "<td class=\"n\">" : "<th scope=\"row\">");
            pl_xml_text(pl_grid_at(g, i, k), out);
            pl_str_add(out, k > 0 ? "</td>" : "</th>");
        }
        pl_str_add(out, "</tr>\n");
    }
    pl_str_addf(out, "</tbody></table></div>\n<p>%s</p>\n", g->note);
}

enum pl_grid_as { PL_GRID_TEXT, PL_GRID_MARKDOWN, PL_GRID_HTML };

static void pl_fleet_write(const struct pl_fleet *f, const struct pl_results *r, enum pl_grid_as as,
                           bool colour, struct pl_str *out)
{
    struct pl_fleet_grid grid[2] = {0};
    bool made = pl_grid_machines(f, &grid[0]) && (f->n < 2 || pl_grid_models(f, r, &grid[1]));
    out->failed = out->failed || !made;
    for (int i = 0; made && i < 2; i++) {
        if (as == PL_GRID_TEXT)
            pl_grid_text(&grid[i], colour, out);
        else if (as == PL_GRID_MARKDOWN)
            pl_grid_markdown(&grid[i], out);
        else
            pl_grid_html(&grid[i], out);
    }
    free(grid[0].cell);
    free(grid[1].cell);
    if (f->left_out > 0)
        pl_str_addf(out, "%s%u runs of further machines are in no table.%s\n",
                    as == PL_GRID_HTML ? "<p>" : "\n", f->left_out,
                    as == PL_GRID_HTML ? "</p>" : "");
}

void pl_fleet_text(const struct pl_fleet *f, const struct pl_results *r, bool colour,
                   struct pl_str *out)
{
    pl_fleet_write(f, r, PL_GRID_TEXT, colour, out);
}

void pl_fleet_markdown(const struct pl_fleet *f, const struct pl_results *r, struct pl_str *out)
{
    pl_fleet_write(f, r, PL_GRID_MARKDOWN, false, out);
}

void pl_fleet_html(const struct pl_fleet *f, const struct pl_results *r, struct pl_str *out)
{
    pl_fleet_write(f, r, PL_GRID_HTML, false, out);
}

static void pl_fleet_error_json(struct pl_json *j, const char *key,
                                const struct pl_results_error *e)
{
    pl_json_object(j, key);
    pl_results_error_json(j, e);
    pl_json_end(j);
}

void pl_fleet_json(const struct pl_fleet *f, struct pl_json *j)
{
    pl_json_array(j, "machines");
    for (uint32_t i = 0; i < f->n; i++) {
        const struct pl_fleet_machine *m = &f->one[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "id", m->first->machine_id[0] != '\0' ? m->first->machine_id : NULL);
        pl_json_str(j, "machine", m->name);
        pl_json_u64(j, "runs", m->runs);
        pl_json_u64(j, "ended_well", m->ended_well);
        pl_json_u64(j, "models", m->models);
        pl_fleet_error_json(j, "host", &m->memory);
        pl_fleet_error_json(j, "decode", &m->decode);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_u64(j, "runs_of_further_machines", f->left_out);
}
