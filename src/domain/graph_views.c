#include "domain/graph_ops.h"

#include "base/checked.h"

#include <string.h>

pl_tid pl_net_view(struct pl_net_graph *g, pl_tid a, const uint64_t ne[4], const uint64_t nb[4],
                   uint64_t offset)
{
    if (a == 0) {
        g->failed = true;
        return 0;
    }
    const struct pl_t p = *pl_net_at(g, a);
    pl_tid t = pl_net_new(g, p.type, ne[0], ne[1], ne[2], ne[3]);
    if (t == 0)
        return 0;
    struct pl_t *v = pl_net_at(g, t);
    memcpy(v->nb, nb, sizeof(v->nb));
    v->op = PL_OP_VIEW;
    v->src[0] = a;
    v->view_src = p.view_src != 0 ? p.view_src : a;
    v->view_offset = pl_add_sat(p.view_offset, offset);
    return t;
}

pl_tid pl_net_view_3d(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                      uint64_t nb1, uint64_t nb2, uint64_t offset)
{
    if (a == 0) {
        g->failed = true;
        return 0;
    }
    const uint64_t ne[4] = {n0, n1, n2, 1};
    const uint64_t nb[4] = {pl_net_at(g, a)->nb[0], nb1, nb2, pl_mul_sat(nb2, n2)};
    return pl_net_view(g, a, ne, nb, offset);
}

pl_tid pl_net_view_2d(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t nb1,
                      uint64_t offset)
{
    return pl_net_view_3d(g, a, n0, n1, 1, nb1, pl_mul_sat(nb1, n1), offset);
}

pl_tid pl_net_reshape(struct pl_net_graph *g, pl_tid a, uint64_t n0, uint64_t n1, uint64_t n2,
                      uint64_t n3)
{
    uint64_t n = pl_mul_sat(pl_mul_sat(n0, n1), pl_mul_sat(n2, n3));
    if (a == 0 || n != pl_net_elements(g, a)) {
        g->failed = true;
        return 0;
    }
    pl_tid t = pl_net_new(g, pl_net_at(g, a)->type, n0, n1, n2, n3);
    if (t == 0)
        return 0;
    const struct pl_t *p = pl_net_at(g, a);
    struct pl_t *v = pl_net_at(g, t);
    v->op = PL_OP_RESHAPE;
    v->src[0] = a;
    v->view_src = p->view_src != 0 ? p->view_src : a;
    v->view_offset = p->view_offset;
    return t;
}

pl_tid pl_net_permute(struct pl_net_graph *g, pl_tid a, int p0, int p1, int p2, int p3)
{
    if (a == 0) {
        g->failed = true;
        return 0;
    }
    const struct pl_t p = *pl_net_at(g, a);
    const int to[4] = {p0, p1, p2, p3};
    uint64_t ne[4], nb[4];
    for (int i = 0; i < 4; i++) {
        ne[to[i]] = p.ne[i];
        nb[to[i]] = p.nb[i];
    }
    pl_tid t = pl_net_view(g, a, ne, nb, 0);
    if (t != 0)
        pl_net_at(g, t)->op = PL_OP_PERMUTE;
    return t;
}

pl_tid pl_net_transpose(struct pl_net_graph *g, pl_tid a)
{
    pl_tid t = pl_net_permute(g, a, 1, 0, 2, 3);
    if (t != 0)
        pl_net_at(g, t)->op = PL_OP_TRANSPOSE;
    return t;
}
