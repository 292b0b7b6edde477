/* A footprint: the bytes a variant needs in each pool, split in parts. Plain values. */
#ifndef PL_DOMAIN_FOOTPRINT_H
#define PL_DOMAIN_FOOTPRINT_H

#include "domain/machine.h"
#include "domain/quantity.h"

#include <stdint.h>

enum pl_part {
    PL_PART_WEIGHTS = 0, /* tensors used where they lie: mapped or read, not repacked */
    PL_PART_KV,
    PL_PART_RECURRENT,
    PL_PART_COMPUTE,
    PL_PART_OUTPUT,
    PL_PART_RUNTIME, /* the process itself: code, heap, tokenizer, graphs, threads */
    PL_PART_REPACK,  /* weights converted at load into the kernels' layout */
    PL_PART_PROMPT_CACHE,
    PL_PART_PROJECTOR,
    PL_PART_DRAFT,
    PL_PART_EXTRA,
    PL_PARTS,
};

/* How host memory is held (ARCHITECTURE.md). file_cold is reported and never charged. */
enum pl_hold { PL_HOLD_ANON = 0, PL_HOLD_LOCKED, PL_HOLD_FILE_HOT, PL_HOLD_FILE_COLD, PL_HOLDS };

#define PL_FOOTPRINT_POOLS_MAX 17 /* ram and sixteen devices */
#define PL_FOOTPRINT_TEXT_MAX 160

struct pl_pool_footprint {
    char pool[PL_POOL_NAME_MAX];
    enum pl_pool_kind kind;
    struct pl_quantity part[PL_PARTS]; /* a part that cannot occur is exactly 0, derived */
    struct pl_quantity hold[PL_HOLDS]; /* host pools only; steady state */
    struct pl_quantity steady;         /* after load, serving, prompt cache empty */
    struct pl_quantity peak;      /* the most while serving: steady + prompt cache at its limit */
    struct pl_quantity load_peak; /* the most while loading */
    struct pl_quantity largest_allocation;
    uint64_t checkpoints; /* of the prompt cache's high end: what its limit does not hold */
};

struct pl_footprint {
    struct pl_pool_footprint pool[PL_FOOTPRINT_POOLS_MAX];
    uint32_t n_pool;
    char fitted[PL_FOOTPRINT_TEXT_MAX]; /* what was left open and is decided here; "" = nothing */
    char text[PL_FOOTPRINT_TEXT_MAX];   /* of a `why` with figures; a copy's points here still */
    bool projector_hears;               /* it takes sound alone */
    char projector[PL_FOOTPRINT_TEXT_MAX]; /* the same, of the projector; "" = none */
};

enum pl_verdict {
    PL_VERDICT_SAFE = 0,
    PL_VERDICT_CONSTRAINED,
    PL_VERDICT_FRAGILE,
    PL_VERDICT_DOES_NOT_FIT,
    PL_VERDICT_CANNOT_TELL,
};

#define PL_REASONS_MAX 8
#define PL_REASON_TEXT_MAX 200

struct pl_judgement {
    enum pl_verdict verdict;
    char reason[PL_REASONS_MAX][PL_REASON_TEXT_MAX];
    uint32_t n_reason;
};

/* Does the footprint fit what is available on the machine now?
 * safe: even the high end of peak and load peak fits; constrained: it fits while the prompt cache
 * stays below a stated size; fragile: only the likely value fits; else does not fit. Unknown
 * available memory or an unknown steady state cannot be told. Pools that charge a common one (CPU
 * and graphics of one memory) must fit that together too. */
void pl_judge(const struct pl_footprint *f, const struct pl_machine *m, struct pl_judgement *ret);

const char *pl_part_name(enum pl_part part);
const char *pl_hold_name(enum pl_hold hold);
const char *pl_verdict_name(enum pl_verdict verdict); /* as in JSON: "does_not_fit" */

#endif
