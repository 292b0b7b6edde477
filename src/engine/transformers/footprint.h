/* What a Python process with transformers needs for a model. Pure. */
#ifndef PL_ENGINE_TRANSFORMERS_FOOTPRINT_H
#define PL_ENGINE_TRANSFORMERS_FOOTPRINT_H

#include "base/err.h"
#include "domain/claim.h"
#include "domain/model.h"
#include "domain/setting_table.h"

/* As pl_engine.footprint: fills ret, and in v what was left open. */
int pl_transformers_footprint(const struct pl_model *m, struct pl_setting_values *v,
                              const struct pl_machine *machine, struct pl_claim *ret,
                              struct pl_err *err);

#endif
