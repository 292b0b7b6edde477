/* A plan: what to run where, under which line, and why. Plain values; src/plan/plan.h fills it, its
 * texts and arrays live in the arena it was made with. */
#ifndef PL_DOMAIN_PLAN_H
#define PL_DOMAIN_PLAN_H

#include "domain/footprint.h"
#include "domain/option.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_PLAN_COMPONENTS_MAX 128u
#define PL_PLAN_OPTIONS_MAX 16384u /* of all components together */
#define PL_PLAN_TERMS_MAX 8u

/* What the objective counts, most important first as in struct pl_plan. */
enum pl_term_kind {
    PL_TERM_SERVED = 0,  /* components served, a value per priority, lowest number first */
    PL_TERM_TIERS,       /* components in their first tier, second ... */
    PL_TERM_QUALITY,     /* sum of weight x quality */
    PL_TERM_SETTINGS,    /* what was not got of what was wanted, in millionths; less is better */
    PL_TERM_HEADROOM,    /* least headroom / ceiling over the pools: value[0] / value[1] */
    PL_TERM_SPEED,       /* sum of decode rates, thousandths of tokens per second */
    PL_TERM_FIRST_TOKEN, /* sum of times to first token in microseconds; less is better */
    PL_TERM_FILE_ORDER,
};

struct pl_plan_term {
    enum pl_term_kind kind;
    const char *name;
    int64_t *value;
    uint32_t n_value;
};

struct pl_plan_component {
    const char *name;
    bool required;
    uint32_t priority;
    bool served;
    enum pl_serve tier;             /* PL_SERVE_OFF when not served */
    const struct pl_option *option; /* NULL when not served */
    uint32_t allowed_rank;          /* of its tier in the stack's list */
    bool shared;                    /* its process also serves a component named before it */
    const char *why;                /* why this and no better candidate; never NULL */
};

struct pl_plan_pool {
    const char *name, *parent;
    enum pl_pool_kind kind;
    bool known; /* ceiling and load below are meant; a pool of which nothing is known is only listed
                 */
    uint64_t ceiling, reserve, planned, headroom;
    uint64_t capacity, used, available; /* of the machine; UINT64_MAX = unknown */
    bool ceiling_set;                   /* by the stack file; else capacity - reserved */
};

/* What one component takes from one pool, ancestors included: rows of the budget table. */
struct pl_plan_charge {
    uint32_t component, pool;
    struct pl_quantity steady, peak, load_peak;
    struct pl_quantity actual; /* of the last run with these settings here; unknown = never ran */
};

/* A step down that the stack allows: another candidate, on demand, off. */
struct pl_plan_delta {
    const char *pool;
    uint64_t bytes;
    bool more; /* it takes so much more instead of freeing it */
};
struct pl_plan_rung {
    uint32_t component;
    const char *step; /* a candidate's name, "on demand", "off" */
    const char *cost; /* what is lost: "English only; quality 50 for 80"; "" = nothing known */
    struct pl_plan_delta *delta;
    uint32_t n_delta;
};

/* A member of an irreducible conflict. */
struct pl_plan_member {
    const char *name;    /* "component:llm", "ceiling:gpu0", "policy:no-q5" ... */
    const char *resolve; /* what would resolve it */
};

struct pl_plan {
    const char *stack, *environment;                 /* name; NULL = none */
    bool always;                                     /* to run day and night */
    uint32_t tight_permyriad, comfortable_permyriad; /* of a ceiling: labels of headroom */
    bool feasible, optimal;
    enum pl_verdict verdict;
    struct pl_plan_term term[PL_PLAN_TERMS_MAX];
    uint32_t n_term;
    struct pl_plan_component *component;
    uint32_t n_component;
    uint32_t *load_order; /* indices of components */
    uint32_t n_load;
    struct pl_plan_pool *pool;
    uint32_t n_pool;
    struct pl_plan_charge *charge;
    uint32_t n_charge;
    struct pl_plan_member *conflict;
    uint32_t n_conflict;
    struct pl_plan_rung *rung; /* by component, first step first */
    uint32_t n_rung;
    const char **lack; /* what this configuration cannot do */
    uint32_t n_lack;
    const char **note; /* what the reader should know: unknown speeds, pools not here ... */
    uint32_t n_note;
    const char *restart; /* "drain llm before it restarts: ..."; NULL = any can restart beside */
    const char *gap;     /* not optimal: which term is not proved, its value and its bound */
    bool on_likely;      /* solved on likely values: fragile */
    uint64_t nodes;      /* of the search */
};

const char *pl_term_name(enum pl_term_kind kind);

#endif
