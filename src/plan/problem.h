/* The planner's problem in numbers: lines (what no pool may exceed) and items (an option in one
 * tier). Stack, machine and options go in; the search sees only this.
 *
 * A charge to a pool is a charge to each of its ancestors, and to the control group that caps it.
 * A policy on how many engines a pool may hold is a line too, where every engine weighs 1. */
#ifndef PL_PLAN_PROBLEM_H
#define PL_PLAN_PROBLEM_H

#include "plan/stack.h"

#define PL_LINES_MAX 64u /* bits of a mask */
#define PL_NO_LIMIT UINT64_MAX
#define PL_NOTHING UINT32_MAX

/* Integers of the search are exact: sums of products of bytes and multipliers need 128 bits. */
__extension__ typedef __int128 pl_wide;
__extension__ typedef unsigned __int128 pl_uwide;

struct pl_line {
    const char *name; /* of the pool */
    uint32_t pool;    /* index in the machine; PL_NOTHING: a policy's count, or a pool not there */
    int32_t policy;   /* index of the policy that counts engines; -1 = memory */
    uint64_t ceiling, available, reserve, largest; /* PL_NO_LIMIT = none */
    bool missing; /* options ask for it, the machine has no such pool */
    bool ceiling_set;
};

/* Floors of a component, as bits of struct pl_item.floors. */
enum pl_floor {
    PL_FLOOR_DECODE = 1,
    PL_FLOOR_QUALITY = 2,
    PL_FLOOR_LANGUAGE = 4,
    PL_FLOOR_FIRST_TOKEN = 8,
    PL_FLOORS = 4, /* how many */
};

struct pl_item {
    uint32_t component, option; /* option PL_NOTHING: the component is not served */
    uint32_t rank;              /* of the tier in the component's list */
    enum pl_serve serve;
    const uint64_t *steady, *peak,
        *load;                        /* by line, ancestors charged; NULL for nothing and cloud */
    const uint64_t *file;             /* part of the above that belongs to file_id; or NULL */
    int32_t group, instance, file_id; /* -1 = none */
    uint64_t large;                   /* lines whose largest allocation it exceeds */
    uint32_t policies;                /* that forbid it */
    uint32_t floors;                  /* of its component that it misses */
    uint32_t order;                   /* in the file, within its component */
};

struct pl_problem {
    const struct pl_stack *stack;
    const struct pl_machine *machine;
    const struct pl_option *option;
    uint32_t n_option;
    struct pl_line line[PL_LINES_MAX];
    uint32_t n_line;
    uint64_t up[PL_LINES_MAX]; /* of each line: those a charge to it goes to as well, itself too */
    struct pl_item *item; /* grouped by component, in file order, each group ends with "nothing" */
    uint32_t n_item;
    uint32_t *first; /* of each component, and one more */
    uint32_t n_component, n_group, n_instance, n_file;
    bool likely; /* built from likely values, not from high ones */
};

/* What holds while solving: conflicts are found by dropping members. */
struct pl_active {
    bool required[PL_PLAN_COMPONENTS_MAX];
    bool ceiling[PL_LINES_MAX], available[PL_LINES_MAX], largest[PL_LINES_MAX];
    bool policy[PL_STACK_POLICIES_MAX];
    uint8_t floors[PL_PLAN_COMPONENTS_MAX];
};

/* Builds it in arena. -ENODATA, exit status 3: the available memory of a pool that an option
 * charges is unknown. -E2BIG beyond the limits; -ENOMEM. */
int pl_problem_make(const struct pl_stack *stack, const struct pl_machine *machine,
                    const struct pl_option *option, uint32_t n_option, bool likely,
                    struct pl_arena *arena, struct pl_problem *ret, struct pl_err *err);

/* Everything holds that the stack and the machine say. */
void pl_active_all(const struct pl_problem *p, struct pl_active *ret);

/* May the item be chosen at all? */
bool pl_item_allowed(const struct pl_problem *p, const struct pl_active *a,
                     const struct pl_item *i);

/* What a line leaves above its reserve; false when the reserve alone exceeds it. */
bool pl_line_room(const struct pl_problem *p, const struct pl_active *a, uint32_t line,
                  uint64_t *ret);

/* The memory line of that name; PL_NOTHING. */
uint32_t pl_line_named(const struct pl_problem *p, const char *name);

/* The floors an option misses. */
uint32_t pl_floors_missed(const struct pl_stack_component *c, const struct pl_option *o);
/* The policies that forbid an option, as bits. */
uint32_t pl_policies_against(const struct pl_stack *s, const struct pl_option *o);

#endif
