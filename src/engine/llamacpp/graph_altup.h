/* Several versions of the hidden state, side by side (models/gemma3n.cpp). Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_ALTUP_H
#define PL_ENGINE_LLAMACPP_GRAPH_ALTUP_H

#include "engine/llamacpp/graph_build.h"

pl_tid pl_b_altup_stack(struct pl_build *b, pl_tid x); /* one version to all: [n, tokens, ways] */
pl_tid pl_b_altup_merge(struct pl_build *b, pl_tid x); /* and back */
pl_tid pl_b_altup_predict(struct pl_build *b, pl_tid x);
pl_tid pl_b_altup_active(struct pl_build *b, pl_tid predicted); /* the one that is computed */
pl_tid pl_b_altup_correct(struct pl_build *b, pl_tid predicted, pl_tid active);
/* The layer's own embedding `p` is added to all versions but the first. */
pl_tid pl_b_altup_extend(struct pl_build *b, pl_tid corrected, pl_tid p);
/* Of the first layers' gates only the largest values stay. */
pl_tid pl_b_altup_largest(struct pl_build *b, pl_tid x);

#endif
