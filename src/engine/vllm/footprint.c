#include "engine/vllm/footprint.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/native.h"
#include "domain/places.h"
#include "engine/vllm/footprint_cache.h"
#include "engine/vllm/footprint_weights.h"

#include <errno.h>
#include <math.h>

#define PL_VLLM_FORMULAS "vLLM 0.6 to 0.24 (gpu_worker.py, kv_cache_utils.py)"
#define PL_VLLM_LARGE (70 * PL_GIB) /* vllm/engine/arg_utils.py: larger defaults from here on */

/* Versions in which it profiles alike. */
enum pl_vllm_age { PL_VLLM_UNSAID = 0, PL_VLLM_OLD, PL_VLLM_V1, PL_VLLM_GRAPHS };

struct pl_vllm_job {
    const struct pl_model *m;
    struct pl_setting_values *v;
    struct pl_checkpoint c;
    struct pl_vllm_cache cache;
    struct pl_vllm_weights w;
    enum pl_vllm_age age;
    struct pl_places places;
    uint64_t wide, tp, total; /* total: of the smallest device used */
    uint64_t len, batched, seqs, budget;
    bool bf16;
    struct pl_quantity weights, active, outside, graphs, kv; /* of one device */
    struct pl_claim *to;
};

static enum pl_vllm_age pl_vllm_age_of(const char *version)
{
    uint64_t major = 0, minor = 0;
    if (!pl_take_u64(&version, &major))
        return PL_VLLM_UNSAID;
    if (*version == '.') {
        version++;
        (void)pl_take_u64(&version, &minor);
    }
    return major > 0 || minor >= 21 ? PL_VLLM_GRAPHS : minor >= 9 ? PL_VLLM_V1 : PL_VLLM_OLD;
}

static int pl_vllm_refuse(struct pl_err *err)
{
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_vllm_devices(struct pl_vllm_job *j, const struct pl_machine *machine,
                           struct pl_err *err)
{
    pl_places_of(machine, &j->places);
    j->tp = pl_setting_u(j->v, "tensor_parallel_size");
    if (j->places.n == 0) {
        (void)pl_fail(err, -EINVAL, "vLLM: this machine has no device it runs on");
        (void)pl_hint(err, "--device ID plans for one of the device data, --machine for another "
                           "machine; its CPU build is not predicted");
        return pl_vllm_refuse(err);
    }
    if (j->tp > j->places.n) {
        (void)pl_fail(err, -EINVAL, "--tensor-parallel-size %llu: there %s %u device%s",
                      (unsigned long long)j->tp, j->places.n == 1 ? "is" : "are", j->places.n,
                      j->places.n == 1 ? "" : "s");
        return pl_vllm_refuse(err);
    }
    if (j->c.n_head > 0 && j->c.n_head % j->tp != 0) {
        (void)pl_fail(err, -EINVAL, "--tensor-parallel-size %llu: %llu heads cannot be shared so",
                      (unsigned long long)j->tp, (unsigned long long)j->c.n_head);
        return pl_vllm_refuse(err);
    }
    j->total = UINT64_MAX;
    for (uint64_t i = 0; i < j->tp; i++) {
        const struct pl_place *p = &j->places.one[i];
        struct pl_quantity all = p->device != NULL && pl_known(p->device->visible)
                                     ? p->device->visible
                                     : p->pool->capacity;
        if (!pl_known(all)) {
            (void)pl_fail(err, -ENOTSUP, "vLLM: how much memory %s has is not known",
                          p->pool->name);
            return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
        }
        j->total = all.likely < j->total ? all.likely : j->total;
    }
    return 0;
}

static uint64_t pl_vllm_or(struct pl_vllm_job *j, const char *key, uint64_t absent)
{
    uint64_t v = pl_setting_u(j->v, key);
    if (v == 0)
        pl_setting_decide_u(j->v, key, v = absent);
    return v;
}

/* vllm/engine/arg_utils.py, _set_default_args; before the scheduler cut prompts into pieces, a step
 * was as long as a sequence, up to 32768. */
static void pl_vllm_sizes(struct pl_vllm_job *j)
{
    bool large = j->total >= PL_VLLM_LARGE && j->age != PL_VLLM_OLD;
    uint64_t step = large ? 8192 : 2048;
    j->len = pl_vllm_or(j, "max_model_len", j->c.n_ctx_train > 0 ? j->c.n_ctx_train : 4096);
    if (j->age == PL_VLLM_OLD)
        step = j->len > 32768 ? 512 : j->len > 2048 ? j->len : 2048;
    j->seqs = pl_vllm_or(j, "max_num_seqs", large ? 1024 : 256);
    j->batched = pl_vllm_or(j, "max_num_batched_tokens", step);
}

static void pl_vllm_types(struct pl_vllm_job *j, enum pl_vllm_held *ret_held)
{
    const char *type = pl_setting_text(j->v, "dtype"), *q = pl_setting_text(j->v, "quantization");
    const char *stored = pl_model_str(j->m, "config.dtype", "bfloat16");
    const char *method = pl_model_str(j->m, "config.quant_method", "");
    bool half = pl_streq(type, "half") || pl_streq(type, "float16") ||
                (pl_streq(type, "auto") && pl_streq(stored, "float16"));
    j->wide = pl_streq(type, "float") || pl_streq(type, "float32") ? 4 : 2;
    j->bf16 = j->wide == 2 && !half;
    if (q[0] == '\0' && method[0] != '\0')
        pl_setting_decide_text(j->v, "quantization", q = method);
    if (j->c.stored_quantised || (method[0] != '\0' && j->m->format != NULL))
        *ret_held = PL_VLLM_STORED;
    else if (pl_starts(q, "awq") || pl_starts(q, "gptq"))
        *ret_held = PL_VLLM_GROUPS;
    else if (pl_streq(q, "fp8"))
        *ret_held = PL_VLLM_FP8;
    else if (pl_streq(q, "bitsandbytes"))
        *ret_held = PL_VLLM_NF4;
    else
        *ret_held = q[0] != '\0' ? PL_VLLM_STORED : PL_VLLM_WIDE;
    (void)PL_FMT(j->to->quant, "%s",
                 q[0] != '\0'   ? q
                 : j->wide == 4 ? "FP32"
                 : j->bf16      ? "BF16"
                                : "FP16");
    j->cache.bytes = pl_starts(pl_setting_text(j->v, "kv_cache_dtype"), "fp8") ? 1
                     : pl_setting_is(j->v, "kv_cache_dtype", "auto")           ? j->wide
                                                                               : 2;
}

/* What a device holds before the cache is cut. */
static void pl_vllm_weigh(struct pl_vllm_job *j, enum pl_vllm_held held)
{
    pl_vllm_weights(j->m, held, j->wide, j->tp, &j->w);
    uint64_t offload = (uint64_t)(pl_setting_d(j->v, "cpu_offload_gb") * (double)PL_GIB);
    uint64_t rotary = pl_mul_sat(pl_mul_sat(j->c.n_ctx_train, j->c.head_dim_k), j->wide);
    uint64_t sum = pl_add_sat(pl_add_sat(j->w.linear, j->w.table), j->w.other);
    sum = pl_add_sat(pl_sub_floor(sum, offload), rotary);
    j->weights = pl_exact(sum, PL_SOURCE_DERIVED, "this device's share of every tensor");
}

/* The most a step holds: the widest layer for all its tokens, or the sampler's copies of the logits
 * (vllm/v1/worker/gpu_model_runner.py, profile_run, _dummy_sampler_run). */
static void pl_vllm_activate(struct pl_vllm_job *j)
{
    uint64_t row = pl_add_sat(pl_mul_sat(3, j->c.n_ff / j->tp), pl_mul_sat(3, j->c.n_embd));
    uint64_t wide = pl_mul_sat(pl_mul_sat(row, j->wide), j->batched);
    uint64_t rows = j->seqs < j->batched ? j->seqs : j->batched;
    uint64_t logits = pl_mul_sat(pl_mul_sat(rows, j->c.n_vocab), 4);
    bool old = j->age == PL_VLLM_OLD;
    uint64_t low = pl_mul_sat(logits, 2), likely = pl_mul_sat(logits, old ? 11 : 6);
    uint64_t high = pl_mul_sat(logits, 13);
    uint64_t most = pl_add_sat(wide, wide / 5), least = wide - wide / 5;
    j->active = pl_between(least > low ? least : low, wide > likely ? wide : likely,
                           most > high ? most : high, PL_SOURCE_ASSUMED,
                           "widest layer of a step, or the sampler's copies of the logits");
}

/* Context, libraries, NCCL: seen as 0.08 to 1.79 GiB on one device, 3.58 on two (vllm#10511,
 * #14452, #10517). */
static void pl_vllm_beside(struct pl_vllm_job *j)
{
    bool counts_all = j->age == PL_VLLM_OLD || j->age == PL_VLLM_UNSAID;
    uint64_t high = counts_all && j->total >= PL_VLLM_LARGE ? 1850 : 700;
    const char *why = "CUDA context, libraries, communication";
    j->outside =
        j->tp > 1 ? pl_between(300 * PL_MIB, 1200 * PL_MIB, 3700 * PL_MIB, PL_SOURCE_ASSUMED, why)
                  : pl_between(80 * PL_MIB, 300 * PL_MIB, high * PL_MIB, PL_SOURCE_ASSUMED, why);
    j->graphs = pl_exact(0, PL_SOURCE_DERIVED, "no graphs");
    if (pl_setting_u(j->v, "enforce_eager") == 0)
        j->graphs = pl_between(150 * PL_MIB, 500 * PL_MIB, 1200 * PL_MIB, PL_SOURCE_ASSUMED,
                               "CUDA graphs of the captured batch sizes");
}

static bool pl_vllm_graphs_inside(const struct pl_vllm_job *j)
{
    return j->age == PL_VLLM_GRAPHS || j->age == PL_VLLM_UNSAID;
}

/* The rest of the budget is the cache (gpu_worker.py, determine_available_memory). */
static void pl_vllm_rest(struct pl_vllm_job *j)
{
    uint64_t asked = pl_setting_u(j->v, "kv_cache_memory_bytes");
    struct pl_quantity used = pl_plus(pl_plus(j->weights, j->active), j->outside);
    if (pl_vllm_graphs_inside(j))
        used = pl_plus(used, j->graphs);
    if (j->age == PL_VLLM_UNSAID) /* older ones leave the graphs out */
        used.low = pl_sub_floor(used.low, j->graphs.low);
    if (asked > 0) {
        j->kv = pl_exact(asked, PL_SOURCE_DECLARED, "as --kv-cache-memory-bytes says");
        j->budget = pl_add_sat(used.likely, asked);
        return;
    }
    double part = pl_setting_d(j->v, "gpu_memory_utilization");
    j->budget = (uint64_t)((double)j->total * part);
    j->kv = pl_between(pl_sub_floor(j->budget, used.high), pl_sub_floor(j->budget, used.likely),
                       pl_sub_floor(j->budget, used.low), PL_SOURCE_ASSUMED,
                       "what the rest leaves of the part that is claimed");
}

static void pl_vllm_pool_parts(struct pl_vllm_job *j, struct pl_pool_footprint *p)
{
    struct pl_claim *to = j->to;
    uint64_t rotary = pl_mul_sat(pl_mul_sat(j->c.n_ctx_train, j->c.head_dim_k), j->wide);
    pl_claim_add(
        to, p, PL_PART_WEIGHTS, j->weights,
        "vllm/model_executor/layers/linear.py, vocab_parallel_embedding.py",
        "%llu linear weights, tables and norms over %llu device%s, rotary table %llu bytes",
        (unsigned long long)j->w.n_linear, (unsigned long long)j->tp, j->tp == 1 ? "" : "s",
        (unsigned long long)rotary);
    pl_claim_add(
        to, p, PL_PART_COMPUTE, j->active, "vllm/v1/worker/gpu_model_runner.py, profile_run",
        "the larger of %llu tokens x (3 x %llu + 3 x %llu) x %llu bytes, and of some copies "
        "of %llu x %llu logits",
        (unsigned long long)j->batched, (unsigned long long)(j->c.n_ff / j->tp),
        (unsigned long long)j->c.n_embd, (unsigned long long)j->wide,
        (unsigned long long)(j->seqs < j->batched ? j->seqs : j->batched),
        (unsigned long long)j->c.n_vocab);
    pl_claim_add(to, p, PL_PART_RUNTIME, j->outside, "vllm/utils/mem_utils.py, memory_profiling",
                 "non-torch memory, as its logs report it");
    if (j->graphs.high > 0)
        pl_claim_add(to, p, PL_PART_EXTRA, j->graphs,
                     "vllm/v1/worker/gpu_model_runner.py, capture_model",
                     pl_vllm_graphs_inside(j) ? "CUDA graphs, inside the part since version 0.21"
                                              : "CUDA graphs, beside the part before version 0.21");
    pl_claim_add(to, p, PL_PART_KV, j->kv,
                 "vllm/v1/worker/gpu_worker.py, determine_available_memory",
                 "%g x %llu bytes, less the other parts",
                 pl_setting_d(j->v, "gpu_memory_utilization"), (unsigned long long)j->total);
}

static void pl_vllm_pools(struct pl_vllm_job *j)
{
    struct pl_claim *to = j->to;
    double swap = pl_setting(j->v, "swap_space")->set ? pl_setting_d(j->v, "swap_space")
                  : j->age == PL_VLLM_OLD             ? 4
                                                      : 0;
    double host = (swap + pl_setting_d(j->v, "cpu_offload_gb")) * (double)j->tp;
    struct pl_pool_footprint *ram = pl_claim_pool(to, "ram", PL_POOL_HOST);
    pl_claim_add(to, ram, PL_PART_RUNTIME,
                 pl_between(1500 * PL_MIB, pl_mul_sat(3 * PL_GIB, j->tp),
                            pl_mul_sat(7 * PL_GIB, j->tp), PL_SOURCE_ASSUMED,
                            "server, engine core and workers in Python"),
                 "no published figure", "a worker for each device, and the server");
    if (host > 0)
        pl_claim_add(to, ram, PL_PART_EXTRA,
                     pl_exact((uint64_t)(host * (double)PL_GIB), PL_SOURCE_DERIVED,
                              "pinned: --cpu-offload-gb and --swap-space"),
                     "vllm/config/cache.py", "(%g + %g) GiB x %llu devices",
                     pl_setting_d(j->v, "cpu_offload_gb"), swap, (unsigned long long)j->tp);
    pl_claim_total(ram, NULL);
    for (uint64_t i = 0; i < j->tp; i++) {
        const struct pl_pool *pool = j->places.one[i].pool;
        struct pl_pool_footprint *p = pl_claim_pool(to, pool->name, pool->kind);
        pl_vllm_pool_parts(j, p);
        pl_claim_total(p, NULL);
        /* the cache takes what the others leave, so their errors cancel */
        uint64_t beyond = pl_vllm_graphs_inside(j) ? 0 : j->graphs.high;
        uint64_t floor = p->steady.likely < j->budget ? p->steady.likely : j->budget;
        if (j->kv.likely > 0) {
            p->steady.low = floor;
            p->steady.high = pl_add_sat(p->steady.likely, beyond);
            if (j->age == PL_VLLM_UNSAID)
                p->steady.high = pl_add_sat(p->steady.high, j->graphs.high);
            p->peak = p->load_peak = p->steady;
        }
        uint64_t layer = pl_mul_sat(j->cache.page, pl_vllm_cache_blocks(&j->cache, j->kv.likely));
        p->largest_allocation = pl_exact(layer, PL_SOURCE_ASSUMED, "the cache of one layer");
    }
}

/* Would it start, and how much does it serve then? */
static void pl_vllm_serves(struct pl_vllm_job *j)
{
    const struct pl_vllm_cache *k = &j->cache;
    uint64_t override = pl_setting_u(j->v, "num_gpu_blocks_override");
    uint64_t blocks = override > 0 ? override : pl_vllm_cache_blocks(k, j->kv.likely);
    uint64_t worst = override > 0 ? override : pl_vllm_cache_blocks(k, j->kv.low);
    char text[PL_SIZE_TEXT_MAX];
    pl_claim_number(j->to, "kv_cache_bytes", "available KV cache", (double)j->kv.likely,
                    "%s on each device", pl_size_text(j->kv.likely, text));
    pl_claim_number(j->to, "gpu_blocks", "blocks", (double)blocks, "%llu of %llu tokens",
                    (unsigned long long)blocks, (unsigned long long)k->block);
    pl_claim_number(j->to, "kv_cache_tokens", "KV cache size",
                    (double)pl_vllm_cache_tokens(k, blocks), "%llu tokens",
                    (unsigned long long)pl_vllm_cache_tokens(k, blocks));
    double many = (double)blocks / (double)k->per_request;
    pl_claim_number(j->to, "max_concurrency", "maximum concurrency", round(many * 100) / 100,
                    "%.2f sequences of %llu tokens (%.2f at worst)", many,
                    (unsigned long long)j->len, (double)worst / (double)k->per_request);
    if (j->kv.likely == 0 || blocks == 0) {
        pl_claim_say(j->to, PL_VERDICT_DOES_NOT_FIT,
                     "it would not start: no memory is left for the blocks of the cache");
    } else if (blocks < k->per_request) {
        uint64_t most = pl_vllm_cache_longest(&j->c, k, blocks);
        pl_claim_say(j->to, PL_VERDICT_DOES_NOT_FIT,
                     "it would not start: one sequence of %llu tokens does not fit the cache; "
                     "--max-model-len %llu would",
                     (unsigned long long)j->len, (unsigned long long)most);
    } else if (worst < k->per_request) {
        pl_claim_say(j->to, PL_VERDICT_FRAGILE,
                     "at worst the cache holds no sequence of %llu tokens, and it would not start",
                     (unsigned long long)j->len);
    }
}

/* worker/gpu_worker.py, _check_if_gpu_supports_dtype; v1/utils request_memory: refused at start. */
static void pl_vllm_refuses(struct pl_vllm_job *j, const struct pl_machine *machine)
{
    const struct pl_device *d = j->places.one[0].device;
    const char *q = pl_setting_text(j->v, "quantization");
    uint32_t sm = pl_device_sm(d);
    if (j->wide == 2)
        pl_native_say(j->to, d, j->bf16 ? "bf16" : "fp16");
    if (pl_streq(q, "fp8") || j->cache.bytes == 1)
        pl_native_say(j->to, d, "fp8");
    if (pl_streq(q, "mxfp4"))
        pl_native_say(j->to, d, "fp4");
    if (j->bf16 && sm > 0 && sm < 800 && !pl_setting_is(j->v, "dtype", "auto"))
        pl_claim_say(j->to, PL_VERDICT_DOES_NOT_FIT,
                     "it would not start: bfloat16 needs compute capability 8.0; say --dtype half");
    for (uint64_t i = 0; i < j->tp; i++) {
        const char *name = j->places.one[i].pool->name;
        struct pl_quantity free = pl_machine_available(machine, name);
        if (!pl_known(free) || free.likely >= j->budget)
            continue;
        double part = floor((double)free.likely / (double)j->total * 100) / 100;
        pl_claim_say(j->to, PL_VERDICT_SAFE,
                     "%s: it would not start while less than its part is free; "
                     "--gpu-memory-utilization %.2f is the most here now",
                     name, part);
    }
}

int pl_vllm_footprint(const struct pl_model *m, struct pl_setting_values *v,
                      const struct pl_machine *machine, struct pl_claim *ret, struct pl_err *err)
{
    static struct pl_vllm_job j;
    enum pl_vllm_held held = PL_VLLM_WIDE;
    j = (struct pl_vllm_job){.m = m, .v = v, .to = ret};
    pl_claim_start(ret, PL_VLLM_FORMULAS);
    j.age = pl_vllm_age_of(pl_setting_text(v, "vllm_version"));
    int rc = pl_checkpoint_read(m, &j.c, err);
    if (rc == 0)
        rc = pl_vllm_devices(&j, machine, err);
    if (rc < 0)
        return rc;
    pl_vllm_sizes(&j);
    pl_vllm_types(&j, &held);
    j.cache.block = pl_setting_u(v, "block_size");
    j.cache.tp = j.tp;
    j.cache.len = j.len;
    j.cache.batched = j.batched;
    if (!pl_vllm_cache_shape(&j.c, &j.cache) || j.c.n_recurrent > 0) {
        (void)pl_fail(err, -ENOTSUP, "%.60s: how vLLM caches layers with a state is not predicted",
                      m->arch);
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
    }
    pl_vllm_weigh(&j, held);
    pl_vllm_activate(&j);
    pl_vllm_beside(&j);
    pl_vllm_rest(&j);
    pl_vllm_pools(&j);
    pl_vllm_serves(&j);
    pl_vllm_refuses(&j, machine);
    return 0;
}
