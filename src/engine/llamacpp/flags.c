/* The flag table. Names, defaults and environment variables as `llama-server --help` of llama.cpp
 * 0.7.0 (build 11669) prints them; help texts are ours. */
#include "engine/llamacpp/settings.h"

#define FIELD(member) offsetof(struct pl_settings, member)
#define PASS1(...)                                                                                 \
    {                                                                                              \
        .names = {__VA_ARGS__}, .arg = "V", .kind = PL_FLAG_PASS                                   \
    }
#define PASS0(...)                                                                                 \
    {                                                                                              \
        .names = {__VA_ARGS__}, .kind = PL_FLAG_PASS                                               \
    }
#define CANNOT1(...)                                                                               \
    {                                                                                              \
        .names = {__VA_ARGS__}, .arg = "V", .kind = PL_FLAG_CANNOT                                 \
    }
#define CANNOT0(...)                                                                               \
    {                                                                                              \
        .names = {__VA_ARGS__}, .kind = PL_FLAG_CANNOT                                             \
    }

/* One row a flag; left as typed, since aligned columns would scatter the rows. */
/* clang-format off */
static const struct pl_flag pl_flags[] = {
    {{"-c", "--ctx-size"}, "N", "LLAMA_ARG_CTX_SIZE",
     "context of all slots together in tokens; 0 = the model's own (default 0)",
     PL_FLAG_U64, FIELD(n_ctx)},
    {{"-np", "--parallel"}, "N", "LLAMA_ARG_N_PARALLEL",
     "slots; -1 = auto: 4 sharing one cache (default -1)",
     PL_FLAG_I64, FIELD(n_parallel)},
    {{"-kvu", "--kv-unified"}, NULL, "LLAMA_ARG_KV_UNIFIED",
     "one cache shared by all slots (default: only when -np is auto)",
     PL_FLAG_YES, FIELD(kv_unified)},
    {{"-no-kvu", "--no-kv-unified"}, NULL, "LLAMA_ARG_NO_KV_UNIFIED",
     "a cache of its own for each slot",
     PL_FLAG_NO, FIELD(kv_unified)},
    {{"-b", "--batch-size"}, "N", "LLAMA_ARG_BATCH",
     "logical batch (default 2048)",
     PL_FLAG_U64, FIELD(n_batch)},
    {{"-ub", "--ubatch-size"}, "N", "LLAMA_ARG_UBATCH",
     "physical batch: sizes the compute buffer (default 512)",
     PL_FLAG_U64, FIELD(n_ubatch)},
    {{"-ctk", "--cache-type-k"}, "TYPE", "LLAMA_ARG_CACHE_TYPE_K",
     "cache type of K: f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl (default f16)",
     PL_FLAG_TYPE, FIELD(type_k)},
    {{"-ctv", "--cache-type-v"}, "TYPE", "LLAMA_ARG_CACHE_TYPE_V",
     "cache type of V; a quantised one needs flash attention (default f16)",
     PL_FLAG_TYPE, FIELD(type_v)},
    {{"-fa", "--flash-attn"}, "on|off|auto", "LLAMA_ARG_FLASH_ATTN",
     "flash attention (default auto)",
     PL_FLAG_TRI, FIELD(flash_attn)},
    {{"-ngl", "--gpu-layers", "--n-gpu-layers"}, "N", "LLAMA_ARG_N_GPU_LAYERS",
     "layers on the GPU: a number, auto or all (default auto)",
     PL_FLAG_LAYERS, FIELD(n_gpu_layers)},
    {{"-lm", "--load-mode"}, "MODE", "LLAMA_ARG_LOAD_MODE",
     "auto none mmap mlock mmap+mlock dio (default auto: mmap)",
     PL_FLAG_LOAD, FIELD(load_mode)},
    {{"-nr", "--no-repack"}, NULL, "LLAMA_ARG_NO_REPACK",
     "do not convert weights into the CPU kernels' layout at load",
     PL_FLAG_NO, FIELD(repack)},
    {{"--repack"}, NULL, "LLAMA_ARG_REPACK", NULL,
     PL_FLAG_YES, FIELD(repack)},
    {{"--no-host"}, NULL, "LLAMA_ARG_NO_HOST",
     "bypass host buffers, so that extra buffer types can be used",
     PL_FLAG_YES, FIELD(no_host)},
    {{"-cram", "--cache-ram"}, "MIB", "LLAMA_ARG_CACHE_RAM",
     "limit of the host prompt cache in MiB; -1 = none, 0 = off (default 8192)",
     PL_FLAG_I64, FIELD(cache_ram_mib)},
    {{"-t", "--threads"}, "N", "LLAMA_ARG_THREADS",
     "threads while generating (default: the engine's choice)",
     PL_FLAG_I64, FIELD(n_threads)},
    {{"-tb", "--threads-batch"}, "N", "LLAMA_ARG_THREADS_BATCH",
     "threads while reading the prompt (default: as -t)",
     PL_FLAG_I64, FIELD(n_threads_batch)},
    {{"--swa-full"}, NULL, "LLAMA_ARG_SWA_FULL", NULL,
     PL_FLAG_YES, FIELD(swa_full)},
    {{"-nkvo", "--no-kv-offload"}, NULL, "LLAMA_ARG_NO_KV_OFFLOAD", NULL,
     PL_FLAG_NO, FIELD(kv_offload)},
    {{"-kvo", "--kv-offload"}, NULL, "LLAMA_ARG_KV_OFFLOAD", NULL,
     PL_FLAG_YES, FIELD(kv_offload)},
    {{"--no-op-offload"}, NULL, "LLAMA_ARG_NO_OP_OFFLOAD", NULL,
     PL_FLAG_NO, FIELD(op_offload)},
    {{"--op-offload"}, NULL, "LLAMA_ARG_OP_OFFLOAD", NULL,
     PL_FLAG_YES, FIELD(op_offload)},
    /* Not from LLAMA_ARG_PORT: that is where a server of the user's own may listen already. */
    {{"--port"}, "N", NULL,
     "port of the engine on the loopback address (default: any free one)",
     PL_FLAG_PORT, FIELD(port)},
    /* Known, without effect on memory: handed on as they are. */
    PASS1("-s", "--seed"),
    PASS1("--temp", "--temperature"),
    PASS1("--top-k"),
    PASS1("--top-p"),
    PASS1("--min-p"),
    PASS1("--samplers"),
    PASS1("--repeat-penalty"),
    PASS1("-n", "--predict", "--n-predict"),
    PASS1("-a", "--alias"),
    PASS1("--chat-template"),
    PASS1("--chat-template-file"),
    PASS1("--reasoning-format"),
    PASS1("--reasoning-budget"),
    PASS1("--prio"),
    PASS1("--poll"),
    PASS1("--numa"),
    PASS1("-C", "--cpu-mask"),
    PASS1("-Cr", "--cpu-range"),
    PASS1("--cpu-strict"),
    PASS1("-to", "--timeout"),
    PASS1("--threads-http"),
    PASS1("--rope-scaling"),
    PASS1("--rope-scale"),
    PASS1("--rope-freq-base"),
    PASS1("--rope-freq-scale"),
    PASS1("--keep"),
    PASS1("--cache-reuse"),
    PASS0("--jinja"),
    PASS0("--no-jinja"),
    PASS0("--metrics"),
    PASS0("--slots"),
    PASS0("--no-slots"),
    PASS0("--no-warmup"),
    PASS0("--warmup"),
    PASS0("--ignore-eos"),
    PASS0("--no-webui"),
    PASS0("--context-shift"),
    PASS0("--no-context-shift"),
    PASS0("--perf"),
    PASS0("--no-perf"),
    /* Known, changing memory in ways not predicted here. */
    CANNOT1("-md", "--model-draft", "--spec-draft-model"),
    CANNOT1("-mm", "--mmproj"),
    CANNOT1("-mmu", "--mmproj-url"),
    CANNOT1("--lora"),
    CANNOT1("--lora-scaled"),
    CANNOT1("--control-vector"),
    CANNOT1("--rpc"),
    CANNOT1("-ot", "--override-tensor"),
    CANNOT1("-ts", "--tensor-split"),
    CANNOT1("-sm", "--split-mode"),
    CANNOT1("-mg", "--main-gpu"),
    CANNOT1("-dev", "--device"),
    CANNOT0("-cmoe", "--cpu-moe"),
    CANNOT1("-ncmoe", "--n-cpu-moe"),
    CANNOT1("--spec-type"),
    CANNOT1("--override-kv"),
    CANNOT1("--pooling"),
    CANNOT0("--embedding", "--embeddings"),
    CANNOT0("--rerank", "--reranking"),
    CANNOT1("-lzm", "--lazy-mode"),
    CANNOT1("--kv-unified-per-slot"),
    {.names = {NULL}},
};
/* clang-format on */

const struct pl_flag *pl_llamacpp_flags(void)
{
    return pl_flags;
}
