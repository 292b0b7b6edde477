/* Memory nodes, slots, limits and endpoints of a machine file. */
#include "base/str.h"
#include "machine/machine_file_impl.h"

#include <errno.h>

static int pl_numa_in(pl_jval list, struct pl_machine *m, struct pl_err *err)
{
    int rc = 0;
    struct pl_field f = {"numa", 0, "id", err};
    if (pl_jlen(list) > PL_NUMA_MAX)
        return pl_fail(err, -EINVAL, "numa: more than %d nodes", PL_NUMA_MAX);
    for (size_t i = 0; rc == 0 && i < pl_jlen(list); i++) {
        pl_jval v = pl_jat(list, i);
        struct pl_numa_node *node = &m->numa[m->n_numa++];
        uint64_t id = 0, cpus = 0;
        f.index = i;
        f.name = "id";
        if (!pl_ju64(pl_jget(v, "id"), &id) || id > UINT32_MAX)
            return pl_field_bad(&f, "not the number of a node");
        node->id = (uint32_t)id;
        if (pl_ju64(pl_jget(v, "cpus"), &cpus) && cpus <= UINT32_MAX)
            node->cpus = (uint32_t)cpus;
        node->memory_only = pl_jbool(pl_jget(v, "memory_only"), false);
        pl_text_in(node->what, sizeof(node->what), pl_jget(v, "what"));
        f.name = "total";
        rc = pl_quantity_in(pl_jget(v, f.name), &f, &node->total);
        f.name = "free";
        if (rc == 0)
            rc = pl_quantity_in(pl_jget(v, f.name), &f, &node->free);
        pl_jval row = pl_jget(v, "distance");
        for (size_t k = 0; k < pl_jlen(row) && k < PL_NUMA_MAX; k++) {
            uint64_t d = 0;
            if (pl_ju64(pl_jat(row, k), &d) && d <= UINT8_MAX)
                node->distance[k] = (uint8_t)d;
        }
    }
    return rc;
}

static int pl_dimms_in(pl_jval root, struct pl_machine *m, struct pl_err *err)
{
    int rc = 0;
    pl_jval list = pl_jget(root, "dimms");
    struct pl_field f = {"dimms", 0, "bytes", err};
    if (pl_jlen(list) > PL_DIMMS_MAX)
        return pl_fail(err, -EINVAL, "dimms: more than %d slots", PL_DIMMS_MAX);
    for (size_t i = 0; rc == 0 && i < pl_jlen(list); i++) {
        pl_jval v = pl_jat(list, i);
        struct pl_dimm *d = &m->dimm[m->n_dimm++];
        uint64_t n = 0;
        f.index = i;
        pl_text_in(d->slot, sizeof(d->slot), pl_jget(v, "slot"));
        pl_text_in(d->kind, sizeof(d->kind), pl_jget(v, "kind"));
        if (pl_ju64(pl_jget(v, "mt_per_s"), &n) && n <= UINT32_MAX)
            d->mt_per_s = (uint32_t)n;
        rc = pl_quantity_in(pl_jget(v, "bytes"), &f, &d->bytes);
    }
    f = (struct pl_field){"dimm_total", 0, "bytes", err};
    if (rc == 0)
        rc = pl_quantity_in(pl_jget(root, "dimm_total"), &f, &m->dimm_total);
    return rc;
}

static int pl_limits_in(pl_jval v, struct pl_machine *m, struct pl_err *err)
{
    const struct {
        const char *name;
        struct pl_quantity *q;
    } limit[] = {
        {"memlock",   &m->limits.memlock  },
        {"hugepages", &m->limits.hugepages},
        {"arc",       &m->limits.arc      },
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(limit) / sizeof(limit[0]); i++) {
        const struct pl_field f = {"limits", i, limit[i].name, err};
        rc = pl_quantity_in(pl_jget(v, f.name), &f, limit[i].q);
    }
    struct pl_quantity *lock = &m->limits.memlock;
    if (rc == 0 && pl_known(*lock) && lock->likely == INT64_MAX) /* how "no limit" is written */
        lock->low = lock->likely = lock->high = UINT64_MAX;
    return rc;
}

static void pl_endpoints_in(pl_jval list, struct pl_machine *m)
{
    for (size_t i = 0; i < pl_jlen(list) && m->n_endpoint < PL_ENDPOINTS_MAX; i++) {
        pl_jval v = pl_jat(list, i);
        struct pl_endpoint *e = &m->endpoint[m->n_endpoint++];
        double ms = 0;
        pl_text_in(e->url, sizeof(e->url), pl_jget(v, "url"));
        pl_text_in(e->why, sizeof(e->why), pl_jget(v, "why"));
        e->state = pl_state_of(pl_jstr(pl_jget(v, "state"), ""));
        if (e->state == PL_STATE_PLAIN && pl_jis_null(pl_jget(v, "reachable")))
            e->state = PL_STATE_NOT_ASKED;
        e->reachable = pl_jbool(pl_jget(v, "reachable"), false);
        if (e->reachable && pl_jnum(pl_jget(v, "milliseconds"), &ms) && ms >= 0)
            e->milliseconds = ms;
    }
}

int pl_hardware_in(pl_jval root, struct pl_machine *m, struct pl_err *err)
{
    pl_text_in(m->board, sizeof(m->board), pl_jget(root, "board"));
    pl_text_in(m->around, sizeof(m->around), pl_jget(root, "around"));
    pl_endpoints_in(pl_jget(root, "endpoints"), m);
    int rc = pl_numa_in(pl_jget(root, "numa"), m, err);
    if (rc == 0)
        rc = pl_dimms_in(root, m, err);
    if (rc == 0)
        rc = pl_limits_in(pl_jget(root, "limits"), m, err);
    return rc;
}
