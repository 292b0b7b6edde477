/* Tensors sent elsewhere by name: -ot, -cmoe, -ncmoe, -ncffn. Private to placement.c. */
#ifndef PL_ENGINE_LLAMACPP_PLACEMENT_RULES_H
#define PL_ENGINE_LLAMACPP_PLACEMENT_RULES_H

#include "engine/llamacpp/placement.h"
#include "engine/llamacpp/settings.h"

/* Adds the rules of the overrides to p. Buffers are named as the engine names them ("CPU",
 * "Vulkan1") or by their pool. */
int pl_place_rules(struct pl_placement *p, const struct pl_overrides *o,
                   const struct pl_used_devices *all, struct pl_err *err);

/* Experts of n layers, and tensors by a pattern, to the host. */
int pl_place_rule_experts(struct pl_placement *p, uint64_t from, uint64_t n, struct pl_err *err);
int pl_place_rule_pattern(struct pl_placement *p, const char *pattern, struct pl_err *err);

/* The place the first matching rule gives; false when none matches. */
bool pl_place_rule_of(const struct pl_placement *p, const char *name, uint8_t *ret_place);

#endif
