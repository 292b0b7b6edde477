/* What an engine's footprint answers: bytes per pool with the term each comes from, what the engine
 * itself would say, and whether it would start at all. A part is the sum of its terms, because both
 * are added in one call. Pure. */
#ifndef PL_DOMAIN_CLAIM_H
#define PL_DOMAIN_CLAIM_H

#include "domain/footprint.h"
#include "domain/terms.h"

#define PL_FACTS_MAX 24
#define PL_FACT_TEXT_MAX 200

/* One thing the engine would report or that was decided: "kv_cache_tokens" 22160. */
struct pl_claim_fact {
    const char *key;   /* static, snake_case: the name in JSON */
    const char *label; /* static: the name in text */
    bool known;        /* false: text says why not */
    double value;      /* of a number; unused otherwise */
    bool number;
    char text[PL_FACT_TEXT_MAX]; /* as people read it */
};

struct pl_claim {
    struct pl_footprint footprint;
    struct pl_terms terms;
    struct pl_claim_fact fact[PL_FACTS_MAX];
    uint32_t n_fact;
    struct pl_judgement said; /* reasons of the engine's own, and the best verdict they leave */
    char quant[32];           /* how the weights are held: "NF4", "BF16" */
    const char *formulas;     /* static: the versions whose source the formulas mirror */
};

void pl_claim_start(struct pl_claim *a, const char *formulas);

/* A new pool with every part exactly 0, or NULL when there are too many. */
struct pl_pool_footprint *pl_claim_pool(struct pl_claim *a, const char *name,
                                        enum pl_pool_kind kind);

/* Adds q to a part, with its term. source: static, the engine's file and function. q.why is kept
 * when it is the part's first. */
void pl_claim_add(struct pl_claim *a, struct pl_pool_footprint *p, enum pl_part part,
                  struct pl_quantity q, const char *source, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* steady and peak as the sum of the parts; load_peak as the larger of that and `loading` (may be
 * NULL); host pools: all of it anonymous. Call when the parts are complete. */
void pl_claim_total(struct pl_pool_footprint *p, const struct pl_quantity *loading);

void pl_claim_number(struct pl_claim *a, const char *key, const char *label, double value,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void pl_claim_text(struct pl_claim *a, const char *key, const char *label, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A reason of the engine's own, and the best verdict it leaves. */
void pl_claim_say(struct pl_claim *a, enum pl_verdict at_best, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The judgement of the footprint on a machine, with what the engine says: the worse verdict. */
void pl_claim_judge(const struct pl_claim *a, const struct pl_machine *m, struct pl_judgement *ret);

#endif
