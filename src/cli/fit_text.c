#include "base/table.h"
#include "base/units.h"
#include "cli/fit.h"
#include "domain/tensor_type.h"
#include "model/quants.h"
#include "report/quantity.h"
#include "report/quants.h"

#include <strings.h>

static const char *pl_fit_type(const struct pl_fit_point *p)
{
    const char *name = pl_tensor_type(p->type)->name;
    return strcasecmp(name, "F16") == 0    ? "f16"
           : strcasecmp(name, "Q8_0") == 0 ? "q8_0"
           : strcasecmp(name, "Q4_0") == 0 ? "q4_0"
                                           : name;
}

static void pl_fit_where(const struct pl_fit_point *p, struct pl_str *out)
{
    if (p->place == PL_FIT_SPLIT)
        pl_str_addf(out, "%llu layers on devices", (unsigned long long)p->layers);
    else if (p->place == PL_FIT_SOME)
        pl_str_addf(out, "experts of %llu layers on host", (unsigned long long)p->experts);
    else
        pl_str_add(out, pl_fit_place_name(p->place));
}

static void pl_fit_rate(struct pl_rate r, struct pl_str *out)
{
    if (r.source == PL_SOURCE_UNKNOWN)
        pl_str_add(out, "unknown");
    else
        pl_str_addf(out, "%.1f", r.likely);
}

static uint64_t pl_fit_reach(const struct pl_fit_ask *ask, const struct pl_fit_point *p)
{
    return ask->question == PL_FIT_MAX_SLOTS    ? p->slots.value
           : ask->question == PL_FIT_BEST_QUANT ? (p->wanted ? 1 : 0)
                                                : p->context.value;
}

static void pl_fit_table(const struct pl_fit_ask *ask, const struct pl_fit_answer *a, bool colour,
                         struct pl_str *out)
{
    const char *titles[] = {" ",         "quantisation", ">file",    ">KL divergence",
                            "KV",        "where",        ">context", ">memory",
                            ">tokens/s", "verdict",      NULL};
    char size[PL_SIZE_TEXT_MAX], memory[PL_SIZE_TEXT_MAX];
    titles[6] = ask->question == PL_FIT_MAX_SLOTS    ? ">slots"
                : ask->question == PL_FIT_BEST_QUANT ? ">fits"
                                                     : ">context";
    struct pl_table *t = pl_table_new(titles);
    struct pl_str cell;
    pl_str_init(&cell, PL_TABLE_CELL_MAX);
    for (uint32_t i = 0; i < a->n && t != NULL; i++) {
        const struct pl_fit_point *p = &a->point[i];
        uint64_t reach = pl_fit_reach(ask, p);
        bool shown = ask->question == PL_FIT_ALL ? p->front || (int)i == a->best : reach > 0;
        if (!shown && ask->question != PL_FIT_BEST_QUANT)
            continue;
        pl_table_row(t);
        pl_table_cell(t, "%s", (int)i == a->best ? ">" : p->front ? "*" : " ");
        pl_table_cell(t, "%s", p->quant);
        pl_table_cell(t, "%s", pl_size_text(p->file_bytes, size));
        if (p->rated)
            pl_table_cell(t, "%.4f", p->kld);
        else
            pl_table_cell(t, "unknown");
        pl_table_cell(t, "%s", pl_fit_type(p));
        pl_str_clear(&cell);
        pl_fit_where(p, &cell);
        pl_table_cell(t, "%s", pl_str_get(&cell));
        if (ask->question == PL_FIT_BEST_QUANT)
            pl_table_cell(t, "%s", p->wanted ? "yes" : "no");
        else
            pl_table_cell(t, "%llu", (unsigned long long)reach);
        pl_table_cell(t, "%s",
                      pl_known(p->steady) ? pl_size_text(p->steady.likely, memory) : "unknown");
        pl_str_clear(&cell);
        pl_fit_rate(p->decode, &cell);
        pl_table_cell(t, "%s%s", pl_str_get(&cell), p->slow ? ", slow" : "");
        pl_table_cell(t, "%s", pl_verdict_name(p->verdict));
    }
    if (t != NULL)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    pl_str_done(&cell);
}

static void pl_fit_answered(const struct pl_fit_ask *ask, const struct pl_fit_point *p,
                            struct pl_str *out)
{
    struct pl_reached r = ask->question == PL_FIT_MAX_SLOTS ? p->slots : p->context;
    const char *what = ask->question == PL_FIT_MAX_SLOTS ? "slots" : "tokens";
    if (ask->question == PL_FIT_BEST_QUANT)
        return;
    if (r.over > 0)
        pl_str_addf(out, "     up to %llu %s; %llu do not fit\n", (unsigned long long)r.value, what,
                    (unsigned long long)r.over);
    else
        pl_str_addf(out, "     up to %llu %s: all that %s\n", (unsigned long long)r.value, what,
                    ask->question == PL_FIT_MAX_SLOTS ? "llama-server takes" : "the model has");
}

static void pl_fit_best_text(const struct pl_fit_ask *ask, const struct pl_fit_answer *a,
                             struct pl_str *out)
{
    char size[PL_SIZE_TEXT_MAX];
    if (a->best < 0) {
        pl_str_addf(out, "nothing of it fits with %llu tokens in %llu slot%s\n",
                    (unsigned long long)a->context, (unsigned long long)ask->slots,
                    ask->slots == 1 ? "" : "s");
        if (a->n > 0 && a->point[a->n - 1].reason[0] != '\0')
            pl_str_addf(out, "     %s, KV %s: %s\n", a->point[a->n - 1].quant,
                        pl_fit_type(&a->point[a->n - 1]), a->point[a->n - 1].reason);
        return;
    }
    const struct pl_fit_point *p = &a->point[a->best];
    pl_str_addf(out, "best %s, KV %s, ", p->quant, pl_fit_type(p));
    pl_fit_where(p, out);
    pl_str_addf(out, ": %s, ",
                pl_known(p->steady) ? pl_size_text(p->steady.likely, size) : "unknown memory");
    pl_fit_rate(p->decode, out);
    pl_str_addf(out, " tokens/s with %llu tokens: %s%s\n", (unsigned long long)a->context,
                pl_verdict_name(p->verdict), p->slow ? "; slower than asked for" : "");
    pl_fit_answered(ask, p, out);
    if (p->command[0] != '\0')
        pl_str_addf(out, "     %s\n", p->command);
    if (a->better >= 0) {
        const struct pl_fit_point *q = &a->point[a->better];
        pl_str_addf(out, "     %s would be better: %s\n", q->quant,
                    !q->wanted ? "it does not fit"
                    : q->slow  ? "too slow"
                               : "its speed is not known");
        if (!q->wanted && q->reason[0] != '\0')
            pl_str_addf(out, "     (%s)\n", q->reason);
    }
    pl_quality_text(p->quant, a->id, out);
}

/* What matters most, and what each choice changes. */
static void pl_fit_presets_text(const struct pl_fit_answer *a, struct pl_str *out)
{
    char size[PL_SIZE_TEXT_MAX];
    if (a->best < 0 || a->preset[PL_FIT_SPEED] < 0 || a->preset[PL_FIT_SPEED] == a->best)
        return;
    for (enum pl_fit_preset i = PL_FIT_QUALITY; i < PL_FIT_PRESETS; i++) {
        if (a->preset[i] < 0)
            continue;
        const struct pl_fit_point *p = &a->point[a->preset[i]];
        pl_str_addf(out, "prefer %s: %s, KV %s, ", pl_fit_preset_name(i), p->quant, pl_fit_type(p));
        pl_fit_where(p, out);
        pl_str_addf(out, ": KL divergence %.4f, %s, ", p->kld,
                    pl_known(p->steady) ? pl_size_text(p->steady.likely, size) : "unknown memory");
        pl_fit_rate(p->decode, out);
        pl_str_add(out, " tokens/s\n");
    }
}

void pl_fit_text(const struct pl_fit_ask *ask, const struct pl_fit_answer *a, bool colour,
                 struct pl_str *out)
{
    pl_str_addf(out, "%s %s, %llu slot%s of at least %llu tokens, %.0f tokens/s or more\n", a->name,
                ask->machine->this_system ? "here" : "there", (unsigned long long)ask->slots,
                ask->slots == 1 ? "" : "s", (unsigned long long)a->context, ask->floor);
    pl_fit_best_text(ask, a, out);
    pl_fit_presets_text(a, out);
    pl_str_add(out, "\n");
    pl_fit_table(ask, a, colour, out);
    pl_str_addf(out,
                "> the best, * not beaten in quality, speed and reach at once (5 %% is no "
                "difference); tokens/s and memory "
                "with %llu tokens,\n  or with as many as fit. KL divergence from F16: %s (%s). KV "
                "types: more bits first,\n  what they cost is unknown\n",
                (unsigned long long)a->context, PL_QUANT_QUALITY_OF, PL_QUANT_QUALITY_SOURCE);
}
