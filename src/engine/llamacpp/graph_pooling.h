/* How the embeddings of a batch's tokens become one for each sequence, or a rank. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_POOLING_H
#define PL_ENGINE_LLAMACPP_GRAPH_POOLING_H

#include "engine/llamacpp/graph_build.h"

/* x: the hidden state after the last norm. After the layers, when b->r->embedding. */
void pl_b_pooling(struct pl_build *b, pl_tid x);

/* llm_graph_context::build_sampling: the logits with one row more, and the best of each slot's row.
 * A chain of samplers without top-k takes more. */
void pl_b_sampling(struct pl_build *b);

#endif
