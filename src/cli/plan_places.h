/* Where a model's layers may go: device sets, parts of the layers, and of a mixture of experts
 * parts of the experts; the preferred first. */
#ifndef PL_CLI_PLAN_PLACES_H
#define PL_CLI_PLAN_PLACES_H

#include "base/arena.h"
#include "domain/machine.h"
#include "domain/model.h"
#include "domain/settings.h"

#define PL_PLACE_STEPS 4u   /* all layers, 3/4, 1/2, 1/4, none */
#define PL_PLACE_EXPERTS 8u /* steps in which experts leave the devices, on few of them */
#define PL_PLACE_PARTS 16u  /* a layer without its experts is half of one on devices */
#define PL_PLAN_PLACES_MAX 112u

struct pl_plan_place {
    const char *devices; /* as -dev takes it; NULL = all there are */
    int64_t n_gpu_layers;
    uint64_t experts; /* layers whose experts stay on the host, from the first; UINT64_MAX = all */
    uint32_t parts;   /* of PL_PLACE_PARTS: how much of the model is on devices */
};

/* Every single device, then all together; of each all layers, then fewer; last none. Of a mixture
 * of experts besides all layers with the experts of some on the host, unless the settings place
 * tensors themselves. What the settings already say stays. On a machine without devices: one place.
 * Texts live in arena. Returns their number; 0 when there is no memory. */
uint32_t pl_plan_places(const struct pl_machine *machine, const struct pl_model *model,
                        const struct pl_settings *settings, struct pl_arena *arena,
                        struct pl_plan_place out[PL_PLAN_PLACES_MAX]);

#endif
