/* Changes of settings and what each would free. Plain values; src/measure/relief.h fills them. */
#ifndef PL_DOMAIN_RELIEF_H
#define PL_DOMAIN_RELIEF_H

#include "domain/footprint.h"
#include "domain/settings.h"

#define PL_RELIEFS_MAX 14
#define PL_RELIEF_TEXT_MAX 128

struct pl_relief {
    char flags[PL_RELIEF_TEXT_MAX];  /* as typed: "-ctk q8_0 -ctv q8_0" */
    char effect[PL_RELIEF_TEXT_MAX]; /* "KV cache in 8 bits" */
    struct pl_settings settings;     /* with the change */
    uint64_t freed;          /* of the pool's peak, likely; the low end when steady is one */
    bool enough;             /* freed covers what was missing */
    enum pl_verdict verdict; /* with the change, on this machine */
};

struct pl_reliefs {
    struct pl_relief one[PL_RELIEFS_MAX];
    uint32_t n;
};

#endif
