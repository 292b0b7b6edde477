/* How far a model reaches on a machine: the longest context, the most slots, the most layers on
 * devices that still fit. Each is found by asking forecasts on both sides of it: at the answer it
 * fits, one step further it does not. Figures between are guessed on a straight line, since caches
 * grow on one, and never taken without asking. */
#ifndef PL_MEASURE_REACH_H
#define PL_MEASURE_REACH_H

#include "base/err.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"

#define PL_REACH_CONTEXT_STEP 256u      /* the engine pads contexts to this */
#define PL_REACH_CONTEXT_MAX (1u << 20) /* of a model that does not say what it was trained on */
#define PL_REACH_SLOTS_MAX 256u         /* llama-server's own limit */

struct pl_reach {
    const struct pl_model *model;
    const struct pl_machine *machine;
    struct pl_ledger *ledger;     /* may be NULL */
    struct pl_settings settings;  /* all but context and slots */
    struct pl_forecast *forecast; /* of the caller: of the last question */
    uint32_t asked;               /* forecasts made */
};

/* What was found. value 0: not even the first step fits; over: the step that does not fit, 0 =
 * the limit was reached. */
struct pl_reached {
    uint64_t value, over;
};

/* Does it fit with so many slots of so many tokens each? r->forecast tells more. Settings that the
 * engine refuses do not fit. */
bool pl_reach_fits(struct pl_reach *r, uint64_t context, uint64_t slots);

/* Tokens the model was trained on, or PL_REACH_CONTEXT_MAX. */
uint64_t pl_reach_context_limit(const struct pl_model *m);

/* The longest context of `slots` slots, a multiple of PL_REACH_CONTEXT_STEP or the limit itself. */
struct pl_reached pl_reach_context(struct pl_reach *r, uint64_t slots);
/* The most slots of `context` tokens. */
struct pl_reached pl_reach_slots(struct pl_reach *r, uint64_t context);
/* The most layers on devices, of the model's own and its output; r->settings gets them. */
struct pl_reached pl_reach_layers(struct pl_reach *r, uint64_t context, uint64_t slots);
/* The most layers that keep their experts on devices, all layers being there: r->settings gets an
 * override that leaves the others' on the host (--n-cpu-moe), in place of the last one, which must
 * be there. value: layers with their experts on devices, of all the model has; over: one more. */
struct pl_reached pl_reach_experts(struct pl_reach *r, uint64_t context, uint64_t slots);

#endif
