/* Inside the solver: one stage's search, and the prices it is bounded by. */
#ifndef PL_PLAN_SEARCH_H
#define PL_PLAN_SEARCH_H

#include "plan/solve.h"

#define PL_IMPROVE_FROM 13u  /* components; fewer are solved to the end sooner */
#define PL_PASS_NODES 20000u /* of a stage in the first pass; four times as many in each next */
#define PL_CUT_LEVELS 64u    /* cuts of groups within each other */
#define PL_TESTS_MAX (2u * PL_STAGES_MAX + 2u)

/* A bound: for every choice that meets all lines and all terms already won,
 * sum of price[item] + constant >= threshold must hold. */
struct pl_test {
    int32_t goal;   /* stage it maximises; -1: any feasible choice */
    pl_wide *price; /* of each item */
    pl_wide *rest;  /* by depth: the most that components from there on can add */
    pl_wide constant, threshold;
    uint64_t price_of_line[PL_LINES_MAX];
    pl_wide won; /* part of the constant that does not come from lines */
    uint32_t shift;
};

struct pl_walk;

/* A price per line and per term. */
struct pl_dual {
    double line[PL_LINES_MAX], stage[PL_STAGES_MAX];
};

/* What an item adds to a line at least, where that is not zero. A warm group is charged its largest
 * member, so of a warm item only a part counts: all parts of a group's components add up to one at
 * most, on each line. */
struct pl_share {
    uint32_t line;
    bool warm;
    uint64_t bytes; /* before its part */
    uint64_t over;  /* of them, what lies above the floor of its group: the part is of these */
};

/* A part of a split: in a group no warm item takes more than `most` of a line, by its share; or one
 * takes at least `next`, the least there is above. */
struct pl_cut {
    uint32_t group, line;
    uint64_t most, next;
};

struct pl_search {
    const struct pl_problem *p;
    const struct pl_active *active;
    const struct pl_stage *stage;
    const struct pl_solve_limits *limits;
    struct pl_solution *best; /* incumbent, replaced when a better one is found */
    uint32_t now;             /* stage being solved */
    uint64_t room[PL_LINES_MAX];
    struct pl_share *share; /* those of item i from share_at[i] */
    uint32_t *share_at;
    int32_t *group;     /* by component: the warm group it can be in; -1 = none */
    uint32_t *in_group; /* by group: components that can be in it */
    bool *tied;         /* by item: another component can use its process or file */
    double *part, *part_best, *part_start; /* by component and line, of a group's load */
    double *took;                          /* by component and line: what the chosen item takes */
    bool *off;        /* items that can be left out: they fit in no better choice */
    uint32_t *order;  /* components by depth */
    uint32_t *list;   /* items of each component in the order tried, by p->first */
    uint32_t *n_list; /* how many of them, by component */
    struct pl_test test[PL_TESTS_MAX];
    uint32_t n_test;
    struct pl_walk *walk;
    uint64_t full[PL_LINES_MAX]; /* room that load orders have, whatever headroom is aimed at */
    bool *spare;                 /* by item: of pl_stage_order */
    bool first;                  /* one choice is enough */
    uint64_t stop_at;            /* nodes of the solution at which a search ends; 0 = none */
    bool found;                  /* a choice was accepted since it was cleared */
    bool expired;
    struct pl_dual warm[PL_STAGES_MAX]; /* prices found last, by goal ... */
    uint32_t warm_now[PL_STAGES_MAX];   /* ... in this stage, plus one */
    uint64_t pass;                      /* nodes a stage may take in the first pass */
    uint64_t cap;                       /* nodes a stage may take in this pass; 0 = any number */
    int64_t bound;                      /* of the stage's sum; INT64_MAX = none known */
    bool held;                          /* most components have one item left */
    uint32_t *trial;                    /* scratch: a choice, or components in some order */
    bool **level;                       /* of a split: items left out at each level */
    uint32_t *level_item;               /* and the item a component is held to there ... */
    struct pl_cut *level_cut;           /* ... or, where that is PL_NOTHING, the cut */
    uint64_t **level_floor;             /* and the floors */
    uint32_t n_level;                   /* how many levels there are */
    int64_t *level_bound;               /* of the stage's sum, when it was looked at last */
    uint64_t *floor;                    /* by group and line: the group takes so much at least */
    uint64_t base[PL_LINES_MAX];        /* sums of the floors */
    uint64_t random;                    /* state of the generator; the same in every run */
};

/* What each item adds to a load at least: share, group, parts. -ENOMEM. */
int pl_shares_make(struct pl_search *s, struct pl_arena *arena);

/* Bytes of an item's share when all of its group have the same part. */
uint64_t pl_share_even(const struct pl_search *s, uint32_t item, const struct pl_share *x);

/* Sets the floors of all groups; NULL: none. */
void pl_floors_set(struct pl_search *s, const uint64_t *floor);

/* What the walk needs at each depth; NULL when there is no memory. */
struct pl_walk *pl_walk_make(const struct pl_problem *p, struct pl_arena *arena);

/* Is term k priced when goal is maximised in this stage? */
bool pl_prices_won(const struct pl_search *s, int32_t goal, uint32_t k);

/* The best prices found for a goal; part_best holds the parts that belong to them. */
void pl_dual_find(struct pl_search *s, int32_t goal, struct pl_dual *ret);

/* Prices for a goal and a test from them. False: the bound already shows that nothing is better. */
bool pl_prices(struct pl_search *s, int32_t goal, struct pl_test *ret);

/* The same without prices: exact for a whole choice. goal >= 0. */
void pl_plain(struct pl_search *s, int32_t goal, struct pl_test *ret);

/* Narrows room to loads whose headroom ratio is at least (strict: above) head / line. False: no
 * load at all could reach it. */
bool pl_headroom_room(struct pl_search *s, uint64_t head, uint64_t line, bool strict);

/* The constant again after room has changed. */
void pl_test_constant(const struct pl_search *s, struct pl_test *t);

/* Sets `rest` for the order of components. */
void pl_test_rest(const struct pl_search *s, struct pl_test *t);

/* The bound at the root. */
pl_wide pl_test_root(const struct pl_search *s, const struct pl_test *t);

/* What stage k gets from a whole choice. */
int64_t pl_stage_sum(const struct pl_search *s, uint32_t k, const uint32_t *choice);

/* Depth first through all choices that pass the tests; better ones replace the incumbent. */
void pl_search_run(struct pl_search *s);

/* Solves stage s->now under the ones before it. keep: room for a flag per item. True: proved. */
bool pl_stage_solve(struct pl_search *s, bool *keep);

/* Components in the order they are searched. */
void pl_stage_arrange(struct pl_search *s);

/* A stage that maximises the least headroom. True: proved. */
bool pl_stage_headroom(struct pl_search *s, const bool *keep);

/* What the leading test says that the stage's sum cannot exceed; INT64_MAX = nothing. */
int64_t pl_stage_bound(const struct pl_search *s);

/* One look at the stage with the items that are left, for at most `nodes`: a better choice replaces
 * the incumbent. True: no better one is among them. */
bool pl_stage_look(struct pl_search *s, uint64_t nodes);

/* The same by parts, each with prices of its own: for stages that one look does not end. A headroom
 * ends at the first better choice. */
bool pl_stage_split(struct pl_search *s, uint64_t nodes);

/* A choice that meets every line, quickly and not the best: what is required in its smallest form,
 * mended until it fits, then what else fits, the most important first. False: none found. */
bool pl_first_choice(struct pl_search *s);

/* Looks around the incumbent: all components but a few keep their items, and those few are solved
 * exactly. keep: flags of the items left out in this stage. True: it is proved the best. */
bool pl_improve(struct pl_search *s, const bool *keep);

#endif
