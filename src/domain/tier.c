#include "domain/tier.h"

#include "base/units.h"

#include <stddef.h>

/* A machine of 64 GB shows 61 to 63 GiB; one of 16 GB with 1 GB for its graphics 14.5; a GB10 of
 * 128 GB 119.7. A tenth covers them and stays below the distance to the next smaller sum. */
#define PL_TIER_MISSING 10

static const struct pl_tier pl_tier_table[] = {
#include "tiers.inc"
};
#define PL_TIERS (sizeof(pl_tier_table) / sizeof(pl_tier_table[0]))

uint64_t pl_ram_nominal(uint64_t usable)
{
    /* 2^n GiB, and 1.25, 1.5 and 1.75 times that: pairs, triples and mixes of equal modules */
    for (uint64_t n = PL_GIB; n <= PL_GIB << 20; n *= 2) {
        for (uint64_t quarter = 0; quarter < 4; quarter++) {
            uint64_t sum = n + n / 4 * quarter;
            if (usable <= sum)
                return sum - usable <= sum / PL_TIER_MISSING ? sum : usable;
        }
    }
    return usable;
}

const char *pl_tier_name(uint64_t nominal)
{
    size_t i = PL_TIERS - 1;
    while (nominal < pl_tier_table[i].from_gib * PL_GIB)
        i--;
    return pl_tier_table[i].name;
}

const struct pl_tier *pl_tiers(size_t *ret_n)
{
    *ret_n = PL_TIERS;
    return pl_tier_table;
}

const char *pl_tier_rule(void)
{
    return "by nominal RAM: MemTotal rounded up to the next usual sum of modules when at most a "
           "tenth is missing; MINIMAL from 32 GiB, BASIC 64, STANDARD 128, PRODUCTION 256, FULL "
           "512";
}
