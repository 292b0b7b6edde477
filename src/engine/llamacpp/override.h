/* --override-kv: the header as the engine will read it. Pure. */
#ifndef PL_ENGINE_LLAMACPP_OVERRIDE_H
#define PL_ENGINE_LLAMACPP_OVERRIDE_H

#include "base/arena.h"
#include "base/err.h"
#include "domain/model.h"
#include "domain/settings.h"

#define PL_OVERRIDE_KEYS_MAX 64

/* Fills ret with m, its keys replaced as s says; what is new is taken from the arena, the rest is
 * m's own and must outlive ret, which is not to be freed. As the engine does it: the first of
 * several values for a key counts; one of another type than the file's is ignored, and so is one
 * for an array. -EINVAL (exit 2) for a text that the engine refuses. */
int pl_llamacpp_overridden(const struct pl_model *m, const struct pl_settings *s,
                           struct pl_arena *a, struct pl_model *ret, struct pl_err *err);

#endif
