#include "base/table.h"
#include "base/units.h"
#include "cli/tiers.h"

#define PL_TIERS_DETAIL 4 /* sizes whose configuration is shown */

static double pl_gib(uint64_t bytes)
{
    return (double)bytes / (double)PL_GIB;
}

/* At most two digits behind the point, none that say nothing: "38.4", "3.84", "16". */
static const char *pl_gib_text(uint64_t bytes, char out[PL_SIZE_TEXT_MAX])
{
    (void)pl_fmt(out, PL_SIZE_TEXT_MAX, "%.2f", pl_gib(bytes));
    size_t n = 0;
    while (out[n] != '\0')
        n++;
    while (n > 0 && out[n - 1] == '0')
        out[--n] = '\0';
    if (n > 0 && out[n - 1] == '.')
        out[n - 1] = '\0';
    return out;
}

void pl_tiers_promise(uint32_t step, struct pl_str *out)
{
    size_t n = 0;
    const struct pl_role *role = pl_roles(&n);
    bool first = true, warm = false;
    if (step == 0)
        pl_str_add(out, "mock mode");
    for (size_t i = 0; i < n; i++) {
        if (!pl_step_has(step, &role[i]) || pl_streq(role[i].serve, "warm"))
            continue;
        if (pl_streq(role[i].role, "all"))
            pl_str_addf(out, "one %s for all roles", role[i].model);
        else
            pl_str_addf(out, "%s%s", first ? "" : ", ", role[i].role);
        first = false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!pl_step_has(step, &role[i]) || !pl_streq(role[i].serve, "warm"))
            continue;
        pl_str_addf(out, "%s%s", warm ? " or " : "; one at a time: ", role[i].role);
        warm = true;
    }
}

static void pl_tiers_budgets(const struct pl_tiers_shown *s, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {">GiB",        "tier",       ">system",    ">safety",
                                         ">for models", ">10 % HOT",  ">90 % WARM", "rounded",
                                         ">HOT here",   ">WARM here", ">left",      NULL};
    char t[8][PL_SIZE_TEXT_MAX];
    struct pl_table *table = pl_table_new(titles);
    for (uint32_t i = 0; i < s->n && table != NULL; i++) {
        const struct pl_carried *c = &s->size[i];
        const struct pl_budget *b = &c->budget;
        pl_table_row(table);
        pl_table_cell(table, "%s", pl_gib_text(b->size, t[0]));
        pl_table_cell(table, "%s", c->tier);
        pl_table_cell(table, "%s", pl_gib_text(b->system, t[1]));
        pl_table_cell(table, "%s", pl_gib_text(b->safety, t[2]));
        pl_table_cell(table, "%s", pl_gib_text(b->available, t[3]));
        pl_table_cell(table, "%s", pl_gib_text(b->hot, t[4]));
        pl_table_cell(table, "%s", pl_gib_text(b->warm, t[5]));
        pl_table_cell(table, "%llu = %llu + %llu", (unsigned long long)b->gib_available,
                      (unsigned long long)b->gib_hot, (unsigned long long)b->gib_warm);
        pl_table_cell(table, "%s", pl_gib_text(c->hot, t[6]));
        pl_table_cell(table, "%s", pl_gib_text(c->warm, t[7]));
        pl_table_cell(table, "%s", pl_gib_text(c->left, t[0]));
    }
    if (table != NULL)
        pl_table_print(table, out, colour);
    (void)pl_table_free(table);
    pl_str_add(out,
               "for models: the size less 16 GiB for the system and 15 % for safety. HOT stays "
               "loaded, WARM\ncomes on demand, one at a time: 10 and 90 % as the guide "
               "splits them, \"here\" as the plan does\n");
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pl_budget *b = &s->size[i].budget;
        if (b->missing > 0)
            pl_str_addf(out,
                        "%s GiB: nothing is left for models: 16 for the system and %s for safety "
                        "are %s more than there is\n",
                        pl_gib_text(b->size, t[0]), pl_gib_text(b->safety, t[1]),
                        pl_gib_text(b->missing, t[2]));
    }
}

static void pl_tiers_tree(const struct pl_tiers_shown *s, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"RAM", "tier", "carries, all of it", "the guide", NULL};
    size_t n = 0;
    const struct pl_tier *tier = pl_tiers(&n);
    struct pl_table *t = pl_table_new(titles);
    for (size_t i = 0; i < n && t != NULL; i++) {
        struct pl_str words;
        pl_str_init(&words, PL_TABLE_CELL_MAX);
        pl_tiers_promise(pl_step_of(tier[i].from_gib * PL_GIB, &s->needs), &words);
        pl_table_row(t);
        if (i + 1 < n)
            pl_table_cell(t, "< %llu GiB", (unsigned long long)tier[i + 1].from_gib);
        else
            pl_table_cell(t, ">= %llu GiB", (unsigned long long)tier[i].from_gib);
        pl_table_cell(t, "%s", tier[i].name);
        pl_table_cell(t, "%s", pl_str_get(&words));
        pl_table_cell(t, "%s", tier[i].guide);
        pl_str_done(&words);
    }
    pl_str_add(out, "\n");
    if (t != NULL)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    pl_str_addf(out, "%s\n", pl_tier_rule());
}

static void pl_tiers_roles(const struct pl_tiers_shown *s, const struct pl_carried *c, bool colour,
                           struct pl_str *out)
{
    static const char *const titles[] = {"role",    "model",      "tier", ">context",
                                         ">memory", ">the guide", NULL};
    struct pl_table *t = c->n_role > 0 ? pl_table_new(titles) : NULL;
    char a[PL_SIZE_TEXT_MAX];
    for (uint32_t i = 0; i < c->n_role && t != NULL; i++) {
        const struct pl_carried_role *r = &c->role[i];
        bool hot = pl_streq(r->role->serve, "hot");
        pl_table_row(t);
        pl_table_cell(t, "%s", pl_streq(r->role->role, "all") ? "all roles" : r->role->role);
        pl_table_cell(t, "%s:%s", r->role->model, pl_role_quant(r->role, r->variant));
        pl_table_cell(t, "%s", hot ? "HOT" : r->loaded ? "WARM, loaded" : "WARM");
        pl_table_cell(t, "%llu", (unsigned long long)pl_role_context(r->variant, s->context));
        if (r->instances > 1)
            pl_table_cell(t, "%u x %s", r->instances, pl_gib_text(r->bytes, a));
        else
            pl_table_cell(t, "%s", pl_gib_text(r->bytes, a));
        if (r->role->guide_gb > 0)
            pl_table_cell(t, "%g", r->role->guide_gb);
        else
            pl_table_cell(t, " ");
    }
    if (t != NULL)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

static void pl_tiers_without(const struct pl_carried *c, struct pl_str *out)
{
    size_t n = 0;
    const struct pl_role *role = pl_roles(&n);
    for (size_t i = 0; i < n; i++) {
        if (role[i].step > c->step)
            pl_str_addf(out, "  without: %s\n", role[i].without);
    }
}

static void pl_tiers_one(const struct pl_tiers_shown *s, const struct pl_carried *c, bool colour,
                         struct pl_str *out)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    pl_str_addf(out, "\n%s GiB, %s: ", pl_gib_text(c->budget.size, a), c->tier);
    pl_tiers_promise(c->step, out);
    uint32_t turns = 0, kept = 0;
    for (uint32_t i = 0; i < c->n_role; i++) {
        turns += c->role[i].loaded ? 0 : 1;
        kept += c->role[i].loaded && pl_streq(c->role[i].role->serve, "warm") ? 1 : 0;
    }
    pl_str_add(out, kept == 0    ? "\n"
                    : turns == 0 ? "; here all at once\n"
                                 : "; here some stay loaded\n");
    if (s->size_from != NULL)
        pl_str_addf(out, "  %s shows %s\n", s->size_from, pl_size_text(s->usable, b));
    pl_tiers_roles(s, c, colour, out);
    if (c->n_role > 0)
        pl_str_addf(out,
                    "  %s loaded + %s for those that take turns, of %s; the guide's own figures "
                    "add up to %g\n",
                    pl_gib_text(c->hot, a), pl_gib_text(c->warm, b),
                    pl_gib_text(c->budget.available, (char[PL_SIZE_TEXT_MAX]){0}),
                    (double)c->guide_milli / 1000);
    for (uint32_t i = 0; i < c->n_extra; i++)
        pl_str_addf(out, "%s%s", i == 0 ? "  what was left went on: " : ", ", c->extra[i].text);
    pl_str_add(out, c->n_extra > 0 ? "\n" : "");
    pl_tiers_without(c, out);
    if (c->next_from > 0)
        pl_str_addf(out, "  the next step from %s GiB\n", pl_gib_text(c->next_from, a));
}

static void pl_tiers_answers(const struct pl_tiers_shown *s, struct pl_str *out)
{
    size_t n = 0;
    const struct pl_tier_answer *answer = pl_tier_answers(&n);
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        bool asked = false;
        for (uint32_t k = 0; k < s->n; k++) {
            uint64_t gib = s->size[k].budget.size / PL_GIB;
            asked = asked || (gib >= answer[i].from_gib && gib <= answer[i].to_gib);
        }
        if (!asked)
            continue;
        pl_str_addf(out, "%s  %s\n    %s\n",
                    first ? "\nthe guide's figures (GB), and what is right\n" : "", answer[i].says,
                    answer[i].right);
        first = false;
    }
}

void pl_tiers_text(const struct pl_tiers_shown *s, bool colour, struct pl_str *out)
{
    pl_tiers_budgets(s, colour, out);
    pl_tiers_tree(s, colour, out);
    for (uint32_t i = 0; i < s->n && s->n <= PL_TIERS_DETAIL; i++)
        pl_tiers_one(s, &s->size[i], colour, out);
    pl_tiers_answers(s, out);
}
