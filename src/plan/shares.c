/* What is charged once, shared out: the least that each item adds to a line, whatever else is
 * chosen. Sums of these never exceed the load of a choice. */
#include "plan/search.h"

#include "base/checked.h"

#include <errno.h>
#include <string.h>

/* Who may share what. */
struct pl_sharing {
    uint64_t in_instance[PL_PLAN_COMPONENTS_MAX]; /* components that can use it */
    int32_t group_of[PL_PLAN_COMPONENTS_MAX];     /* of an instance; -1 none, -2 several */
};

static void pl_sharing_of(struct pl_search *s, struct pl_sharing *ret)
{
    const struct pl_problem *p = s->p;
    memset(ret->group_of, 0xff, sizeof(ret->group_of));
    for (uint32_t c = 0; c < p->n_component; c++) {
        bool instance[PL_PLAN_COMPONENTS_MAX] = {false};
        s->group[c] = -1;
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++) {
            const struct pl_item *x = &p->item[i];
            s->group[c] = x->group >= 0 ? x->group : s->group[c];
            if (x->instance < 0)
                continue;
            ret->in_instance[x->instance] += !instance[x->instance];
            instance[x->instance] = true;
            int32_t *of = &ret->group_of[x->instance];
            if (x->group >= 0)
                *of = *of == -1 || *of == x->group ? x->group : -2;
        }
        if (s->group[c] >= 0)
            s->in_group[s->group[c]]++;
    }
}

/* Items whose process or file another component can use too. */
static int pl_ties(struct pl_search *s, struct pl_arena *arena)
{
    const struct pl_problem *p = s->p;
    /* the component that uses it; n_component: none yet, n_component + 1: several */
    uint32_t none = p->n_component, *file, *instance;
    s->tied = pl_arena_alloc(arena, (size_t)p->n_item + 1, sizeof(*s->tied));
    file = pl_arena_alloc(arena, (size_t)p->n_file + 1, sizeof(*file));
    instance = pl_arena_alloc(arena, (size_t)p->n_instance + 1, sizeof(*instance));
    if (s->tied == NULL || file == NULL || instance == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < p->n_file; k++)
        file[k] = none;
    for (uint32_t k = 0; k < p->n_instance; k++)
        instance[k] = none;
    for (uint32_t i = 0; i < p->n_item; i++) {
        const struct pl_item *x = &p->item[i];
        if (x->file_id >= 0)
            file[x->file_id] = file[x->file_id] == none || file[x->file_id] == x->component
                                   ? x->component
                                   : none + 1;
        if (x->instance >= 0)
            instance[x->instance] =
                instance[x->instance] == none || instance[x->instance] == x->component
                    ? x->component
                    : none + 1;
    }
    for (uint32_t i = 0; i < p->n_item; i++) {
        const struct pl_item *x = &p->item[i];
        s->tied[i] = (x->file_id >= 0 && file[x->file_id] > none) ||
                     (x->instance >= 0 && instance[x->instance] > none);
    }
    return 0;
}

static uint64_t pl_share_of(const struct pl_sharing *w, const struct pl_item *x, bool tied,
                            uint32_t l)
{
    bool warm = x->serve == PL_SERVE_WARM;
    if (x->peak == NULL)
        return 0;
    uint64_t v = x->peak[l];
    if (warm && x->instance < 0 && x->load[l] > v)
        v = x->load[l];
    if (x->file != NULL && tied) /* another may hold the pages */
        v = pl_sub_floor(v, x->file[l]);
    if (x->instance >= 0)
        v = warm && w->group_of[x->instance] == -2 ? 0 : v / w->in_instance[x->instance];
    return v;
}

int pl_shares_make(struct pl_search *s, struct pl_arena *arena)
{
    const struct pl_problem *p = s->p;
    struct pl_sharing who = {0};
    size_t cells = (size_t)p->n_component * p->n_line + 1, n = 0;
    s->group = pl_arena_alloc(arena, p->n_component + 1, sizeof(*s->group));
    s->in_group = pl_arena_alloc(arena, PL_PLAN_COMPONENTS_MAX, sizeof(*s->in_group));
    s->share_at = pl_arena_alloc(arena, (size_t)p->n_item + 1, sizeof(*s->share_at));
    s->part = pl_arena_alloc(arena, cells, sizeof(*s->part));
    s->part_best = pl_arena_alloc(arena, cells, sizeof(*s->part_best));
    s->part_start = pl_arena_alloc(arena, cells, sizeof(*s->part_start));
    s->took = pl_arena_alloc(arena, cells, sizeof(*s->took));
    s->floor = pl_arena_alloc(arena, (size_t)p->n_group * p->n_line + 1, sizeof(*s->floor));
    if (s->floor == NULL || s->group == NULL || s->in_group == NULL || s->share_at == NULL ||
        s->part == NULL || s->part_best == NULL || s->part_start == NULL || s->took == NULL ||
        pl_ties(s, arena) < 0)
        return -ENOMEM;
    pl_sharing_of(s, &who);
    for (uint32_t i = 0; i < p->n_item; i++) {
        for (uint32_t l = 0; l < p->n_line; l++)
            n += pl_share_of(&who, &p->item[i], s->tied[i], l) > 0;
    }
    s->share = pl_arena_alloc(arena, n + 1, sizeof(*s->share));
    if (s->share == NULL)
        return -ENOMEM;
    n = 0;
    for (uint32_t i = 0; i < p->n_item; i++) {
        const struct pl_item *x = &p->item[i];
        s->share_at[i] = (uint32_t)n;
        for (uint32_t l = 0; l < p->n_line; l++) {
            uint64_t v = pl_share_of(&who, x, s->tied[i], l);
            if (v > 0)
                s->share[n++] = (struct pl_share){l, x->serve == PL_SERVE_WARM, v, v};
        }
    }
    s->share_at[p->n_item] = (uint32_t)n;
    for (uint32_t c = 0; c < p->n_component; c++) {
        for (uint32_t l = 0; l < p->n_line && s->group[c] >= 0; l++)
            s->part_start[(size_t)c * p->n_line + l] = 1.0 / s->in_group[s->group[c]];
    }
    return 0;
}

void pl_floors_set(struct pl_search *s, const uint64_t *floor)
{
    const struct pl_problem *p = s->p;
    size_t cells = (size_t)p->n_group * p->n_line;
    memset(s->base, 0, sizeof(s->base));
    for (size_t i = 0; i < cells; i++) {
        s->floor[i] = floor != NULL ? floor[i] : 0;
        s->base[i % p->n_line] += s->floor[i];
    }
    for (uint32_t i = 0; i < p->n_item; i++) {
        int32_t g = s->group[p->item[i].component];
        for (uint32_t k = s->share_at[i]; k < s->share_at[i + 1]; k++) {
            struct pl_share *x = &s->share[k];
            uint64_t below = x->warm && g >= 0 ? s->floor[(size_t)g * p->n_line + x->line] : 0;
            x->over = pl_sub_floor(x->bytes, below);
        }
    }
}

uint64_t pl_share_even(const struct pl_search *s, uint32_t item, const struct pl_share *x)
{
    int32_t group = s->group[s->p->item[item].component];
    return x->warm && group >= 0 ? x->bytes / s->in_group[group] : x->bytes;
}
