/* What speculative decoding (--spec-type) asks of the model's own context. Pure. */
#ifndef PL_ENGINE_LLAMACPP_SPECULATE_H
#define PL_ENGINE_LLAMACPP_SPECULATE_H

#include "base/err.h"
#include "domain/settings.h"

#include <stdbool.h>

struct pl_speculation {
    bool any;    /* a kind was named: without one the engine loads a draft model and lets it go */
    bool simple; /* draft-simple: a model of the same vocabulary */
    bool mtp;    /* draft-mtp: layers for multi-token prediction, with a context of their own */
    bool reader; /* eagle3, dflash, dspark: a draft that reads the hidden states of the target */
    bool block;  /* dflash, dspark: the engine aborts where the file is no such draft */
    bool ngram_mod, ngram_map, ngram_cache; /* tables of n-grams in host memory */
    uint64_t n_max;                         /* tokens drafted at once, of all kinds the most */
};

/* Reads the kinds that s names. -EINVAL (exit 2) for one that the engine does not know. */
int pl_llamacpp_speculation(const struct pl_settings *s, struct pl_speculation *ret,
                            struct pl_err *err);

/* Needs the target a draft that runs beside it: a model, or a context for its own layers? */
static inline bool pl_speculation_beside(const struct pl_speculation *p)
{
    return p->simple || p->mtp || p->reader;
}

#endif
