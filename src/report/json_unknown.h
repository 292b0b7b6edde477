/* JSON of plain fields for which a value stands for "unknown": null, never 0 or "". */
#ifndef PL_REPORT_JSON_UNKNOWN_H
#define PL_REPORT_JSON_UNKNOWN_H

#include "base/json.h"

void pl_json_count(struct pl_json *j, const char *key, uint64_t n);      /* 0 is unknown */
void pl_json_word(struct pl_json *j, const char *key, const char *text); /* "" is unknown */

#endif
