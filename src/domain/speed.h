/* How fast a model is expected to be: rates and times with their intervals, and how they come
 * about. Plain values. */
#ifndef PL_DOMAIN_SPEED_H
#define PL_DOMAIN_SPEED_H

#include "domain/machine.h"
#include "domain/quantity.h"

#include <stdint.h>

#define PL_SPEED_DEPTHS_MAX 6
#define PL_SPEED_TERMS_MAX 40
#define PL_SPEED_TEXT_MAX 240

/* One share of the time of a step, with its figures put in. */
struct pl_speed_term {
    char step[12]; /* "decode", "prefill" */
    char pool[PL_POOL_NAME_MAX];
    char formula[PL_SPEED_TEXT_MAX];
    double seconds;
    const char *source; /* static: where the coefficient is from */
};

struct pl_speed {
    struct pl_rate prefill, decode; /* tokens per second of one slot, alone */
    struct pl_rate decode_all;      /* of all slots together, each with an answer of its own */
    struct pl_rate speculative;     /* one slot with the draft asked for: nothing accepted .. all;
                                       unknown without one */
    struct pl_rate first_token; /* seconds from a prompt of `prompt` tokens to its first token */
    struct pl_rate load;        /* seconds from the start to the first request served */
    uint64_t prompt;            /* tokens; also the depth at which decode is quoted */
    uint64_t depth[PL_SPEED_DEPTHS_MAX]; /* tokens of context, ascending */
    struct pl_rate decode_at[PL_SPEED_DEPTHS_MAX];
    uint32_t n_depth;
    double roof; /* tokens per second that decode cannot pass: bytes over bandwidth; 0 = unknown */
    struct pl_speed_term term[PL_SPEED_TERMS_MAX];
    uint32_t n_term;
};

#endif
