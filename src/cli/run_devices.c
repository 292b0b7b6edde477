/* plimsoll run: what a command holds beside the host memory of its own processes: of devices, by
 * their drivers or by the engine's own words, and in processes that work for it. */
#include "base/str.h"
#include "cli/run.h"
#include "cli/sample.h"

#include <stdlib.h>
#include <string.h>

static bool pl_run_is_llamacpp(const struct pl_running *r)
{
    return r->command.row != NULL && pl_streq(r->command.row->engine, "llama.cpp");
}

/* Its processes at this moment. True when it is over the ceiling of a device. */
static bool pl_run_look(void *ctx, const pid_t *pids, uint32_t n)
{
    struct pl_running *r = ctx;
    static pid_t there[PL_TREE_MAX];
    pl_held_own(&r->held, pids, n);
    if (r->elsewhere.kind != PL_ELSEWHERE_NOT)
        pl_held_own(&r->held, there, pl_elsewhere_look(&r->elsewhere, &r->root, there));
    for (uint32_t i = 0; i < r->n_ceiling; i++) {
        if (pl_streq(r->ceiling[i].pool, "ram") ||
            pl_held_now(&r->held, r->ceiling[i].pool) <= r->ceiling[i].bytes)
            continue;
        if (r->over_pool[0] == '\0') {
            (void)PL_FMT(r->over_pool, "%s", r->ceiling[i].pool);
            r->over_bytes = pl_held_now(&r->held, r->over_pool);
        }
        return true;
    }
    return false;
}

static bool pl_run_held_ready(void *ctx)
{
    struct pl_running *r = ctx;
    bool more = pl_held_take(&r->held);
    if (!more) /* its zombie would stand before the orphans that are to be reaped */
        pl_held_stop(&r->held);
    return more;
}

void pl_run_watch(struct pl_running *r, struct pl_wrapped_options *o)
{
    r->over_pool[0] = '\0';
    r->software_gpu = false;
    pl_log_init(&r->own);
    r->held_asked = pl_held_start(&r->held, PL_CLI_SELF);
    o->look = pl_run_look;
    o->also = r->held_asked ? r->held.child.out : -1;
    o->ready = pl_run_held_ready;
    o->helper = r->held_asked ? r->held.child.pid : 0;
    r->elsewhere = (struct pl_elsewhere){.kind = PL_ELSEWHERE_NOT};
    if (pl_root_open(NULL, &r->root, NULL) < 0 || !r->command.elsewhere)
        return;
    if (pl_streq(r->command.row->engine, "ollama"))
        pl_elsewhere_server(&r->elsewhere, &r->root, getenv("OLLAMA_HOST"));
    else
        pl_elsewhere_container(&r->elsewhere, &r->root);
}

void pl_run_unwatch(struct pl_running *r)
{
    if (r->held_asked)
        (void)pl_held_take(&r->held); /* what was still in the pipe */
    pl_held_stop(&r->held);
    pl_log_end(&r->own);
    pl_root_done(&r->root);
}

void pl_run_listen(struct pl_running *r, const char *bytes, size_t n)
{
    static const char mesa[] = "llvmpipe"; /* Mesa's software device, as Vulkan names it */
    if (!pl_run_is_llamacpp(r))
        return;
    pl_log_feed(&r->own, bytes, n);
    r->software_gpu = r->software_gpu || memmem(bytes, n, mesa, sizeof(mesa) - 1) != NULL;
}

/* Buffers on one device, by the engine's own words. */
static struct pl_quantity pl_run_said(const struct pl_running *r, const struct pl_engine_device *d)
{
    const struct pl_engine_bytes part[] = {d->weights, d->kv, d->compute, d->recurrent};
    uint64_t sum = 0;
    bool any = false;
    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        any = any || part[i].known;
        sum += part[i].known ? part[i].bytes : 0;
    }
    if (!any)
        return PL_QUANTITY_UNKNOWN("the engine did not say");
    return pl_exact(sum, PL_SOURCE_MEASURED,
                    r->software_gpu
                        ? "buffers by the engine's own words; a software device: its memory is "
                          "host memory, and counted there too"
                        : "buffers by the engine's own words");
}

static struct pl_run_row *pl_run_row(struct pl_run_row *row, uint32_t *n, const char *pool)
{
    for (uint32_t i = 0; i < *n; i++)
        if (pl_streq(row[i].pool, pool))
            return &row[i];
    if (*n == PL_RUN_ROWS_MAX)
        return NULL;
    struct pl_run_row *x = &row[(*n)++];
    *x = (struct pl_run_row){
        .predicted = PL_QUANTITY_UNKNOWN("not predicted"),
        .measured = PL_QUANTITY_UNKNOWN("no driver of this machine tells who holds it"),
    };
    (void)PL_FMT(x->pool, "%s", pool);
    return x;
}

uint32_t pl_run_rows(const struct pl_running *r, struct pl_run_row ret[PL_RUN_ROWS_MAX])
{
    uint32_t n = 0;
    const struct pl_footprint *f = r->has_forecast ? &r->forecast.footprint : NULL;
    const struct pl_engine_report *said = &r->own.report;
    for (uint32_t i = 1; f != NULL && i < f->n_pool; i++) {
        struct pl_run_row *row = pl_run_row(ret, &n, f->pool[i].pool);
        if (row != NULL)
            row->predicted = r->rung == 0
                                 ? f->pool[i].peak
                                 : PL_QUANTITY_UNKNOWN("the rung that ran was not predicted");
    }
    uint32_t predicted = n;
    for (uint32_t i = 0; r->held_asked && i < r->held.n_pool; i++) {
        struct pl_quantity q = pl_held_peak(&r->held, &r->held.pool[i]);
        bool named = false;
        for (uint32_t k = 0; k < n; k++)
            named = named || pl_streq(ret[k].pool, r->held.pool[i].pool);
        if (!named && (!pl_known(q) || q.likely == 0))
            continue; /* a device it has nothing to do with */
        struct pl_run_row *row = pl_run_row(ret, &n, r->held.pool[i].pool);
        if (row != NULL)
            row->measured = q;
    }
    for (uint32_t i = 0; i < said->n_device; i++) {
        struct pl_quantity q = pl_run_said(r, &said->device[i]);
        bool beside = said->n_device == predicted; /* the same devices in the same order */
        struct pl_run_row *row = beside ? &ret[i] : NULL;
        if (!pl_known(q) || (row != NULL && pl_known(row->measured)) || (!beside && n > predicted))
            continue; /* the driver's figure is all of it, contexts too */
        row = row != NULL ? row : pl_run_row(ret, &n, said->device[i].name);
        if (row != NULL)
            row->measured = q;
    }
    return n;
}
