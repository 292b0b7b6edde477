/* The terms of a footprint: how each part comes about, for people who want to check a number by
 * hand. Plain values. */
#ifndef PL_DOMAIN_TERMS_H
#define PL_DOMAIN_TERMS_H

#include "domain/footprint.h"

#define PL_TERMS_MAX 160
#define PL_TERM_TEXT_MAX 400

struct pl_term {
    char pool[PL_POOL_NAME_MAX];
    enum pl_part part;
    char formula[PL_TERM_TEXT_MAX]; /* "12 layers x 32768 cells x (512 K + 512 V) F16" */
    uint64_t bytes;                 /* what the formula gives */
    bool known;                     /* false: the part is unknown, the formula says why */
    const char *source;             /* static: file and function of the engine */
};

struct pl_terms {
    struct pl_term term[PL_TERMS_MAX];
    uint32_t n; /* what does not fit is left out */
};

#endif
