/* Where a graph allocator puts the tensors of a computation, and so how large its buffer becomes.
 *
 * A model of ggml's allocator (ggml/src/ggml-alloc.c, read at the version of August 2026): tensors
 * live from their creation to their last use; a result may take over the memory of an operand that
 * dies with it; free memory is a list of blocks ordered by offset, served best fit, the open end of
 * the buffer last. The compute buffer is the highest offset ever reached. Pure. */
#ifndef PL_DOMAIN_GRAPH_ALLOC_H
#define PL_DOMAIN_GRAPH_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#define PL_GRAPH_FREE_MAX 256 /* free blocks at once, as in ggml */
#define PL_GRAPH_ALIGN 32     /* ggml-cpu: TENSOR_ALIGNMENT */

struct pl_block {
    uint64_t offset, bytes;
};

struct pl_graph {
    struct pl_block free[PL_GRAPH_FREE_MAX]; /* ordered; the last one is the open end */
    uint32_t n_free;
    uint64_t align;
    uint64_t high; /* bytes the buffer needs so far */
    bool failed;   /* more free blocks than expected: the result is not to be trusted */
};

/* A tensor that lives in the buffer. */
struct pl_place {
    uint64_t offset, bytes;
};

void pl_graph_start(struct pl_graph *g, uint64_t align);
uint64_t pl_graph_round(const struct pl_graph *g, uint64_t bytes); /* to the alignment; saturates */
struct pl_place pl_graph_take(struct pl_graph *g, uint64_t bytes);
void pl_graph_give(struct pl_graph *g, struct pl_place p);

#endif
