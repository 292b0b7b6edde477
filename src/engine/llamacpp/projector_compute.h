/* What a projector takes in memory: its tensors, and the buffer its graph is computed in. Pure. */
#ifndef PL_ENGINE_LLAMACPP_PROJECTOR_COMPUTE_H
#define PL_ENGINE_LLAMACPP_PROJECTOR_COMPUTE_H

#include "engine/llamacpp/devices.h"
#include "engine/llamacpp/projector.h"

/* Of one tower, or of all together. */
struct pl_projector_bytes {
    uint64_t weights; /* in one buffer: each tensor rounded up to the alignment */
    uint64_t largest; /* of the tensors */
    /* compute buffers, [0] where the weights lie, [1] of the host where that is a device */
    uint64_t warm[2]; /* reserved at load */
    uint64_t most[2]; /* while the largest image is encoded */
    uint64_t work;    /* on the host's own kernels: operands converted for the widest product */
    uint64_t picture; /* the largest image as numbers, in the copies that live at once */
    uint64_t answer;  /* its tokens, as they are handed to the model */
    /* An operand is larger than the device takes: some of the graph, at worst all of it and without
     * the kernel that spares the scores, is computed on the host. Bytes of that buffer, or 0. */
    uint64_t fallback;
    bool followed; /* the graph is; else warm and most are those of a usual tower */
};

/* Of the i-th tower; the tensors of all are counted with the first. at: the device it lies on;
 * NULL: the host. Fails only as pl_projector_read. */
int pl_projector_bytes(const struct pl_model *m, uint32_t i, const struct pl_settings *s,
                       const struct pl_used_device *at, struct pl_projector_bytes *ret,
                       struct pl_err *err);

#endif
