/* A computation as the engine builds it: tensors, the operations that make them, the views that
 * share their memory. Shapes and strides follow ggml (ggml/src/ggml.c); nothing is computed. Pure.
 *
 * Tensors are numbered from 1; 0 is "none". An operation on "none" gives "none", and one that lacks
 * an operand it needs marks the net as failed, so that a builder checks once at its end. */
#ifndef PL_DOMAIN_GRAPH_OPS_H
#define PL_DOMAIN_GRAPH_OPS_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t pl_tid;

enum pl_op {
    PL_OP_NONE = 0, /* inputs, weights, caches */
    /* results that may take over an operand's memory (ggml-alloc.c, ggml_op_can_inplace) */
    PL_OP_ADD,
    PL_OP_ADD_ID,
    PL_OP_SUB,
    PL_OP_MUL,
    PL_OP_DIV,
    PL_OP_SQR,
    PL_OP_SQRT,
    PL_OP_LOG,
    PL_OP_SCALE,
    PL_OP_UNARY,
    PL_OP_CLAMP,
    PL_OP_FILL,
    PL_OP_RMS_NORM,
    PL_OP_SOFT_MAX,
    PL_OP_ROPE,
    PL_OP_LAST_INPLACE = PL_OP_ROPE,
    /* views */
    PL_OP_VIEW,
    PL_OP_RESHAPE,
    PL_OP_PERMUTE,
    PL_OP_TRANSPOSE,
    PL_OP_SET_ROWS,
    PL_OP_CPY,
    PL_OP_SCALE_INPLACE,
    /* always new memory */
    PL_OP_DUP,
    PL_OP_NORM,
    PL_OP_L2_NORM,
    PL_OP_GROUP_NORM,
    PL_OP_MUL_MAT,
    PL_OP_MUL_MAT_ID,
    PL_OP_GET_ROWS,
    PL_OP_CONT,
    PL_OP_CAST,
    PL_OP_REPEAT,
    PL_OP_CONCAT,
    PL_OP_PAD,
    PL_OP_SUM_ROWS,
    PL_OP_CUMSUM,
    PL_OP_ARGSORT,
    PL_OP_TOP_K,
    PL_OP_GLU,
    PL_OP_FLASH_ATTN,
    PL_OP_SSM_CONV,
    PL_OP_SSM_SCAN,
    PL_OP_WKV,
    PL_OP_GATED_DELTA_NET,
    PL_OP_TRI,
    PL_OP_DIAG,
    PL_OP_SOLVE_TRI,
    PL_OP_IM2COL,
    PL_OP_OTHER,
    PL_OPS,
};

enum pl_tensor_flag {
    PL_T_INPUT = 1,      /* set by the host before the graph runs: placed first */
    PL_T_OUTPUT = 2,     /* never freed */
    PL_T_EXTERNAL = 4,   /* has memory of its own: weights, caches */
    PL_T_SEEN = 8,       /* already in the order of evaluation */
    PL_T_WEIGHT = 16,    /* external, read only */
    PL_T_CONVERTED = 32, /* a weight in the layout of the host's own kernels */
};

#define PL_T_SRC_MAX 8
#define PL_T_F32 0u /* ggml_type numbers */
#define PL_T_F16 1u
#define PL_T_I32 26u
#define PL_T_I64 27u

struct pl_t {
    uint64_t ne[4], nb[4];
    pl_tid src[PL_T_SRC_MAX];
    pl_tid view_src; /* whose memory it is; 0 = its own */
    uint64_t view_offset;
    uint32_t type; /* ggml_type */
    uint8_t op, flags;
    uint16_t layer;   /* of flash attention */
    int16_t backend;  /* -1 = not assigned; for weights, where they lie */
    const char *name; /* of a weight; else NULL */
};

#define PL_NET_TENSORS_MAX 400000u
#define PL_NET_BLOCK 1024u

/* The tensors of one graph and the order in which they are evaluated. */
struct pl_net_graph {
    struct pl_arena *arena;
    struct pl_t **block;
    uint32_t n, n_block;
    pl_tid *order; /* operations, as the engine evaluates them */
    uint32_t n_order, cap_order;
    pl_tid *leaf; /* inputs, weights and caches, in the order they are met */
    uint32_t n_leaf, cap_leaf;
    pl_tid *stack;
    uint32_t cap_stack;
    uint64_t scanned;  /* bytes of the states that a scan rewrites, of all slots */
    bool failed;       /* a limit, no memory, or an operand is missing */
    const char *lacks; /* what is missing, where that is known */
};

/* Everything is taken from `arena`, which must outlive the net. */
void pl_net_init(struct pl_net_graph *g, struct pl_arena *arena);
struct pl_t *pl_net_at(const struct pl_net_graph *g, pl_tid t); /* t > 0 */
uint64_t pl_net_bytes(const struct pl_net_graph *g, pl_tid t);
uint64_t pl_net_elements(const struct pl_net_graph *g, pl_tid t);
bool pl_net_contiguous(const struct pl_net_graph *g, pl_tid t);
bool pl_op_inplace(enum pl_op op);

/* Adds t and all it needs, operands first and left to right, to the order
 * (ggml_build_forward_expand).
 */
void pl_net_expand(struct pl_net_graph *g, pl_tid t);

/* New tensors */
pl_tid pl_net_new(struct pl_net_graph *g, uint32_t type, uint64_t n0, uint64_t n1, uint64_t n2,
                  uint64_t n3);
pl_tid pl_net_input(struct pl_net_graph *g, uint32_t type, uint64_t n0, uint64_t n1, uint64_t n2,
                    uint64_t n3);
pl_tid pl_net_external(struct pl_net_graph *g, const char *name, uint32_t type,
                       const uint64_t ne[4]);

/* Operations */
pl_tid pl_net_op(struct pl_net_graph *g, enum pl_op op, uint32_t type, const uint64_t ne[4],
                 pl_tid a, pl_tid b);
pl_tid pl_net_same(struct pl_net_graph *g, enum pl_op op, pl_tid a); /* result as a, contiguous */
pl_tid pl_net_with(struct pl_net_graph *g, enum pl_op op, pl_tid a, pl_tid b); /* shape of a */
void pl_net_also(struct pl_net_graph *g, pl_tid t, pl_tid src); /* one more operand */
pl_tid pl_net_mul_mat(struct pl_net_graph *g, pl_tid w, pl_tid x);
pl_tid pl_net_mul_mat_id(struct pl_net_graph *g, pl_tid w, pl_tid x, pl_tid ids);
pl_tid pl_net_get_rows(struct pl_net_graph *g, pl_tid from, pl_tid rows);
pl_tid pl_net_set_rows(struct pl_net_graph *g, pl_tid into, pl_tid what, pl_tid rows);
pl_tid pl_net_cpy(struct pl_net_graph *g, pl_tid from, pl_tid into);
pl_tid pl_net_cast(struct pl_net_graph *g, pl_tid a, uint32_t type);
pl_tid pl_net_cont(struct pl_net_graph *g, pl_tid a);
pl_tid pl_net_cont_4d(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                      uint64_t n3);
pl_tid pl_net_concat(struct pl_net_graph *g, pl_tid a, pl_tid b, int dim);
pl_tid pl_net_glu(struct pl_net_graph *g, pl_tid gate, pl_tid up); /* up 0: halves of gate */
pl_tid pl_net_repeat(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                     uint64_t n3);
pl_tid pl_net_pad(struct pl_net_graph *g, pl_tid a, uint64_t p0, uint64_t p1);
pl_tid pl_net_sum_rows(struct pl_net_graph *g, pl_tid a);
pl_tid pl_net_top_k(struct pl_net_graph *g, pl_tid a, uint64_t k); /* argsort and a view of it */

/* Views */
pl_tid pl_net_reshape(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                      uint64_t n3);
pl_tid pl_net_view(struct pl_net_graph *g, pl_tid a, const uint64_t ne[4], const uint64_t nb[4],
                   uint64_t offset);
/* Strides in bytes as in ggml_view_3d: nb1, nb2; the fourth is nb2 * n2. */
pl_tid pl_net_view_3d(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                      uint64_t nb1, uint64_t nb2, uint64_t offset);
pl_tid pl_net_view_2d(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t nb1,
                      uint64_t offset);
pl_tid pl_net_permute(struct pl_net_graph *g, pl_tid a, int p0, int p1, int p2, int p3);
pl_tid pl_net_transpose(struct pl_net_graph *g, pl_tid a);

#endif
