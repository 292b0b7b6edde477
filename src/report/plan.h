/* A plan as text and JSON. */
#ifndef PL_REPORT_PLAN_H
#define PL_REPORT_PLAN_H

#include "base/json.h"
#include "domain/plan.h"

/* Of a pool's headroom against its ceiling, with the thresholds of the plan: "tight", "fair",
 * "comfortable"; "over" when nothing is left and more would be needed. */
const char *pl_headroom_label(const struct pl_plan *p, const struct pl_plan_pool *q);

/* What the plan is worth for a use: the verdict for sessions, and for day and night (which asks for
 * headroom that is not tight, and a restart beside the others). */
const char *pl_duty_text(const struct pl_plan *p, bool always);

void pl_plan_text(const struct pl_plan *p, bool colour, struct pl_str *out);

/* Markdown; a page of HTML that needs nothing else. */
void pl_plan_markdown(const struct pl_plan *p, struct pl_str *out);
void pl_plan_page(const struct pl_plan *p, struct pl_str *out);
/* Plans beside each other, by component and pool; titles: of each. At most PL_PLANS_BESIDE_MAX. */
#define PL_PLANS_BESIDE_MAX 9u
void pl_plans_beside(const struct pl_plan *const *plan, const char *const *title, uint32_t n,
                     bool colour, struct pl_str *out);

/* The members of "plimsoll.plan/1" after its schema, into an open object. */
void pl_plan_json(const struct pl_plan *p, struct pl_json *j);

#endif
