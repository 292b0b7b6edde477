/* A footprint and resolved settings in JSON: the same in an estimate and in a run. */
#ifndef PL_REPORT_FOOTPRINT_H
#define PL_REPORT_FOOTPRINT_H

#include "base/json.h"
#include "domain/footprint.h"
#include "domain/settings.h"

/* [{"pool", "kind", "parts": {...}, "held": {...}, "steady", "peak", "load_peak",
 * "largest_allocation"}] */
void pl_json_pools(struct pl_json *j, const char *key, const struct pl_footprint *f);

/* {"weights": Q, "kv": Q, ...}: every part. */
void pl_json_parts(struct pl_json *j, const char *key, const struct pl_quantity part[PL_PARTS]);

/* {"n_ctx", "n_ctx_per_slot", "n_parallel", ...}; what is not known is null, and so is
 * "cache_ram_bytes" without a limit. */
void pl_json_resolved(struct pl_json *j, const char *key, const struct pl_resolved *s);

#endif
