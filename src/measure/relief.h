/* What helps, in bytes: each change of settings that a user would try, and what it would free on
 * this machine for this model, by the estimator. */
#ifndef PL_MEASURE_RELIEF_H
#define PL_MEASURE_RELIEF_H

#include "base/err.h"
#include "domain/forecast.h"
#include "domain/relief.h"

/* Tries the changes on f. pool: the one that is short; NULL or one it does not touch = the first
 * that does not fit, else ram. missing: bytes that were short; 0 = until the verdict is safe. Those
 * that free nothing are left out; the mildest that is enough comes first, then the others by how
 * mild they are; when none is enough, all that together are. -ENOMEM. */
int pl_relief_find(const struct pl_forecast *f, const char *pool, uint64_t missing,
                   struct pl_reliefs *ret, struct pl_err *err);

#endif
