/* Where everything of a model lies: the host or one of the devices, per layer and per tensor. Pure.
 *
 * Places are small numbers: 0 is the host, i + 1 the i-th of the devices used. Layers are counted
 * from the input; after the last comes the output, which -ngl counts as one more: -ngl 1 moves the
 * output alone, -ngl n_layer + 1 everything. The input (token embedding) never leaves the host. */
#ifndef PL_ENGINE_LLAMACPP_PLACEMENT_H
#define PL_ENGINE_LLAMACPP_PLACEMENT_H

#include "engine/llamacpp/arch.h"
#include "engine/llamacpp/cache.h"
#include "engine/llamacpp/devices.h"

#define PL_PLACES_MAX (PL_USED_DEVICES_MAX + 1)
#define PL_PLACE_HOST 0u
#define PL_PLACE_PATTERNS_MAX 128

struct pl_name_pattern; /* pattern.h */

/* A name pattern and the place of the tensors it matches. */
struct pl_place_rule {
    struct pl_name_pattern *pattern; /* owned; NULL: experts or feed-forward of layers from..n-1 */
    enum pl_override_kind kind;
    uint64_t from, n;
    uint8_t place;
};

struct pl_placement {
    struct pl_used_devices devices;
    uint32_t n_place;      /* devices + 1 */
    uint32_t n_layer;      /* of layer[], without the output */
    uint32_t n_trunk;      /* of them in the graph; the rest predicts several tokens */
    uint64_t n_gpu_layers; /* as counted by the engine, the output included */
    uint8_t layer[PL_NET_LAYERS_MAX + 1]; /* layer[n_layer]: the output */
    bool kv_offload;                      /* caches lie with their layers, else on the host */
    bool repack;                          /* converting for the CPU's kernels was asked for */
    uint8_t pinned; /* the first device with host buffers: host weights take those where it can use
                       them; 0 = none has */
    uint64_t n_expert_used;
    bool nextn; /* layers for multi-token prediction are loaded */
    bool tied;
    const char *arch;
    enum pl_split split; /* ROW, TENSOR: devices share tensors, which then stand at the first */
    float share[PL_USED_DEVICES_MAX];
    bool shared; /* share says how; else alike */
    struct pl_place_rule rule[PL_PLACE_PATTERNS_MAX];
    uint32_t n_rule;
};

/* Decides the places. n_gpu_layers: as asked, more than there are = all. share: proportions of the
 * devices, or NULL: those of -ts, else by free memory. Fill into a zeroed struct; end with
 * pl_placement_done. -EINVAL (exit 2) for what the engine refuses, -ENOTSUP (exit 3) for splits
 * that are not predicted, and where free memory decides and is unknown. */
int pl_llamacpp_place(const struct pl_model *m, const struct pl_net *net,
                      const struct pl_settings *s, const struct pl_used_devices *all,
                      uint64_t n_gpu_layers, const double *share, struct pl_placement *ret,
                      struct pl_err *err);
void pl_placement_done(struct pl_placement *p);

/* A bit per place that holds the tensor; 0 for one the engine leaves in the file. A tied embedding
 * and rope factors may lie in several. */
uint32_t pl_place_tensor(const struct pl_placement *p, const struct pl_tensor *t);

/* May the tensor's copy on the host be converted for the CPU's kernels? Not where it lies in a
 * device's host buffer. */
bool pl_place_repack(const struct pl_placement *p, const struct pl_tensor *t);

/* The place of a layer's cache or recurrent state. */
static inline uint8_t pl_place_cache(const struct pl_placement *p, uint32_t il)
{
    return p->kv_offload ? p->layer[il] : PL_PLACE_HOST;
}

/* Bytes per place. */
struct pl_placed {
    uint64_t weights[PL_PLACES_MAX]; /* sum of the tensors */
    uint64_t padding[PL_PLACES_MAX]; /* what alignment adds in a device's buffer */
    uint64_t kv[PL_PLACES_MAX], recurrent[PL_PLACES_MAX];
    uint64_t largest[PL_PLACES_MAX]; /* tensor */
    uint64_t slack[PL_PLACES_MAX];   /* weights may be so much more or less */
};
void pl_place_sum(const struct pl_placement *p, const struct pl_model *m, const struct pl_net *net,
                  const struct pl_resolved *r, struct pl_placed *ret);

#endif
