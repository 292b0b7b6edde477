/* What `run` says at the end, and before it refuses. */
#ifndef PL_CLI_RUN_REPORT_H
#define PL_CLI_RUN_REPORT_H

#include "base/json.h"
#include "cli/run.h"

/* One line: "peak 5.40 GiB of ram (predicted 5.42 GiB), 12.3 s". */
void pl_run_line(const struct pl_running *r, struct pl_str *out);
/* The object of --json. */
void pl_run_json(const struct pl_running *r, struct pl_str *out);
/* Why it is refused, and the nearest setting that fits, as a command to paste. */
void pl_run_refusal(const struct pl_running *r, struct pl_str *out);

#endif
