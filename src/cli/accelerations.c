#include "cli/accelerations.h"

#include "base/table.h"
#include "report/quantity.h"

void pl_accelerations_text(const struct pl_acceleration one[PL_ACCELERATIONS], bool colour,
                           struct pl_str *out)
{
    static const char *const titles[] = {"faster by", ">projected", ">measured", "", "flags", 0};
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (int i = 0; i < PL_ACCELERATIONS; i++) {
        const struct pl_acceleration *a = &one[i];
        const struct pl_rate *r = &a->projected;
        pl_table_row(t);
        pl_table_cell(t, "%s", a->name);
        if (!a->offered)
            pl_table_cell(t, "not offered");
        else if (r->source == PL_SOURCE_UNKNOWN)
            pl_table_cell(t, "unknown");
        else
            pl_table_cell(t, "%.1f .. %.1f tokens/s", r->low, r->high);
        if (a->measured > 0)
            pl_table_cell(t, "%.1f (run %lld)", a->measured, (long long)a->run);
        else
            pl_table_cell(t, "-");
        pl_table_cell(t, "%s", a->why);
        pl_table_cell(t, "%s", a->flags[0] != '\0' ? a->flags : "-");
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    pl_str_add(out, "projected with drafts: from none of their tokens accepted to all of them, "
                    "which hangs on the text; measured: the newest run of this model here\n");
}

void pl_accelerations_json(const struct pl_acceleration one[PL_ACCELERATIONS], struct pl_json *j,
                           const char *key)
{
    pl_json_array(j, key);
    for (int i = 0; i < PL_ACCELERATIONS; i++) {
        const struct pl_acceleration *a = &one[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "method", a->name);
        pl_json_bool(j, "offered", a->offered);
        pl_json_str(j, "why", a->why);
        pl_json_str(j, "flags", a->offered ? a->flags : NULL);
        pl_json_rate(j, "projected_tokens_per_second", a->projected);
        if (a->measured > 0) {
            pl_json_num(j, "measured_tokens_per_second", a->measured);
            pl_json_i64(j, "measured_run", a->run);
        } else {
            pl_json_null(j, "measured_tokens_per_second");
            pl_json_null(j, "measured_run");
        }
        pl_json_end(j);
    }
    pl_json_end(j);
}
