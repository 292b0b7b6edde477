/* How a model is to be served, in llama-server's own terms. Plain values; the engine's settings.c
 * holds the flag table that fills it and the rules that resolve "auto". */
#ifndef PL_DOMAIN_SETTINGS_H
#define PL_DOMAIN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum pl_tri { PL_AUTO = -1, PL_OFF = 0, PL_ON = 1 };

enum pl_load_mode {
    PL_LOAD_AUTO = 0,
    PL_LOAD_NONE,
    PL_LOAD_MMAP,
    PL_LOAD_MLOCK,
    PL_LOAD_MMAP_MLOCK,
    PL_LOAD_DIO,
};

#define PL_CACHE_RAM_UNSET (-2)

#define PL_PASS_MAX 64 /* flags handed to the engine unchanged */
#define PL_OVERRIDES_MAX 32
#define PL_ADAPTERS_MAX 16

enum pl_split { PL_SPLIT_LAYER = 0, PL_SPLIT_NONE, PL_SPLIT_ROW, PL_SPLIT_TENSOR };
enum pl_pooling {
    PL_POOLING_AUTO = 0,
    PL_POOLING_NONE,
    PL_POOLING_MEAN,
    PL_POOLING_CLS,
    PL_POOLING_LAST,
    PL_POOLING_RANK,
};

/* Tensors sent to another place than their layer's. The first that matches a tensor decides. */
enum pl_override_kind {
    PL_OVERRIDE_TEXT = 0, /* -ot: "regex=buffer,regex=buffer" */
    PL_OVERRIDE_EXPERTS,  /* experts of the first n layers to the CPU; UINT64_MAX = all (-cmoe) */
    PL_OVERRIDE_FFN,      /* dense feed-forward of the first n layers to the CPU */
};
struct pl_override {
    enum pl_override_kind kind;
    const char *text; /* borrowed; PL_OVERRIDE_TEXT only */
    uint64_t n;
};
struct pl_overrides {
    struct pl_override one[PL_OVERRIDES_MAX];
    uint32_t n;
};

/* Files named by a flag that may be given several times, each argument as it was given. */
struct pl_texts {
    const char *one[PL_ADAPTERS_MAX]; /* borrowed */
    uint32_t n;
};

/* What drafts tokens for speculative decoding. */
struct pl_draft_settings {
    const char *model;    /* borrowed path; NULL = no draft model */
    const char *types;    /* --spec-type, borrowed; NULL = the engine's default: none */
    int64_t n_gpu_layers; /* -1 = auto */
    uint32_t type_k, type_v;
    const char *devices; /* NULL = as the model's */
    struct pl_overrides overrides;
    uint64_t n_max, n_min;
    uint64_t n_ubatch;                                       /* 0 = as the model's */
    uint64_t ngram_mod, ngram_simple, ngram_map, ngram_map4; /* tokens each kind drafts at once */
    const char *lookup_static, *lookup_dynamic;              /* files of ngram-cache; or NULL */
    bool reads; /* these settings are of such a draft: it reads its target's hidden states */
};

struct pl_settings {
    uint64_t n_ctx;     /* 0 = the model's own */
    int64_t n_parallel; /* -1 = auto */
    enum pl_tri kv_unified;
    uint64_t n_batch, n_ubatch;
    uint32_t type_k, type_v; /* tensor type ids */
    enum pl_tri flash_attn;
    int64_t n_gpu_layers;               /* -1 = auto */
    int64_t n_threads, n_threads_batch; /* -1 = auto */
    enum pl_load_mode load_mode;
    bool repack;
    bool no_host; /* bypass host buffers so that extra buffer types are used */
    bool kv_offload;
    bool op_offload;
    bool swa_full;
    int64_t cache_ram_mib; /* -1 = no limit, 0 = off, PL_CACHE_RAM_UNSET = the engine's default */
    enum pl_split split_mode;
    const char *tensor_split; /* "3,1", checked; NULL = by free memory. Texts are borrowed argv */
    uint64_t main_gpu;
    const char *devices; /* "CUDA0,CUDA1" or "none"; NULL = all */
    struct pl_overrides overrides;
    uint64_t moe_cache_mib;     /* device cache of experts kept in host memory */
    const char *rpc;            /* "host:port,host:port" */
    bool fit;                   /* the engine shrinks what is unset until it fits */
    const char *fit_target;     /* MiB to leave free, one per device or one for all; NULL = 1024 */
    uint64_t fit_ctx;           /* the least context that fitting may choose */
    uint64_t n_ctx_checkpoints; /* kept per slot, at most */
    uint64_t checkpoint_min_step; /* tokens between two of them */
    uint64_t n_ctx_slot_max;      /* --kv-unified-per-slot; 0 = unset */
    bool cache_idle_slots;
    bool embedding, rerank;
    bool backend_sampling; /* tokens are chosen where the output layer is */
    enum pl_pooling pooling;
    enum pl_tri lazy; /* rows of large embeddings read on demand */
    struct pl_draft_settings draft;
    const char *mmproj; /* path of the projector; NULL = none */
    bool mmproj_offload;
    const char *mmproj_device;
    uint64_t image_min_tokens, image_max_tokens; /* 0 = the model's own */
    uint64_t mtmd_batch_tokens;                  /* image tokens in one batch, at most */
    struct pl_texts lora, lora_scaled, control, control_scaled, override_kv;
    uint16_t port; /* of the server; 0 = any free one. No part of what is measured or remembered */
    const char *pass[PL_PASS_MAX]; /* known flags without effect on memory; borrowed argv */
    uint32_t n_pass;
};

/* The same with every "auto" decided for one model: what the engine will really use. */
struct pl_resolved {
    uint64_t n_ctx;     /* all cells, padded */
    uint64_t n_ctx_seq; /* tokens one slot can hold */
    uint64_t n_seq;     /* slots */
    uint64_t n_stream;  /* separate caches: 1 when unified, else n_seq */
    bool kv_unified;
    uint64_t n_batch, n_ubatch;
    uint64_t n_outputs;      /* rows of logits a batch may ask for */
    uint64_t n_rollback;     /* rows of recurrent state kept beside each slot's own */
    bool embedding;          /* serves embeddings or ranks: every token of a batch is an output */
    bool sampling;           /* tokens are chosen in the graph */
    enum pl_pooling pooling; /* never auto */
    uint32_t type_k, type_v;
    bool flash_attn;
    bool swa_full; /* sliding layers keep every token */
    enum pl_load_mode load_mode;
    bool repack;
    uint64_t prompt_cache_bytes; /* the limit; 0 = off */
    bool prompt_cache_unlimited;
    uint64_t n_gpu_layers; /* layers on devices; 0 on a machine without any */
    uint64_t n_threads;    /* 0 = not known here */
};

/* "auto", "none", "mmap", "mlock", "mmap+mlock", "dio". The inverse takes any other word for auto.
 */
const char *pl_load_mode_name(enum pl_load_mode mode);
enum pl_load_mode pl_load_mode_of(const char *name);

#endif
