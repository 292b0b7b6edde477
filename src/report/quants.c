#include "report/quants.h"

#include "base/table.h"
#include "base/units.h"
#include "model/catalogue.h"
#include "model/quality.h"
#include "model/quants.h"

#include <stdlib.h>
#include <string.h>

#define PL_SCORES_SHOWN 2

static const char *pl_quant_made(const struct pl_quant *q)
{
    return q->imatrix != NULL ? "with an importance matrix" : "without an importance matrix";
}

static void pl_quant_quality_text(const struct pl_quant *q, struct pl_str *out)
{
    struct pl_quant better;
    pl_str_addf(out, "quality  %s, %s: perplexity %+.3f against F16, KL divergence %.4f\n", q->name,
                pl_quant_made(q), q->ppl_change, q->kld);
    pl_str_addf(out, "         measured on %s (%s, %s); of this model unknown\n",
                PL_QUANT_QUALITY_OF, PL_QUANT_QUALITY_SOURCE, PL_QUANT_QUALITY_DATE);
    if (pl_quant_better(q, &better))
        pl_str_addf(out,
                    "         %s, %s, is smaller and nearer: %.2f bits a weight, not %.2f; "
                    "%+.3f, %.4f\n",
                    better.name, pl_quant_made(&better), better.bits, q->bits, better.ppl_change,
                    better.kld);
}

void pl_quality_text(const char *quant, const char *id, struct pl_str *out)
{
    struct pl_quant q;
    if (quant == NULL)
        pl_str_add(out,
                   "quality  of its types: unknown (they were measured of text models in GGUF)\n");
    else if (pl_catalogue_quant_own(id != NULL ? pl_catalogue_find(id) : NULL, quant))
        pl_str_addf(out, "quality  %s: the weights as they were published\n", quant);
    else if (pl_quant_of(quant, &q) && q.rated)
        pl_quant_quality_text(&q, out);
    else
        pl_str_addf(out, "quality  of %s against F16: unknown\n", quant);
    const struct pl_quality *s = id != NULL ? pl_quality_of(id) : NULL;
    if (s == NULL)
        pl_str_addf(out, "         of the model: unknown%s\n",
                    id != NULL ? " (no benchmark in the catalogue)" : "");
    for (int n = 0; s != NULL && n < PL_SCORES_SHOWN; n++, s = pl_quality_next(s))
        pl_str_addf(out, "         %s, unquantised: %s %s (%.60s%s)\n", id, s->benchmark, s->score,
                    s->source, strlen(s->source) > 60 ? " ..." : "");
    if (s != NULL)
        pl_str_add(out, "         and more with --json\n");
}

static void pl_quant_quality_json(struct pl_json *j, const struct pl_quant *q)
{
    struct pl_quant better;
    pl_json_object(j, "quantisation");
    pl_json_str(j, "name", q->name);
    pl_json_num(j, "perplexity_change", q->ppl_change);
    pl_json_num(j, "perplexity_f16", q->ppl_f16);
    pl_json_num(j, "kl_divergence", q->kld);
    pl_json_str(j, "imatrix", q->imatrix);
    pl_json_str(j, "measured_on", PL_QUANT_QUALITY_OF);
    pl_json_str(j, "source", PL_QUANT_QUALITY_SOURCE);
    pl_json_str(j, "date", PL_QUANT_QUALITY_DATE);
    pl_json_str(j, "smaller_and_better", pl_quant_better(q, &better) ? better.name : NULL);
    pl_json_end(j);
}

void pl_quality_json(struct pl_json *j, const char *key, const char *quant, const char *id)
{
    struct pl_quant q;
    pl_json_object(j, key);
    if (quant != NULL && pl_quant_of(quant, &q) && q.rated)
        pl_quant_quality_json(j, &q);
    else
        pl_json_null(j, "quantisation");
    pl_json_array(j, "model");
    for (const struct pl_quality *s = id != NULL ? pl_quality_of(id) : NULL; s != NULL;
         s = pl_quality_next(s)) {
        pl_json_object(j, NULL);
        pl_json_str(j, "benchmark", s->benchmark);
        pl_json_str(j, "score", s->score);
        pl_json_str(j, "source", s->source);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}

static void pl_quants_row(struct pl_table *t, const struct pl_quant *q, bool nominal)
{
    char size[PL_SIZE_TEXT_MAX];
    pl_table_row(t);
    pl_table_cell(t, "%s", q->name);
    if (q->bits > 0) {
        pl_table_cell(t, "%.2f", q->bits);
        pl_table_cell(t, "%.3f", q->bits / 8);
        pl_table_cell(t, "%s", pl_size_text(q->bytes, size));
    } else {
        for (int i = 0; i < 3; i++)
            pl_table_cell(t, "unknown");
    }
    if (q->rated) {
        pl_table_cell(t, "%+.3f", q->ppl_change);
        pl_table_cell(t, "%.4f", q->kld);
        pl_table_cell(t, "%s", q->imatrix != NULL ? "yes" : "no");
    } else {
        for (int i = 0; i < 3; i++)
            pl_table_cell(t, "%s", pl_streq(q->name, "F32") ? "" : "unknown");
    }
    if (nominal && q->nominal != NULL) {
        pl_table_cell(t, "%s", q->nominal->bits);
        pl_table_cell(t, "%s", q->nominal->multiplier);
        pl_table_cell(t, "%s", q->nominal->claim);
    } else if (nominal) {
        for (int i = 0; i < 3; i++)
            pl_table_cell(t, "%s", "");
    }
}

void pl_quants_text(bool nominal, bool colour, struct pl_str *out)
{
    const char *titles[] = {
        "quantisation", ">bits/weight",   ">GB per B", ">tensors",
        ">perplexity",  ">KL divergence", "imatrix",   nominal ? ">nominal bits" : NULL,
        ">multiplier",  ">claim",         NULL};
    size_t n = 0;
    const struct pl_mix *mix = pl_mixes(&n);
    struct pl_table *t = pl_table_new(titles);
    for (size_t i = 0; t != NULL && i < n; i++) {
        struct pl_quant q;
        if (pl_quant_of(mix[i].name, &q))
            pl_quants_row(t, &q, nominal);
    }
    if (t != NULL)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    pl_str_addf(out, "bits and tensors: %s (%s, %s)\n", PL_QUANT_BITS_OF, PL_QUANT_BITS_SOURCE,
                PL_QUANT_BITS_DATE);
    pl_str_addf(out, "perplexity and KL divergence against F16: %s (%s, %s)\n", PL_QUANT_QUALITY_OF,
                PL_QUANT_QUALITY_SOURCE, PL_QUANT_QUALITY_DATE);
    if (nominal)
        pl_str_add(out,
                   "nominal, multiplier, claim: the rule of thumb's; its claims have no source\n");
}

void pl_quants_json(struct pl_json *j, const char *key, bool nominal)
{
    size_t n = 0;
    const struct pl_mix *mix = pl_mixes(&n);
    pl_json_array(j, key);
    for (size_t i = 0; i < n; i++) {
        struct pl_quant q;
        if (!pl_quant_of(mix[i].name, &q))
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "name", q.name);
        pl_json_num(j, "bits_per_weight", q.bits);
        pl_json_u64(j, "tensor_bytes", q.bytes);
        pl_json_str(j, "bits_measured_on", PL_QUANT_BITS_OF);
        pl_json_str(j, "bits_source", PL_QUANT_BITS_SOURCE);
        pl_json_str(j, "bits_date", PL_QUANT_BITS_DATE);
        if (q.rated)
            pl_quant_quality_json(j, &q);
        else
            pl_json_null(j, "quantisation");
        if (nominal && q.nominal != NULL) {
            pl_json_object(j, "nominal");
            pl_json_num(j, "bits", strtod(q.nominal->bits, NULL));
            pl_json_num(j, "multiplier", strtod(q.nominal->multiplier, NULL));
            pl_json_str(j, "claim", q.nominal->claim);
            pl_json_str(j, "source", q.nominal->source);
            pl_json_end(j);
        }
        pl_json_end(j);
    }
    pl_json_end(j);
}
