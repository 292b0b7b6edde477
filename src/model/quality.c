#include "model/quality.h"

#include "base/str.h"

#include <stddef.h>

/* Generated from data/quality.tsv; see tools/gen-data. */
static const struct pl_quality pl_qualities[] = {
#include "model_quality.inc"
};

const struct pl_quality *pl_quality_of(const char *id)
{
    for (size_t i = 0; i < sizeof(pl_qualities) / sizeof(pl_qualities[0]); i++) {
        if (pl_streq(pl_qualities[i].id, id))
            return &pl_qualities[i];
    }
    return NULL;
}
