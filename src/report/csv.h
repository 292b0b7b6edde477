/* Comma-separated values as RFC 4180 has them. */
#ifndef PL_REPORT_CSV_H
#define PL_REPORT_CSV_H

#include "base/str.h"

/* One field: in quotes where it holds a comma, a quote, the end of a line or a space at an end,
 * quotes inside doubled. */
void pl_csv_text(const char *text, struct pl_str *out);

#endif
