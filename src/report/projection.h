/* The engine's own projection beside ours, in text and JSON. */
#ifndef PL_REPORT_PROJECTION_H
#define PL_REPORT_PROJECTION_H

#include "base/json.h"
#include "domain/footprint.h"
#include "engine/llamacpp/project.h"

#include <stdbool.h>

/* A table: per device what the engine says and what we say. The engine prints whole MiB: equal is
 * our bytes, cut to MiB, giving its number; for the compute buffer, its number inside our interval.
 * Devices stand in the engine's order; ours beside them are ram and the device pools in theirs. */
void pl_projection_text(const struct pl_projection *p, const struct pl_footprint *ours, bool colour,
                        struct pl_str *out);
void pl_projection_json(const struct pl_projection *p, const struct pl_footprint *ours,
                        const char *version, struct pl_json *j, const char *key);

#endif
