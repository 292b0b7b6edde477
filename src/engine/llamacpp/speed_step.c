#include "engine/llamacpp/speed_step.h"

#include "base/str.h"
#include "domain/tensor_type.h"
#include "engine/llamacpp/repack.h"

#include <math.h>
#include <string.h>

/* ggml-backend.cpp, ggml_backend_sched_backend_id_from_cur with op_offload: the device takes a
 * product whose weights lie on the host from this many tokens on (ggml-cuda.cu,
 * min_batch_size; ggml-vulkan.cpp, ggml_backend_vk_device_offload_op). */
#define PL_OFFLOAD_BATCH 32

static const struct pl_speed_kernel pl_kernels[] = {
#include "speed_kernels.inc"
};

const struct pl_speed_kernel *pl_speed_kernel(uint32_t type, bool repacked)
{
    const struct pl_tensor_type *t = pl_tensor_type(type);
    const struct pl_speed_kernel *other = &pl_kernels[0];
    for (size_t i = 0; i < sizeof(pl_kernels) / sizeof(pl_kernels[0]); i++) {
        const struct pl_speed_kernel *k = &pl_kernels[i];
        if (k->type[0] == 'o' && pl_streq(k->type, "other"))
            other = k;
        if (t != NULL && k->type[0] == t->name[0] && pl_streq(k->type, t->name) &&
            pl_streq(k->layout, "repacked") == repacked)
            return k;
    }
    return other;
}

const struct pl_speed_kernel *pl_speed_kernel_named(const char *name)
{
    static const struct pl_speed_kernel none;
    for (size_t i = 0; i < sizeof(pl_kernels) / sizeof(pl_kernels[0]); i++) {
        if (pl_streq(pl_kernels[i].type, name))
            return &pl_kernels[i];
    }
    return &none;
}

/* Tables of which a token takes a row: nothing of them is streamed. */
static bool pl_speed_looked_up(const struct pl_tensor *t)
{
    static const char *const tables[] = {"per_layer_token_embd.weight", "position_embd.weight",
                                         "token_types.weight", "nextn.embed_tokens.weight"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (pl_ends(t->name, tables[i]))
            return true;
    }
    return false;
}

/* The place whose processor reads the tensor; false when none does in a step. A tied embedding is
 * read as the output, where that is. */
static bool pl_speed_place_of(const struct pl_speed_graph *g, const struct pl_tensor *t,
                              uint8_t *ret)
{
    const struct pl_placement *p = g->place;
    uint32_t mask = pl_place_tensor(p, t);
    if (mask == 0 || pl_speed_looked_up(t))
        return false;
    if (pl_streq(t->name, "token_embd.weight")) {
        if (!p->tied && !g->net->tied)
            return false;
        *ret = p->layer[p->n_layer];
        if ((mask >> *ret & 1) == 0)
            *ret = PL_PLACE_HOST;
        return true;
    }
    uint8_t k = 0;
    while ((mask >> k & 1) == 0)
        k++;
    *ret = k;
    return true;
}

/* Expected share of the experts that `tokens` tokens touch, each choosing `used` of `all` without
 * regard to the others: 1 - (1 - used/all)^tokens. */
static double pl_speed_touched(double used, double all, double tokens)
{
    return 1 - pow(1 - used / all, tokens);
}

/* The row of a type: some hundreds of tensors are of a handful of types. */
static const struct pl_speed_kernel *pl_speed_kernel_kept(struct pl_speed_step *s, uint32_t type,
                                                          bool repacked)
{
    if (type >= PL_SPEED_TYPES)
        return pl_speed_kernel(type, repacked);
    if (s->kernel[type][repacked] == NULL)
        s->kernel[type][repacked] = pl_speed_kernel(type, repacked);
    return s->kernel[type][repacked];
}

/* Operations of the probe that one of the tensor's takes on the host, with so many rows for each of
 * its matrices: the first row waits for the weights, the others find them in the cache. The
 * repacked layout multiplies the rows of an expert one by one (repack.cpp, forward_mul_mat_id: gemv
 * alone), like the plain one's dot products. */
static double pl_speed_host_cost(const struct pl_speed_graph *g, const struct pl_tensor *t,
                                 bool routed, double rows, struct pl_speed_step *s, bool *ret_int8)
{
    bool repacked =
        pl_place_repack(g->place, t) && pl_repack_matrix(t, g->host->cpu) == PL_REPACK_YES;
    const struct pl_speed_kernel *k = pl_speed_kernel_kept(s, t->type, repacked);
    double many = k->prefill, alone = pl_speed_kernel_kept(s, t->type, false)->prefill;
    alone = alone < k->decode ? alone : k->decode;
    if (repacked && routed && alone > many)
        many = alone;
    *ret_int8 = pl_streq(k->probe, "int8");
    return many + (k->decode - many) / (rows > 1 ? rows : 1);
}

static void pl_speed_host_product(const struct pl_speed_graph *g, const struct pl_tensor *t,
                                  double bytes, double ops, bool routed, double rows,
                                  struct pl_speed_step *ret)
{
    const struct pl_speed_host *h = g->host;
    bool int8 = false;
    double cost = pl_speed_host_cost(g, t, routed, rows, ret, &int8);
    double rate = int8 ? h->int8.likely : h->fma.likely;
    double reading = h->bandwidth.likely > 0 ? bytes / h->bandwidth.likely : 0;
    double computing = rate > 0 ? ops / rate * cost : 0;
    ret->host_bytes_seconds += reading;
    ret->host_ops_seconds += computing;
    ret->host_seconds += reading > computing ? reading : computing;
}

static void pl_speed_tensor(const struct pl_speed_graph *g, const struct pl_tensor *t,
                            double tokens, double slots, struct pl_speed_step *ret)
{
    uint8_t place = PL_PLACE_HOST;
    uint64_t all = g->net->n_expert, used = g->net->n_expert_used;
    if (!pl_speed_place_of(g, t, &place))
        return;
    bool routed = used > 0 && used <= all && strstr(t->name, "_exps.") != NULL;
    bool output = g->place->layer[g->place->n_layer] == place &&
                  (pl_streq(t->name, "token_embd.weight") || pl_starts(t->name, "output."));
    double bytes = (double)t->bytes, weights = 1;
    for (int i = 0; i < PL_TENSOR_DIMS_MAX; i++)
        weights *= (double)t->ne[i];
    double rows = output ? slots : tokens; /* logits of the last token of each slot alone */
    double each = rows;                    /* of them for one matrix */
    if (routed) {
        double touched = pl_speed_touched((double)used, (double)all, tokens);
        each *= (double)used / (double)all / touched;
        bytes *= touched;
        weights *= (double)used / (double)all;
        ret->place[place].experts = true;
    }
    double ops = t->n_dims > 1 ? 2 * weights * rows : 0;
    bool moves = place == PL_PLACE_HOST && g->op_offload && g->place->n_place > 1 &&
                 rows >= PL_OFFLOAD_BATCH && t->n_dims > 1;
    if (moves) {
        ret->moved += bytes;
        place = 1;
    }
    ret->place[place].bytes += bytes;
    ret->place[place].ops += ops;
    if (place == PL_PLACE_HOST)
        pl_speed_host_product(g, t, bytes, ops, routed, each, ret);
}

double pl_speed_cache_bytes(const struct pl_speed_graph *g, uint8_t place, double depth)
{
    const struct pl_resolved *r = g->r;
    double cells = (double)r->n_ctx_seq * (double)r->n_stream, sum = 0;
    double slot = (double)r->n_ctx_seq, seen = depth < slot ? depth : slot;
    double window = (double)pl_llamacpp_window_cells(g->net, r) * (double)r->n_stream;
    double near =
        (double)g->net->n_swa > 0 && seen > (double)g->net->n_swa ? (double)g->net->n_swa : seen;
    for (uint32_t il = 0; il < g->net->n_layer && il <= PL_NET_LAYERS_MAX; il++) {
        if (pl_place_cache(g->place, il) != place)
            continue;
        struct pl_layer_cache c = pl_llamacpp_layer_cache(g->net, r, il);
        sum += cells > 0 ? (double)c.global / cells * seen : 0;
        sum += window > 0 ? (double)c.window / window * near : 0;
        /* a state is read and written */
        sum += r->n_seq > 0 ? 2 * (double)c.recurrent / (double)r->n_seq : 0;
    }
    return sum;
}

/* Scores and their sum: two products of head size per head and token seen. */
static double pl_speed_attention(const struct pl_speed_graph *g, uint8_t place, double depth)
{
    double ops = 0;
    for (uint32_t il = 0; il < g->net->n_layer && il <= PL_NET_LAYERS_MAX; il++) {
        const struct pl_layer *l = &g->net->layer[il];
        double seen = l->windowed && g->net->n_swa > 0 && depth > (double)g->net->n_swa
                          ? (double)g->net->n_swa
                          : depth;
        if (pl_place_cache(g->place, il) == place && l->owns_kv)
            ops += 2 * seen * l->n_head * ((double)l->head_k + l->head_v);
    }
    return ops;
}

void pl_speed_step(const struct pl_speed_graph *g, double tokens, double slots, double depth,
                   struct pl_speed_step *ret)
{
    *ret = (struct pl_speed_step){.tokens = tokens, .slots = slots};
    for (uint64_t i = 0; i < g->m->n_tensor; i++)
        pl_speed_tensor(g, &g->m->tensor[i], tokens, slots, ret);
    pl_speed_step_at(g, depth, ret);
}

void pl_speed_step_at(const struct pl_speed_graph *g, double depth, struct pl_speed_step *ret)
{
    const struct pl_placement *p = g->place;
    double tokens = ret->tokens, slots = ret->slots, layers = (double)p->n_trunk + 1;
    for (uint8_t k = 0; k < p->n_place; k++) {
        struct pl_speed_work *w = &ret->place[k];
        w->tokens = tokens;
        w->kv_bytes = slots * pl_speed_cache_bytes(g, k, depth);
        w->attn_ops = tokens * pl_speed_attention(g, k, depth);
        w->share = 0;
        for (uint32_t il = 0; il < p->n_trunk; il++)
            w->share += p->layer[il] == k ? 1 / layers : 0;
        w->share += p->layer[p->n_layer] == k ? 1 / layers : 0;
    }
}
