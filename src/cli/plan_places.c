#include "cli/plan_places.h"

#include "engine/llamacpp/devices.h"

#define PL_ALL_LAYERS 9999

struct pl_place_list {
    struct pl_plan_place *out;
    uint32_t n;
    uint64_t layers; /* of the model, the output counted as one */
    uint64_t dense;  /* layers before the first with experts */
    uint32_t steps;  /* in which experts leave the devices; 0 = they stay with their layers */
};

static void pl_place_add(struct pl_place_list *l, struct pl_plan_place place)
{
    if (l->n < PL_PLAN_PLACES_MAX)
        l->out[l->n++] = place;
}

/* All layers on the set, but the experts of ever more of them on the host: --n-cpu-moe counts from
 * the first layer, and those before the first with experts have none to give. */
static void pl_place_experts(struct pl_place_list *l, const char *devices)
{
    uint64_t with = l->layers - 1 > l->dense ? l->layers - 1 - l->dense : 0, before = 0;
    for (uint32_t k = 1; k <= l->steps && with > 0; k++) {
        uint64_t some = with * k / l->steps;
        if (some > before)
            pl_place_add(l, (struct pl_plan_place){
                                .devices = devices,
                                .n_gpu_layers = PL_ALL_LAYERS,
                                .experts = some == with ? UINT64_MAX : l->dense + some,
                                .parts = PL_PLACE_PARTS - PL_PLACE_PARTS * k / (2 * l->steps)});
        before = some;
    }
}

/* All layers on the set, then fewer. */
static void pl_place_parts(struct pl_place_list *l, const char *devices)
{
    uint64_t before = l->layers;
    pl_place_add(l, (struct pl_plan_place){.devices = devices,
                                           .n_gpu_layers = PL_ALL_LAYERS,
                                           .parts = PL_PLACE_PARTS});
    pl_place_experts(l, devices);
    for (uint32_t k = PL_PLACE_STEPS - 1; k > 0; k--) {
        uint64_t some = l->layers * k / PL_PLACE_STEPS;
        if (some > 0 && some < before)
            pl_place_add(l, (struct pl_plan_place){.devices = devices,
                                                   .n_gpu_layers = (int64_t)some,
                                                   .parts = PL_PLACE_PARTS * k / PL_PLACE_STEPS});
        before = some;
    }
}

/* The more sets of devices, the coarser the steps: every one is an option. */
static uint32_t pl_place_steps(const struct pl_model *model, const struct pl_settings *settings,
                               uint32_t devices)
{
    if (pl_model_arch_u64(model, "expert_count", 0) == 0 || settings->overrides.n > 0)
        return 0;
    return devices <= 2 ? PL_PLACE_EXPERTS : devices <= 4 ? PL_PLACE_EXPERTS / 2 : 2;
}

uint32_t pl_plan_places(const struct pl_machine *machine, const struct pl_model *model,
                        const struct pl_settings *settings, struct pl_arena *arena,
                        struct pl_plan_place out[PL_PLAN_PLACES_MAX])
{
    struct pl_used_devices devices;
    struct pl_place_list l = {.out = out,
                              .layers = pl_model_arch_u64(model, "block_count", 0) + 1,
                              .dense = pl_model_arch_u64(model, "leading_dense_block_count", 0)};
    bool fixed = settings->n_gpu_layers >= 0;
    bool placed = settings->devices != NULL || settings->tensor_split != NULL ||
                  settings->split_mode == PL_SPLIT_NONE || settings->rpc != NULL;
    pl_llamacpp_devices(machine, NULL, &devices);
    if (devices.n == 0 || (fixed && placed) || (fixed && settings->n_gpu_layers == 0)) {
        pl_place_add(&l,
                     (struct pl_plan_place){.devices = settings->devices,
                                            .n_gpu_layers = fixed ? settings->n_gpu_layers : 0});
        return l.n;
    }
    l.steps = pl_place_steps(model, settings, devices.n);
    for (uint32_t d = 0; d <= devices.n; d++) {
        bool all = d == devices.n;
        const char *set = settings->devices;
        if ((!all && placed) || (!all && devices.n == 1))
            continue;
        if (!all) {
            set = pl_arena_strdup(arena, devices.one[d].name);
            if (set == NULL)
                return 0;
        }
        if (fixed)
            pl_place_add(&l, (struct pl_plan_place){.devices = set,
                                                    .n_gpu_layers = settings->n_gpu_layers,
                                                    .parts = PL_PLACE_PARTS});
        else
            pl_place_parts(&l, set);
    }
    if (!fixed)
        pl_place_add(&l, (struct pl_plan_place){.devices = "none"});
    return l.n;
}
