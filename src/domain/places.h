/* Where a machine's devices take their memory: what an engine can be put on. Pure. */
#ifndef PL_DOMAIN_PLACES_H
#define PL_DOMAIN_PLACES_H

#include "domain/machine.h"

#define PL_PLACES_OF_MACHINE_MAX 16

struct pl_place {
    const struct pl_pool *pool;
    const struct pl_device *device; /* NULL: the machine file names the pool only */
};

struct pl_places {
    struct pl_place one[PL_PLACES_OF_MACHINE_MAX]; /* in the machine's order */
    uint32_t n;
};

/* Devices with memory of their own or with a share of the host's; lost ones are left out. Pointers
 * are m's. */
void pl_places_of(const struct pl_machine *m, struct pl_places *ret);

/* Hundredths of the CUDA compute capability, 8.9 -> 890; 0 when there is none or it is not known.
 */
uint32_t pl_device_sm(const struct pl_device *d);

#endif
