/* The terms of a footprint in text and JSON. */
#ifndef PL_REPORT_TERMS_H
#define PL_REPORT_TERMS_H

#include "base/json.h"
#include "domain/terms.h"

#include <stdbool.h>

/* A table: pool, part, bytes, formula, and the engine's source that it mirrors. */
void pl_terms_text(const struct pl_terms *t, bool colour, struct pl_str *out);

/* [{"pool", "part", "bytes", "formula", "source"}] */
void pl_terms_json(const struct pl_terms *t, struct pl_json *j, const char *key);

#endif
