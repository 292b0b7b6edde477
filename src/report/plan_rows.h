/* The parts of a plan that every form of it shows: rows of the budget, the expectations, the
 * ladder. Sizes are texts; the forms differ in how they set them. */
#ifndef PL_REPORT_PLAN_ROWS_H
#define PL_REPORT_PLAN_ROWS_H

#include "base/str.h"
#include "domain/plan.h"

enum pl_row_kind {
    PL_ROW_HELD = 0, /* system and desktop */
    PL_ROW_COMPONENT,
    PL_ROW_TOTAL, /* total, reserve, ceiling, headroom ... */
};

#define PL_ROW_TEXT_MAX 200
struct pl_budget_row {
    enum pl_row_kind kind;
    char what[PL_ROW_TEXT_MAX], config[PL_ROW_TEXT_MAX], allocated[48], actual[48];
    char status[PL_ROW_TEXT_MAX];
};

/* The columns of the budget; NULL-ended. The sizes are flush right: ">". */
extern const char *const pl_budget_columns[];

/* Is there anything to show of the pool? */
bool pl_plan_pool_used(const struct pl_plan_pool *q);

/* Calls row for each row of the pool's budget, in order. */
void pl_budget_rows(const struct pl_plan *p, uint32_t pool,
                    void (*row)(void *ctx, const struct pl_budget_row *r), void *ctx);

/* What the bar of a pool shows, in bytes: held by others, planned with the reserve, the line, all.
 */
struct pl_plan_bar {
    uint64_t held, planned, line, total; /* total 0: nothing to draw */
};
struct pl_plan_bar pl_plan_bar_of(const struct pl_plan_pool *q);

/* "fits, safe; OK for sessions; not for 24/7: ..." */
void pl_plan_headline(const struct pl_plan *p, struct pl_str *out);
/* "46 tokens/s, first token 180 ms"; "speed unknown". */
void pl_plan_speed(const struct pl_option *o, struct pl_str *out);
/* "stt -> distil-medium.en: frees 668 MiB of gpu0; quality 50 for 80" */
void pl_plan_rung_text(const struct pl_plan *p, const struct pl_plan_rung *r, struct pl_str *out);
/* "tight below 10 %, comfortable from 25 % of a ceiling" */
void pl_plan_thresholds(const struct pl_plan *p, struct pl_str *out);

#endif
