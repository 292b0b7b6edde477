#include "report/calibrated.h"

#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"

#include <math.h>

static void pl_calibrated_from(const struct pl_calibrated_row *row, struct pl_str *out)
{
    char from[PL_CALIBRATED_TEXT_MAX];
    (void)PL_FMT(from, "%s", row->from);
    pl_text_clean(from);
    pl_str_addf(out, ", %s", from);
}

static void pl_calibrated_table(const struct pl_calibrated *c, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"corrected", ">factor", ">spread", ">runs", "from", 0};
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct pl_calibrated_row *r = &c->row[i];
        pl_table_row(t);
        pl_table_cell(t, "%s%s%s", r->pool, r->pool[0] != '\0' ? " " : "", r->what);
        pl_table_cell(t, "%.3f", r->correction.factor);
        pl_table_cell(t, "%.1f %%", 100 * expm1(r->correction.spread));
        pl_table_cell(t, "%u", r->correction.n);
        char from[PL_CALIBRATED_TEXT_MAX + 32];
        (void)PL_FMT(from, "%s", r->from);
        pl_text_clean(from);
        pl_table_cell(t, "%s%s", from, r->correction.odd > 0 ? "; odd ones left out" : "");
    }
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

static const struct pl_calibrated_row *pl_calibrated_row(const struct pl_calibrated *c,
                                                         const char *pool, const char *what)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (pl_streq(c->row[i].pool, pool) && (what == NULL || pl_streq(c->row[i].what, what)))
            return &c->row[i];
    }
    return NULL;
}

/* What stands on few runs says so without being asked. */
static void pl_calibrated_speed(const struct pl_calibrated *c, const char *name, struct pl_rate r,
                                struct pl_str *out)
{
    const struct pl_calibrated_row *row = pl_calibrated_row(c, "", name);
    if (row == NULL)
        return;
    pl_str_addf(out, "         %s %.1f tokens/s (%.1f .. %.1f)", name, r.likely, r.low, r.high);
    if (row->correction.few)
        pl_calibrated_from(row, out);
    pl_str_add(out, "\n");
}

void pl_calibrated_text(const struct pl_forecast *f, bool why, bool colour, struct pl_str *out)
{
    const struct pl_calibrated *c = &f->calibrated;
    char steady[PL_QUANTITY_TEXT_MAX], peak[PL_QUANTITY_TEXT_MAX];
    if (c->n == 0) {
        if (why && c->note[0] != '\0')
            pl_str_addf(out, "learned  nothing: %s\n", c->note);
        return;
    }
    pl_str_add(out, "learned  with what earlier runs teach (the figures above are without it):\n");
    for (uint32_t i = 0; i < c->footprint.n_pool; i++) {
        const struct pl_pool_footprint *p = &c->footprint.pool[i];
        if (pl_calibrated_row(c, p->pool, NULL) != NULL)
            pl_str_addf(out, "         %s steady %s, peak %s\n", p->pool,
                        pl_quantity_text(p->steady, steady), pl_quantity_text(p->peak, peak));
    }
    pl_calibrated_speed(c, "prefill", c->prefill, out);
    pl_calibrated_speed(c, "decode", c->decode, out);
    if (why)
        pl_calibrated_table(c, colour, out);
}

void pl_calibrated_json(const struct pl_forecast *f, struct pl_json *j, const char *key)
{
    const struct pl_calibrated *c = &f->calibrated;
    if (c->n == 0 && c->note[0] == '\0') {
        pl_json_null(j, key);
        return;
    }
    pl_json_object(j, key);
    pl_json_str(j, "note", c->note[0] != '\0' ? c->note : NULL);
    pl_json_array(j, "corrections");
    for (uint32_t i = 0; i < c->n; i++) {
        const struct pl_calibrated_row *r = &c->row[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "pool", r->pool[0] != '\0' ? r->pool : NULL);
        pl_json_str(j, "of", r->what);
        pl_json_num(j, "factor", r->correction.factor);
        pl_json_num(j, "spread", r->correction.spread);
        pl_json_u64(j, "runs", r->correction.n);
        pl_json_u64(j, "odd", r->correction.odd);
        pl_json_bool(j, "few", r->correction.few);
        pl_json_str(j, "from", r->from);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_array(j, "pools");
    for (uint32_t i = 0; c->n > 0 && i < c->footprint.n_pool; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "pool", c->footprint.pool[i].pool);
        pl_json_quantity(j, "steady", c->footprint.pool[i].steady);
        pl_json_quantity(j, "peak", c->footprint.pool[i].peak);
        pl_json_quantity(j, "load_peak", c->footprint.pool[i].load_peak);
        pl_json_end(j);
    }
    pl_json_end(j);
    if (c->n > 0) {
        pl_json_rate(j, "prefill_tokens_per_second", c->prefill);
        pl_json_rate(j, "decode_tokens_per_second", c->decode);
    }
    pl_json_end(j);
}
