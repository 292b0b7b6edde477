/* Named tiers by the amount of RAM. The nominal size decides, as it is sold or configured, so that
 * what firmware and kernel keep for themselves does not move a machine into another tier. */
#ifndef PL_DOMAIN_TIER_H
#define PL_DOMAIN_TIER_H

#include <stddef.h>
#include <stdint.h>

/* A line of data/tiers.tsv. Static texts. */
struct pl_tier {
    uint64_t from_gib; /* nominal; the bound belongs to the tier */
    const char *name;
    const char *guide; /* what the guide says such a machine carries */
    const char *source;
};

/* All, smallest first. */
const struct pl_tier *pl_tiers(size_t *ret_n);

/* The nominal size of a machine that shows `usable` bytes (MemTotal): the next usual sum of memory
 * modules when at most a tenth of it is missing, else `usable` itself. */
uint64_t pl_ram_nominal(uint64_t usable);

/* "DEV ONLY" below 32 GiB nominal, "MINIMAL" from 32, "BASIC" from 64, "STANDARD" from 128,
 * "PRODUCTION" from 256, "FULL" from 512 GiB on: the lower bound belongs to the tier. */
const char *pl_tier_name(uint64_t nominal);

/* The rule in one sentence, for people. */
const char *pl_tier_rule(void);

#endif
