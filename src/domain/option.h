/* An option: one way to serve a component. Engines enumerate options, or a stack file declares
 * them; the planner sees only options and pools. Plain values; texts are borrowed from the arena or
 * table of whoever made the option. */
#ifndef PL_DOMAIN_OPTION_H
#define PL_DOMAIN_OPTION_H

#include "domain/machine.h"
#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_OPTION_POOLS_MAX 17 /* as a footprint */

enum pl_serve { PL_SERVE_HOT = 0, PL_SERVE_WARM, PL_SERVE_CLOUD, PL_SERVE_OFF, PL_SERVES };

/* What it takes from one pool. Its ancestors are charged by the planner, not here. */
struct pl_option_pool {
    const char *pool;
    struct pl_quantity steady, peak, load_peak, largest;
    uint64_t file_hot; /* of steady, peak and load_peak: pages of `file`, charged once per file */
};

struct pl_option {
    uint32_t component, candidate; /* indices in the stack's order */
    uint32_t variant;              /* of one candidate: in the order of preference, for ties */
    const char *name;              /* of the candidate */
    const struct pl_option_pool *pool;
    uint32_t n_pool;
    const char *instance; /* options of one instance share one process; NULL = its own */
    const char *file;     /* the weights' file or hash, for file_hot; NULL = none */
    int64_t quality;      /* higher is better; valid when known */
    bool quality_known;
    uint64_t decode_milli;                 /* predicted tokens per second x 1000; 0 = unknown */
    uint64_t first_token_us;               /* predicted time to first token; 0 = unknown */
    uint64_t context, slots;               /* got; 0 = it has none */
    uint64_t layers_wanted, layers;        /* on devices, in parts; wanted 0 = there is no choice */
    uint64_t cache_wanted, cache;          /* grade of the KV cache's type; the same */
    uint64_t model_bytes;                  /* of the weights; 0 = unknown */
    const char *model, *quant, *precision; /* NULL = not said */
    const char *language;                  /* "en,de": only these; NULL = any */
    const char *settings;                  /* engine flags, "" = none; files by their names */
    const char *const *argv;               /* the same as words, files whole; NULL-ended; NULL */
    const char *known_as;                  /* the model's name in the ledger; NULL = none */
    const char *why; /* how the footprint is known: "declared", "estimated" ... */
};

/* "hot", "warm", "cloud", "off" */
const char *pl_serve_name(enum pl_serve serve);

#endif
