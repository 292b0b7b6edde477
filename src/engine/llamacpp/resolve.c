#include "engine/llamacpp/resolve.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/tensor_type.h"
#include "engine/llamacpp/speculate.h"
#include "engine/llamacpp/tensors.h"

#include <errno.h>
#include <string.h>

#define PL_SEQ_MAX 256                /* src/llama-cparams.h, LLAMA_MAX_SEQ */
#define PL_CTX_PAD 256                /* src/llama-context.cpp, GGML_PAD(cparams.n_ctx, 256) */
#define PL_CACHE_RAM_DEFAULT_MIB 8192 /* common/common.h, cache_ram_mib */
#define PL_AUTO_PARALLEL 4            /* tools/server/server.cpp: "n_parallel is set to auto" */
#define PL_WIDTH_MAX (1u << 24) /* larger widths than any model: refuse rather than overflow */

/* Architectures whose graph is the plain dense decoder: RMS norm, rotary full attention on every
 * layer, SwiGLU feed-forward, logits. Source: src/models/{llama,qwen2,qwen3,mistral3}.cpp. */
static const char *const pl_dense[] = {"llama", "qwen2", "qwen3", "mistral3"};

static int pl_cannot(struct pl_err *err, const char *arch, const char *why)
{
    (void)pl_fail(err, -ENOTSUP, "cannot tell: architecture '%.40s'%s%s", arch,
                  why[0] != '\0' ? " " : "", why);
    (void)pl_hint(err, "dense full-attention models (llama, qwen2, qwen3, mistral3) are predicted");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

static int pl_geometry_bad(struct pl_err *err, const struct pl_model *m, const char *what)
{
    (void)pl_fail(err, -EBADMSG, "the header %s", what);
    pl_err_at(err, m->path, 0, 0);
    return -EBADMSG;
}

static int pl_geometry_supported(const struct pl_model *m, struct pl_err *err)
{
    bool dense = false;
    for (size_t i = 0; i < sizeof(pl_dense) / sizeof(pl_dense[0]); i++)
        dense = dense || pl_streq(m->arch, pl_dense[i]);
    if (!dense)
        return pl_cannot(err, m->arch, "is not predicted yet");
    if (pl_model_arch_u64(m, "expert_count", 0) > 0)
        return pl_cannot(err, m->arch, "with experts is not predicted yet");
    if (pl_model_arch_u64(m, "nextn_predict_layers", 0) > 0)
        return pl_cannot(err, m->arch, "with token-prediction layers is not predicted yet");
    /* src/models/{llama,qwen2,qwen3}.cpp do not read the window; mistral3 may. */
    if (pl_model_arch_u64(m, "attention.sliding_window", 0) > 0 && pl_streq(m->arch, "mistral3"))
        return pl_cannot(err, m->arch, "with a sliding window is not predicted yet");
    /* src/models/mistral3.cpp: queries are multiplied with a scale by position */
    const struct pl_kv *scale = pl_model_arch_kv(m, "attention.temperature_scale");
    if (scale != NULL && pl_streq(m->arch, "mistral3") && !(scale->f >= 0 && scale->f <= 0))
        return pl_cannot(err, m->arch, "with attention temperature is not predicted yet");
    static const char *const varying[] = {"attention.head_count", "attention.head_count_kv",
                                          "feed_forward_length"};
    for (size_t i = 0; i < sizeof(varying) / sizeof(varying[0]); i++) {
        const struct pl_kv *kv = pl_model_arch_kv(m, varying[i]);
        if (kv == NULL || kv->type != PL_KV_ARRAY)
            continue;
        /* src/llama-model-loader.cpp, get_key_or_arr: "wrong array length" */
        if (kv->count != pl_model_arch_u64(m, "block_count", 0))
            return pl_geometry_bad(err, m, "holds an array of another length than block_count");
        for (uint64_t il = 1; il < kv->count; il++) {
            if (kv->ints == NULL || kv->ints[il] != kv->ints[0])
                return pl_cannot(err, m->arch, "with layers of unlike width is not predicted yet");
        }
    }
    return 0;
}

int pl_llamacpp_geometry(const struct pl_model *m, struct pl_geometry *ret, struct pl_err *err)
{
    int rc = pl_geometry_supported(m, err);
    if (rc < 0)
        return rc;
    struct pl_geometry g = {
        .n_layer = pl_model_arch_u64(m, "block_count", 0),
        .n_embd = pl_model_arch_u64(m, "embedding_length", 0),
        .n_ff = pl_model_arch_u64(m, "feed_forward_length", 0),
        .n_head = pl_model_arch_u64(m, "attention.head_count", 0),
        .n_ctx_train = pl_model_arch_u64(m, "context_length", 0),
        .n_vocab = pl_llamacpp_vocab(m),
        .qk_norm = pl_streq(m->arch, "qwen3"),
        .qkv_bias = pl_model_tensor(m, "blk.0.attn_q.bias") != NULL,
        .tied = pl_model_tensor(m, "output.weight") == NULL,
    };
    g.n_head_kv = pl_model_arch_u64(m, "attention.head_count_kv", g.n_head);
    if (g.n_layer == 0 || g.n_embd == 0 || g.n_ff == 0 || g.n_head == 0 || g.n_head_kv == 0)
        return pl_geometry_bad(err, m,
                               "lacks block_count, embedding_length, feed_forward_length or"
                               " head counts");
    if (g.n_layer > PL_NET_LAYERS_MAX || g.n_embd > PL_WIDTH_MAX || g.n_ff > PL_WIDTH_MAX ||
        g.n_head > PL_WIDTH_MAX || g.n_head_kv > g.n_head || g.n_vocab > PL_WIDTH_MAX ||
        g.n_ctx_train > PL_WIDTH_MAX * 64ull)
        return pl_geometry_bad(err, m, "holds a width no model has");
    g.head_k = pl_model_arch_u64(m, "attention.key_length", g.n_embd / g.n_head);
    g.head_v = pl_model_arch_u64(m, "attention.value_length", g.n_embd / g.n_head);
    if (g.head_k == 0 || g.head_v == 0 || g.head_k > PL_WIDTH_MAX || g.head_v > PL_WIDTH_MAX)
        return pl_geometry_bad(err, m, "holds head sizes no model has");
    if (g.n_vocab == 0)
        return pl_geometry_bad(err, m, "gives no vocabulary size");
    rc = pl_llamacpp_tensors(m, &g, &g.plain, err);
    if (rc == 0)
        *ret = g;
    return rc;
}

static int pl_refused(struct pl_err *err, const char *hint)
{
    if (hint != NULL)
        (void)pl_hint(err, "%s", hint);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* Blocks of a quantised cache must divide a head with flash attention (llama_init_from_model), a
 * row without (ggml_row_size). */
static int pl_resolve_blocks(const struct pl_tensor_type *t, bool flash_attn, const char *which,
                             uint64_t head, uint64_t row, struct pl_err *err)
{
    uint64_t unit = flash_attn ? head : row;
    if (unit % t->block_elements == 0)
        return 0;
    (void)pl_fail(
        err, -EINVAL, "%s cache type %s has blocks of %u, which do not divide a %s of %llu", which,
        t->name, t->block_elements, flash_attn ? "head" : "row", (unsigned long long)unit);
    return pl_refused(err, NULL);
}

/* Cache types that the engine refuses: src/llama-context.cpp, llama_init_from_model */
static int pl_resolve_cache_types(const struct pl_settings *s, const struct pl_net *net,
                                  bool flash_attn, struct pl_err *err)
{
    const struct pl_tensor_type *k = pl_tensor_type(s->type_k), *v = pl_tensor_type(s->type_v);
    if ((net->mla || net->arch->memory == PL_MEMORY_DSV4) && s->type_k != s->type_v) {
        (void)pl_fail(err, -EINVAL, "-ctk %s -ctv %s: this model keeps both in one, of one type",
                      k->name, v->name);
        return pl_refused(err, "use the same type for both");
    }
    if (!flash_attn && v->block_elements > 1) {
        (void)pl_fail(err, -EINVAL, "-ctv %s needs flash attention, which is off%s", v->name,
                      net->arch->flash == 0 ? " for this architecture" : "");
        return pl_refused(err, net->arch->flash == 0 ? "use -ctv f16"
                                                     : "leave -fa on or auto, or use -ctv f16");
    }
    for (uint32_t il = 0; il < net->n_layer; il++) {
        const struct pl_layer *l = &net->layer[il];
        uint64_t heads = l->n_head_kv;
        int rc = pl_resolve_blocks(k, flash_attn, "K", l->head_k, heads * l->head_k, err);
        if (rc == 0)
            rc = pl_resolve_blocks(v, flash_attn, "V", l->head_v, heads * l->head_v, err);
        if (rc == 0 && l->n_indexer > 0)
            rc = pl_resolve_blocks(k, flash_attn, "indexer", l->n_indexer, l->n_indexer, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int pl_resolve_slots(const struct pl_settings *s, struct pl_resolved *r, struct pl_err *err)
{
    bool automatic = s->n_parallel < 0;
    if (s->n_parallel == 0) /* common/arg.cpp: "invalid value for n_parallel" */
        return pl_exit_as(err, pl_fail(err, -EINVAL, "-np 0: the engine wants at least one slot"),
                          PL_EXIT_USAGE);
    r->n_seq = automatic ? PL_AUTO_PARALLEL : (uint64_t)s->n_parallel;
    r->kv_unified = s->kv_unified == PL_AUTO ? automatic : s->kv_unified == PL_ON;
    if (automatic)
        r->kv_unified = true; /* server.cpp sets both together */
    r->n_stream = r->kv_unified ? 1 : r->n_seq;
    if (r->n_seq <= PL_SEQ_MAX)
        return 0;
    (void)pl_fail(err, -EINVAL, "-np %llu: the engine allows %d slots",
                  (unsigned long long)r->n_seq, PL_SEQ_MAX);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* tools/server/server.cpp: a batch of embeddings is one physical batch. common/arg.cpp: --rerank is
 * --embedding --pooling rank. src/llama-context.cpp: the header's pooling where none is asked for.
 */
static uint64_t pl_resolve_embedding(const struct pl_settings *s, const struct pl_net *net,
                                     struct pl_resolved *r)
{
    r->embedding = s->embedding || s->rerank;
    r->pooling = s->pooling;
    if (s->rerank && s->pooling == PL_POOLING_AUTO)
        r->pooling = PL_POOLING_RANK;
    if (r->pooling == PL_POOLING_AUTO)
        r->pooling = net->pooling;
    return r->embedding && s->n_batch > s->n_ubatch && s->n_ubatch > 0 ? s->n_ubatch : s->n_batch;
}

/* tools/server/server-context.cpp, server_n_outputs_max: a row for each slot's token and for those
 * drafted beside it, no more than a batch, or every token of a batch when it is pooled.
 * src/llama-context.cpp: an encoder beside a decoder outputs every token too; graph_reserve asserts
 * one row per slot. Drafts from hidden states want recurrent layers to step back (need_n_rs_seq).
 */
static int pl_resolve_outputs(const struct pl_settings *s, const struct pl_net *net,
                              uint64_t n_batch, struct pl_resolved *r, struct pl_err *err)
{
    bool pooled = s->pooling != PL_POOLING_AUTO && s->pooling != PL_POOLING_NONE;
    bool coder = net->n_buckets > 0 || net->arch->memory == PL_MEMORY_DRAFT;
    struct pl_speculation draft;
    int rc = pl_llamacpp_speculation(s, &draft, err);
    if (rc < 0)
        return rc;
    if (n_batch < r->n_seq) {
        (void)pl_fail(err, -EINVAL,
                      "-b %llu: the engine needs a batch of one token per slot (%llu)",
                      (unsigned long long)n_batch, (unsigned long long)r->n_seq);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    r->n_outputs = pl_mul_sat(r->n_seq, pl_add_sat(1, draft.n_max));
    if (r->embedding || pooled || coder || r->n_outputs > n_batch)
        r->n_outputs = n_batch;
    r->n_rollback = (draft.mtp || draft.reader) && net->arch->rollback != 0 ? s->draft.n_max : 0;
    return 0;
}

static enum pl_load_mode pl_resolve_load(const struct pl_settings *s)
{
    return s->load_mode == PL_LOAD_AUTO ? PL_LOAD_MMAP : s->load_mode;
}

int pl_llamacpp_resolve(const struct pl_settings *s, const struct pl_net *net,
                        struct pl_resolved *ret, struct pl_err *err)
{
    int64_t cache_mib =
        s->cache_ram_mib == PL_CACHE_RAM_UNSET ? PL_CACHE_RAM_DEFAULT_MIB : s->cache_ram_mib;
    struct pl_resolved r = {
        .type_k = s->type_k,
        .type_v = s->type_v,
        /* auto: every CPU build has the kernel */
        .flash_attn = s->flash_attn != PL_OFF && net->arch->flash != 0,
        .swa_full = s->swa_full,
        /* src/llama-context.cpp, set_sampler: not where devices share tensors */
        .sampling = s->backend_sampling && s->split_mode != PL_SPLIT_TENSOR,
        .load_mode = pl_resolve_load(s),
        .repack = s->repack,
        .prompt_cache_unlimited =
            cache_mib<0, .prompt_cache_bytes = cache_mib> 0 ? (uint64_t)cache_mib * PL_MIB : 0,
        .n_threads = s->n_threads > 0 ? (uint64_t)s->n_threads : 0,
    };
    int rc = pl_resolve_slots(s, &r, err);
    if (rc == 0)
        rc = pl_resolve_cache_types(s, net, r.flash_attn, err);
    if (rc < 0)
        return rc;
    /* tools/server/server.cpp: "sizing KV pool to n_parallel * kv_unified_per_slot" */
    uint64_t pool = pl_mul_sat(r.n_seq, s->n_ctx_slot_max);
    uint64_t n_ctx = s->n_ctx > 0 ? s->n_ctx : pool > 0 ? pool : net->n_ctx_train;
    if (n_ctx == 0) {
        (void)pl_fail(err, -EINVAL, "the header gives no context length: say one with -c");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    uint64_t n_batch = pl_resolve_embedding(s, net, &r);
    /* src/llama-context.cpp, llama_context::llama_context, in its order */
    r.n_batch = net->causal && n_ctx < n_batch ? n_ctx : n_batch;
    uint64_t ub = s->n_ubatch == 0 ? n_batch : s->n_ubatch;
    r.n_ubatch = r.n_batch < ub ? r.n_batch : ub;
    if (r.n_ubatch == 0)
        return pl_exit_as(err, pl_fail(err, -EINVAL, "-b 0: the batch cannot be empty"),
                          PL_EXIT_USAGE);
    (void)pl_pad_u64(n_ctx, PL_CTX_PAD, &r.n_ctx);
    r.n_ctx_seq = r.n_ctx;
    if (!r.kv_unified) {
        (void)pl_pad_u64(r.n_ctx / r.n_seq, PL_CTX_PAD, &r.n_ctx_seq);
        if (r.n_ctx_seq == 0)
            r.n_ctx_seq = PL_CTX_PAD;
        r.n_ctx = r.n_ctx_seq * r.n_seq;
    }
    rc = pl_resolve_outputs(s, net, n_batch, &r, err);
    if (rc == 0)
        *ret = r;
    return rc;
}
