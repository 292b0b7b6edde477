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
    uint64_t n_outputs; /* rows of logits kept */
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
