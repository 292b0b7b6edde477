/* Inside the solver: one stage's search, and the prices it is bounded by. */
#ifndef PL_PLAN_SEARCH_H
#define PL_PLAN_SEARCH_H

#include "plan/solve.h"

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

struct pl_search {
    const struct pl_problem *p;
    const struct pl_active *active;
    const struct pl_stage *stage;
    const struct pl_solve_limits *limits;
    struct pl_solution *best; /* incumbent, replaced when a better one is found */
    uint32_t now;             /* stage being solved */
    uint64_t room[PL_LINES_MAX];
    uint64_t *relaxed; /* by item and line: what it adds to a load at least */
    bool *off;         /* items that can be left out: they fit in no better choice */
    uint32_t *order;   /* components by depth */
    uint32_t *list;    /* items of each component in the order tried, by p->first */
    uint32_t *n_list;  /* how many of them, by component */
    struct pl_test test[PL_TESTS_MAX];
    uint32_t n_test;
    struct pl_walk *walk;
    uint64_t full[PL_LINES_MAX]; /* room that load orders have, whatever headroom is aimed at */
    bool *spare;                 /* by item: of pl_stage_order */
    bool first;                  /* one choice is enough */
    uint64_t stop_at;            /* nodes of the solution at which a search ends; 0 = none */
    bool found;                  /* a choice was accepted since it was cleared */
    bool expired;
};

/* What the walk needs at each depth; NULL when there is no memory. */
struct pl_walk *pl_walk_make(const struct pl_problem *p, struct pl_arena *arena);

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

/* Solves stage s->now under the ones before it. keep: room for a flag per item. */
void pl_stage_solve(struct pl_search *s, bool *keep);

#endif
