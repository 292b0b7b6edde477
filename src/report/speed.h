/* Speed in text and JSON. */
#ifndef PL_REPORT_SPEED_H
#define PL_REPORT_SPEED_H

#include "base/json.h"
#include "base/str.h"
#include "domain/speed.h"

/* The lines of `estimate`: prefill, decode, at depth, of all slots, first token, load. */
void pl_speed_text(const struct pl_speed *s, uint64_t slots, struct pl_str *out);

/* The object "speed" of estimate --json. */
void pl_speed_json(const struct pl_speed *s, struct pl_json *j, const char *key);

/* How it comes about: a table, for --why. */
void pl_speed_why_text(const struct pl_speed *s, bool colour, struct pl_str *out);

#endif
