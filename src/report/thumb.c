/* The rule of thumb beside the truth: see quants.h. */
#include "base/table.h"
#include "base/units.h"
#include "model/quants.h"
#include "report/quants.h"

#include <string.h>

/* What the rule takes for the parameters: what the name says, as a reader of the name would; the
 * tensors' own count when it says nothing. */
static double pl_thumb_billions(const struct pl_thumb *t, bool *ret_named)
{
    double v = pl_name_size(t->name).total;
    if (!(v > 0))
        v = pl_name_size(t->model->name).total;
    *ret_named = v > 0;
    return (*ret_named ? v : (double)pl_model_parameters(t->model)) / 1e9;
}

/* "3.85", "264.0": no digits that the product does not have. */
static const char *pl_thumb_number(double v, char out[32])
{
    (void)pl_fmt(out, 32, "%.7g", v);
    if (strpbrk(out, ".e") == NULL)
        (void)pl_fmt(out, 32, "%.1f", v);
    return out;
}

static void pl_thumb_truth(const struct pl_thumb *t, struct pl_str *out)
{
    char gb[PL_SIZE_TEXT_MAX], gib[PL_SIZE_TEXT_MAX];
    pl_str_addf(out, "         in truth the file has %s (%s)", pl_gb_text(t->model->file_bytes, gb),
                pl_size_text(t->model->file_bytes, gib));
    if (pl_known(t->steady))
        pl_str_addf(out, ", and serving it with a context of %llu takes %s (%s)",
                    (unsigned long long)t->context, pl_gb_text(t->steady.likely, gb),
                    pl_size_text(t->steady.likely, gib));
    pl_str_add(out, "\n");
}

static void pl_thumb_table(const struct pl_thumb *t, double billions, bool colour,
                           struct pl_str *out)
{
    static const char *const titles[] = {"quantisation", ">nominal bits", ">real bits",
                                         ">multiplier",  ">real",         ">rule",
                                         ">tensors",     ">rule/tensors", NULL};
    char rule[32], gb[PL_SIZE_TEXT_MAX];
    size_t n = 0;
    const struct pl_mix *mix = pl_mixes(&n);
    struct pl_table *table = pl_table_new(titles);
    double parameters = (double)pl_model_parameters(t->model), said = 0;
    for (size_t i = 0; table != NULL && i < n; i++) {
        struct pl_quant q;
        uint64_t bytes = 0;
        if (!pl_quant_of(mix[i].name, &q) || !pl_quant_rule_gb(&q, billions, &said))
            continue;
        pl_table_row(table);
        pl_table_cell(table, "%s", q.name);
        pl_table_cell(table, "%s", q.nominal->bits);
        bool known = pl_quant_model_bytes(&mix[i], t->model, &bytes, NULL) == 0 && parameters > 0;
        pl_table_cell(table, known ? "%.2f" : "unknown", (double)bytes * 8 / parameters);
        pl_table_cell(table, "%s", q.nominal->multiplier);
        pl_table_cell(table, known ? "%.3f" : "unknown", (double)bytes / parameters);
        pl_table_cell(table, "%s GB", pl_thumb_number(said, rule));
        pl_table_cell(table, "%s", known ? pl_gb_text(bytes, gb) : "unknown");
        pl_table_cell(table, known ? "%.2f" : "unknown", said * 1e9 / (double)bytes);
    }
    if (table != NULL)
        pl_table_print(table, out, colour);
    (void)pl_table_free(table);
}

void pl_thumb_text(const struct pl_thumb *t, bool colour, struct pl_str *out)
{
    struct pl_quant q;
    char a[32], b[32];
    bool named = false;
    double gb = 0, billions = pl_thumb_billions(t, &named);
    pl_str_addf(out, "\nrule of thumb: parameters (%s, in billions) x multiplier x 1.1, in GB\n",
                named ? "as the name says" : "counted");
    if (pl_quant_of(t->quant, &q) && pl_quant_rule_gb(&q, billions, &gb))
        pl_str_addf(out, "         %s x %s x 1.1 = %s GB\n",
                    pl_fmt(a, sizeof(a), "%.4g", billions) ? a : "?", q.nominal->multiplier,
                    pl_thumb_number(gb, b));
    else
        pl_str_addf(out, "         it has no multiplier for %s\n", t->quant);
    pl_thumb_truth(t, out);
    pl_str_add(out, "\n");
    pl_thumb_table(t, billions, colour, out);
    pl_str_addf(out,
                "real: of this model, by the rules of llama-quantize. On %s: %s, %s; see "
                "'plimsoll models --quants --nominal'\n",
                PL_QUANT_BITS_OF, PL_QUANT_BITS_SOURCE, PL_QUANT_BITS_DATE);
}

static double pl_thumb_round(double v)
{
    return (double)(uint64_t)(v * 1e6 + 0.5) / 1e6;
}

static void pl_thumb_table_json(const struct pl_thumb *t, double billions, struct pl_json *j)
{
    size_t n = 0;
    const struct pl_mix *mix = pl_mixes(&n);
    double parameters = (double)pl_model_parameters(t->model), said = 0;
    pl_json_array(j, "quantisations");
    for (size_t i = 0; i < n; i++) {
        struct pl_quant q;
        uint64_t bytes = 0;
        double v = 0;
        if (!pl_quant_of(mix[i].name, &q) || !pl_quant_rule_gb(&q, billions, &said))
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "name", q.name);
        pl_json_num(j, "nominal_bits", pl_parse_double(q.nominal->bits, &v) ? v : 0);
        pl_json_num(j, "nominal_multiplier", pl_parse_double(q.nominal->multiplier, &v) ? v : 0);
        pl_json_num(j, "gigabytes", pl_thumb_round(said));
        if (pl_quant_model_bytes(&mix[i], t->model, &bytes, NULL) == 0 && parameters > 0) {
            pl_json_num(j, "bits_per_weight", (double)bytes * 8 / parameters);
            pl_json_u64(j, "tensor_bytes", bytes);
        } else {
            pl_json_null(j, "bits_per_weight");
            pl_json_null(j, "tensor_bytes");
        }
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_thumb_json(const struct pl_thumb *t, struct pl_json *j, const char *key)
{
    struct pl_quant q;
    bool named = false;
    double gb = 0, v = 0, billions = pl_thumb_billions(t, &named);
    pl_json_object(j, key);
    pl_json_num(j, "parameters_billions", billions);
    pl_json_str(j, "parameters_from", named ? "name" : "tensors");
    pl_json_num(j, "factor", PL_QUANT_RULE_FACTOR);
    if (pl_quant_of(t->quant, &q) && pl_quant_rule_gb(&q, billions, &gb)) {
        pl_json_num(j, "multiplier", pl_parse_double(q.nominal->multiplier, &v) ? v : 0);
        pl_json_num(j, "gigabytes", pl_thumb_round(gb));
        pl_json_str(j, "source", q.nominal->source);
    } else {
        pl_json_null(j, "multiplier");
        pl_json_null(j, "gigabytes");
        pl_json_null(j, "source");
    }
    pl_json_u64(j, "file_bytes", t->model->file_bytes);
    if (pl_known(t->steady))
        pl_json_u64(j, "steady_bytes", t->steady.likely);
    else
        pl_json_null(j, "steady_bytes");
    pl_json_u64(j, "context", t->context);
    pl_thumb_table_json(t, billions, j);
    pl_json_end(j);
}
