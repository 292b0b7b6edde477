/* Quantities and rates in text and JSON: the one place that decides how they look. */
#ifndef PL_REPORT_QUANTITY_H
#define PL_REPORT_QUANTITY_H

#include "base/json.h"
#include "domain/quantity.h"

#define PL_QUANTITY_TEXT_MAX 96

/* {"bytes": N|null, "low": N, "high": N, "source": "...", "why": "..."}; before "why" a "state"
 * ("no permission" ...) unless it is plain */
void pl_json_quantity(struct pl_json *j, const char *key, struct pl_quantity q);
/* {"value": N|null, "low": N, "high": N, "source": "...", "why": "..."} */
void pl_json_rate(struct pl_json *j, const char *key, struct pl_rate r);
/* Bytes per second as a quantity: whole bytes are exact enough. */
void pl_json_bytes_rate(struct pl_json *j, const char *key, struct pl_rate r);

/* "5.02 GiB", or "5.02 GiB (4.90 GiB .. 5.11 GiB)" when the ends differ by more than 1 %, or
 * "unknown", or the state that makes it so ("no permission"). Returns out. */
const char *pl_quantity_text(struct pl_quantity q, char out[PL_QUANTITY_TEXT_MAX]);

#endif
