#include "engine/llamacpp/footprint_device.h"

#include <errno.h>

/* "MoE cache requires a MoE model", "... a GPU backend", "... does not support tensor parallelism":
 * 0.7.0 (11669) ends with these. */
int pl_footprint_refused(const struct pl_settings *s, const struct pl_net *net,
                         const struct pl_placement *place, struct pl_err *err)
{
    const char *why = net->n_expert == 0                ? "the model has no experts"
                      : place->devices.n == 0           ? "there is no device to hold it"
                      : place->split == PL_SPLIT_TENSOR ? "-sm tensor does not go with it"
                                                        : NULL;
    if (s->moe_cache_mib == 0 || why == NULL)
        return 0;
    (void)pl_fail(err, -EINVAL, "--moe-cache-mib: %s: the engine refuses it", why);
    (void)pl_hint(err, "leave it out");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}
