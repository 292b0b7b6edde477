/* Options that no best plan holds are left out before the search. */
#ifndef PL_PLAN_WORTHWHILE_H
#define PL_PLAN_WORTHWHILE_H

#include "plan/stack.h"

/* Drops every option beside which its own candidate has another that takes no more of any pool, is
 * no worse in any term, misses no further floor or policy, and is better in a term or comes first
 * in the file. The best plan stays the same, whatever the machine and the objective. Keeps the
 * order; returns how many are left. */
uint32_t pl_options_worthwhile(const struct pl_stack *stack, struct pl_option *option, uint32_t n);

#endif
