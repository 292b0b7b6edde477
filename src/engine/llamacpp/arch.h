/* What every model is made of, as llama.cpp sees it: the traits of its architecture (a row of
 * data/llamacpp_archs.tsv) and the geometry that its header gives (struct pl_net). Pure. */
#ifndef PL_ENGINE_LLAMACPP_ARCH_H
#define PL_ENGINE_LLAMACPP_ARCH_H

#include "base/arena.h"
#include "base/err.h"
#include "domain/model.h"
#include "domain/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* src/llama-kv-cache-dsv4.cpp: how many cells become one */
#define PL_RATIO_CSA 4u
#define PL_RATIO_HCA 128u

#define PL_NET_LAYERS_MAX                                                                          \
    512 /* src/llama-hparams.h, LLAMA_MAX_LAYERS: the engine aborts beyond                         \
         */

/* Which memory module the engine creates: src/llama-model.cpp, create_memory. Whether a cache is
 * split into sliding and global layers follows from the window. */
enum pl_memory {
    PL_MEMORY_NONE = 0,  /* encoders and diffusion: no cache */
    PL_MEMORY_KV,        /* K and V of every layer that owns a cache */
    PL_MEMORY_RECURRENT, /* a state of fixed size per slot */
    PL_MEMORY_HYBRID,    /* some layers attend, some recur (or both) */
    PL_MEMORY_DSA,       /* K and V, and a second cache of the keys of an indexer */
    PL_MEMORY_DSV4,      /* raw window, compressed caches and their compressors */
    PL_MEMORY_DRAFT,     /* only beside a target model */
    PL_MEMORY_BORROWED,  /* attends to the cache of another model */
    PL_MEMORY_REFUSED,   /* named, never loaded */
    PL_MEMORY_UNKNOWN,
};

/* llama_swa_type */
enum pl_window { PL_WINDOW_NONE = 0, PL_WINDOW_STANDARD, PL_WINDOW_CHUNKED, PL_WINDOW_SYMMETRIC };

/* When the window is used. */
enum pl_window_when {
    PL_WINDOW_WHEN_NEVER = 0,
    PL_WINDOW_WHEN_ALWAYS,
    PL_WINDOW_WHEN_POSITIVE,    /* attention.sliding_window is there and above 0 */
    PL_WINDOW_WHEN_UNLESS_ZERO, /* always, but for a key that says 0 */
    PL_WINDOW_WHEN_LAYERS64,    /* models of 64 layers */
};

/* Which layers slide. */
enum pl_pattern {
    PL_PATTERN_NONE = 0,
    PL_PATTERN_PERIOD,    /* attention.sliding_window_pattern: one number per layer, or a period */
    PL_PATTERN_ARRAY,     /* the same key, required */
    PL_PATTERN_ATTENTION, /* every layer that attends */
    PL_PATTERN_EVERY,
};

/* llama_hparams::n_embd_r and n_embd_s */
enum pl_recurrent {
    PL_RECURRENT_NONE = 0,
    PL_RECURRENT_MAMBA, /* also Mamba 2 and gated delta nets */
    PL_RECURRENT_RWKV,
    PL_RECURRENT_SHORTCONV,
    PL_RECURRENT_KDA,
    PL_RECURRENT_LIGHTNING,
};

enum pl_recurrent_layers {
    PL_RECURRENT_LAYERS_NONE = 0,
    PL_RECURRENT_LAYERS_EVERY,
    PL_RECURRENT_LAYERS_BOTH,        /* every layer attends and recurs */
    PL_RECURRENT_LAYERS_NO_KV,       /* those with head_count_kv 0 */
    PL_RECURRENT_LAYERS_NO_KV_NO_FF, /* ... and feed_forward_length 0; the others with a
                                        feed-forward do neither */
    PL_RECURRENT_LAYERS_INTERVAL,    /* attention.recurrent_layers, or all but every n-th */
};

/* Which layers own a K/V cache: llama_hparams::has_kv */
enum pl_kv_from {
    PL_KV_FROM_ALL = 0,
    PL_KV_FROM_FIRST20,
    PL_KV_FROM_SHARED, /* all but the last attention.shared_kv_layers */
};

/* Layers for multi-token prediction at the end of the file: in block_count, not in the graph. */
enum pl_nextn {
    PL_NEXTN_UNREAD = 0, /* the engine ignores nextn_predict_layers here */
    PL_NEXTN_KEY,
    PL_NEXTN_TENSOR, /* the key counts only if such a layer's tensor is there */
};

/* Which layers have a cache of indexer keys. */
enum pl_indexer {
    PL_INDEXER_NONE = 0,
    PL_INDEXER_TRUNK,     /* all but those for multi-token prediction */
    PL_INDEXER_TYPES,     /* attention.indexer.types: 1 = has its own */
    PL_INDEXER_EXPERTS,   /* those after the leading dense ones */
    PL_INDEXER_ATTENTION, /* those that attend */
    PL_INDEXER_RATIO,     /* those with compress ratio 4 */
};

/* -sm tensor: src/llama-arch.cpp, llm_arch_supports_sm_tensor; src/llama-model.cpp,
 * get_split_segments. */
enum pl_sharing {
    PL_SHARING_REFUSED = 0, /* the engine refuses it */
    PL_SHARING_PLAIN,       /* heads and the width of feed-forwards */
    PL_SHARING_KEYS,        /* ... and the keys and values of a delta net, each as one */
    PL_SHARING_GROUPS,      /* ... and those values in groups as long as the keys */
    PL_SHARING_VALUES,      /* values have experts: not known how */
};

struct pl_arch {
    const char *name;
    enum pl_memory memory;
    enum pl_window window;
    enum pl_window_when window_when;
    uint32_t window_size;  /* when the key is absent */
    uint32_t window_fixed; /* 1: window_size whatever the key says */
    uint32_t period;       /* when the key is absent: one of so many layers is global */
    uint32_t dense_first;  /* 1: the first of them, 0: the last */
    enum pl_pattern pattern;
    enum pl_recurrent recurrent;
    enum pl_recurrent_layers recurrent_layers;
    uint32_t interval; /* without full_attention_interval */
    enum pl_kv_from kv_from;
    uint32_t mla; /* 1: attention.{key,value}_length_mla are read; with both, K alone is cached */
    enum pl_nextn nextn;
    uint32_t causal;  /* 0: never, whatever the header says */
    uint32_t experts; /* 1: may have experts */
    enum pl_indexer indexer;
    uint32_t indexer_keys; /* rows of indexer keys a token is given */
    uint32_t loops;        /* 1: the layers are run num_loops times, each with its own cache */
    uint32_t router;       /* 1: one more layer of one head chooses adapters; it has a cache */
    uint32_t tied;         /* 1: without output.weight the embedding is loaded a second time */
    uint32_t flash;        /* 0: flash attention is forced off */
    uint32_t rollback;     /* 1: states can go back by drafted tokens: a row for each is kept */
    uint32_t head_first;   /* 1: ... before the embedding itself: twice, where it is not mapped */
    uint32_t lazy;         /* 1: rows of per_layer_token_embd may be read on demand (--lazy-mode) */
    enum pl_sharing sharing;
    const char *source;
};

/* The row of an architecture, or NULL. Static. */
const struct pl_arch *pl_arch(const char *name);
/* The known name that differs least, for a hint, or NULL when none is near. */
const char *pl_arch_nearest(const char *name);
uint32_t pl_arch_count(void);
const struct pl_arch *pl_arch_at(uint32_t i); /* sorted by name; i < pl_arch_count() */

enum pl_layer_kind {
    PL_LAYER_FEED_FORWARD = 0, /* neither attends nor recurs */
    PL_LAYER_ATTENTION,
    PL_LAYER_RECURRENT,
    PL_LAYER_BOTH,
};

struct pl_layer {
    enum pl_layer_kind kind;
    uint32_t n_head, n_head_kv;
    uint32_t head_k, head_v; /* as cached: with MLA the compressed row */
    uint32_t n_ff;
    uint32_t n_rot;
    uint64_t n_state;   /* f32 values of recurrent state per slot, all kinds together */
    uint32_t n_indexer; /* values of indexer keys per cell */
    uint32_t ratio;     /* deepseek4: 0, 4 or 128 cells in one */
    bool windowed;
    bool owns_kv;
    bool moe;   /* routed experts (a ..._exps tensor of it is in the file) */
    bool nextn; /* beyond the trunk */
};

struct pl_net {
    const struct pl_arch *arch;
    uint32_t n_layer;     /* in the graph */
    uint32_t n_layer_all; /* of layer[] */
    struct pl_layer *layer;
    uint64_t n_embd, n_embd_out, n_embd_per_layer, n_vocab, n_ctx_train;
    uint64_t n_ff; /* of the first layer */
    uint64_t n_expert, n_expert_used, n_expert_shared, n_ff_exp, n_ff_shexp;
    uint64_t n_layer_dense_lead;
    uint64_t n_lora_q, n_lora_kv, head_k_mla, head_v_mla;
    bool mla;
    enum pl_window window; /* NONE when the header turns it off */
    uint64_t n_swa;
    uint64_t d_conv, d_inner, d_state, dt_rank, n_group; /* state space */
    uint64_t head_kda, head_wkv, l_cache;
    uint64_t indexer_n_head, indexer_head, indexer_top_k, indexer_kpool;
    uint64_t n_hyper;   /* hyper connections: residual streams */
    uint64_t n_buckets; /* of distances: an encoder whose attention is weighed by them (T5) */
    uint64_t n_cls_out;
    bool causal;
    enum pl_pooling pooling; /* the header's; without one, none */
    bool has_cache;
    bool tied; /* the embedding is also the output: see pl_arch.tied */
    struct pl_arena arena;
};

/* Reads and checks the geometry; fill it into a zeroed struct, end with pl_net_done. -ENOTSUP
 * (exit 3, "cannot tell") for an architecture that llama.cpp does not know or whose memory is not
 * known here; -EBADMSG (exit 2) for a header that contradicts itself or lacks what the engine
 * requires; -ENOMEM. */
int pl_llamacpp_net(const struct pl_model *m, struct pl_net *ret, struct pl_err *err);

/* The same, also for a draft that runs only beside its target (PL_MEMORY_DRAFT). */
int pl_llamacpp_net_beside(const struct pl_model *m, struct pl_net *ret, struct pl_err *err);

/* Tokens of the vocabulary; 0 when the header does not say. */
uint64_t pl_llamacpp_vocab(const struct pl_model *m);

/* Frees the layers. Accepts a zeroed struct. */
void pl_net_done(struct pl_net *net);

#endif
