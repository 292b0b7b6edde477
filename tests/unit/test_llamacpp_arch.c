#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/arch.h"
#include "engine/llamacpp/cache.h"
#include "gguf_make.h"
#include "model/gguf.h"

#include <errno.h>
#include <string.h>

#define F16 1u
#define Q8_0 8u
#define KEYS_MAX 32

static struct pl_make make;

static int open_made(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    (void)ctx;
    (void)path;
    (void)err;
    pl_input_memory(make.data, make.n, ret);
    return 0;
}

/* "key=7" or "key=[1,0,1]"; numbers only. */
static void put_key(const char *arch, const char *text)
{
    char key[96];
    const char *equals = strchr(text, '='), *at = equals + 1;
    uint64_t value[512], n = 0;
    (void)PL_FMT(key, "%s.%.*s", arch, (int)(equals - text), text);
    bool array = *at == '[';
    for (at += array ? 1 : 0; *at >= '0' && *at <= '9'; at += *at == ',' ? 1 : 0) {
        for (value[n] = 0; *at >= '0' && *at <= '9'; at++)
            value[n] = value[n] * 10 + (uint64_t)(*at - '0');
        n++;
    }
    if (!array) {
        pl_make_key_int(&make, key, PL_KV_U32, value[0]);
        return;
    }
    pl_make_key_array(&make, key, PL_KV_U32, n);
    for (uint64_t i = 0; i < n; i++)
        pl_make_int(&make, 4, value[i]);
}

/* The geometry that a header with these keys gives: a file of keys and one small tensor. */
static int net_of(const char *arch, const char *const *keys, struct pl_net *ret, struct pl_err *err)
{
    struct pl_opener opener = {open_made, NULL};
    struct pl_model *m = NULL;
    uint64_t n = 0;
    while (keys[n] != NULL)
        n++;
    pl_make_start(&make, false);
    pl_make_head(&make, 3, 1, n + 2);
    pl_make_key_str(&make, "general.architecture", arch);
    pl_make_key_str(&make, "tokenizer.ggml.model", "no_vocab");
    for (uint64_t i = 0; i < n; i++)
        put_key(arch, keys[i]);
    pl_make_tensor(&make, "token_embd.weight", 8, 8, 0, 0);
    pl_make_pad(&make, 32);
    pl_make_zeros(&make, 256);
    assert_int_equal(pl_gguf_read_with(&opener, "made.gguf", &m, err), 0);
    *ret = (struct pl_net){0};
    int rc = pl_llamacpp_net(m, ret, err);
    (void)pl_model_free(m);
    pl_make_done(&make);
    return rc;
}

static struct pl_resolved served(uint64_t n_ctx, uint64_t slots, bool unified, uint32_t type)
{
    return (struct pl_resolved){.n_ctx = n_ctx,
                                .n_ctx_seq = unified ? n_ctx : n_ctx / slots,
                                .n_seq = slots,
                                .n_stream = unified ? 1 : slots,
                                .kv_unified = unified,
                                .n_batch = 2048,
                                .n_ubatch = 512,
                                .type_k = type,
                                .type_v = type,
                                .flash_attn = true};
}

static struct pl_layer_cache cache_of(const char *arch, const char *const *keys,
                                      const struct pl_resolved *r)
{
    struct pl_net net;
    struct pl_err err = {0};
    if (net_of(arch, keys, &net, &err) != 0)
        fail_msg("%s: %s", arch, err.what);
    struct pl_layer_cache c = pl_llamacpp_cache(&net, r);
    pl_net_done(&net);
    return c;
}

static int refused(const char *arch, const char *const *keys)
{
    struct pl_net net;
    struct pl_err err = {0};
    int rc = net_of(arch, keys, &net, &err);
    assert_true(rc < 0 && err.what[0] != '\0');
    pl_net_done(&net);
    return rc;
}

static void names_are_sorted_and_told_apart(void **state)
{
    (void)state;
    assert_true(pl_arch_count() > 150);
    for (uint32_t i = 0; i < pl_arch_count(); i++) {
        const struct pl_arch *a = pl_arch_at(i);
        assert_ptr_equal(pl_arch(a->name), a);
        assert_true(i == 0 || strcmp(pl_arch_at(i - 1)->name, a->name) < 0);
        assert_true(a->source[0] != '\0');
        assert_true((a->window == PL_WINDOW_NONE) == (a->window_when == PL_WINDOW_WHEN_NEVER));
        assert_true((a->window == PL_WINDOW_NONE) == (a->pattern == PL_PATTERN_NONE));
        assert_true((a->recurrent == PL_RECURRENT_NONE) ==
                    (a->recurrent_layers == PL_RECURRENT_LAYERS_NONE));
    }
}

static void a_mistyped_name_has_a_neighbour(void **state)
{
    (void)state;
    assert_null(pl_arch("lama"));
    assert_string_equal(pl_arch_nearest("lama"), "llama");
    assert_string_equal(pl_arch_nearest("qwen36moe"), "qwen35moe");
    assert_null(pl_arch_nearest("wholly-different-thing"));
    assert_null(pl_arch_nearest("a-name-longer-than-any-architecture-has"));
}

/* Estimators that charge every layer say four times as much: only each fourth attends. */
static void a_hybrid_caches_its_attention_layers_only(void **state)
{
    (void)state;
    static const char *const qwen35[] = {"block_count=32",
                                         "embedding_length=4096",
                                         "context_length=262144",
                                         "attention.head_count=16",
                                         "attention.head_count_kv=4",
                                         "attention.key_length=256",
                                         "attention.value_length=256",
                                         "ssm.conv_kernel=4",
                                         "ssm.inner_size=4096",
                                         "ssm.state_size=128",
                                         "ssm.time_step_rank=32",
                                         "ssm.group_count=16",
                                         NULL};
    struct pl_resolved r = served(65536, 1, false, F16);
    struct pl_layer_cache c = cache_of("qwen35", qwen35, &r);
    assert_int_equal(c.global, 8ull * 65536 * 4 * (256 + 256) * 2);
    assert_int_equal(c.window, 0);
    /* 24 layers: 3 columns of 4096 + 2 x 16 x 128, and 128 x 4096; f32 */
    assert_int_equal(c.recurrent, 24ull * (3 * (4096 + 4096) + 128 * 4096) * 4);
    r = served(65536, 4, true, F16);
    assert_int_equal(cache_of("qwen35", qwen35, &r).recurrent, 4 * c.recurrent);
    assert_int_equal(cache_of("qwen35", qwen35, &r).global, c.global);
}

/* The first layer's head_count_kv is 0; estimators that read only it say "no cache". */
static void heads_are_read_layer_by_layer(void **state)
{
    (void)state;
    static const char *const lfm2[] = {
        "block_count=16",          "embedding_length=2048",
        "attention.head_count=32", "attention.head_count_kv=[0,0,8,0,0,8,0,0,8,0,8,0,8,0,8,0]",
        "shortconv.l_cache=3",     NULL};
    struct pl_resolved r = served(32768, 1, false, F16);
    struct pl_layer_cache c = cache_of("lfm2", lfm2, &r);
    assert_int_equal(c.global, 6ull * 32768 * 8 * (64 + 64) * 2);
    assert_int_equal(c.recurrent, 10ull * 2048 * 2 * 4);
}

/* Half of gpt-oss slides over 128; who takes it for full attention is off by two. The window grows
 * by the physical batch (512), not by the logical one (2048). */
static void sliding_layers_keep_their_window_and_one_batch(void **state)
{
    (void)state;
    static const char *const gpt_oss[] = {"block_count=24",
                                          "embedding_length=2880",
                                          "attention.head_count=64",
                                          "attention.head_count_kv=8",
                                          "attention.key_length=64",
                                          "attention.value_length=64",
                                          "attention.sliding_window=128",
                                          "expert_count=32",
                                          "expert_used_count=4",
                                          NULL};
    struct pl_resolved r = served(131072, 1, false, F16);
    struct pl_layer_cache c = cache_of("gpt-oss", gpt_oss, &r);
    const uint64_t row = 8 * (64 + 64) * 2;
    assert_int_equal(c.global, 12 * 131072 * row);
    assert_int_equal(c.window, 12 * 768 * row); /* 128 + 512, padded to 256 */
    r.swa_full = true;
    assert_int_equal(cache_of("gpt-oss", gpt_oss, &r).window, 12 * 131072 * row);
}

/* Only 20 of 30 layers own a cache, 4 of them a global one. */
static void shared_caches_are_counted_once(void **state)
{
    (void)state;
    static const char *const gemma3n[] = {"block_count=30",
                                          "embedding_length=2048",
                                          "attention.head_count=8",
                                          "attention.head_count_kv=2",
                                          "attention.key_length=256",
                                          "attention.value_length=256",
                                          "attention.sliding_window=512",
                                          NULL};
    struct pl_resolved r = served(32768, 1, false, F16);
    struct pl_layer_cache c = cache_of("gemma3n", gemma3n, &r);
    const uint64_t row = 2 * (256 + 256) * 2;
    assert_int_equal(c.global, 4 * 32768 * row);
    assert_int_equal(c.window, 16 * 1024 * row);
    /* full attention on all layers, as some say: 6.6 times as much */
    assert_true(30 * 32768 * row > 6 * (c.global + c.window));
}

/* 576 values a token and layer (512 + 64), no V; decompressed heads would be 128 x (192 + 128). */
static void latent_attention_keeps_one_compressed_row(void **state)
{
    (void)state;
    static const char *const deepseek2[] = {"block_count=61",
                                            "embedding_length=7168",
                                            "attention.head_count=128",
                                            "attention.head_count_kv=1",
                                            "attention.key_length=576",
                                            "attention.value_length=512",
                                            "attention.key_length_mla=192",
                                            "attention.value_length_mla=128",
                                            "attention.kv_lora_rank=512",
                                            "expert_count=256",
                                            "expert_used_count=8",
                                            NULL};
    struct pl_resolved r = served(32768, 1, false, F16);
    assert_int_equal(cache_of("deepseek2", deepseek2, &r).global, 61ull * 32768 * 576 * 2);
}

/* 40 of 48 layers slide over 1024: 255 MiB for one slot, 765 for four that share a cache. */
static void slots_that_share_a_cache_multiply_the_window(void **state)
{
    (void)state;
    static char pattern[256] = "attention.sliding_window_pattern=[";
    static const char *keys[] = {"block_count=48",
                                 "embedding_length=3840",
                                 "attention.head_count=16",
                                 "attention.head_count_kv=8",
                                 "attention.key_length=512",
                                 "attention.value_length=512",
                                 "attention.key_length_swa=256",
                                 "attention.value_length_swa=256",
                                 "attention.sliding_window=1024",
                                 pattern,
                                 NULL};
    for (int il = 0; il < 48; il++)
        (void)strncat(pattern, il % 6 == 5 ? "0," : "1,", 3);
    pattern[strlen(pattern) - 1] = ']';
    struct pl_resolved one = served(32768, 1, false, Q8_0), four = served(32768, 4, true, Q8_0);
    assert_int_equal(cache_of("gemma4", keys, &one).window, 255 * PL_MIB);
    assert_int_equal(cache_of("gemma4", keys, &four).window, 765 * PL_MIB);
    struct pl_resolved apart = served(131072, 4, false, Q8_0);
    assert_int_equal(cache_of("gemma4", keys, &apart).window, 4 * 255 * PL_MIB);
}

/* Encoders answer from one batch: nothing grows with the context. */
static void encoders_keep_nothing(void **state)
{
    (void)state;
    static const char *const bert[] = {"block_count=24", "embedding_length=1024",
                                       "attention.head_count=16", "attention.causal=0", NULL};
    struct pl_resolved r = served(131072, 1, false, F16);
    struct pl_layer_cache c = cache_of("bert", bert, &r);
    assert_int_equal(c.global + c.window + c.recurrent, 0);
    c = cache_of("dream", bert, &r);
    assert_int_equal(c.global + c.window + c.recurrent, 0);
    c = cache_of("llama-embed", bert, &r); /* a decoder that looks both ways still has one */
    assert_int_equal(c.global, 24ull * 131072 * 2048 * 2);
}

static void layers_for_token_prediction_have_no_cache(void **state)
{
    (void)state;
    static const char *const glm[] = {"block_count=47",           "embedding_length=4096",
                                      "attention.head_count=96",  "attention.head_count_kv=8",
                                      "attention.key_length=128", "attention.value_length=128",
                                      "nextn_predict_layers=1",   "expert_count=8",
                                      "expert_used_count=2",      NULL};
    struct pl_resolved r = served(4096, 1, false, F16);
    assert_int_equal(cache_of("glm4moe", glm, &r).global, 46ull * 4096 * 8 * 256 * 2);
}

/* Without flash attention V lies transposed and every layer gets the widest row. */
static void unlike_layers_are_padded_without_flash_attention(void **state)
{
    (void)state;
    static const char *const deci[] = {"block_count=4", "embedding_length=4096",
                                       "attention.head_count=32",
                                       "attention.head_count_kv=[8,2,0,8]", NULL};
    struct pl_resolved r = served(4096, 1, false, F16);
    assert_int_equal(cache_of("deci", deci, &r).global, 18ull * 4096 * 256 * 2);
    r.flash_attn = false;
    assert_int_equal(cache_of("deci", deci, &r).global, (18ull + 32) * 4096 * 128 * 2);
}

static void caches_grow_with_context_and_slots(void **state)
{
    (void)state;
    static const char *const keys[] = {"block_count=8",
                                       "embedding_length=256",
                                       "attention.head_count=4",
                                       "context_length=4096",
                                       "attention.head_count_kv=[2,0,2,0,2,0,2,2]",
                                       "attention.sliding_window=512",
                                       "attention.sliding_window_pattern=[1,1,0,1,1,0,1,0]",
                                       "ssm.conv_kernel=4",
                                       "ssm.inner_size=512",
                                       "ssm.state_size=64",
                                       "ssm.time_step_rank=4",
                                       "ssm.group_count=2",
                                       "shortconv.l_cache=3",
                                       "kda.head_dim=64",
                                       "wkv.head_size=64",
                                       "attention.indexer.key_length=128",
                                       "attention.compress_ratios=[0,4,4,128,4,128,0,4]",
                                       "attention.indexer.types=[1,1,0,1,1,0,1,0]",
                                       NULL};
    for (uint32_t i = 0; i < pl_arch_count(); i++) {
        const struct pl_arch *a = pl_arch_at(i);
        struct pl_net net;
        struct pl_err err = {0};
        if (net_of(a->name, keys, &net, &err) != 0) {
            assert_int_equal(err.exit_code, PL_EXIT_CANNOT_TELL);
            continue;
        }
        struct pl_layer_cache before = {0};
        for (uint64_t n = 256; n <= 1u << 20; n *= 4) {
            struct pl_resolved r = served(n, 1, false, F16), more = served(n * 4, 4, false, F16);
            struct pl_layer_cache c = pl_llamacpp_cache(&net, &r),
                                  d = pl_llamacpp_cache(&net, &more);
            assert_true(c.global >= before.global && c.window >= before.window);
            assert_true(c.recurrent == before.recurrent || n == 256);
            assert_true(d.global == 4 * c.global && d.window == 4 * c.window);
            assert_true(d.recurrent == 4 * c.recurrent);
            before = c;
        }
        pl_net_done(&net);
    }
}

static void headers_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    static const char *const none[] = {"embedding_length=64", NULL};
    assert_int_equal(refused("llama", none), -EBADMSG);
    static const char *const many[] = {"block_count=513", "embedding_length=64", NULL};
    assert_int_equal(refused("llama", many), -EBADMSG);
    static const char *const shorter[] = {"block_count=3", "embedding_length=64",
                                          "attention.head_count=[1,2]", NULL};
    assert_int_equal(refused("llama", shorter), -EBADMSG);
    static const char *const wide[] = {"block_count=2", "embedding_length=64",
                                       "attention.head_count=4000000000", NULL};
    assert_int_equal(refused("llama", wide), -EBADMSG);
    static const char *const plain[] = {"block_count=2", "embedding_length=64",
                                        "attention.head_count=2", NULL};
    assert_int_equal(refused("mamba", plain), -EBADMSG);   /* ssm.* */
    assert_int_equal(refused("cohere2", plain), -EBADMSG); /* the window */
    assert_int_equal(refused("mimo2", plain), -EBADMSG);   /* and its pattern */
    static const char *const nextn[] = {"block_count=2", "embedding_length=64",
                                        "nextn_predict_layers=2", NULL};
    assert_int_equal(refused("glm4moe", nextn), -EBADMSG);
    static const char *const shared[] = {"block_count=4",
                                         "embedding_length=64",
                                         "attention.head_count=2",
                                         "attention.sliding_window=8",
                                         "attention.sliding_window_pattern=[1,0,1,0]",
                                         "attention.shared_kv_layers=3",
                                         NULL};
    assert_int_equal(refused("gemma4", shared), -EBADMSG);
    static const char *const experts[] = {"block_count=2", "embedding_length=64", "expert_count=4",
                                          "expert_used_count=5", NULL};
    assert_int_equal(refused("qwen3moe", experts), -EBADMSG);
    assert_int_equal(refused("eagle3", plain), -ENOTSUP);
    assert_int_equal(refused("gptj", plain), -ENOTSUP);
    assert_int_equal(refused("nobody-knows", plain), -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_told_apart),
        cmocka_unit_test(a_mistyped_name_has_a_neighbour),
        cmocka_unit_test(a_hybrid_caches_its_attention_layers_only),
        cmocka_unit_test(heads_are_read_layer_by_layer),
        cmocka_unit_test(sliding_layers_keep_their_window_and_one_batch),
        cmocka_unit_test(shared_caches_are_counted_once),
        cmocka_unit_test(latent_attention_keeps_one_compressed_row),
        cmocka_unit_test(slots_that_share_a_cache_multiply_the_window),
        cmocka_unit_test(encoders_keep_nothing),
        cmocka_unit_test(layers_for_token_prediction_have_no_cache),
        cmocka_unit_test(unlike_layers_are_padded_without_flash_attention),
        cmocka_unit_test(caches_grow_with_context_and_slots),
        cmocka_unit_test(headers_that_contradict_themselves_are_refused),
    };
    return cmocka_run_group_tests_name("llamacpp_arch", tests, NULL, NULL);
}
