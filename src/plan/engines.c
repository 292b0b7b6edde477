#include "plan/engines.h"

#include <string.h>

static uint64_t pl_more(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void pl_engines_of(const struct pl_problem *p, const uint32_t *choice, uint32_t n,
                   struct pl_engines *ret)
{
    ret->n = 0;
    for (uint32_t c = 0; c < n; c++) {
        const struct pl_item *i = &p->item[choice[c]];
        struct pl_engine_use *same = NULL;
        if (i->peak == NULL)
            continue;
        for (uint32_t k = 0; i->instance >= 0 && k < ret->n && same == NULL; k++)
            same = ret->use[k].item->instance == i->instance ? &ret->use[k] : NULL;
        bool hot = i->serve == PL_SERVE_HOT;
        if (same == NULL) {
            ret->use[ret->n++] = (struct pl_engine_use){i, hot, i->group};
            continue;
        }
        same->hot = same->hot || hot;
        if (i->component < same->item->component) { /* the search has another order of components */
            same->item = i;
            same->group = i->group >= 0 ? i->group : same->group;
        } else if (same->group < 0) {
            same->group = i->group;
        }
    }
}

/* Does a hot engine other than `but` hold the pages of the file? */
static bool pl_file_held(const struct pl_engines *e, int32_t file, const bool *among, uint32_t but)
{
    for (uint32_t k = 0; file >= 0 && k < e->n; k++) {
        if (k != but && e->use[k].hot && e->use[k].item->file_id == file &&
            (among == NULL || among[k]))
            return true;
    }
    return false;
}

/* v[l] of engine k, without the file's pages where another hot one holds them. */
static uint64_t pl_net(const struct pl_engine_use *u, const uint64_t *v, uint32_t l, bool held)
{
    uint64_t file = held && u->item->file != NULL ? u->item->file[l] : 0;
    return v[l] > file ? v[l] - file : 0;
}

/* Adds the peaks of the hot ones, a file's pages once. */
static void pl_engines_hot(const struct pl_problem *p, const struct pl_engines *e, uint64_t *hot)
{
    bool before[PL_PLAN_COMPONENTS_MAX] = {false};
    for (uint32_t k = 0; k < e->n; k++) {
        if (!e->use[k].hot)
            continue;
        bool held = pl_file_held(e, e->use[k].item->file_id, before, k);
        for (uint32_t l = 0; l < p->n_line; l++)
            hot[l] += pl_net(&e->use[k], e->use[k].item->peak, l, held);
        before[k] = true;
    }
}

/* Raises what its group takes to what warm engine k needs. */
static void pl_engines_warm(const struct pl_problem *p, const struct pl_engines *e, uint32_t k,
                            bool held, uint64_t *most)
{
    const struct pl_engine_use *u = &e->use[k];
    for (uint32_t l = 0; l < p->n_line; l++)
        most[l] = pl_more(
            most[l], pl_more(pl_net(u, u->item->peak, l, held), pl_net(u, u->item->load, l, held)));
}

void pl_engines_add(const struct pl_problem *p, const struct pl_engines *e, bool open,
                    uint64_t *hot, uint64_t *group)
{
    pl_engines_hot(p, e, hot);
    for (uint32_t k = 0; k < e->n; k++) {
        const struct pl_engine_use *u = &e->use[k];
        if (!u->hot && !(open && u->item->instance >= 0))
            pl_engines_warm(p, e, k, open || pl_file_held(e, u->item->file_id, NULL, k),
                            group + (size_t)u->group * p->n_line);
    }
}

void pl_engines_load(const struct pl_problem *p, const struct pl_engines *e,
                     uint64_t out[PL_LINES_MAX])
{
    bool done[PL_PLAN_COMPONENTS_MAX] = {false};
    memset(out, 0, p->n_line * sizeof(*out));
    pl_engines_hot(p, e, out);
    for (uint32_t k = 0; k < e->n; k++) {
        uint64_t most[PL_LINES_MAX] = {0};
        for (uint32_t o = k; o < e->n && !e->use[k].hot && !done[k]; o++) {
            if (e->use[o].hot || e->use[o].group != e->use[k].group)
                continue;
            pl_engines_warm(p, e, o, pl_file_held(e, e->use[o].item->file_id, NULL, o), most);
            done[o] = o > k;
        }
        for (uint32_t l = 0; l < p->n_line && !e->use[k].hot && !done[k]; l++)
            out[l] += most[l];
    }
}

/* Less important than another: loaded later. */
static bool pl_later(const struct pl_problem *p, const struct pl_engine_use *a,
                     const struct pl_engine_use *b)
{
    uint32_t x = a->item->component, y = b->item->component;
    uint32_t px = p->stack->component[x].priority, py = p->stack->component[y].priority;
    return px != py ? px > py : x > y;
}

/* What the engines of `left` hold after loading, files once. */
static void pl_steady(const struct pl_problem *p, const struct pl_engines *e, const bool *left,
                      uint64_t *out)
{
    bool before[PL_PLAN_COMPONENTS_MAX] = {false};
    memset(out, 0, p->n_line * sizeof(*out));
    for (uint32_t k = 0; k < e->n; k++) {
        if (!left[k])
            continue;
        bool held = pl_file_held(e, e->use[k].item->file_id, before, k);
        for (uint32_t l = 0; l < p->n_line; l++)
            out[l] += pl_net(&e->use[k], e->use[k].item->steady, l, held);
        before[k] = true;
    }
}

/* Can k be loaded when all others of left are? */
static bool pl_can_be_last(const struct pl_problem *p, const struct pl_engines *e, bool *left,
                           uint32_t k, const uint64_t *all, const uint64_t *room)
{
    const struct pl_engine_use *u = &e->use[k];
    bool held = pl_file_held(e, u->item->file_id, left, k);
    uint64_t others[PL_LINES_MAX];
    if (u->item->file != NULL) {
        left[k] = false;
        pl_steady(p, e, left, others);
        left[k] = true;
    } else {
        for (uint32_t l = 0; l < p->n_line; l++)
            others[l] = all[l] - u->item->steady[l];
    }
    for (uint32_t l = 0; l < p->n_line; l++) {
        if (others[l] + pl_net(u, u->item->load, l, held) > room[l])
            return false;
    }
    return true;
}

/* Is there room for the largest need of any hot one beside all others? Then any order will do. */
static bool pl_any_order(const struct pl_problem *p, const struct pl_engines *e,
                         const uint64_t *all, const uint64_t *room)
{
    for (uint32_t l = 0; l < p->n_line; l++) {
        uint64_t most = 0;
        for (uint32_t k = 0; k < e->n; k++) {
            const struct pl_item *i = e->use[k].item;
            uint64_t need = i->load[l] + (i->file != NULL ? i->file[l] : 0);
            if (e->use[k].hot && need > i->steady[l])
                most = pl_more(most, need - i->steady[l]);
        }
        if (all[l] + most > room[l])
            return false;
    }
    return true;
}

bool pl_engines_order(const struct pl_problem *p, const struct pl_engines *e, const uint64_t *room,
                      uint32_t *order, uint32_t *ret_n)
{
    bool left[PL_PLAN_COMPONENTS_MAX] = {false};
    uint32_t n = 0;
    for (uint32_t k = 0; k < e->n; k++) {
        left[k] = e->use[k].hot;
        n += e->use[k].hot;
    }
    if (ret_n != NULL)
        *ret_n = n;
    while (n > 0) {
        uint64_t all[PL_LINES_MAX];
        uint32_t last = PL_NOTHING;
        pl_steady(p, e, left, all);
        if (order == NULL && pl_any_order(p, e, all, room))
            return true;
        for (uint32_t k = 0; k < e->n; k++) {
            if (left[k] && (last == PL_NOTHING || pl_later(p, &e->use[k], &e->use[last])) &&
                pl_can_be_last(p, e, left, k, all, room))
                last = k;
        }
        if (last == PL_NOTHING)
            return false;
        left[last] = false;
        n--;
        if (order != NULL)
            order[n] = last;
    }
    return true;
}

uint32_t pl_engine_stuck(const struct pl_problem *p, const struct pl_engines *e, uint32_t at,
                         const uint64_t *load, const uint64_t *room)
{
    const struct pl_engine_use *u = &e->use[at];
    bool held = pl_file_held(e, u->item->file_id, NULL, at);
    for (uint32_t l = 0; l < p->n_line; l++) {
        uint64_t own = pl_net(u, u->item->peak, l, held);
        if (load[l] - own + pl_net(u, u->item->load, l, held) > room[l])
            return l;
    }
    return PL_NOTHING;
}
