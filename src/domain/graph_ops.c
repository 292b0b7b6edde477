#include "domain/graph_ops.h"

#include "base/checked.h"
#include "domain/tensor_type.h"

#include <string.h>

void pl_net_init(struct pl_net_graph *g, struct pl_arena *arena)
{
    *g = (struct pl_net_graph){.arena = arena};
    g->block = pl_arena_alloc(arena, PL_NET_TENSORS_MAX / PL_NET_BLOCK + 1, sizeof(*g->block));
    g->failed = g->block == NULL;
}

struct pl_t *pl_net_at(const struct pl_net_graph *g, pl_tid t)
{
    return &g->block[(t - 1) / PL_NET_BLOCK][(t - 1) % PL_NET_BLOCK];
}

bool pl_op_inplace(enum pl_op op)
{
    return op > PL_OP_NONE && op <= PL_OP_LAST_INPLACE;
}

static pl_tid pl_net_add(struct pl_net_graph *g)
{
    if (g->failed)
        return 0;
    if (g->n >= PL_NET_TENSORS_MAX) {
        g->failed = true;
        return 0;
    }
    if (g->n == g->n_block * PL_NET_BLOCK) {
        g->block[g->n_block] = pl_arena_alloc(g->arena, PL_NET_BLOCK, sizeof(struct pl_t));
        if (g->block[g->n_block] == NULL) {
            g->failed = true;
            return 0;
        }
        g->n_block++;
    }
    g->n++;
    pl_net_at(g, g->n)->backend = -1;
    return g->n;
}

static uint64_t pl_row_bytes(uint32_t type, uint64_t elements)
{
    const struct pl_tensor_type *t = pl_tensor_type(type);
    if (t == NULL || t->block_elements == 0)
        return pl_mul_sat(elements, 4);
    return pl_mul_sat(elements / t->block_elements, t->block_bytes);
}

static void pl_net_shape(struct pl_t *t, uint32_t type, const uint64_t ne[4])
{
    t->type = type;
    memcpy(t->ne, ne, sizeof(t->ne));
    t->nb[0] = pl_row_bytes(type, 1);
    const struct pl_tensor_type *tt = pl_tensor_type(type);
    if (tt != NULL && tt->block_elements > 1)
        t->nb[0] = tt->block_bytes;
    t->nb[1] = pl_row_bytes(type, ne[0]);
    t->nb[2] = pl_mul_sat(t->nb[1], ne[1]);
    t->nb[3] = pl_mul_sat(t->nb[2], ne[2]);
}

uint64_t pl_net_elements(const struct pl_net_graph *g, pl_tid t)
{
    if (t == 0)
        return 0;
    const struct pl_t *p = pl_net_at(g, t);
    return pl_mul_sat(pl_mul_sat(p->ne[0], p->ne[1]), pl_mul_sat(p->ne[2], p->ne[3]));
}

/* Elements of a row apart from each other: a transposed view. */
static bool pl_strided(const struct pl_t *p)
{
    const struct pl_tensor_type *t = pl_tensor_type(p->type);
    return t != NULL && t->block_elements == 1 && p->nb[0] != t->block_bytes;
}

/* From the first element to the end of the last one (ggml_nbytes). */
uint64_t pl_net_bytes(const struct pl_net_graph *g, pl_tid t)
{
    const struct pl_t *p = pl_net_at(g, t);
    if (p->ne[0] == 0 || p->ne[1] == 0 || p->ne[2] == 0 || p->ne[3] == 0)
        return 0;
    uint64_t bytes = pl_row_bytes(p->type, p->ne[0]);
    if (p->nb[0] > bytes || pl_strided(p))
        bytes = pl_add_sat(pl_mul_sat(p->ne[0] - 1, p->nb[0]), pl_row_bytes(p->type, 1));
    for (int i = 1; i < 4; i++)
        bytes = pl_add_sat(bytes, pl_mul_sat(p->ne[i] - 1, p->nb[i]));
    return bytes;
}

bool pl_net_contiguous(const struct pl_net_graph *g, pl_tid t)
{
    if (t == 0)
        return true;
    const struct pl_t *p = pl_net_at(g, t);
    uint64_t next = pl_row_bytes(p->type, p->ne[0]);
    for (int i = 1; i < 4; i++) {
        if (p->ne[i] != 1 && p->nb[i] != next)
            return false;
        next = pl_mul_sat(next, p->ne[i]);
    }
    return true;
}

static bool pl_net_push(struct pl_net_graph *g, pl_tid **list, uint32_t *n, uint32_t *cap, pl_tid t)
{
    if (*n == *cap) {
        uint32_t more = *cap == 0 ? 1024 : *cap * 2;
        pl_tid *p = pl_arena_alloc(g->arena, more, sizeof(*p));
        if (p == NULL) {
            g->failed = true;
            return false;
        }
        if (*n > 0)
            memcpy(p, *list, *n * sizeof(*p));
        *list = p;
        *cap = more;
    }
    (*list)[(*n)++] = t;
    return true;
}

/* Depth first without recursion: a tensor is looked at twice, once to push what it needs, once to
 * be placed. The stack holds the tensor above the operands still to be visited. */
void pl_net_expand(struct pl_net_graph *g, pl_tid t)
{
    uint32_t n = 0;
    if (t == 0 || g->failed || !pl_net_push(g, &g->stack, &n, &g->cap_stack, t))
        return;
    while (n > 0 && !g->failed) {
        pl_tid top = g->stack[n - 1];
        struct pl_t *p = pl_net_at(g, top);
        if (p->flags & PL_T_SEEN) {
            n--;
            continue;
        }
        pl_tid next = 0;
        for (int i = 0; i < PL_T_SRC_MAX && next == 0; i++) {
            if (p->src[i] != 0 && !(pl_net_at(g, p->src[i])->flags & PL_T_SEEN))
                next = p->src[i];
        }
        if (next != 0) {
            (void)pl_net_push(g, &g->stack, &n, &g->cap_stack, next);
            continue;
        }
        p->flags |= PL_T_SEEN;
        n--;
        if (p->op == PL_OP_NONE)
            (void)pl_net_push(g, &g->leaf, &g->n_leaf, &g->cap_leaf, top);
        else
            (void)pl_net_push(g, &g->order, &g->n_order, &g->cap_order, top);
    }
}

pl_tid pl_net_new(struct pl_net_graph *g, uint32_t type, uint64_t n0, uint64_t n1, uint64_t n2,
                  uint64_t n3)
{
    pl_tid t = pl_net_add(g);
    if (t != 0)
        pl_net_shape(pl_net_at(g, t), type, (const uint64_t[4]){n0, n1, n2, n3});
    return t;
}

pl_tid pl_net_input(struct pl_net_graph *g, uint32_t type, uint64_t n0, uint64_t n1, uint64_t n2,
                    uint64_t n3)
{
    pl_tid t = pl_net_new(g, type, n0, n1, n2, n3);
    if (t != 0)
        pl_net_at(g, t)->flags = PL_T_INPUT;
    return t;
}

pl_tid pl_net_external(struct pl_net_graph *g, const char *name, uint32_t type,
                       const uint64_t ne[4])
{
    pl_tid t = pl_net_new(g, type, ne[0], ne[1], ne[2], ne[3]);
    if (t != 0) {
        pl_net_at(g, t)->flags = PL_T_EXTERNAL;
        pl_net_at(g, t)->name = name;
    }
    return t;
}

pl_tid pl_net_op(struct pl_net_graph *g, enum pl_op op, uint32_t type, const uint64_t ne[4],
                 pl_tid a, pl_tid b)
{
    pl_tid t = pl_net_new(g, type, ne[0], ne[1], ne[2], ne[3]);
    if (t == 0)
        return 0;
    struct pl_t *p = pl_net_at(g, t);
    p->op = (uint8_t)op;
    p->src[0] = a;
    p->src[1] = b;
    return t;
}

/* A required operand is missing: the net cannot be trusted. */
static pl_tid pl_net_missing(struct pl_net_graph *g)
{
    g->failed = true;
    return 0;
}

pl_tid pl_net_same(struct pl_net_graph *g, enum pl_op op, pl_tid a)
{
    if (a == 0)
        return pl_net_missing(g);
    const struct pl_t p = *pl_net_at(g, a);
    return pl_net_op(g, op, p.type, p.ne, a, 0);
}

pl_tid pl_net_with(struct pl_net_graph *g, enum pl_op op, pl_tid a, pl_tid b)
{
    pl_tid t = b == 0 ? pl_net_missing(g) : pl_net_same(g, op, a);
    if (t != 0)
        pl_net_at(g, t)->src[1] = b;
    return t;
}

void pl_net_also(struct pl_net_graph *g, pl_tid t, pl_tid src)
{
    if (t == 0 || src == 0)
        return;
    struct pl_t *p = pl_net_at(g, t);
    for (int i = 0; i < PL_T_SRC_MAX; i++) {
        if (p->src[i] == 0) {
            p->src[i] = src;
            return;
        }
    }
    g->failed = true;
}

pl_tid pl_net_mul_mat(struct pl_net_graph *g, pl_tid w, pl_tid x)
{
    if (w == 0 || x == 0)
        return pl_net_missing(g);
    const struct pl_t *a = pl_net_at(g, w), *b = pl_net_at(g, x);
    const uint64_t ne[4] = {a->ne[1], b->ne[1], b->ne[2], b->ne[3]};
    return pl_net_op(g, PL_OP_MUL_MAT, PL_T_F32, ne, w, x);
}

pl_tid pl_net_mul_mat_id(struct pl_net_graph *g, pl_tid w, pl_tid x, pl_tid ids)
{
    if (w == 0 || x == 0 || ids == 0)
        return pl_net_missing(g);
    const uint64_t ne[4] = {pl_net_at(g, w)->ne[1], pl_net_at(g, ids)->ne[0],
                            pl_net_at(g, x)->ne[2], 1};
    pl_tid t = pl_net_op(g, PL_OP_MUL_MAT_ID, PL_T_F32, ne, w, x);
    pl_net_also(g, t, ids);
    return t;
}

pl_tid pl_net_get_rows(struct pl_net_graph *g, pl_tid from, pl_tid rows)
{
    if (from == 0 || rows == 0)
        return pl_net_missing(g);
    const struct pl_t *a = pl_net_at(g, from), *b = pl_net_at(g, rows);
    const uint64_t ne[4] = {a->ne[0], b->ne[0], b->ne[1], b->ne[2]};
    return pl_net_op(g, PL_OP_GET_ROWS, a->type == PL_T_I32 ? PL_T_I32 : PL_T_F32, ne, from, rows);
}

/* The result is a view of what is written into. */
static pl_tid pl_net_view_of(struct pl_net_graph *g, enum pl_op op, pl_tid into)
{
    const struct pl_t p = *pl_net_at(g, into);
    pl_tid t = pl_net_add(g);
    if (t == 0)
        return 0;
    struct pl_t *r = pl_net_at(g, t);
    memcpy(r->ne, p.ne, sizeof(r->ne));
    memcpy(r->nb, p.nb, sizeof(r->nb));
    r->type = p.type;
    r->op = (uint8_t)op;
    r->view_src = p.view_src != 0 ? p.view_src : into;
    r->view_offset = p.view_offset;
    return t;
}

pl_tid pl_net_set_rows(struct pl_net_graph *g, pl_tid into, pl_tid what, pl_tid rows)
{
    if (into == 0 || what == 0 || rows == 0)
        return pl_net_missing(g);
    pl_tid t = pl_net_view_of(g, PL_OP_SET_ROWS, into);
    pl_net_also(g, t, what);
    pl_net_also(g, t, rows);
    pl_net_also(g, t, into);
    return t;
}

pl_tid pl_net_cpy(struct pl_net_graph *g, pl_tid from, pl_tid into)
{
    if (into == 0 || from == 0)
        return pl_net_missing(g);
    pl_tid t = pl_net_view_of(g, PL_OP_CPY, into);
    pl_net_also(g, t, from);
    pl_net_also(g, t, into);
    return t;
}

pl_tid pl_net_cast(struct pl_net_graph *g, pl_tid a, uint32_t type)
{
    if (a == 0)
        return pl_net_missing(g);
    const struct pl_t p = *pl_net_at(g, a);
    return pl_net_op(g, PL_OP_CAST, type, p.ne, a, 0);
}

pl_tid pl_net_cont(struct pl_net_graph *g, pl_tid a)
{
    return pl_net_same(g, PL_OP_CONT, a);
}

pl_tid pl_net_cont_4d(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                      uint64_t n3)
{
    if (a == 0)
        return pl_net_missing(g);
    return pl_net_op(g, PL_OP_CONT, pl_net_at(g, a)->type, (const uint64_t[4]){n0, n1, n2, n3}, a,
                     0);
}

pl_tid pl_net_concat(struct pl_net_graph *g, pl_tid a, pl_tid b, int dim)
{
    if (a == 0 || b == 0)
        return pl_net_missing(g);
    struct pl_t p = *pl_net_at(g, a);
    p.ne[dim] += pl_net_at(g, b)->ne[dim];
    return pl_net_op(g, PL_OP_CONCAT, p.type, p.ne, a, b);
}

pl_tid pl_net_glu(struct pl_net_graph *g, pl_tid gate, pl_tid up)
{
    if (gate == 0)
        return pl_net_missing(g);
    struct pl_t p = *pl_net_at(g, gate);
    if (up == 0)
        p.ne[0] /= 2;
    return pl_net_op(g, PL_OP_GLU, p.type, p.ne, gate, up);
}

pl_tid pl_net_repeat(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                     uint64_t n3)
{
    if (a == 0)
        return pl_net_missing(g);
    return pl_net_op(g, PL_OP_REPEAT, pl_net_at(g, a)->type, (const uint64_t[4]){n0, n1, n2, n3}, a,
                     0);
}

pl_tid pl_net_pad(struct pl_net_graph *g, pl_tid a, uint64_t p0, uint64_t p1)
{
    if (a == 0)
        return pl_net_missing(g);
    struct pl_t p = *pl_net_at(g, a);
    p.ne[0] += p0;
    p.ne[1] += p1;
    return pl_net_op(g, PL_OP_PAD, p.type, p.ne, a, 0);
}

pl_tid pl_net_sum_rows(struct pl_net_graph *g, pl_tid a)
{
    if (a == 0)
        return pl_net_missing(g);
    struct pl_t p = *pl_net_at(g, a);
    p.ne[0] = 1;
    return pl_net_op(g, PL_OP_SUM_ROWS, p.type, p.ne, a, 0);
}

pl_tid pl_net_top_k(struct pl_net_graph *g, pl_tid a, uint64_t k)
{
    if (a == 0)
        return pl_net_missing(g);
    const struct pl_t p = *pl_net_at(g, a);
    pl_tid sorted = pl_net_op(g, PL_OP_ARGSORT, PL_T_I32, p.ne, a, 0);
    if (sorted == 0)
        return 0;
    const struct pl_t s = *pl_net_at(g, sorted);
    return pl_net_view(g, sorted, (const uint64_t[4]){k, s.ne[1], s.ne[2], s.ne[3]}, s.nb, 0);
}
