#include "machine/consumer_group.h"

#include "base/checked.h"
#include "base/str.h"
#include "machine/consumer_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *pl_process_shown(const struct pl_process *p)
{
    return p->program != NULL ? p->program->program : p->name;
}

const char *pl_group_name(const struct pl_group *g)
{
    return pl_process_shown(g->first);
}

enum pl_consumer_kind pl_group_kind(const struct pl_group *g)
{
    return g->first->program != NULL ? g->first->program->kind : PL_CONSUMER_OTHER;
}

static int pl_group_compare(const struct pl_process *a, const struct pl_process *b)
{
    if (a->place.runtime != b->place.runtime)
        return a->place.runtime < b->place.runtime ? -1 : 1;
    int d = strcmp(a->place.name, b->place.name);
    return d != 0 ? d : strcmp(pl_process_shown(a), pl_process_shown(b));
}

static int pl_group_order(const void *a, const void *b, void *ctx)
{
    const struct pl_sweep *s = ctx;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    int d = pl_group_compare(&s->process[i], &s->process[k]);
    return d != 0 ? d : i < k ? -1 : i > k;
}

static uint64_t pl_more(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t pl_less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* VmLck counts locked address space of any kind. What anonymous and shared pages cannot account for
 * is surely of files; at most all of it is. */
static void pl_group_add(struct pl_group *g, const struct pl_process *p)
{
    g->split = g->n == 0 ? p->split : g->split && p->split;
    if (g->n == 0)
        g->first = p;
    g->n++;
    g->anon_sum = pl_add_sat(g->anon_sum, p->anon);
    g->anon_max = pl_more(g->anon_max, p->anon);
    g->shmem_sum = pl_add_sat(g->shmem_sum, p->shmem);
    g->shmem_max = pl_more(g->shmem_max, p->shmem);
    g->file_sum = pl_add_sat(g->file_sum, p->file);
    g->file_max = pl_more(g->file_max, p->file);
    uint64_t other = pl_add_sat(p->anon, p->shmem);
    g->locked_low = pl_more(g->locked_low, pl_less(p->file, pl_sub_floor(p->locked, other)));
    g->locked_high = pl_more(g->locked_high, pl_less(p->file, p->locked));
}

/* part of whole, where all parts together may be at most `most`. */
static uint64_t pl_share(uint64_t part, uint64_t whole, uint64_t most)
{
    if (whole <= most || whole == 0)
        return part;
    return pl_less(part, (uint64_t)((double)part * ((double)most / (double)whole)));
}

static void pl_group_anon(struct pl_group *g, uint64_t all, uint64_t most)
{
    uint64_t n = pl_share(g->anon_sum, all, most);
    if (!g->split) {
        g->anon = pl_between(0, g->file_max, g->file_sum, PL_SOURCE_ASSUMED,
                             "VmRSS: this kernel does not tell file pages apart");
        return;
    }
    if (g->n == 1 && n == g->anon_sum)
        g->anon = pl_exact(n, PL_SOURCE_MEASURED, "RssAnon");
    else
        g->anon = pl_between(pl_less(n, g->anon_max), n, g->anon_sum, PL_SOURCE_DERIVED,
                             all > most ? "RssAnon summed, scaled to AnonPages"
                                        : "RssAnon summed: forked processes may share some");
}

static void pl_group_finish(struct pl_group *g, const struct pl_groups *all,
                            const struct pl_meminfo *mi)
{
    uint64_t anon = mi->known[PL_MEM_ANON_PAGES] ? mi->value[PL_MEM_ANON_PAGES] : UINT64_MAX;
    uint64_t shmem = mi->known[PL_MEM_SHMEM] ? mi->value[PL_MEM_SHMEM] : UINT64_MAX;
    uint64_t n = pl_share(g->shmem_max, all->shmem_sum, shmem);
    pl_group_anon(g, all->anon_sum, anon);
    if (g->n == 1 && n == g->shmem_sum)
        g->shmem = pl_exact(n, PL_SOURCE_MEASURED, "RssShmem");
    else
        g->shmem = pl_between(pl_less(n, g->n == 1 ? 0 : n), n, g->shmem_sum, PL_SOURCE_DERIVED,
                              "RssShmem of the largest member: the same pages in all");
    uint64_t locked = pl_group_kind(g) == PL_CONSUMER_ENGINE ? g->locked_high : g->locked_low;
    if (g->locked_high == 0)
        g->locked = pl_exact(0, PL_SOURCE_MEASURED, "VmLck: nothing of files is locked");
    else
        g->locked = pl_between(g->locked_low, locked, g->locked_high, PL_SOURCE_DERIVED,
                               "VmLck: locked pages of files");
}

static int pl_groups_alloc(const struct pl_sweep *s, uint32_t **ret_order, struct pl_groups *ret,
                           struct pl_err *err)
{
    size_t n = s->n > 0 ? s->n : 1;
    *ret_order = calloc(n, sizeof(**ret_order));
    ret->group = calloc(n, sizeof(*ret->group));
    ret->of = calloc(n, sizeof(*ret->of));
    if (*ret_order != NULL && ret->group != NULL && ret->of != NULL)
        return 0;
    free(*ret_order);
    pl_groups_done(ret);
    return pl_fail(err, -ENOMEM, "no memory for the list of programs");
}

int pl_groups_make(const struct pl_sweep *s, const struct pl_meminfo *mi, struct pl_groups *ret,
                   struct pl_err *err)
{
    uint32_t *order = NULL;
    *ret = (struct pl_groups){0};
    int rc = pl_groups_alloc(s, &order, ret, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < s->n; i++)
        order[i] = i;
    struct pl_sweep view = *s; /* qsort_r takes no const */
    qsort_r(order, s->n, sizeof(order[0]), pl_group_order, &view);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pl_process *p = &s->process[order[i]];
        if (ret->n == 0 || pl_group_compare(ret->group[ret->n - 1].first, p) != 0)
            ret->n++;
        pl_group_add(&ret->group[ret->n - 1], p);
        ret->of[order[i]] = ret->n - 1;
    }
    free(order);
    for (uint32_t i = 0; i < ret->n; i++) {
        ret->anon_sum = pl_add_sat(ret->anon_sum, ret->group[i].anon_sum);
        ret->shmem_sum = pl_add_sat(ret->shmem_sum, ret->group[i].shmem_max);
    }
    for (uint32_t i = 0; i < ret->n; i++)
        pl_group_finish(&ret->group[i], ret, mi);
    return 0;
}

void pl_groups_done(struct pl_groups *g)
{
    free(g->group);
    free(g->of);
    *g = (struct pl_groups){0};
}

void pl_group_hold(struct pl_group *g, const char *pool, struct pl_quantity held)
{
    uint32_t i = 0;
    while (i < g->n_device && !pl_streq(g->device[i].pool, pool))
        i++;
    if (i == PL_CONSUMER_POOLS_MAX)
        return;
    if (i < g->n_device) {
        g->device[i].held = pl_plus(g->device[i].held, held);
        return;
    }
    (void)PL_FMT(g->device[i].pool, "%s", pool);
    g->device[i].held = held;
    g->n_device++;
}

bool pl_groups_name(const struct pl_root *root, struct pl_groups *g)
{
    bool denied = false;
    for (uint32_t i = 0; i < g->n; i++) {
        struct pl_group *own = &g->group[i];
        const struct pl_group *before = i > 0 ? &g->group[i - 1] : NULL;
        const struct pl_place *place = &own->first->place;
        if (place->runtime == PL_RUNTIME_NONE)
            continue;
        bool same = before != NULL && before->first->place.runtime == place->runtime &&
                    pl_streq(before->first->place.name, place->name);
        if (same)
            (void)PL_FMT(own->container, "%s", before->container);
        else if (pl_container_name(root, place, own->container, sizeof(own->container)) == -EACCES)
            denied = true;
    }
    return denied;
}
