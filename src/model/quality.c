#include "model/quality.h"

#include "base/str.h"

#include <stddef.h>

/* Generated from data/quality.tsv; see tools/gen-data. */
static const struct pl_quality pl_qualities[] = {
#include "model_quality.inc"
};
#define PL_QUALITIES (sizeof(pl_qualities) / sizeof(pl_qualities[0]))

const struct pl_quality *pl_quality_of(const char *id)
{
    for (size_t i = 0; i < PL_QUALITIES; i++) {
        if (pl_streq(pl_qualities[i].id, id))
            return &pl_qualities[i];
    }
    return NULL;
}

const struct pl_quality *pl_quality_next(const struct pl_quality *q)
{
    for (const struct pl_quality *p = q + 1; p < pl_qualities + PL_QUALITIES; p++) {
        if (pl_streq(p->id, q->id))
            return p;
    }
    return NULL;
}

const struct pl_quality *pl_quality_common(const char *id, double *ret)
{
    for (const struct pl_quality *q = pl_quality_of(id); q != NULL; q = pl_quality_next(q)) {
        if (pl_starts(q->benchmark, PL_QUALITY_COMMON) && pl_parse_double(q->score, ret))
            return q;
    }
    return NULL;
}
