#include "domain/graph_alloc.h"

#include "base/checked.h"

#include <string.h>

void pl_graph_start(struct pl_graph *g, uint64_t align)
{
    *g = (struct pl_graph){.n_free = 1, .align = align};
    g->free[0] = (struct pl_block){0, UINT64_MAX / 2};
}

uint64_t pl_graph_round(const struct pl_graph *g, uint64_t bytes)
{
    uint64_t r = 0;
    return pl_pad_u64(bytes, g->align, &r) ? r : UINT64_MAX;
}

static void pl_graph_remove(struct pl_graph *g, uint32_t i)
{
    memmove(&g->free[i], &g->free[i + 1], (g->n_free - i - 1) * sizeof(g->free[0]));
    g->n_free--;
}

struct pl_place pl_graph_take(struct pl_graph *g, uint64_t bytes)
{
    uint64_t want = pl_graph_round(g, bytes);
    uint32_t best = g->n_free - 1;
    uint64_t best_bytes = UINT64_MAX;
    for (uint32_t i = 0; i + 1 < g->n_free; i++) {
        if (g->free[i].bytes >= want && g->free[i].bytes <= best_bytes) {
            best = i;
            best_bytes = g->free[i].bytes;
        }
    }
    struct pl_block *b = &g->free[best];
    if (b->bytes < want) {
        g->failed = true;
        return (struct pl_place){0, 0};
    }
    struct pl_place p = {b->offset, want};
    b->offset += want;
    b->bytes -= want;
    if (p.offset + want > g->high)
        g->high = p.offset + want;
    if (b->bytes == 0)
        pl_graph_remove(g, best);
    return p;
}

void pl_graph_give(struct pl_graph *g, struct pl_place p)
{
    if (p.bytes == 0 || g->failed)
        return;
    uint32_t i = 0;
    while (i < g->n_free && g->free[i].offset < p.offset)
        i++;
    bool before = i > 0 && g->free[i - 1].offset + g->free[i - 1].bytes == p.offset;
    bool after = i < g->n_free && p.offset + p.bytes == g->free[i].offset;
    if (before && after) {
        g->free[i - 1].bytes += p.bytes + g->free[i].bytes;
        pl_graph_remove(g, i);
    } else if (before) {
        g->free[i - 1].bytes += p.bytes;
    } else if (after) {
        g->free[i].offset = p.offset;
        g->free[i].bytes += p.bytes;
    } else if (g->n_free < PL_GRAPH_FREE_MAX) {
        memmove(&g->free[i + 1], &g->free[i], (g->n_free - i) * sizeof(g->free[0]));
        g->free[i] = (struct pl_block){p.offset, p.bytes};
        g->n_free++;
    } else {
        g->failed = true;
    }
}
