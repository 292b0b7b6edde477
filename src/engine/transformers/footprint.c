#include "engine/transformers/footprint.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/checkpoint.h"
#include "domain/native.h"
#include "domain/places.h"
#include "engine/transformers/footprint_train.h"

#include <errno.h>

#define PL_TRANSFORMERS_FORMULAS "transformers 4.40 to 5.0, bitsandbytes 0.49, PyTorch 2"

/* Since then a prompt's logits are those of its last token alone (huggingface/transformers#31292,
 * #34796). */
#define PL_LOGITS_MAJOR 4
#define PL_LOGITS_MINOR 45

static struct pl_quantity pl_torch_derived(uint64_t bytes, const char *why)
{
    return pl_exact(bytes, PL_SOURCE_DERIVED, why);
}

/* The type the checkpoint is stored in: that of most of its elements. */
static uint64_t pl_torch_stored_wide(const struct pl_model *m)
{
    const char *said = pl_model_str(m, "config.dtype", "");
    uint64_t wide = 0, narrow = 0;
    if (pl_streq(said, "float32"))
        return 4;
    if (said[0] != '\0')
        return 2;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        uint64_t n = pl_tensor_elements(&m->tensor[i]);
        if (n > 0 && m->tensor[i].bytes / 4 >= n)
            wide = pl_add_sat(wide, n);
        else
            narrow = pl_add_sat(narrow, n);
    }
    return wide > narrow ? 4 : 2;
}

/* What --dtype, --load-in-4bit ... mean, and the name of it. */
static int pl_torch_decide_type(struct pl_torch_job *j, struct pl_err *err)
{
    struct pl_setting_values *v = j->v;
    if (pl_setting_is(v, "mode", "qlora") && pl_setting_is(v, "dtype", "auto"))
        pl_setting_decide_text(v, "dtype", "nf4");
    if (pl_setting_is(v, "mode", "train") && pl_setting_is(v, "dtype", "auto"))
        pl_setting_decide_text(v, "dtype", "fp32"); /* what from_pretrained does for a Trainer */
    const char *type = pl_setting_text(v, "dtype");
    bool four =
        pl_setting_u(v, "load_in_4bit") != 0 || pl_streq(type, "nf4") || pl_streq(type, "fp4");
    bool eight = pl_setting_u(v, "load_in_8bit") != 0 || pl_streq(type, "int8");
    if (four && eight) {
        (void)pl_fail(err, -EINVAL, "--load-in-4bit and --load-in-8bit exclude each other");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if ((four || eight) && pl_setting_is(v, "mode", "train")) {
        (void)pl_fail(err, -EINVAL, "--mode train: packed weights cannot be trained");
        (void)pl_hint(err, "--mode qlora trains adapters beside them");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    bool fp32 = pl_streq(type, "fp32") || pl_streq(type, "float32");
    bool fp16 = pl_streq(type, "fp16") || pl_streq(type, "float16");
    bool bf16 = pl_streq(type, "bf16") || pl_streq(type, "bfloat16");
    j->as =
        (struct pl_held_as){.wide = fp32                            ? 4
                                    : fp16 || bf16 || four || eight ? 2
                                                                    : pl_torch_stored_wide(j->m)};
    /* modules of their own for each expert, so that quantisers find them; these two have one tensor
     */
    j->as.experts_too = !pl_streq(j->m->arch, "gpt-oss") && !pl_streq(j->m->arch, "gpt_oss") &&
                        !pl_starts(j->m->arch, "llama4");
    const char *name = j->as.wide == 4 ? "FP32" : fp16 || eight ? "FP16" : "BF16";
    if (four) {
        bool nf4 = pl_streq(type, "nf4") || pl_setting_is(v, "bnb_4bit_quant_type", "nf4");
        j->as.linear = PL_HELD_4BIT;
        j->as.double_quant = pl_setting_u(v, "bnb_4bit_use_double_quant") != 0;
        name = nf4 ? "NF4" : "FP4";
        pl_setting_decide_u(v, "load_in_4bit", 1);
        pl_setting_decide_text(v, "bnb_4bit_quant_type", nf4 ? "nf4" : "fp4");
    } else if (eight) {
        j->as.linear = PL_HELD_INT8;
        name = "INT8";
        pl_setting_decide_u(v, "load_in_8bit", 1);
    } else if (j->c.stored_quantised) {
        j->as.linear = PL_HELD_STORED;
        name = "as stored";
    }
    (void)PL_FMT(j->to->quant, "%s", name);
    const char *products = pl_setting_text(v, "bnb_4bit_compute_dtype");
    bool half = fp16 || eight || pl_streq(products, "fp16") || pl_streq(products, "float16") ||
                pl_streq(pl_model_str(j->m, "config.dtype", ""), "float16");
    j->bf16 = j->as.wide == 2 && !half;
    bool wide_products = pl_setting_is(v, "bnb_4bit_compute_dtype", "fp32") ||
                         pl_setting_is(v, "bnb_4bit_compute_dtype", "float32");
    j->compute = four && wide_products ? 4 : j->as.wide;
    return 0;
}

static void pl_torch_decide_sizes(struct pl_torch_job *j)
{
    j->n_tokens = pl_setting_u(j->v, "max_length");
    if (j->n_tokens == 0) {
        j->n_tokens = j->c.n_ctx_train > 0 && j->c.n_ctx_train < 4096 ? j->c.n_ctx_train : 4096;
        pl_setting_decide_u(j->v, "max_length", j->n_tokens);
    }
    j->n_seq = pl_setting_u(j->v, "batch_size");
}

static void pl_torch_weights(struct pl_torch_job *j)
{
    const struct pl_held_sum *w = &j->w;
    uint64_t sum = pl_add_sat(pl_add_sat(w->quantised, w->scales), w->wide);
    if (w->n_quantised > 0) {
        pl_claim_add(j->to, j->pool, PL_PART_WEIGHTS,
                     pl_torch_derived(w->quantised, "linear weights packed, the rest as it is"),
                     "bitsandbytes/functional.py, quantize_4bit, int8_vectorwise_quant",
                     "%llu linear weights, %s an element", (unsigned long long)w->n_quantised,
                     j->as.linear == PL_HELD_INT8 ? "1 byte" : "half a byte");
        pl_claim_add(j->to, j->pool, PL_PART_WEIGHTS, pl_torch_derived(w->scales, NULL),
                     "bitsandbytes/functional.py, QuantState; nn/modules.py, Int8Params",
                     "their scales: %s",
                     j->as.linear == PL_HELD_INT8 ? "4 bytes a row"
                     : j->as.double_quant         ? "1 byte for 64 elements, 4 for 16384"
                                                  : "4 bytes for 64 elements");
    }
    pl_claim_add(j->to, j->pool, PL_PART_WEIGHTS,
                 pl_torch_derived(w->wide, "every parameter in the type asked for"),
                 "transformers/modeling_utils.py, from_pretrained",
                 "%llu other tensors, %llu bytes an element", (unsigned long long)w->n_wide,
                 (unsigned long long)j->as.wide);
    if (j->on_device)
        pl_claim_add(j->to, j->pool, PL_PART_EXTRA,
                     pl_between(0, pl_sub_floor(w->reserved, sum) / 2,
                                pl_sub_floor(w->reserved, sum), PL_SOURCE_DERIVED,
                                "rests of the segments that PyTorch takes memory in"),
                     "c10/cuda/CUDACachingAllocator.cpp",
                     "segments of 2 and 20 MiB: none to all of what one allocation each leaves");
}

static void pl_torch_cache(struct pl_torch_job *j)
{
    uint64_t low = 0, likely = 0, high = 0;
    if (pl_setting_u(j->v, "no_use_cache") != 0)
        return;
    pl_checkpoint_kv(&j->c, j->n_tokens, pl_mul_sat(j->compute, j->n_seq), &low, &likely, &high);
    bool grows = pl_setting_is(j->v, "cache_implementation", "dynamic");
    uint64_t step = grows ? high / (j->c.n_layer > 0 ? j->c.n_layer : 1) : 0;
    pl_claim_add(j->to, j->pool, PL_PART_KV,
                 pl_between(low, likely, pl_add_sat(high, step), PL_SOURCE_DERIVED,
                            grows ? "keys and values of every layer; one is copied as it grows"
                                  : "keys and values of every layer"),
                 "transformers/cache_utils.py, DynamicCache",
                 "%llu layers x %llu tokens x %llu "
                 "sequences x (K %llu + V %llu) a head x %llu bytes",
                 (unsigned long long)j->c.n_layer, (unsigned long long)j->n_tokens,
                 (unsigned long long)j->n_seq, (unsigned long long)j->c.head_dim_k,
                 (unsigned long long)j->c.head_dim_v, (unsigned long long)j->compute);
    uint64_t state =
        pl_add_sat(pl_mul_sat(j->c.conv_state, j->compute), pl_mul_sat(j->c.recurrent_state, 4));
    state = pl_mul_sat(pl_mul_sat(state, j->c.n_recurrent), j->n_seq);
    if (state > 0)
        pl_claim_add(j->to, j->pool, PL_PART_RECURRENT,
                     pl_between(state / 2, state, pl_mul_sat(state, 2), PL_SOURCE_ASSUMED,
                                "state of the recurrent layers, kept in 32 bits"),
                     "transformers/models/*/modeling_*.py", "%llu recurrent layers",
                     (unsigned long long)j->c.n_recurrent);
}

static bool pl_torch_version_known(const struct pl_setting_values *v, uint64_t *major,
                                   uint64_t *minor)
{
    const char *s = pl_setting_text(v, "transformers_version");
    *minor = 0;
    if (s[0] == '\0' || !pl_take_u64(&s, major))
        return false;
    if (*s == '.') {
        s++;
        (void)pl_take_u64(&s, minor);
    }
    return true;
}

static void pl_torch_logits(struct pl_torch_job *j)
{
    uint64_t major = 0, minor = 0, rows = j->n_seq, copies = 3;
    bool all = pl_torch_version_known(j->v, &major, &minor) &&
               (major < PL_LOGITS_MAJOR || (major == PL_LOGITS_MAJOR && minor < PL_LOGITS_MINOR));
    if (all) {
        rows = pl_mul_sat(j->n_tokens, j->n_seq);
        copies = 1; /* the sampler's are of one token */
    }
    uint64_t logits = pl_mul_sat(j->c.n_vocab, pl_mul_sat(rows, 4 + j->compute));
    pl_claim_add(j->to, j->pool, PL_PART_OUTPUT,
                 pl_between(logits, logits, pl_mul_sat(logits, copies), PL_SOURCE_DERIVED,
                            all ? "logits of every token of the prompt, and in 32 bits"
                                : "logits of the last token, and the sampler's copies"),
                 all ? "transformers/models/llama/modeling_llama.py, LlamaForCausalLM (4.44)"
                     : "transformers/generation/utils.py, _sample",
                 "%llu rows x %llu words x (4 + %llu) bytes", (unsigned long long)rows,
                 (unsigned long long)j->c.n_vocab, (unsigned long long)j->compute);
}

/* The most that one layer holds at once while a prompt of n_tokens is read. */
static void pl_torch_activations(struct pl_torch_job *j)
{
    const struct pl_checkpoint *c = &j->c;
    uint64_t rows = pl_mul_sat(j->n_tokens, j->n_seq);
    uint64_t ff = pl_mul_sat(pl_mul_sat(rows, c->n_ff), j->compute);
    uint64_t embd = pl_mul_sat(pl_mul_sat(rows, c->n_embd), j->compute);
    uint64_t likely = pl_add_sat(pl_mul_sat(3, ff), pl_mul_sat(4, embd));
    uint64_t high = pl_add_sat(pl_mul_sat(4, ff), pl_mul_sat(8, embd));
    pl_claim_add(j->to, j->pool, PL_PART_COMPUTE,
                 pl_between(pl_mul_sat(2, ff), likely, high, PL_SOURCE_ASSUMED,
                            "gate, up and product of the widest layer, and some rows beside"),
                 "transformers/models/llama/modeling_llama.py, LlamaMLP",
                 "prompt of %llu rows x (3 x %llu + 4 x %llu) x %llu bytes",
                 (unsigned long long)rows, (unsigned long long)c->n_ff,
                 (unsigned long long)c->n_embd, (unsigned long long)j->compute);
    if (pl_setting_is(j->v, "attn_implementation", "eager")) {
        uint64_t scores =
            pl_mul_sat(pl_mul_sat(j->n_seq, c->n_head), pl_mul_sat(j->n_tokens, j->n_tokens));
        pl_claim_add(j->to, j->pool, PL_PART_COMPUTE,
                     pl_between(pl_mul_sat(scores, 4), pl_mul_sat(scores, 4 + j->compute),
                                pl_mul_sat(scores, 4 + 2 * j->compute), PL_SOURCE_DERIVED, NULL),
                     "transformers/models/llama/modeling_llama.py, eager_attention_forward",
                     "scores of %llu heads x %llu x %llu, once in 32 bits for the softmax",
                     (unsigned long long)c->n_head, (unsigned long long)j->n_tokens,
                     (unsigned long long)j->n_tokens);
    }
    pl_torch_logits(j);
    if (j->as.linear == PL_HELD_4BIT)
        pl_claim_add(j->to, j->pool, PL_PART_COMPUTE,
                     pl_torch_derived(j->w.largest_linear / j->as.wide * j->compute, NULL),
                     "bitsandbytes/autograd/_functions.py, MatMul4Bit",
                     "the largest weight is written out again for the products of a prompt");
}

/* What the process holds on the device beside its tensors, and on the host. */
static void pl_torch_runtime(struct pl_torch_job *j, struct pl_pool_footprint *host)
{
    if (j->on_device)
        pl_claim_add(j->to, j->pool, PL_PART_RUNTIME,
                     pl_between(150 * PL_MIB, 430 * PL_MIB, 700 * PL_MIB, PL_SOURCE_ASSUMED,
                                "CUDA context, loaded kernels, workspace of the products"),
                     "pytorch#107667, #28394; unsloth-zoo#1053: 300 to 426 MiB; "
                     "aten/src/ATen/cuda/CUDABlas.cpp: 8.125 MiB, 32 MiB from SM 9.0",
                     "context and kernels 150 to 660 MiB, workspace 8 to 40 MiB");
    pl_claim_add(j->to, host, PL_PART_RUNTIME,
                 j->on_device
                     ? pl_between(600 * PL_MIB, 1500 * PL_MIB, 3000 * PL_MIB, PL_SOURCE_ASSUMED,
                                  "Python, PyTorch with its CUDA libraries")
                     : pl_between(100 * PL_MIB, 300 * PL_MIB, 800 * PL_MIB, PL_SOURCE_ASSUMED,
                                  "Python, PyTorch and transformers"),
                 j->on_device ? "pytorch#113326: 322 to 2056 MiB"
                              : "tests/conformance/torch.sh: PyTorch 1.13 alone holds 113 MiB",
                 "interpreter and libraries");
}

/* The most while loading. Before version 5 one tensor after the other goes to the device and is
 * packed there. The loader of version 5 hands all of them to threads that put them on the device at
 * full width, ahead of the packing (core_model_loading.py, spawn_materialize;
 * huggingface/transformers#43032): then up to all of them lie there at once. */
static struct pl_quantity pl_torch_packing(struct pl_torch_job *j, struct pl_quantity load)
{
    uint64_t major = 0, minor = 0, one = j->w.largest_linear;
    uint64_t all = pl_sub_floor(j->w.full, j->pool->part[PL_PART_WEIGHTS].likely);
    bool known = pl_torch_version_known(j->v, &major, &minor), v5 = known && major >= 5;
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    all = all > one ? all : one;
    load.low = pl_add_sat(load.low, one);
    load.likely = pl_add_sat(load.likely, v5 ? all : one);
    load.high = pl_add_sat(load.high, known && !v5 ? pl_mul_sat(2, one) : all);
    load.why = v5 ? "all weights at full width before they are packed (transformers#43032)"
                  : "the largest linear weight at full width beside what is packed";
    pl_claim_number(j->to, "largest_linear_bytes", "largest linear weight", (double)one,
                    "%s at full width: one allocation while loading", pl_size_text(one, a));
    pl_claim_number(j->to, "load_extra_bytes", "while loading", (double)(v5 ? all : one),
                    "%s beside the packed weights%s%s", pl_size_text(v5 ? all : one, a),
                    known ? "" : "; with version 5 up to ", known ? "" : pl_size_text(all, b));
    if (v5)
        pl_claim_say(j->to, PL_VERDICT_SAFE,
                     "version 5 loads at full width before it packs (transformers#43032); "
                     "HF_DEACTIVATE_ASYNC_LOAD=1 makes it load one tensor after the other");
    else if (!known)
        pl_claim_say(j->to, PL_VERDICT_SAFE,
                     "how it loads depends on the version: say --transformers-version 4 or 5");
    return load;
}

static void pl_torch_loading(struct pl_torch_job *j)
{
    const struct pl_held_sum *w = &j->w;
    bool packs = j->as.linear == PL_HELD_4BIT || j->as.linear == PL_HELD_INT8;
    struct pl_quantity load =
        pl_plus(j->pool->part[PL_PART_WEIGHTS], j->pool->part[PL_PART_RUNTIME]);
    load.why = "weights and runtime";
    if (packs)
        load = pl_torch_packing(j, load);
    pl_claim_total(j->pool, &load);
    uint64_t largest = packs && w->largest_linear > w->largest ? w->largest_linear : w->largest;
    j->pool->largest_allocation =
        pl_torch_derived(largest, packs ? "the largest tensor, as held or before it is packed"
                                        : "the largest tensor");
}

/* Reading from the file needs no host memory that stays: the pages are the file's. */
static void pl_torch_host(struct pl_torch_job *j, struct pl_pool_footprint *host)
{
    if (host == j->pool)
        return;
    pl_claim_total(host, NULL);
    host->hold[PL_HOLD_FILE_COLD] =
        pl_exact(j->w.full, PL_SOURCE_DERIVED, "the files' pages, read once");
    host->load_peak.high = pl_add_sat(host->load_peak.high, j->w.largest_wide);
}

static bool pl_torch_place(struct pl_torch_job *j, const struct pl_machine *machine,
                           struct pl_pool_footprint **ret_host)
{
    struct pl_places places;
    pl_places_of(machine, &places);
    *ret_host = pl_claim_pool(j->to, "ram", PL_POOL_HOST);
    j->on_device = !pl_setting_is(j->v, "device_map", "cpu") && places.n > 0;
    j->pool = *ret_host;
    if (j->on_device) {
        j->device = places.one[0].device;
        j->pool = pl_claim_pool(j->to, places.one[0].pool->name, places.one[0].pool->kind);
    }
    return j->on_device || pl_setting_is(j->v, "device_map", "auto") ||
           pl_setting_is(j->v, "device_map", "cpu");
}

int pl_transformers_footprint(const struct pl_model *m, struct pl_setting_values *v,
                              const struct pl_machine *machine, struct pl_claim *ret,
                              struct pl_err *err)
{
    static struct pl_torch_job j;
    struct pl_pool_footprint *host = NULL;
    j = (struct pl_torch_job){.m = m, .v = v, .to = ret};
    pl_claim_start(ret, PL_TRANSFORMERS_FORMULAS);
    int rc = pl_checkpoint_read(m, &j.c, err);
    if (rc == 0)
        rc = pl_torch_decide_type(&j, err);
    if (rc < 0)
        return rc;
    if (!pl_torch_place(&j, machine, &host)) {
        (void)pl_fail(err, -EINVAL, "--device-map cuda: this machine has no device");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    pl_torch_decide_sizes(&j);
    pl_transformers_weights(m, &j.as, &j.w);
    pl_torch_weights(&j);
    if (pl_torch_trains(&j)) {
        pl_torch_train(&j);
    } else {
        pl_torch_cache(&j);
        pl_torch_activations(&j);
    }
    pl_torch_runtime(&j, host);
    pl_torch_loading(&j);
    pl_torch_host(&j, host);
    if (pl_torch_trains(&j))
        pl_torch_train_sum(&j, machine);
    if (j.as.linear == PL_HELD_INT8)
        pl_native_say(ret, j.device, "int8");
    if (j.compute == 2)
        pl_native_say(ret, j.device, j.bf16 ? "bf16" : "fp16");
    return 0;
}
