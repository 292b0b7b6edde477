/* One run: what was predicted beside what was measured. */
#ifndef PL_REPORT_RUN_H
#define PL_REPORT_RUN_H

#include "base/json.h"
#include "domain/run.h"

/* The "run" object of plimsoll.try/1 and plimsoll.runs/1 (data/schema/run.json). */
void pl_json_run(struct pl_json *j, const char *key, const struct pl_run *run);

/* Who ran what, the table part | predicted | measured | difference, and the speeds. */
void pl_run_text(const struct pl_run *run, struct pl_str *out, bool colour);

/* The error of a prediction: predicted - measured, in bytes and as a share of what was measured.
 * False when either is unknown; *ret_share is 0 when nothing was measured to divide by. */
bool pl_difference(struct pl_quantity predicted, struct pl_quantity measured, int64_t *ret_bytes,
                   double *ret_share);

/* "-12.0 MiB (-3.1 %)", "0 B", or "unknown". Returns out. */
#define PL_DIFFERENCE_TEXT_MAX 64
const char *pl_difference_text(struct pl_quantity predicted, struct pl_quantity measured,
                               char out[PL_DIFFERENCE_TEXT_MAX]);

#endif
