#include "machine/consumer_fill.h"

#include "base/checked.h"
#include "base/str.h"
#include "machine/consumer_advice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PL_KINDS (PL_CONSUMER_SYSTEM + 1)
#define PL_KEPT_MAX (PL_CONSUMERS_MAX - PL_KINDS) /* the rest of each kind is one row */
#define PL_COMM_MAX 15

/* The most that any of a driver's lists says of this process and pool: lists of compute and of
 * graphics processes both count all of it. False when an earlier entry stands for it. */
static bool pl_holding_most(const struct pl_machine *m, uint32_t at, struct pl_quantity *ret)
{
    const struct pl_holding *h = &m->holding[at];
    *ret = h->held;
    for (uint32_t i = 0; i < m->n_holding; i++) {
        const struct pl_holding *o = &m->holding[i];
        if (i == at || o->pid != h->pid || !pl_streq(o->pool, h->pool))
            continue;
        if (i < at)
            return false;
        if (pl_known(o->held) && (!pl_known(*ret) || o->held.likely > ret->likely))
            *ret = o->held;
    }
    return true;
}

static bool pl_holding_nvidia(const struct pl_machine *m, const struct pl_holding *h)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        if (pl_streq(m->device[i].pool, h->pool))
            return m->device[i].vendor == PL_VENDOR_NVIDIA;
    }
    return false;
}

static bool pl_holding_named(const struct pl_holding *h, const struct pl_process *p)
{
    char base[64];
    (void)pl_program_base(h->name, base, sizeof(base));
    return base[0] != '\0' && strncasecmp(base, p->name, PL_COMM_MAX) == 0;
}

void pl_holdings_join(const struct pl_machine *m, const struct pl_sweep *s, bool trusted,
                      struct pl_groups *g, bool lost[PL_HOLDINGS_MAX])
{
    for (uint32_t i = 0; i < m->n_holding; i++) {
        const struct pl_holding *h = &m->holding[i];
        struct pl_quantity held;
        lost[i] = false;
        if (!pl_holding_most(m, i, &held))
            continue;
        const struct pl_process *p = pl_sweep_find(s, h->pid);
        if (p != NULL && !trusted && pl_holding_nvidia(m, h) && !pl_holding_named(h, p))
            p = NULL;
        lost[i] = p == NULL;
        if (p != NULL)
            pl_group_hold(&g->group[g->of[p - s->process]], h->pool, held);
    }
}

static void pl_consumer_of_group(const struct pl_group *g, struct pl_consumer *c)
{
    *c = (struct pl_consumer){
        .pid = g->n == 1 ? g->first->pid : 0,
        .processes = g->n,
        .kind = pl_group_kind(g),
        .host = pl_plus(pl_plus(g->anon, g->shmem), g->locked),
        .n_device = g->n_device,
    };
    (void)PL_FMT(c->name, "%s", pl_group_name(g));
    (void)PL_FMT(c->container, "%s", g->container);
    (void)PL_FMT(c->runtime, "%s", pl_runtime_name(g->first->place.runtime));
    if (!g->split)
        c->mapped = PL_QUANTITY_UNKNOWN("this kernel does not tell file pages apart");
    else if (g->n == 1)
        c->mapped = pl_between(pl_sub_floor(g->file_max, g->locked.high),
                               pl_sub_floor(g->file_max, g->locked.likely), g->file_max,
                               PL_SOURCE_MEASURED, "RssFile without what is locked");
    else
        c->mapped =
            pl_between(pl_sub_floor(g->file_max, g->locked.high),
                       pl_sub_floor(g->file_max, g->locked.likely), g->file_sum, PL_SOURCE_DERIVED,
                       "RssFile of the largest member: mostly the same files in all");
    for (uint32_t i = 0; i < g->n_device; i++) {
        (void)PL_FMT(c->device[i].pool, "%s", g->device[i].pool);
        c->device[i].held = g->device[i].held;
    }
    pl_consumer_advise(g->first->program, c);
}

/* A process that a driver names and /proc does not show. */
static void pl_consumer_of_holding(const struct pl_holding *h, struct pl_quantity held,
                                   struct pl_consumer *c)
{
    char name[64];
    const struct pl_program *p = pl_program_known(h->name, NULL, 0);
    (void)pl_program_base(h->name, name, sizeof(name));
    pl_text_clean(name);
    *c = (struct pl_consumer){
        .pid = h->pid,
        .processes = 1,
        .kind = p != NULL ? p->kind : PL_CONSUMER_OTHER,
        .host = PL_QUANTITY_UNKNOWN("the process is not seen from here, only the driver names it"),
        .mapped = PL_QUANTITY_UNKNOWN("the process is not seen from here"),
        .n_device = 1,
    };
    (void)PL_FMT(c->name, "%s", p != NULL ? p->program : name[0] != '\0' ? name : "not named");
    (void)PL_FMT(c->device[0].pool, "%s", h->pool);
    c->device[0].held = held;
    pl_consumer_advise(p, c);
}

static uint64_t pl_consumer_weight(const struct pl_consumer *c)
{
    uint64_t n = pl_known(c->host) ? c->host.likely : 0;
    for (uint32_t i = 0; i < c->n_device; i++)
        n = pl_add_sat(n, pl_known(c->device[i].held) ? c->device[i].held.likely : 0);
    return n;
}

/* With memory of a device that is not known first: it may be large. */
static int pl_consumer_order(const void *a, const void *b)
{
    const struct pl_consumer *x = a, *y = b;
    uint64_t n = pl_consumer_weight(x), k = pl_consumer_weight(y);
    if (n != k)
        return n > k ? -1 : 1;
    int d = strcmp(x->name, y->name);
    return d != 0 ? d : strcmp(x->container, y->container);
}

/* Adds c to the row of its kind; rows of device memory beyond the limit are dropped. */
static void pl_consumer_pour(struct pl_consumer *into, const struct pl_consumer *c)
{
    if (into->processes == 0) {
        *into = *c;
        into->pid = 0;
        into->container[0] = into->runtime[0] = into->advice[0] = '\0';
        (void)PL_FMT(into->name, "smaller ones");
        return;
    }
    into->processes += c->processes;
    into->host = pl_known(c->host) ? pl_plus(into->host, c->host) : into->host;
    into->mapped = pl_known(c->mapped) ? pl_plus(into->mapped, c->mapped) : into->mapped;
    for (uint32_t i = 0; i < c->n_device; i++) {
        uint32_t k = 0;
        while (k < into->n_device && !pl_streq(into->device[k].pool, c->device[i].pool))
            k++;
        if (k == PL_CONSUMER_POOLS_MAX)
            continue;
        if (k == into->n_device) {
            into->device[into->n_device++] = c->device[i];
            continue;
        }
        into->device[k].held = pl_plus(into->device[k].held, c->device[i].held);
    }
}

static void pl_consumers_keep(const struct pl_consumer *all, uint32_t n, struct pl_machine *m)
{
    struct pl_consumer *rest = calloc(PL_KINDS, sizeof(*rest));
    for (uint32_t i = 0; i < n; i++) {
        if (m->n_consumer < PL_KEPT_MAX)
            m->consumer[m->n_consumer++] = all[i];
        else if (rest != NULL)
            pl_consumer_pour(&rest[all[i].kind], &all[i]);
    }
    for (uint32_t k = 0; rest != NULL && k < PL_KINDS; k++) {
        if (rest[k].processes > 0)
            m->consumer[m->n_consumer++] = rest[k];
    }
    if (rest == NULL && n > PL_KEPT_MAX)
        pl_machine_note(m, "%u small programs were left out: no memory", n - PL_KEPT_MAX);
    free(rest);
}

/* "gnome-shell, Xwayland", or "headless" when nothing that draws is there. */
static void pl_consumers_desktop(const struct pl_groups *g, struct pl_machine *m)
{
    const char *last = NULL;
    m->desktop[0] = '\0';
    for (uint32_t i = 0; i < g->n; i++) {
        const struct pl_program *p = g->group[i].first->program;
        size_t n = strlen(m->desktop);
        if (p == NULL || !p->draws || (last != NULL && pl_streq(last, p->program)) ||
            strstr(m->desktop, p->program) != NULL)
            continue;
        (void)pl_fmt(m->desktop + n, sizeof(m->desktop) - n, "%s%s", n > 0 ? ", " : "", p->program);
        last = p->program;
    }
    if (m->desktop[0] == '\0')
        (void)PL_FMT(m->desktop, "headless");
}

int pl_consumers_fill(const struct pl_sweep *s, const struct pl_groups *g,
                      const bool lost[PL_HOLDINGS_MAX], struct pl_machine *m, struct pl_err *err)
{
    struct pl_consumer *all = calloc((size_t)g->n + m->n_holding + 1, sizeof(*all));
    uint32_t n = 0;
    if (all == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list of consumers");
    for (uint32_t i = 0; i < g->n; i++)
        pl_consumer_of_group(&g->group[i], &all[n++]);
    for (uint32_t i = 0; i < m->n_holding; i++) {
        struct pl_quantity held;
        if (lost[i] && pl_holding_most(m, i, &held))
            pl_consumer_of_holding(&m->holding[i], held, &all[n++]);
    }
    qsort(all, n, sizeof(all[0]), pl_consumer_order);
    m->n_consumer = 0;
    pl_consumers_keep(all, n, m);
    free(all);
    if (s->first && !pl_starts(m->around, "container"))
        pl_consumers_desktop(g, m);
    return 0;
}
