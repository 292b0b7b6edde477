/* The consumers and the memory tree of a machine file. They decide nothing: what is not understood
 * is left out, but an amount must be one. */
#include "base/str.h"
#include "machine/machine_file_impl.h"

#include <errno.h>

static int pl_consumer_devices_in(pl_jval list, struct pl_field *f, struct pl_consumer *c)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < pl_jlen(list) && c->n_device < PL_CONSUMER_POOLS_MAX; i++) {
        pl_jval v = pl_jat(list, i);
        const char *pool = pl_jstr(pl_jget(v, "pool"), "");
        f->name = "devices.pool";
        if (!pl_pool_name_ok(pool))
            return pl_field_bad(f, "not the name of a pool");
        (void)PL_FMT(c->device[c->n_device].pool, "%s", pool);
        f->name = "devices.held";
        rc = pl_quantity_in(pl_jget(v, "held"), f, &c->device[c->n_device].held);
        c->n_device++;
    }
    return rc;
}

static int pl_consumer_in(pl_jval v, struct pl_field *f, struct pl_consumer *c)
{
    uint64_t n = 0;
    if (pl_ju64(pl_jget(v, "pid"), &n) && n <= INT32_MAX)
        c->pid = (int64_t)n;
    c->processes =
        pl_ju64(pl_jget(v, "processes"), &n) && n > 0 && n <= UINT32_MAX / 2 ? (uint32_t)n : 1;
    pl_text_in(c->name, sizeof(c->name), pl_jget(v, "name"));
    pl_text_in(c->container, sizeof(c->container), pl_jget(v, "container"));
    pl_text_in(c->runtime, sizeof(c->runtime), pl_jget(v, "runtime"));
    pl_text_in(c->advice, sizeof(c->advice), pl_jget(v, "advice"));
    f->name = "kind";
    if (!pl_consumer_kind_of(pl_jstr(pl_jget(v, "kind"), "other"), &c->kind))
        return pl_field_bad(f, "not other, desktop, browser, engine or system");
    f->name = "host";
    int rc = pl_quantity_in(pl_jget(v, "host"), f, &c->host);
    f->name = "mapped";
    if (rc == 0)
        rc = pl_quantity_in(pl_jget(v, "mapped"), f, &c->mapped);
    return rc == 0 ? pl_consumer_devices_in(pl_jget(v, "devices"), f, c) : rc;
}

static int pl_memory_in(pl_jval list, struct pl_machine *m, struct pl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < pl_jlen(list) && i < PL_MEMORY_ROWS_MAX; i++) {
        pl_jval v = pl_jat(list, i);
        struct pl_memory_row *r = &m->memory.row[m->memory.n_row++];
        struct pl_field f = {"memory.rows", i, "bytes", err};
        uint64_t depth = 0;
        pl_text_in(r->name, sizeof(r->name), pl_jget(v, "name"));
        r->depth = pl_ju64(pl_jget(v, "depth"), &depth) && depth < 8 ? (uint32_t)depth : 1;
        rc = pl_quantity_in(pl_jget(v, "bytes"), &f, &r->bytes);
    }
    return rc;
}

int pl_consumers_in(pl_jval root, struct pl_machine *m, struct pl_err *err)
{
    pl_jval list = pl_jget(root, "consumers");
    int rc = 0;
    pl_text_in(m->desktop, sizeof(m->desktop), pl_jget(root, "desktop"));
    for (size_t i = 0; rc == 0 && i < pl_jlen(list) && m->n_consumer < PL_CONSUMERS_MAX; i++) {
        struct pl_field f = {"consumers", i, "name", err};
        rc = pl_consumer_in(pl_jat(list, i), &f, &m->consumer[m->n_consumer++]);
    }
    if (rc == 0)
        rc = pl_memory_in(pl_jget(pl_jget(root, "memory"), "rows"), m, err);
    return rc;
}
