/* Speed of a forecast: what is known of the machine, handed to the engine's formulas. */
#ifndef PL_MEASURE_SPEED_H
#define PL_MEASURE_SPEED_H

#include "base/err.h"
#include "domain/forecast.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/speed.h"
#include "ledger/ledger.h"

#define PL_SPEED_PROMPT 512 /* tokens, like the prompt of `try` and llama-bench's pp512 */

/* What the formulas want of m. bandwidth: of its memory, as known by now; ledger may be NULL. */
void pl_forecast_speed_machine(const struct pl_machine *m, const struct pl_used_devices *devices,
                               const struct pl_resolved *r, struct pl_rate bandwidth,
                               struct pl_ledger *ledger, struct pl_speed_machine *ret);

/* Fills f->speed, f->prefill and f->decode for a prompt of so many tokens; f is complete otherwise.
 * model: as the engine reads it (with --override-kv). host as its footprint was made with. What is
 * not known stays unknown with a reason. */
int pl_forecast_speed(struct pl_forecast *f, const struct pl_model *model,
                      const struct pl_llamacpp_host *host, struct pl_rate bandwidth,
                      struct pl_ledger *ledger, uint64_t prompt, struct pl_err *err);

/* Every figure of f->speed unknown for this reason (static). */
void pl_forecast_no_speed(struct pl_forecast *f, const char *why);

#endif
