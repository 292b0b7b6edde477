/* config.json of a checkpoint: the keys it becomes, whatever its makers called them. */
#include "test.h"

#include "base/str.h"
#include "domain/checkpoint.h"
#include "model/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int config(struct pl_model *m, const char *text, struct pl_err *err)
{
    *m = (struct pl_model){.path = "config.json", .format = "safetensors"};
    pl_arena_init(&m->arena, PL_SAFETENSORS_MEMORY_MAX);
    return pl_config_read(m, text, strlen(text), "config.json", err);
}

static uint64_t u64(const struct pl_model *m, const char *suffix)
{
    return pl_model_arch_u64(m, suffix, UINT64_MAX);
}

static void numbers_by_any_name(void **state)
{
    static const char *const same[] = {
        "{\"model_type\":\"a\",\"num_hidden_layers\":12,\"hidden_size\":768,\"num_attention_"
        "heads\":12,"
        "\"intermediate_size\":3072,\"max_position_embeddings\":1024,\"vocab_size\":50257}",
        "{\"model_type\":\"a\",\"n_layer\":12,\"n_embd\":768,\"n_head\":12,\"n_inner\":3072,"
        "\"n_positions\":1024,\"vocab_size\":50257}",
        "{\"model_type\":\"a\",\"n_layers\":12,\"d_model\":768,\"n_heads\":12,\"d_ff\":3072,"
        "\"max_seq_len\":1024,\"padded_vocab_size\":50257}",
        "{\"model_type\":\"a\",\"text_config\":{\"num_hidden_layers\":12,\"hidden_size\":768,"
        "\"num_attention_heads\":12,\"intermediate_size\":3072,\"max_position_embeddings\":1024,"
        "\"vocab_size\":50257},\"hidden_size\":1152}",
        "{\"model_type\":\"a\",\"thinker_config\":{\"text_config\":{\"num_hidden_layers\":12,"
        "\"hidden_size\":768,\"num_attention_heads\":12,\"intermediate_size\":3072,"
        "\"max_position_embeddings\":1024,\"vocab_size\":50257}}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct pl_model m;
        struct pl_err err = {0};
        if (config(&m, same[i], &err) < 0)
            fail_msg("%s: %s", same[i], err.what);
        assert_string_equal(m.arch, "a");
        assert_int_equal(u64(&m, "block_count"), 12);
        assert_int_equal(u64(&m, "embedding_length"), 768);
        assert_int_equal(u64(&m, "attention.head_count"), 12);
        assert_int_equal(u64(&m, "feed_forward_length"), 3072);
        assert_int_equal(u64(&m, "context_length"), 1024);
        assert_int_equal(u64(&m, "vocab_size"), 50257);
        assert_int_equal(u64(&m, "attention.head_count_kv"), UINT64_MAX); /* not said, no 0 */
        assert_null(pl_model_kv(&m, "config.tie_word_embeddings"));
        pl_arena_done(&m.arena);
    }
}

static void heads_of_every_kind(void **state)
{
    struct pl_model m;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(config(&m,
                            "{\"model_type\":\"deepseek_v3\",\"num_attention_heads\":128,"
                            "\"kv_lora_rank\":512,\"qk_rope_head_dim\":64,\"qk_nope_head_dim\":128,"
                            "\"v_head_dim\":128}",
                            &err),
                     0);
    assert_int_equal(u64(&m, "attention.key_length"), 576);
    assert_int_equal(u64(&m, "attention.value_length"), 512);
    assert_int_equal(u64(&m, "attention.key_length_mla"), 192);
    assert_int_equal(u64(&m, "attention.value_length_mla"), 128);
    pl_arena_done(&m.arena);
    assert_int_equal(
        config(&m, "{\"model_type\":\"falcon\",\"n_head\":71,\"multi_query\":true}", &err), 0);
    assert_int_equal(u64(&m, "attention.head_count_kv"), 1);
    pl_arena_done(&m.arena);
}

static void layers_by_their_kind(void **state)
{
    static const int64_t slides[] = {1, 0, 1, 0}, heads[] = {2, 2, 2, 0};
    struct pl_model m;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(
        config(
            &m,
            "{\"model_type\":\"a\",\"num_hidden_layers\":4,\"num_attention_heads\":4,"
            "\"num_key_value_heads\":2,\"sliding_window\":512,\"layer_types\":["
            "\"sliding_attention\",\"full_attention\",\"chunked_attention\",\"linear_attention\"]}",
            &err),
        0);
    const struct pl_kv *w = pl_model_arch_kv(&m, "attention.sliding_window_pattern");
    const struct pl_kv *h = pl_model_arch_kv(&m, "attention.head_count_kv_by_layer");
    assert_non_null(w);
    assert_non_null(h);
    assert_int_equal(w->count, 4);
    assert_memory_equal(w->ints, slides, sizeof(slides));
    assert_memory_equal(h->ints, heads, sizeof(heads));
    assert_int_equal(u64(&m, "attention.sliding_window"), 512);
    pl_arena_done(&m.arena);
    /* every sixth is whole */
    assert_int_equal(config(&m,
                            "{\"model_type\":\"a\",\"num_hidden_layers\":7,\"sliding_window\":512,"
                            "\"sliding_window_pattern\":6}",
                            &err),
                     0);
    w = pl_model_arch_kv(&m, "attention.sliding_window_pattern");
    assert_non_null(w);
    for (int il = 0; il < 7; il++)
        assert_int_equal(w->ints[il], il == 5 ? 0 : 1);
    pl_arena_done(&m.arena);
    /* the window is there, and off */
    assert_int_equal(config(&m,
                            "{\"model_type\":\"a\",\"num_hidden_layers\":2,\"sliding_window\":512,"
                            "\"use_sliding_window\":false}",
                            &err),
                     0);
    assert_int_equal(u64(&m, "attention.sliding_window"), UINT64_MAX);
    pl_arena_done(&m.arena);
}

static void types_and_quantisers(void **state)
{
    static const struct {
        const char *text, *method;
        uint64_t bits;
    } said[] = {
        {"{\"model_type\":\"a\",\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}",
         "gptq",                                                                                                    4         },
        {"{\"model_type\":\"a\",\"quantization_config\":{\"load_in_4bit\":true}}",                  "bitsandbytes",
         4                                                                                                                    },
        {"{\"model_type\":\"a\",\"quantization_config\":{\"load_in_8bit\":true}}",                  "bitsandbytes",
         8                                                                                                                    },
        {"{\"model_type\":\"a\",\"text_config\":{\"quantization_config\":{\"quant_method\":\"fp8\"}"
         "}}",                                                                             "fp8",          UINT64_MAX},
        {"{\"model_type\":\"a\",\"compression_config\":{\"quant_method\":\"compressed-tensors\"}}",
         "compressed-tensors",                                                                                      UINT64_MAX},
        {"{\"model_type\":\"a\"}",                                                                  "",             UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct pl_model m;
        struct pl_err err = {0};
        assert_int_equal(config(&m, said[i].text, &err), 0);
        assert_string_equal(pl_model_str(&m, "config.quant_method", ""), said[i].method);
        const struct pl_kv *bits = pl_model_kv(&m, "config.quant_bits");
        assert_int_equal(bits != NULL ? bits->u : UINT64_MAX, said[i].bits);
        assert_string_equal(pl_model_str(&m, "config.dtype", ""), "");
        pl_arena_done(&m.arena);
    }
}

/* What is no name, no number or no JSON. */
static void odd_words_stay_outside(void **state)
{
    static const char *const bad[] = {"",
                                      "[1]",
                                      "7",
                                      "{",
                                      "{\"model_type\":\"../../etc\"}",
                                      "{\"model_type\":\"a b\"}",
                                      "{\"model_type\":\"a.b\"}",
                                      "{\"model_type\":\"\\u001b[31m\"}"};
    struct pl_model m;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pl_err err = {0};
        int rc = config(&m, bad[i], &err);
        if (rc != -EBADMSG || err.exit_code != 2)
            fail_msg("%s: %d, exit %d: %s", bad[i], rc, err.exit_code, err.what);
        assert_null(strchr(err.what, '\x1b'));
        pl_arena_done(&m.arena);
    }
    struct pl_err err = {0};
    assert_int_equal(config(&m,
                            "{\"model_type\":\"a\",\"num_hidden_layers\":-4,\"hidden_size\":4.5,"
                            "\"vocab_size\":1e30,\"torch_dtype\":\"\\u001b[2Jbf\","
                            "\"layer_types\":[1,2]}",
                            &err),
                     0);
    assert_int_equal(u64(&m, "block_count"), UINT64_MAX);
    assert_int_equal(u64(&m, "embedding_length"), UINT64_MAX);
    assert_int_equal(u64(&m, "vocab_size"), UINT64_MAX);
    assert_null(strchr(pl_model_str(&m, "config.dtype", ""), '\x1b'));
    pl_arena_done(&m.arena);
}

/* More layers than there can be are refused, not counted. */
static void endless_layers_are_refused(void **state)
{
    static struct pl_checkpoint c;
    struct pl_model m;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(
        config(&m, "{\"model_type\":\"a\",\"num_hidden_layers\":1099511627776,\"hidden_size\":8}",
               &err),
        0);
    assert_int_equal(pl_checkpoint_read(&m, &c, &err), -EBADMSG);
    assert_int_equal(err.exit_code, 2);
    pl_arena_done(&m.arena);
}

/* A head that is stored although the embedding serves for it is kept once. */
static void a_tied_head_is_spare(void **state)
{
    struct pl_tensor tensor[] = {
        {.name = "model.embed_tokens.weight", .n_dims = 2, .ne = {8, 32, 1, 1}},
        {.name = "lm_head.weight",            .n_dims = 2, .ne = {8, 32, 1, 1}},
    };
    static const struct {
        const char *tied;
        uint64_t parameters;
    } said[] = {
        {"true",    256},
        {"false",   512},
        {"null",    512},
        {"\"yes\"", 512},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        static struct pl_checkpoint c;
        struct pl_model m;
        struct pl_err err = {0};
        char text[200];
        (void)PL_FMT(text,
                     "{\"model_type\":\"a\",\"num_hidden_layers\":1,\"hidden_size\":8,"
                     "\"num_attention_heads\":1,\"tie_word_embeddings\":%s}",
                     said[i].tied);
        assert_int_equal(config(&m, text, &err), 0);
        m.tensor = tensor;
        m.n_tensor = 2;
        assert_int_equal(pl_checkpoint_read(&m, &c, &err), 0);
        assert_int_equal(c.parameters, said[i].parameters);
        assert_int_equal(c.tied, said[i].parameters == 256);
        m.n_tensor = 1; /* no head: nothing is spare */
        assert_null(pl_checkpoint_spare_head(&m));
        m.tensor = tensor + 1; /* no embedding: the head is what is kept */
        assert_null(pl_checkpoint_spare_head(&m));
        pl_arena_done(&m.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_by_any_name),        cmocka_unit_test(heads_of_every_kind),
        cmocka_unit_test(layers_by_their_kind),       cmocka_unit_test(types_and_quantisers),
        cmocka_unit_test(odd_words_stay_outside),     cmocka_unit_test(a_tied_head_is_spare),
        cmocka_unit_test(endless_layers_are_refused),
    };
    return cmocka_run_group_tests_name("config_json", tests, NULL, NULL);
}
