/* What a size of main memory carries, by one rule. The guide for CPU servers that people use says
 * it three times, in three ways that contradict each other; here the table of tiers, the tree and
 * the configuration of a size are all read from the same steps:
 *
 *   budget   what is left for models: the size less 16 GiB for the system and 15 % for safety
 *   need     of a step: all its resident (HOT) models together, and the largest of those on demand
 *            (WARM), which take turns
 *   step     a size carries the last step before the first that needs more than its budget
 *   tier     named by the nominal size; it promises what its lower bound carries
 *
 * Steps add roles in the guide's order of scaling down, read backwards. What is left is spent in
 * its order of scaling up: larger quantisations, more workers, longer contexts, WARM models kept
 * loaded. Roles first, then that: both only ever grow with the size. Pure. */
#ifndef PL_PLAN_TIERS_H
#define PL_PLAN_TIERS_H

#include "domain/option.h"
#include "domain/tier.h"

#define PL_ROLES_MAX 16
#define PL_EXTRAS_MAX 32
#define PL_EXTRA_WORKERS 4u /* the most instances that a surplus pays for */

/* A line of data/roles.tsv. Static texts. */
struct pl_role {
    uint32_t step;
    const char *role;  /* "all": one model that serves every role, while no later step is reached */
    const char *serve; /* "hot", "warm" */
    const char *model, *quant;
    double guide_gb;     /* what the guide counts; 0 = it does not say */
    const char *without; /* what a machine cannot do that does not have it */
    const char *source;
};

/* In the order of their steps. */
const struct pl_role *pl_roles(size_t *ret_n);

/* The variants of a role that its memory is asked for: as in the table; in a larger quantisation
 * (HOT ones); in the largest with a context twice and four times as long. */
enum pl_role_variant {
    PL_ROLE_BASE = 0,
    PL_ROLE_LARGER,  /* Q6_K */
    PL_ROLE_LARGEST, /* Q8_0 */
    PL_ROLE_CTX_2,
    PL_ROLE_CTX_4,
    PL_ROLE_VARIANTS,
};

/* The quantisation of a variant: a WARM role and one in Q8_0 keep theirs. */
const char *pl_role_quant(const struct pl_role *r, enum pl_role_variant v);
/* Its context: base, twice, or four times. */
uint64_t pl_role_context(enum pl_role_variant v, uint64_t base);

/* Bytes each role takes, of a row of pl_roles and a variant; UINT64_MAX: more than any size has. */
struct pl_role_needs {
    uint64_t bytes[PL_ROLES_MAX][PL_ROLE_VARIANTS];
};

/* The calculator: bytes, exact; hot + warm = available. */
struct pl_budget {
    uint64_t size, system, safety, available, hot, warm;
    uint64_t missing; /* the calculator's result was so far below 0; available is 0 */
    /* The same in whole GiB, rounded so that they add up: system + safety + available = size (when
     * nothing is missing), hot + warm = available. */
    uint64_t gib_safety, gib_available, gib_hot, gib_warm;
};
void pl_budget_of(uint64_t size, struct pl_budget *ret);

/* What the surplus was spent on. */
struct pl_extra {
    char text[80];
    uint64_t bytes; /* more than before */
};

struct pl_carried_role {
    const struct pl_role *role;
    enum pl_role_variant variant;
    uint32_t instances;
    bool loaded; /* HOT, or WARM and kept loaded */
    uint64_t bytes;
};

struct pl_carried {
    struct pl_budget budget;
    const char *tier;
    uint32_t step; /* 0: nothing fits */
    struct pl_carried_role role[PL_ROLES_MAX];
    uint32_t n_role;
    struct pl_extra extra[PL_EXTRAS_MAX];
    uint32_t n_extra;
    uint64_t hot, warm;   /* resident; the largest of those that take turns */
    uint64_t left;        /* budget - hot - warm */
    uint32_t tier_step;   /* what the tier promises at its lower bound */
    uint64_t next_from;   /* size that carries the next step; 0 = there is none */
    uint64_t guide_milli; /* 10^-3 GB: the roles as the guide counts them, all together */
};

/* What a nominal size carries. */
void pl_carried_of(uint64_t size, const struct pl_role_needs *needs, struct pl_carried *ret);

/* A role is of a step; one model for everything gives way to the first role with its own. */
bool pl_step_has(uint32_t step, const struct pl_role *r);
/* What a step needs, and the least size (whole GiB) that carries it; a size of 0 = none can. */
uint64_t pl_step_need(uint32_t step, const struct pl_role_needs *needs, uint64_t *ret_from);
uint32_t pl_steps(void); /* the last one */
/* The step that a size carries. */
uint32_t pl_step_of(uint64_t size, const struct pl_role_needs *needs);

/* Where the guide contradicts itself or the arithmetic: a line of data/tier_answers.tsv. */
struct pl_tier_answer {
    const char *name;
    uint64_t from_gib, to_gib; /* the sizes it speaks of */
    const char *says, *right, *source;
};
const struct pl_tier_answer *pl_tier_answers(size_t *ret_n);

#endif
