/* The words of the recipe language for towers of images and sound (tools/mtmd/clip.cpp). Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_TOWER_H
#define PL_ENGINE_LLAMACPP_GRAPH_TOWER_H

#include "engine/llamacpp/graph_build.h"
#include "engine/llamacpp/graph_recipe.h"
#include "engine/llamacpp/projector.h"

/* What is built: pl_build.tower. */
struct pl_tower {
    const struct pl_projector *p;
    struct pl_sight sight;
    uint64_t px, py; /* patches of a side */
    bool swapped;    /* "up" and "down" are named the wrong way round in this file */
};

bool pl_tower_call(struct pl_call *c);
/* This layer attends to everything, not to windows. */
bool pl_tower_full(const struct pl_build *b);

/* graph_tower_merge.c: what becomes of the patches after the tower. */
pl_tid pl_t_shuffle(struct pl_call *c);
pl_tid pl_t_shuffle_hw(struct pl_call *c);
pl_tid pl_t_group(struct pl_call *c);
pl_tid pl_t_ungroup(struct pl_call *c);
pl_tid pl_t_unfold(struct pl_call *c);
pl_tid pl_t_breaks(struct pl_call *c);
pl_tid pl_t_avgpool(struct pl_call *c);
pl_tid pl_t_fours(struct pl_call *c);
pl_tid pl_t_deepstack(struct pl_call *c);
pl_tid pl_t_stacked(struct pl_call *c);
pl_tid pl_t_stack(struct pl_call *c);
pl_tid pl_t_halve(struct pl_call *c);
pl_tid pl_t_windows(struct pl_call *c);
pl_tid pl_t_back(struct pl_call *c);
/* [C, W, H] as rows of 2 x 2 patches, one square after the other. */
pl_tid pl_t_squares(struct pl_build *b, pl_tid x);

#endif
