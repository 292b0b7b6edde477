/* What vLLM claims of each device, and what it can serve with that. Pure. */
#ifndef PL_ENGINE_VLLM_FOOTPRINT_H
#define PL_ENGINE_VLLM_FOOTPRINT_H

#include "base/err.h"
#include "domain/claim.h"
#include "domain/model.h"
#include "domain/setting_table.h"

/* As pl_engine.footprint. The first devices of the machine are used, as many as
 * --tensor-parallel-size says. */
int pl_vllm_footprint(const struct pl_model *m, struct pl_setting_values *v,
                      const struct pl_machine *machine, struct pl_claim *ret, struct pl_err *err);

#endif
