/* src/llama-kv-cache.cpp, llama-kv-cache-{iswa,dsa,dsv4}.cpp, llama-memory-recurrent.cpp: the
 * shapes of the tensors that each creates. */
#include "engine/llamacpp/cache.h"

#include "base/checked.h"
#include "base/units.h"
#include "domain/tensor_type.h"

#include <stdio.h>

#define PL_CELLS_PAD 256u
#define PL_F32 4u

static uint64_t pl_padded(uint64_t n)
{
    uint64_t padded = UINT64_MAX;
    (void)pl_pad_u64(n, PL_CELLS_PAD, &padded);
    return padded;
}

uint64_t pl_llamacpp_window_cells(const struct pl_net *net, const struct pl_resolved *r)
{
    /* deepseek4 keeps a stream per slot whatever was asked: llama-kv-cache-dsv4.cpp */
    bool shared = r->kv_unified && net->arch->memory != PL_MEMORY_DSV4;
    uint64_t cells = pl_add_sat(pl_mul_sat(net->n_swa, shared ? r->n_seq : 1), r->n_ubatch);
    if (r->swa_full)
        return r->n_ctx_seq;
    return pl_padded(cells < r->n_ctx_seq ? cells : r->n_ctx_seq);
}

static uint64_t pl_rows(uint32_t type, uint64_t width, uint64_t cells)
{
    uint64_t bytes = 0;
    if (!pl_tensor_type_bytes(pl_tensor_type(type), width, cells, &bytes))
        return UINT64_MAX;
    return bytes;
}

/* Without flash attention V lies transposed, and layers of unlike width get the widest: llama-kv-
 * cache.cpp, TAG_V_CACHE_VARIABLE. All layers of the file count, also those without a cache. */
static uint64_t pl_v_width(const struct pl_net *net, const struct pl_resolved *r, uint32_t il)
{
    uint64_t width = (uint64_t)net->layer[il].head_v * net->layer[il].n_head_kv;
    if (r->flash_attn)
        return width;
    for (uint32_t i = 0; i < net->n_layer_all; i++) {
        uint64_t other = (uint64_t)net->layer[i].head_v * net->layer[i].n_head_kv;
        width = other > width ? other : width;
    }
    return width;
}

/* llama-memory-recurrent.cpp, mem_size * (1 + n_rs_seq): each slot's own, and one for every token
 * that a draft may have to take back. */
static uint64_t pl_state_rows(const struct pl_resolved *r)
{
    return pl_mul_sat(r->n_seq, pl_add_sat(1, r->n_rollback));
}

/* deepseek4: caches of compressed keys, and the compressors' state; K alone, a stream per slot. */
static struct pl_layer_cache pl_compressed(const struct pl_layer *l, const struct pl_net *net,
                                           const struct pl_resolved *r)
{
    struct pl_layer_cache c = {0};
    uint64_t cells = pl_add_sat(r->n_ctx_seq, l->ratio - 1) / l->ratio;
    uint64_t overlap = l->ratio == PL_RATIO_CSA ? 2 : 1; /* blocks overlap: twice the rows */
    cells = pl_mul_sat(pl_padded(cells > 0 ? cells : 1), r->n_seq);
    c.global = pl_rows(r->type_k, (uint64_t)l->head_k * l->n_head_kv, cells);
    c.global = pl_add_sat(c.global, pl_rows(r->type_k, l->n_indexer, cells));
    /* keys and scores, f32, of one block */
    uint64_t width = net->layer[0].head_k + (uint64_t)l->n_indexer;
    c.recurrent =
        pl_mul_sat(overlap * overlap * l->ratio * 2 * PL_F32, pl_mul_sat(width, pl_state_rows(r)));
    return c;
}

struct pl_layer_cache pl_llamacpp_layer_cache(const struct pl_net *net, const struct pl_resolved *r,
                                              uint32_t il)
{
    const struct pl_layer *l = &net->layer[il];
    struct pl_layer_cache c = {0};
    bool v4 = net->arch->memory == PL_MEMORY_DSV4;
    if (l->owns_kv && v4 && l->ratio > 0)
        c = pl_compressed(l, net, r);
    if (l->owns_kv) {
        uint64_t streams = v4 ? r->n_seq : r->n_stream;
        uint64_t cells =
            pl_mul_sat(l->windowed ? pl_llamacpp_window_cells(net, r) : r->n_ctx_seq, streams);
        uint64_t kv = pl_rows(r->type_k, (uint64_t)l->head_k * l->n_head_kv, cells);
        if (!net->mla && !v4)
            kv = pl_add_sat(kv, pl_rows(r->type_v, pl_v_width(net, r, il), cells));
        uint64_t *to = l->windowed ? &c.window : &c.global;
        *to = pl_add_sat(*to, kv);
    }
    if (l->n_indexer > 0 && !v4) {
        uint64_t cells = pl_mul_sat(r->n_ctx_seq, r->n_stream);
        c.global = pl_add_sat(c.global, pl_rows(r->type_k, l->n_indexer, cells));
        /* one head; its values are stored and never read where the cache is not K alone */
        if (!net->mla && net->arch->memory == PL_MEMORY_DSA)
            c.global = pl_add_sat(c.global, pl_rows(r->type_v, l->head_v, cells));
    }
    c.recurrent = pl_add_sat(c.recurrent, pl_mul_sat(l->n_state * PL_F32, pl_state_rows(r)));
    return c;
}

struct pl_layer_cache pl_llamacpp_cache(const struct pl_net *net, const struct pl_resolved *r)
{
    struct pl_layer_cache sum = {0};
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        struct pl_layer_cache c = pl_llamacpp_layer_cache(net, r, il);
        sum.global = pl_add_sat(sum.global, c.global);
        sum.window = pl_add_sat(sum.window, c.window);
        sum.recurrent = pl_add_sat(sum.recurrent, c.recurrent);
    }
    return sum;
}

static const char *pl_keep(unsigned layers)
{
    return layers == 1 ? "layer keeps" : "layers keep";
}

void pl_llamacpp_cache_text(const struct pl_net *net, const struct pl_resolved *r, char *buf,
                            size_t size)
{
    struct pl_layer_cache sum = pl_llamacpp_cache(net, r);
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], each[32] = "";
    unsigned global = 0, window = 0, indexed = 0;
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        global += net->layer[il].owns_kv && !net->layer[il].windowed;
        window += net->layer[il].owns_kv && net->layer[il].windowed;
        indexed += net->layer[il].n_indexer > 0;
    }
    if (r->n_stream > 1)
        (void)snprintf(each, sizeof(each), " in each of %u slots", (unsigned)r->n_stream);
    if (!net->has_cache || global + window == 0) {
        (void)snprintf(buf, size, "%s",
                       net->has_cache ? "no layer attends" : "encoders keep no cache");
    } else if (window == 0) {
        (void)snprintf(buf, size, "%u %s %s of %llu tokens%s%s", global, pl_keep(global),
                       net->mla ? "the compressed keys" : "K and V",
                       (unsigned long long)r->n_ctx_seq, each,
                       indexed > 0 ? ", and keys of an indexer" : "");
    } else {
        (void)snprintf(buf, size, "%u %s %llu tokens (%s), %u slide over %llu (%s)%s", global,
                       pl_keep(global), (unsigned long long)r->n_ctx_seq,
                       pl_size_text(sum.global, a), window,
                       (unsigned long long)pl_llamacpp_window_cells(net, r),
                       pl_size_text(sum.window, b), each);
    }
}
