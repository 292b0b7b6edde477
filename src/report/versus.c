#include "report/versus.h"

#include "base/table.h"
#include "base/units.h"

static void pl_versus_cell(struct pl_table *t, const struct pl_versus_row *r, double v)
{
    char size[PL_SIZE_TEXT_MAX];
    if (!(v > 0) && (r->rate || r->is == PL_VERSUS_UNKNOWN))
        pl_table_cell(t, "unknown");
    else if (r->rate)
        pl_table_cell(t, "%.1f tokens/s", v);
    else
        pl_table_cell(t, "%s", pl_size_text((uint64_t)v, size));
}

void pl_versus_text(const struct pl_versus *v, const char *a, const char *b, bool changed,
                    bool colour, struct pl_str *out)
{
    char left[64], right[64];
    (void)PL_FMT(left, ">%s", a);
    (void)PL_FMT(right, ">%s", b);
    const char *const titles[] = {"part", left, right, ">difference", ">noise", "", NULL};
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct pl_versus_row *r = &v->row[i];
        if (changed && r->is == PL_VERSUS_SAME)
            continue;
        pl_table_row(t);
        pl_table_cell(t, "%s", r->what);
        pl_versus_cell(t, r, r->a);
        pl_versus_cell(t, r, r->b);
        if (r->a > 0 && r->b > 0)
            pl_table_cell(t, "%+.1f %%", 100 * (r->b - r->a) / r->a);
        else
            pl_table_cell(t, "-");
        if (r->is == PL_VERSUS_UNKNOWN)
            pl_table_cell(t, "-");
        else
            pl_table_cell(t, "%.1f %%", 100 * r->noise);
        pl_table_cell(t, "%s",
                      r->is == PL_VERSUS_UNKNOWN && r->why != NULL ? r->why
                      : r->is == PL_VERSUS_SAME                    ? ""
                                                                   : pl_versus_name(r->is));
    }
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

static void pl_versus_number(struct pl_json *j, const char *key, bool known, double v)
{
    if (known)
        pl_json_num(j, key, v);
    else
        pl_json_null(j, key);
}

static void pl_versus_amount(struct pl_json *j, const char *key, const struct pl_versus_row *r,
                             double v)
{
    if (!(v > 0) && (r->rate || r->is == PL_VERSUS_UNKNOWN))
        pl_json_null(j, key);
    else if (r->rate)
        pl_json_num(j, key, v);
    else
        pl_json_u64(j, key, (uint64_t)v);
}

void pl_versus_json(const struct pl_versus *v, struct pl_json *j, const char *key)
{
    pl_json_array(j, key);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct pl_versus_row *r = &v->row[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "of", r->what);
        pl_json_str(j, "unit", r->rate ? "tokens_per_second" : "bytes");
        pl_versus_amount(j, "a", r, r->a);
        pl_versus_amount(j, "b", r, r->b);
        pl_versus_number(j, "difference", r->a > 0 && r->b > 0, (r->b - r->a) / r->a);
        pl_versus_number(j, "noise", r->is != PL_VERSUS_UNKNOWN, r->noise);
        pl_json_str(j, "is", pl_versus_name(r->is));
        pl_json_str(j, "why", r->is == PL_VERSUS_UNKNOWN ? r->why : NULL);
        pl_json_end(j);
    }
    pl_json_end(j);
}
