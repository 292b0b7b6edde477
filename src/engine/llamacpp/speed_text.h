/* What goes with a figure of speed: how it came about. Private to speed.c. */
#ifndef PL_ENGINE_LLAMACPP_SPEED_TEXT_H
#define PL_ENGINE_LLAMACPP_SPEED_TEXT_H

#include "engine/llamacpp/speed.h"

extern const char pl_speed_why_blind[], pl_speed_why_sheet[], pl_speed_why_mixed[],
    pl_speed_why_cpu[], pl_speed_why_experts[], pl_speed_why_device[], pl_speed_why_speculative[];

/* Adds the shares of a step to ret->term, with figures. */
void pl_speed_terms(const char *name, const struct pl_speed_machine *in,
                    const struct pl_speed_graph *g, const struct pl_speed_step *s, double slots,
                    struct pl_speed *ret);

#endif
