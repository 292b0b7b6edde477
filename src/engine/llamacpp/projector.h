/* A projector of images or sound (general.architecture "clip"): what kind it is, its tower's
 * geometry, and the sizes of what it is given. tools/mtmd/clip.cpp. Pure. */
#ifndef PL_ENGINE_LLAMACPP_PROJECTOR_H
#define PL_ENGINE_LLAMACPP_PROJECTOR_H

#include "base/err.h"
#include "domain/model.h"
#include "domain/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum pl_projector_of { PL_OF_VISION = 0, PL_OF_AUDIO };
enum pl_projector_norm { PL_NORM_OF_LAYER = 0, PL_NORM_OF_RMS, PL_NORM_OF_6B };

/* A row of data/llamacpp_projectors.tsv. */
struct pl_projector_kind {
    const char *name; /* clip.projector_type */
    enum pl_projector_of of;
    uint32_t merge;        /* patches of a side that become one token; 0 = as 1 */
    const char *merge_key; /* the header's, after "clip."; NULL: none */
    uint32_t warm;         /* tokens of the square image reserved for at load; 0: image_size */
    int32_t least, most;   /* tokens of an image; 0: of one size; -1: pixels in the header */
    enum pl_projector_norm norm; /* 6b: RMS in the tower of 6 billion parameters alone */
    uint32_t batches;            /* 1: several images in one graph */
    const char *graph;           /* a recipe (graph_recipe.h); NULL: not followed */
    const char *source;
};

/* What the tower is given at once. */
struct pl_sight {
    uint64_t nx, ny; /* pixels, or frames and bands of a spectrum */
    uint64_t n;      /* images in a batch */
};

struct pl_projector {
    const struct pl_projector_kind *kind;
    uint64_t n_embd, n_ff, n_head, n_head_kv, head, n_layer, n_out;
    uint64_t image, patch, merge, mel, stack, window_every;
    struct pl_sight warm; /* reserved at load */
    struct pl_sight most; /* the largest that is ever given */
};

/* How many towers the file holds: vision, audio, or both. */
uint32_t pl_projector_count(const struct pl_model *m);

/* Reads the i-th tower. -EBADMSG (exit 2) for a file that is no projector or contradicts itself,
 * -ENOTSUP (exit 3) for a kind that is not known. */
int pl_projector_read(const struct pl_model *m, uint32_t i, const struct pl_settings *s,
                      struct pl_projector *ret, struct pl_err *err);

/* Patches of a sight, or positions of a sound. */
uint64_t pl_projector_patches(const struct pl_projector *p, const struct pl_sight *sight);
/* Tokens that become of one image. */
uint64_t pl_projector_tokens(const struct pl_projector *p, const struct pl_sight *sight);

#endif
