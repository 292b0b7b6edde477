/* What whisper-server or whisper-cli needs for a model: weights, caches, buffers. Pure. */
#ifndef PL_ENGINE_WHISPERCPP_FOOTPRINT_H
#define PL_ENGINE_WHISPERCPP_FOOTPRINT_H

#include "base/err.h"
#include "domain/claim.h"
#include "domain/model.h"
#include "domain/setting_table.h"

/* As pl_engine.footprint. -ENOTSUP (exit 3) for a model of another format, -EBADMSG for a file
 * whose tensors are not those of its numbers. */
int pl_whispercpp_footprint(const struct pl_model *m, struct pl_setting_values *v,
                            const struct pl_machine *machine, struct pl_claim *ret,
                            struct pl_err *err);

#endif
