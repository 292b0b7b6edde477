/* Two runs or estimates side by side, in text and JSON. */
#ifndef PL_REPORT_VERSUS_H
#define PL_REPORT_VERSUS_H

#include "base/json.h"
#include "domain/versus.h"

/* The table part | A | B | difference | noise; titles name the two columns. changed: only rows
 * beyond the noise. */
void pl_versus_text(const struct pl_versus *v, const char *a, const char *b, bool changed,
                    bool colour, struct pl_str *out);
/* [{"of", "unit", "a", "b", "difference", "noise", "is", "why"}] */
void pl_versus_json(const struct pl_versus *v, struct pl_json *j, const char *key);

#endif
