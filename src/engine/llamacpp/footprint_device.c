#include "engine/llamacpp/footprint_device.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/footprint_compute.h"
#include "engine/llamacpp/graph_compute.h"
#include "engine/llamacpp/graph_split.h"

/* What a process holds on a device beside its buffers: context, kernels, the workspaces of
 * products. data/context_overhead.tsv */
static const struct pl_device_runtime {
    enum pl_backend backend;
    uint32_t low_mib, likely_mib, high_mib;
    uint32_t host_likely_mib, host_high_mib; /* of its driver, in host memory */
    const char *why;
} pl_runtimes[] = {
#include "context_overhead.inc"
};

#include <string.h>

static const struct pl_device_runtime *pl_device_runtime_of(const struct pl_used_device *d)
{
    for (size_t i = 0; i < sizeof(pl_runtimes) / sizeof(pl_runtimes[0]); i++) {
        if (pl_runtimes[i].backend == d->backend)
            return &pl_runtimes[i];
    }
    return NULL;
}

static struct pl_quantity pl_device_runtime(const struct pl_used_device *d)
{
    const struct pl_device_runtime *t = pl_device_runtime_of(d);
    if (t == NULL)
        return PL_QUANTITY_UNKNOWN("what this backend holds beside its buffers is not known");
    return pl_between(t->low_mib * PL_MIB, t->likely_mib * PL_MIB, t->high_mib * PL_MIB,
                      PL_SOURCE_ASSUMED, t->why);
}

/* A driver's heap in the process, once whatever the number of its devices. */
static struct pl_quantity pl_device_host_runtime(const struct pl_used_device *d,
                                                 struct pl_quantity server)
{
    const struct pl_device_runtime *t = pl_device_runtime_of(d);
    if (t == NULL || !pl_known(server))
        return server;
    return pl_between(server.low, server.likely + t->host_likely_mib * PL_MIB,
                      server.high + t->host_high_mib * PL_MIB, PL_SOURCE_ASSUMED,
                      "heap of the server, and of the devices' driver");
}

static struct pl_quantity pl_derived(uint64_t bytes, const char *why)
{
    return pl_exact(bytes, PL_SOURCE_DERIVED, why);
}

/* What large batches make a device copy of the host's: the widest tensor, and the cache of a layer
 * whose attention it computes. */
static uint64_t pl_device_copies(const struct pl_net *net, const struct pl_resolved *r,
                                 const struct pl_placement *place, const struct pl_placed *placed)
{
    uint64_t most = 0;
    for (uint32_t il = 0; il < net->n_layer; il++) {
        struct pl_layer_cache c = pl_llamacpp_layer_cache(net, r, il);
        uint64_t kv = pl_add_sat(c.global, c.window);
        if (pl_place_cache(place, il) == PL_PLACE_HOST && kv > most)
            most = kv;
    }
    return pl_add_sat(most, placed->largest[PL_PLACE_HOST]);
}

/* llama-context.cpp: several devices that hold all of a model work on several batches at once. */
static bool pl_device_pipeline(const struct pl_placement *place)
{
    return place->devices.n > 1 && place->kv_offload && place->n_rule == 0 &&
           place->n_gpu_layers > place->n_layer;
}

/* Compute buffers of host and devices where the graph is not followed. As a bound: on the CPU alone
 * one buffer would hold both; the inputs are then in both, and in a pipeline four times. Flash
 * attention that was not asked for may be dropped (graph_compute.h). */
static void pl_device_compute(const struct pl_device_ask *a, struct pl_footprint *f)
{
    const struct pl_resolved *r = a->r;
    struct pl_quantity alone = f->pool[0].part[PL_PART_COMPUTE];
    struct pl_quantity split = PL_QUANTITY_UNKNOWN(alone.why);
    uint64_t copies = pl_device_copies(a->net, r, a->place, a->placed);
    uint64_t cells = pl_mul_sat(r->n_ctx_seq, r->flash_attn ? 2 : 4);
    uint64_t inputs = pl_mul_sat(pl_add_sat(cells, pl_mul_sat(a->net->n_embd, 4)), r->n_ubatch);
    for (uint32_t i = 1; i < f->n_pool; i++)
        f->pool[i].part[PL_PART_COMPUTE] = split;
    if (!pl_known(alone))
        return;
    uint64_t high = alone.high;
    struct pl_resolved off = *r;
    off.flash_attn = false;
    if (a->s->flash_attn == PL_AUTO && r->flash_attn) {
        struct pl_quantity q = pl_llamacpp_compute(a->m, a->net, &off, a->version_known, NULL);
        high = pl_known(q) && q.high > high ? q.high : high;
    }
    if (pl_device_pipeline(a->place))
        high = pl_add_sat(high, pl_mul_sat(inputs, PL_SPLIT_COPIES));
    f->pool[0].part[PL_PART_COMPUTE] =
        pl_between(inputs / 8 < alone.low ? inputs / 8 : alone.low,
                   inputs < alone.high ? inputs : alone.likely, high, PL_SOURCE_ASSUMED,
                   "between the inputs alone and all of the graph");
    split = pl_between(0, alone.likely, pl_add_sat(high, copies), PL_SOURCE_ASSUMED,
                       "at most the whole graph and copies of what the host keeps");
    for (uint32_t i = 1; i < f->n_pool; i++)
        f->pool[i].part[PL_PART_COMPUTE] = split;
}

/* How far a followed graph may be off. On Mesa's software Vulkan device, 0.7.0, as many buffers
 * were equal as docs/conformance-devices.md counts; the others missed by up to a hundredth, beside
 * recurrent layers by more. Other backends were never run: they fuse and evaluate in another order.
 */
static struct pl_quantity pl_device_followed(uint64_t bytes, const struct pl_net *net,
                                             const struct pl_used_device *d, bool version_known)
{
    bool mixed = net->arch->memory == PL_MEMORY_RECURRENT || net->arch->memory == PL_MEMORY_HYBRID;
    if (d->backend != PL_BACKEND_VULKAN)
        return pl_between(bytes - bytes / 4, bytes, pl_add_sat(bytes, bytes / 4), PL_SOURCE_ASSUMED,
                          "graph followed and split as the engine does; this backend's own order "
                          "of evaluation is not");
    uint64_t miss = !version_known || mixed ? bytes / 7 : bytes / 64;
    return pl_between(
        bytes - miss, bytes, pl_add_sat(bytes, miss), PL_SOURCE_DERIVED,
        version_known ? "graph followed and split over the devices, llama.cpp " PL_LLAMACPP_PROVED
                      : "graph of llama.cpp " PL_LLAMACPP_PROVED
                        ", split over the devices; other versions differ a little");
}

/* From the graph as the engine splits it. False where it is not followed. */
static bool pl_device_compute_split(const struct pl_device_ask *a, struct pl_footprint *f)
{
    const struct pl_placement *place = a->place;
    uint64_t bytes[PL_PLACES_MAX] = {0};
    if (place->split != PL_SPLIT_LAYER || a->s->moe_cache_mib > 0) /* the graph is another */
        return false;
    /* ggml-rpc.cpp has no offload_op: such devices take no work on the host's weights */
    bool distant = true;
    for (uint32_t i = 0; i < place->devices.n; i++)
        distant = distant && place->devices.one[i].backend == PL_BACKEND_RPC;
    struct pl_compute_where where = {.place = place,
                                     .op_offload = a->s->op_offload && !distant,
                                     .pipeline = pl_device_pipeline(place)};
    if (a->s->flash_attn == PL_AUTO && a->r->flash_attn)
        where.flash_dropped = !pl_graph_flash_stays(a->m, a->net, a->r, &where);
    if (!pl_graph_compute_placed(a->m, a->net, a->r, &where, bytes))
        return false;
    for (uint32_t i = 0; i < f->n_pool && i <= place->devices.n; i++)
        f->pool[i].part[PL_PART_COMPUTE] = pl_device_followed(
            bytes[i], a->net, &place->devices.one[i == 0 ? 0 : i - 1], a->version_known);
    return true;
}

/* A model's buffer is one piece, where the backend does not cut it. */
static uint64_t pl_device_largest(const struct pl_pool_footprint *p, const struct pl_used_device *d,
                                  uint64_t tensor)
{
    static const enum pl_part parts[] = {PL_PART_WEIGHTS, PL_PART_KV, PL_PART_RECURRENT,
                                         PL_PART_COMPUTE};
    uint64_t most = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint64_t piece = p->part[parts[i]].likely;
        piece = piece < d->buffer_max ? piece : d->buffer_max;
        most = piece > most ? piece : most;
    }
    return tensor > most ? tensor : most;
}

static void pl_device_totals(struct pl_pool_footprint *p, const struct pl_used_device *d,
                             uint64_t tensor)
{
    struct pl_quantity steady = p->part[0];
    for (int i = 1; i < PL_PARTS; i++)
        steady = pl_plus(steady, p->part[i]);
    steady.why = pl_known(steady) ? "sum of the parts" : "a part is unknown";
    p->steady = p->peak = p->load_peak = steady;
    p->largest_allocation =
        pl_derived(pl_device_largest(p, d, tensor), d->buffer_max < UINT64_MAX
                                                        ? "buffers, in the pieces of this backend"
                                                        : "the buffer of the weights is one piece");
    for (int i = 0; i < PL_HOLDS; i++)
        p->hold[i] = pl_derived(0, "memory of a device");
}

/* --moe-cache-mib: a cache of the experts that stay on the host, no larger than asked for, and no
 * larger than they are and a spare part of one layer: half of it was seen (0.7.0 (11669): 3.38 MiB
 * for 2.25 of one layer, 5.62 for 4.50 of two). Several devices share it. */
static struct pl_quantity pl_device_expert_cache(const struct pl_device_ask *a)
{
    uint64_t experts = 0, layer = 0, asked = pl_mul_sat(a->s->moe_cache_mib, PL_MIB);
    for (uint64_t i = 0; i < a->m->n_tensor; i++) {
        const struct pl_tensor *t = &a->m->tensor[i];
        if (strstr(t->name, "_exps.") != NULL && (pl_place_tensor(a->place, t) & 1) != 0)
            experts = pl_add_sat(experts, t->bytes);
    }
    layer = a->net->n_layer > 0 ? experts / a->net->n_layer : 0;
    uint64_t likely = pl_add_sat(experts, layer / 2), most = pl_mul_sat(experts, 2);
    likely = likely < asked ? likely : asked;
    most = most < asked ? most : asked;
    return pl_between(0, likely / a->place->devices.n, most, PL_SOURCE_ASSUMED,
                      "cache of the experts that stay on the host, at most --moe-cache-mib");
}

void pl_footprint_device_pools(const struct pl_device_ask *a, struct pl_footprint *f)
{
    const struct pl_placement *place = a->place;
    const struct pl_placed *placed = a->placed;
    for (uint32_t i = 0; i < place->devices.n; i++) {
        const struct pl_used_device *d = &place->devices.one[i];
        struct pl_pool_footprint *p = &f->pool[f->n_pool++];
        *p = (struct pl_pool_footprint){.kind = d->kind};
        (void)PL_FMT(p->pool, "%s", d->pool);
        for (int k = 0; k < PL_PARTS; k++)
            p->part[k] = pl_derived(0, "not used");
        p->part[PL_PART_WEIGHTS] =
            pl_derived(pl_add_sat(placed->weights[i + 1], placed->padding[i + 1]),
                       "tensors of the layers on this device");
        if (placed->slack[i + 1] > 0)
            p->part[PL_PART_WEIGHTS] =
                pl_between(pl_sub_floor(placed->weights[i + 1], placed->slack[i + 1]),
                           p->part[PL_PART_WEIGHTS].likely,
                           pl_add_sat(p->part[PL_PART_WEIGHTS].likely, placed->slack[i + 1]),
                           PL_SOURCE_DERIVED, "rows of the matrices, by the engine's source");
        p->part[PL_PART_KV] = pl_derived(placed->kv[i + 1], "caches of the layers on this device");
        p->part[PL_PART_RECURRENT] =
            pl_derived(placed->recurrent[i + 1], "state of the recurrent layers on this device");
        p->part[PL_PART_RUNTIME] = pl_device_runtime(d);
        if (a->s->moe_cache_mib > 0)
            p->part[PL_PART_EXTRA] = pl_device_expert_cache(a);
    }
    f->pool[0].part[PL_PART_RUNTIME] =
        pl_device_host_runtime(&place->devices.one[0], f->pool[0].part[PL_PART_RUNTIME]);
    if (!pl_device_compute_split(a, f))
        pl_device_compute(a, f);
    pl_footprint_sampling(a->net, a->r, place, f);
    for (uint32_t i = 0; i < place->devices.n; i++)
        pl_device_totals(&f->pool[i + 1], &place->devices.one[i], placed->largest[i + 1]);
}
