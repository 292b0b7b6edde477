/* Which object a failed request was: a matrix of the model, the cache, a working buffer. */
#ifndef PL_WHY_OBJECT_H
#define PL_WHY_OBJECT_H

#include "domain/footprint.h"
#include "domain/model.h"
#include "domain/oom.h"

#define PL_OOM_OBJECT_TEXT_MAX 224
#define PL_OOM_OBJECTS_MAX 6

struct pl_oom_object {
    char what[PL_OOM_OBJECT_TEXT_MAX]; /* "one 14336 x 4096 16-bit matrix (blk.0.ffn_down.weight
                                          ...)" */
    uint64_t bytes;                    /* of the object */
    enum pl_oom_phase phase;           /* what was going on, then */
    enum pl_oom_confidence confidence;
};

/* Is the object of that size what the failure asked for? An allocator's rounding is known for
 * torch, which asks the device for whole blocks of 2 MiB (20 MiB for requests of 1 to 10 MiB;
 * c10/core/AllocatorConfig.h, kRoundLarge, kLargeBuffer). Other requests may be padded by
 * PL_OOM_OBJECT_PADDING. */
bool pl_oom_asks_for(const struct pl_oom *o, uint64_t bytes);
#define PL_OOM_OBJECT_PADDING 4096

/* Fills ret with the objects the first request may have been, the likeliest first; f may be NULL.
 * Returns how many, at most PL_OOM_OBJECTS_MAX. */
uint32_t pl_oom_objects(const struct pl_oom *o, const struct pl_model *m,
                        const struct pl_footprint *f, struct pl_oom_object ret[PL_OOM_OBJECTS_MAX]);

#endif
