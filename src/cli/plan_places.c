#include "cli/plan_places.h"

#include "engine/llamacpp/devices.h"

#define PL_ALL_LAYERS 9999

static void pl_place_add(struct pl_plan_place *out, uint32_t *n, const char *devices,
                         int64_t layers, uint32_t parts)
{
    if (*n < PL_PLAN_PLACES_MAX)
        out[(*n)++] = (struct pl_plan_place){devices, layers, parts};
}

/* All layers on the set, then fewer. layers: of the model, the output counted as one. */
static void pl_place_parts(struct pl_plan_place *out, uint32_t *n, const char *devices,
                           uint64_t layers)
{
    uint64_t before = layers;
    pl_place_add(out, n, devices, PL_ALL_LAYERS, PL_PLACE_PARTS);
    for (uint32_t k = PL_PLACE_PARTS - 1; k > 0; k--) {
        uint64_t some = layers * k / PL_PLACE_PARTS;
        if (some > 0 && some < before)
            pl_place_add(out, n, devices, (int64_t)some, k);
        before = some;
    }
}

uint32_t pl_plan_places(const struct pl_machine *machine, const struct pl_model *model,
                        const struct pl_settings *settings, struct pl_arena *arena,
                        struct pl_plan_place out[PL_PLAN_PLACES_MAX])
{
    struct pl_used_devices devices;
    uint32_t n = 0;
    uint64_t layers = pl_model_arch_u64(model, "block_count", 0) + 1;
    bool fixed = settings->n_gpu_layers >= 0;
    bool placed = settings->devices != NULL || settings->tensor_split != NULL ||
                  settings->split_mode == PL_SPLIT_NONE || settings->rpc != NULL;
    pl_llamacpp_devices(machine, NULL, &devices);
    if (devices.n == 0 || (fixed && placed) || (fixed && settings->n_gpu_layers == 0)) {
        pl_place_add(out, &n, settings->devices, fixed ? settings->n_gpu_layers : 0, 0);
        return n;
    }
    for (uint32_t d = 0; d <= devices.n && d < PL_USED_DEVICES_MAX; d++) {
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
            pl_place_add(out, &n, set, settings->n_gpu_layers, PL_PLACE_PARTS);
        else
            pl_place_parts(out, &n, set, layers);
    }
    if (!fixed)
        pl_place_add(out, &n, "none", 0, 0);
    return n;
}
