/* The processes a choice comes to, what they load on every line, and the order they start in. */
#ifndef PL_PLAN_ENGINES_H
#define PL_PLAN_ENGINES_H

#include "plan/problem.h"

/* One process: components that share an instance are one. */
struct pl_engine_use {
    const struct pl_item *item; /* of its first component, in file order */
    bool hot;                   /* resident for one of its components is resident */
    int32_t group;              /* of a warm one */
};

struct pl_engines {
    struct pl_engine_use use[PL_PLAN_COMPONENTS_MAX];
    uint32_t n;
};

/* choice: item index per component (any order of components), n of them. */
void pl_engines_of(const struct pl_problem *p, const uint32_t *choice, uint32_t n,
                   struct pl_engines *ret);

/* The load of every line without its reserve: peaks of the hot ones, and of each warm group the
 * largest. A file's pages are charged once. */
void pl_engines_load(const struct pl_problem *p, const struct pl_engines *e,
                     uint64_t out[PL_LINES_MAX]);

/* The same on top of others: hot (by line) grows, and what each group takes (by group and line).
 * open: more may come, which can make a warm instance hot or move it into another group, and can
 * hold a warm one's file: what it then adds at least. */
void pl_engines_add(const struct pl_problem *p, const struct pl_engines *e, bool open,
                    uint64_t *hot, uint64_t *group);

/* Is there an order in which the hot ones can be loaded within room? Writes it (indices into use,
 * hot ones only) when order is not NULL. Exact: whoever can be loaded when all others are there can
 * be put last without harm to any other order, so the last place is filled first; among those that
 * can, the one of least importance. */
bool pl_engines_order(const struct pl_problem *p, const struct pl_engines *e, const uint64_t *room,
                      uint32_t *order, uint32_t *ret_n);

/* The line on which a crashed hot engine could not reload beside the others at peak, PL_NOTHING
 * when it can. load: of pl_engines_load. */
uint32_t pl_engine_stuck(const struct pl_problem *p, const struct pl_engines *e, uint32_t at,
                         const uint64_t *load, const uint64_t *room);

#endif
