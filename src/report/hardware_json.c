#include "report/hardware.h"
#include "report/json_unknown.h"
#include "report/quantity.h"

static void pl_json_numa(struct pl_json *j, const struct pl_machine *m)
{
    pl_json_array(j, "numa");
    for (uint32_t i = 0; i < m->n_numa; i++) {
        const struct pl_numa_node *node = &m->numa[i];
        pl_json_object(j, NULL);
        pl_json_u64(j, "id", node->id);
        pl_json_u64(j, "cpus", node->cpus);
        pl_json_bool(j, "memory_only", node->memory_only);
        pl_json_word(j, "what", node->what);
        pl_json_quantity(j, "total", node->total);
        pl_json_quantity(j, "free", node->free);
        pl_json_array(j, "distance");
        for (uint32_t k = 0; k < m->n_numa; k++) {
            if (node->distance[k] == 0)
                pl_json_null(j, NULL);
            else
                pl_json_u64(j, NULL, node->distance[k]);
        }
        pl_json_end(j);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_dimms(struct pl_json *j, const struct pl_machine *m)
{
    pl_json_array(j, "dimms");
    for (uint32_t i = 0; i < m->n_dimm; i++) {
        pl_json_object(j, NULL);
        pl_json_word(j, "slot", m->dimm[i].slot);
        pl_json_word(j, "kind", m->dimm[i].kind);
        pl_json_quantity(j, "bytes", m->dimm[i].bytes);
        pl_json_count(j, "mt_per_s", m->dimm[i].mt_per_s);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_quantity(j, "dimm_total", m->dimm_total);
}

/* No limit is the largest number that every reader of JSON can hold. */
static struct pl_quantity pl_json_limit(struct pl_quantity q)
{
    if (pl_known(q) && q.likely > INT64_MAX)
        q.low = q.likely = q.high = INT64_MAX;
    return q;
}

static void pl_json_endpoints(struct pl_json *j, const struct pl_machine *m)
{
    pl_json_array(j, "endpoints");
    for (uint32_t i = 0; i < m->n_endpoint; i++) {
        const struct pl_endpoint *e = &m->endpoint[i];
        bool asked = e->state == PL_STATE_PLAIN;
        pl_json_object(j, NULL);
        pl_json_str(j, "url", e->url);
        if (asked)
            pl_json_bool(j, "reachable", e->reachable);
        else
            pl_json_null(j, "reachable");
        if (asked && e->reachable)
            pl_json_num(j, "milliseconds", e->milliseconds);
        else
            pl_json_null(j, "milliseconds");
        if (!asked)
            pl_json_str(j, "state", pl_state_name(e->state));
        pl_json_word(j, "why", e->why);
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_hardware_json(struct pl_json *j, const struct pl_machine *m)
{
    pl_json_word(j, "board", m->board);
    pl_json_word(j, "around", m->around);
    pl_json_numa(j, m);
    pl_json_dimms(j, m);
    pl_json_object(j, "limits");
    pl_json_quantity(j, "memlock", pl_json_limit(m->limits.memlock));
    pl_json_quantity(j, "hugepages", m->limits.hugepages);
    pl_json_quantity(j, "arc", m->limits.arc);
    pl_json_end(j);
    pl_json_endpoints(j, m);
}
