#include "engine/llamacpp/graph_support.h"

static const struct pl_t *pl_src(const struct pl_net_graph *g, const struct pl_t *t, int k)
{
    return t->src[k] != 0 ? pl_net_at(g, t->src[k]) : NULL;
}

/* ggml-vulkan.cpp: nothing larger than maxStorageBufferRange is read or written. */
static bool pl_in_range(const struct pl_net_graph *g, pl_tid id, uint64_t most)
{
    const struct pl_t *t = pl_net_at(g, id);
    if (pl_net_bytes(g, id) > most)
        return false;
    for (int k = 0; k < PL_T_SRC_MAX; k++) {
        if (t->src[k] != 0 && pl_net_bytes(g, t->src[k]) > most)
            return false;
    }
    return true;
}

/* ggml-vulkan.cpp: the second kind of state space layers (one decay per head), in two sizes */
static bool pl_vulkan_scans(const struct pl_net_graph *g, const struct pl_t *t)
{
    const struct pl_t *state = pl_src(g, t, 0), *decay = pl_src(g, t, 3);
    return state != NULL && decay != NULL && decay->nb[1] == 4 &&
           (state->ne[0] == 128 || state->ne[0] == 256) && state->ne[1] % 16 == 0;
}

static bool pl_vulkan_multiplies(const struct pl_net_graph *g, const struct pl_t *t)
{
    const struct pl_t *a = pl_src(g, t, t->op == PL_OP_MUL_MAT_ID ? 2 : 0), *b = pl_src(g, t, 1);
    return a != NULL && b != NULL && a->ne[3] == b->ne[3];
}

/* ggml-vulkan.cpp, ggml_backend_vk_device_supports_op */
static bool pl_vulkan_supports(const struct pl_net_graph *g, const struct pl_t *t)
{
    const struct pl_t *k = pl_src(g, t, 1), *v = pl_src(g, t, 2);
    switch (t->op) {
    case PL_OP_MUL_MAT:
    case PL_OP_MUL_MAT_ID:
        return pl_vulkan_multiplies(g, t);
    case PL_OP_FLASH_ATTN:
        return k != NULL && v != NULL && k->ne[0] % 8 == 0 && v->ne[0] % 8 == 0;
    case PL_OP_SSM_SCAN:
        return pl_vulkan_scans(g, t);
    case PL_OP_GATED_DELTA_NET:
        return v != NULL && (v->ne[0] == 16 || v->ne[0] == 32 || v->ne[0] == 64 || v->ne[0] == 128);
    default:
        return true;
    }
}

bool pl_device_supports(const struct pl_net_graph *g, pl_tid t, const struct pl_used_device *d)
{
    if (d->range_max < UINT64_MAX && !pl_in_range(g, t, d->range_max))
        return false;
    return d->backend != PL_BACKEND_VULKAN || pl_vulkan_supports(g, pl_net_at(g, t));
}
