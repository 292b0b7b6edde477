/* What `plimsoll tiers` shows. */
#ifndef PL_CLI_TIERS_H
#define PL_CLI_TIERS_H

#include "base/str.h"
#include "plan/tiers.h"

#define PL_TIERS_SIZES_MAX 1024
#define PL_TIERS_CONTEXT 8192u

struct pl_tiers_shown {
    struct pl_role_needs needs;
    uint64_t context;      /* tokens of each role */
    const char *size_from; /* where the one size comes from: this machine; NULL = as asked */
    uint64_t usable;       /* what that machine shows; 0 = as asked */
    struct pl_carried *size;
    uint32_t n;
};

void pl_tiers_text(const struct pl_tiers_shown *s, bool colour, struct pl_str *out);
void pl_tiers_json(const struct pl_tiers_shown *s, struct pl_str *out);

/* A tier's row: what its lower bound carries, in words ("frontdoor, workers"; "mock mode"). */
void pl_tiers_promise(uint32_t step, struct pl_str *out);

#endif
