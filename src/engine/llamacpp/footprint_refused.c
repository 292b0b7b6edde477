#include "engine/llamacpp/footprint_device.h"

#include <errno.h>

/* "MoE cache requires a MoE model", "... a GPU backend", "... does not support tensor parallelism":
 * 0.7.0 (11669) ends with these. */
static int pl_cache_refused(const struct pl_model *m, const struct pl_net *net,
                            const struct pl_resolved *r, struct pl_err *err)
{
    /* src/models/t5.cpp: distances are those of one cache; 0.7.0 (11669) ends in an assertion */
    if (net->n_buckets == 0 || r->n_stream == 1 ||
        pl_model_tensor(m, "dec.output_norm.weight") == NULL)
        return 0;
    (void)pl_fail(err, -EINVAL,
                  "-np %llu with a cache for each: the engine aborts, this decoder's slots share "
                  "one",
                  (unsigned long long)r->n_seq);
    (void)pl_hint(err, "add --kv-unified");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

int pl_footprint_refused(const struct pl_model *m, const struct pl_settings *s,
                         const struct pl_net *net, const struct pl_resolved *r,
                         const struct pl_placement *place, struct pl_err *err)
{
    int rc = pl_cache_refused(m, net, r, err);
    if (rc < 0)
        return rc;
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
