#include "report/terms.h"

#include "base/str.h"
#include "base/table.h"
#include "base/units.h"

void pl_terms_text(const struct pl_terms *terms, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"Pool", "Part", ">Bytes", "Formula", "Mirrors", NULL};
    char size[PL_SIZE_TEXT_MAX];
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < terms->n; i++) {
        const struct pl_term *one = &terms->term[i];
        pl_table_row(t);
        pl_table_cell(t, "%s", one->pool);
        pl_table_cell(t, "%s", pl_part_name(one->part));
        pl_table_cell(t, "%s", one->known ? pl_mib_text(one->bytes, size) : "unknown");
        pl_table_cell(t, "%s", one->formula);
        pl_table_cell(t, "%s", one->source);
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

void pl_terms_json(const struct pl_terms *terms, struct pl_json *j, const char *key)
{
    pl_json_array(j, key);
    for (uint32_t i = 0; i < terms->n; i++) {
        const struct pl_term *one = &terms->term[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "pool", one->pool);
        pl_json_str(j, "part", pl_part_name(one->part));
        if (one->known)
            pl_json_u64(j, "bytes", one->bytes);
        else
            pl_json_null(j, "bytes");
        pl_json_str(j, "formula", one->formula);
        pl_json_str(j, "source", one->source);
        pl_json_end(j);
    }
    pl_json_end(j);
}
