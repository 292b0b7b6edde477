/* What a quantisation costs and saves: its measured quality with the source, the scores known of a
 * model, and the rule of thumb beside the truth. */
#ifndef PL_REPORT_QUANTS_H
#define PL_REPORT_QUANTS_H

#include "base/json.h"
#include "domain/model.h"
#include "domain/quantity.h"

/* "quality  ..." lines: of the quantisation (NULL: one of another engine's files), and of the
 * catalogue's model id (NULL: of no model of it). What nobody measured is said to be unknown. */
void pl_quality_text(const char *quant, const char *id, struct pl_str *out);

/* {"quantisation": {...} or null, "model": [{"benchmark", "score", "source"}]} under key. */
void pl_quality_json(struct pl_json *j, const char *key, const char *quant, const char *id);

/* The rule of thumb for one model. */
struct pl_thumb {
    const struct pl_model *model;
    const char *name, *quant;
    uint64_t context;          /* of the true footprint */
    struct pl_quantity steady; /* all pools together; unknown when it is not */
};

/* The formula with its figures, what is true, and the table of quantisations for this model. */
void pl_thumb_text(const struct pl_thumb *t, bool colour, struct pl_str *out);
void pl_thumb_json(const struct pl_thumb *t, struct pl_json *j, const char *key);

/* All quantisations: measured bits per weight and quality; nominal: what the rule of thumb takes
 * them for, too. */
void pl_quants_text(bool nominal, bool colour, struct pl_str *out);
void pl_quants_json(struct pl_json *j, const char *key, bool nominal);

#endif
