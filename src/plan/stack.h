/* The stack file: what one person wants to run together, and under which line.
 *
 *     plimsoll: 1
 *     name: voice
 *     pools: {gpu0: {ceiling: 5.5GB, reserve: 300MiB, largest: 3GiB}}
 *     components:
 *       llm: {required: true, candidates: [{model: qwen3-8b, quant: q4_k_m}]}
 *     environments: {production: {objective: reliability}, development: {inherits: production}}
 *
 * Every key stands in the table of stack_keys.c, which drives reading, errors, the JSON Schema and
 * docs/stack.md. Values may hold ${VAR} or ${VAR:-default}; commands keep theirs for the launch. */
#ifndef PL_PLAN_STACK_H
#define PL_PLAN_STACK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/yaml_tree.h"
#include "domain/option.h"
#include "domain/plan.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_STACK_VERSION 1u
#define PL_STACK_TEXT_MAX PL_YAML_TEXT_MAX
#define PL_STACK_CANDIDATES_MAX 256u
#define PL_STACK_POLICIES_MAX 32u
#define PL_STACK_ARENA_MAX (64u * 1024u * 1024u)

enum pl_objective {
    PL_OBJECTIVE_BALANCED = 0,
    PL_OBJECTIVE_CAPABILITY,
    PL_OBJECTIVE_RELIABILITY,
    PL_OBJECTIVE_SPEED,
    PL_OBJECTIVE_VOICE,
    PL_OBJECTIVES,
};

enum pl_duty { PL_DUTY_SESSION = 0, PL_DUTY_ALWAYS };

struct pl_stack_pool {
    const char *name;
    uint64_t ceiling, reserve, largest; /* UINT64_MAX = not said (reserve: 0) */
    const struct pl_ynode *at;
};

struct pl_want {
    uint64_t min, want; /* 0 = not said */
};

struct pl_stack_candidate {
    const char *name; /* given, else made of model and quant, else "candidate N" */
    const char *model, *quant, *engine, *instance, *precision, *language;
    const char *const *command;        /* NULL-ended; NULL = none */
    const char *const *flags;          /* NULL-ended engine flags */
    const struct pl_option_pool *pool; /* declared footprint */
    uint32_t n_pool;
    bool declared; /* a footprint is given */
    int64_t quality;
    bool quality_known;
    uint64_t decode_milli, first_token_us, extra_bytes, model_bytes; /* 0 = not said */
    const char *const *kv_types; /* NULL-ended; NULL = the engine's default alone */
    const struct pl_ynode *at;
};

struct pl_stack_component {
    const char *name;
    uint32_t priority;
    bool required;
    uint64_t weight;
    enum pl_serve tier[PL_SERVES];
    uint32_t n_tier;
    const char *group;
    struct pl_want context, slots;
    uint64_t min_decode_milli; /* 0 = no floor */
    bool min_decode_given;
    int64_t min_quality;
    bool min_quality_given;
    uint64_t max_first_token_us; /* 0 = no limit */
    const char *language;        /* it must speak; NULL = any */
    const char *role;
    struct pl_stack_candidate *candidate;
    uint32_t n_candidate;
    const char *const *fallback; /* rungs by candidate name, NULL-ended; NULL = file order */
    const struct pl_ynode *at;
};

struct pl_stack_count {
    const char *pool;
    uint64_t n;
};

/* A rule that forbids options, or how many engines a pool may hold at once. */
struct pl_stack_policy {
    const char *name;
    const char *const *quants;                /* patterns with '*', NULL-ended; NULL = none */
    const char *const *precisions;            /* the same */
    const char *const *components;            /* it applies to these only; NULL = all */
    uint64_t max_model_bytes, max_allocation; /* UINT64_MAX = none */
    const struct pl_stack_count *together;    /* engines at once in a pool */
    uint32_t n_together;
    const struct pl_ynode *at;
};

struct pl_stack_cloud {
    const char *name, *provider, *model, *url, *key_env;
    uint64_t input_micro,
        output_micro; /* currency x 10^-6 per million tokens; UINT64_MAX = not said */
    const char *currency;
    const struct pl_ynode *at;
};

/* Bytes of a pool that the stack's own running processes hold now: available to its plan. Pool is
 * borrowed. */
struct pl_stack_holding {
    const char *pool;
    uint64_t bytes;
};

/* A variable that stood in a value. */
struct pl_stack_variable {
    const char *name, *value;
    bool from_environment; /* else the default in the file */
    uint32_t line, col;
};

struct pl_stack {
    const char *file, *name;
    const char *environment;         /* NULL = none chosen */
    const char *const *environments; /* all names, NULL-ended */
    enum pl_objective objective;
    enum pl_duty duty;
    uint32_t tight_permyriad, comfortable_permyriad; /* of the ceiling: labels of headroom */
    struct pl_stack_pool *pool;
    uint32_t n_pool;
    struct pl_stack_component *component;
    uint32_t n_component;
    struct pl_stack_policy *policy;
    uint32_t n_policy;
    struct pl_stack_cloud *cloud;
    uint32_t n_cloud;
    struct pl_stack_variable *variable;
    uint32_t n_variable;
    const struct pl_stack_holding *holding; /* told by whoever runs it, not by the file */
    uint32_t n_holding;
    const char *held_by; /* the processes found that hold it, for people; NULL = told, not found */
    const struct pl_ynode *root; /* resolved: environment merged, variables filled in */
};

struct pl_stack_options {
    const char *environment; /* NULL: none; the file alone */
    /* The value of an environment variable, NULL when it is not set. NULL: none is set. */
    const char *(*variable)(void *ctx, const char *name);
    void *ctx;
};

/* Reads a stack file from memory; everything lives in arena, file is borrowed. Every environment is
 * checked, whichever is chosen. -EINVAL, exit status 2, with file, line and column and, where a
 * word is near a right one, a hint. */
int pl_stack_parse(const char *text, size_t len, const char *file,
                   const struct pl_stack_options *options, struct pl_arena *arena,
                   struct pl_stack **ret, struct pl_err *err);

/* The options of candidates with a declared footprint, appended to out (at most max). A candidate
 * without one is left for the engines. Returns their number. */
uint32_t pl_stack_declared(const struct pl_stack *s, struct pl_option *out, uint32_t max);

/* Another objective than the file's: with what goes with it where the file does not say otherwise
 * (voice: a first token within half a second). */
void pl_stack_objective(struct pl_stack *s, enum pl_objective o);

const char *pl_objective_name(enum pl_objective o);
/* False for another word. */
bool pl_objective_of(const char *name, enum pl_objective *ret);

#endif
