/* Blocks that keep a state of fixed size per slot instead of a cache. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_RECURRENT_H
#define PL_ENGINE_LLAMACPP_GRAPH_RECURRENT_H

#include "engine/llamacpp/graph_build.h"

/* The two states of a layer: r before a convolution or shift, s of the recurrence. */
pl_tid pl_b_state_store(struct pl_build *b, uint64_t values);
/* The rows of this batch's slots (llama-graph.cpp, build_rs): [values, slots]. */
pl_tid pl_b_state(struct pl_build *b, pl_tid store);

pl_tid pl_b_mamba(struct pl_build *b, pl_tid x);       /* models/mamba-base.cpp */
pl_tid pl_b_mamba2(struct pl_build *b, pl_tid x);      /* models/mamba-base.cpp */
pl_tid pl_b_mamba_plamo(struct pl_build *b, pl_tid x); /* models/plamo2.cpp */
pl_tid pl_b_shortconv(struct pl_build *b, pl_tid x);   /* models/lfm2.cpp */
/* models/qwen3next.cpp, qwen35.cpp: a gated delta net; `wide`: heads of keys are repeated first */
pl_tid pl_b_delta_net(struct pl_build *b, pl_tid x, bool wide);
/* models/kimi-linear.cpp; `bounded`: the decay is cut off by a sigmoid (bailingmoe3) */
pl_tid pl_b_kda(struct pl_build *b, pl_tid x, bool bounded);
pl_tid pl_b_lightning(struct pl_build *b, pl_tid x); /* models/minimax-01.cpp */

/* A whole layer (models/rwkv6.cpp, rwkv7.cpp), or its first half where a feed-forward of another
 * kind follows (models/rwkv6qwen2.cpp, arwkv7.cpp). *first: the first layer's values, 0 before. */
struct pl_rwkv_use {
    bool seven, mix_alone, last;
};
pl_tid pl_b_rwkv(struct pl_build *b, pl_tid x, const struct pl_rwkv_use *use, pl_tid *first);

#endif
