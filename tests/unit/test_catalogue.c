#include "test.h"

#include "base/str.h"
#include "model/catalogue.h"
#include "model/mix.h"
#include "model/open.h"
#include "tree.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the published count and the tensors differ, and why. */
static bool differs_for_a_reason(const char *id)
{
    static const char *const known[] = {
        "nomic-embed-text-v2-moe", /* the biases of its experts are not converted */
        "gemma-3n-e2b",            /* embeddings per layer are padded to the vocabulary */
        "gemma-3n-e4b",
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (pl_streq(known[i], id))
            return true;
    }
    return false;
}

/* Each row's tensors hold exactly the parameters that the table says its GGUF file has; rows that
 * cannot be told say so. */
static void parameters_are_the_published(void **state)
{
    size_t n = 0, exact = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    (void)state;
    assert_true(n >= 348);
    for (size_t i = 0; i < n; i++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        assert_non_null(row[i].source);
        if (pl_catalogue_model(&row[i], NULL, &m, &err) < 0) {
            assert_int_equal(err.exit_code, PL_EXIT_CANNOT_TELL);
            assert_non_null(strstr(err.what, "cannot tell"));
            assert_true(row[i].offered == 0);
            continue;
        }
        if (m->format != NULL) { /* Whisper has no GGUF; those of distil- are published rounded */
            if (row[i].params_total != PL_CATALOGUE_UNKNOWN && pl_starts(row[i].id, "whisper"))
                assert_true(pl_model_parameters(m) == row[i].params_total);
            (void)pl_model_free(m);
            continue;
        }
        bool same = pl_model_parameters(m) == row[i].params_text;
        if (same == differs_for_a_reason(row[i].id))
            fail_msg("%s: %" PRIu64 " parameters, published %" PRIu64, row[i].id,
                     pl_model_parameters(m), row[i].params_text);
        exact += same ? 1 : 0;
        assert_true(m->ghost);
        assert_string_equal(pl_model_file_type(m), pl_mix_named(pl_catalogue_quant(&row[i]))->name);
        assert_true(pl_model_arch_u64(m, "block_count", 0) == row[i].n_layer + row[i].mtp_layers);
        assert_true(pl_model_kv(m, "tokenizer.ggml.tokens")->count == row[i].n_vocab);
        (void)pl_model_free(m);
    }
    assert_true(exact >= 310);
}

/* "blk.30.attn_k.weight" -> 30, for the tensors that make keys and values; else -1. */
static int64_t layer_of_kv(const char *name)
{
    static const char *const kv[] = {".attn_k.weight", ".attn_v.weight", ".attn_k_norm.weight"};
    const char *dot = pl_starts(name, "blk.") ? strchr(name + 4, '.') : NULL;
    for (size_t i = 0; dot != NULL && i < sizeof(kv) / sizeof(kv[0]); i++) {
        if (pl_streq(dot, kv[i]))
            return strtoll(name + 4, NULL, 10);
    }
    return -1;
}

/* Google's own Q4_0 files of the small Gemma 4 are shorter than what llama-quantize makes of the
 * published weights: the keys and values of layers that use those of others are left out of them,
 * and nothing else (lengths: google/gemma-4-E4B-it-qat-q4_0-gguf and its E2B sister on the hub). */
static void shared_layers_are_what_differs(void **state)
{
    static const struct {
        const char *id;
        uint64_t bytes, shared;
    } known[] = {
        {"gemma-4-e4b", 5154941280, 18},
        {"gemma-4-e2b", 3349516256, 20},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct pl_model *m = NULL;
        const struct pl_catalogue_row *row = pl_catalogue_find(known[i].id);
        assert_int_equal(pl_catalogue_model(row, "q4_0", &m, NULL), 0);
        uint64_t out = 0, n = 0;
        for (uint64_t k = 0; k < m->n_tensor; k++) {
            const struct pl_tensor *t = &m->tensor[k];
            if (layer_of_kv(t->name) < (int64_t)(row->n_layer - known[i].shared))
                continue;
            /* its data, and its line of the table: name, dimensions, type, offset */
            out += t->bytes + 8 + strlen(t->name) + 4 + 8 * (uint64_t)t->n_dims + 4 + 8;
            n++;
        }
        assert_int_equal(n, 3 * known[i].shared);
        uint64_t left = m->file_bytes - out;
        uint64_t off = left > known[i].bytes ? left - known[i].bytes : known[i].bytes - left;
        if (off > 6144)
            fail_msg("%s: %" PRIu64 " without them, published %" PRIu64, known[i].id, left,
                     known[i].bytes);
        (void)pl_model_free(m);
    }
}

/* Lengths of published files, which hang on the header too. */
static void file_lengths(void **state)
{
    static const struct {
        const char *id, *quant;
        uint64_t bytes;
    } known[] = {
        {"qwen2.5-7b",            "q4_k_m", 4683073536 },
        {"qwen2.5-7b",            "q3_k_m", 3808391872 },
        {"qwen3-8b",              "q4_k_m", 5027783488 },
        {"qwen3-4b",              "q4_k_m", 2497281120 },
        {"llama-3.1-8b",          "q4_k_m", 4920734272 },
        {"qwen3-4b-2507",         "q4_k_m", 2497281120 },
        {"qwen3-30b-a3b",         "q4_k_m", 18556686336},
        {"qwen2.5-vl-3b",         "q4_k_m", 1929901056 },
        {"granite-4.1-8b",        "q4_k_m", 5347914400 },
        {"granite-4.0-350m",      "q4_k_m", 236985760  },
        {"ministral-3-8b",        "q4_k_m", 5198911904 },
        {"gemma-3-4b",            "q4_k_m", 2489757856 },
        {"gemma-4-31b",           "q4_0",   17651001568},
        {"gemma-4-26b-a4b",       "q4_0",   14439363584},
        {"gemma-4-12b",           "q4_0",   6975877728 },
        {"multilingual-e5-small", "f16",    241873728  },
        {"bge-reranker-v2-m3",    "f16",    1159776896 },
        {"smollm2-135m",          "q4_k_m", 105454432  },
        {"mistral-7b-v0.3",       "q4_k_m", 4372812000 },
        {"mistral-7b-v0.3",       "q8_0",   7702565088 },
        {"mistral-7b-v0.3",       "iq2_m",  2504249568 },
        {"mistral-7b-v0.3",       "q3_k_s", 3168522464 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct pl_model *m = NULL;
        assert_int_equal(
            pl_catalogue_model(pl_catalogue_find(known[i].id), known[i].quant, &m, NULL), 0);
        uint64_t off = m->file_bytes > known[i].bytes ? m->file_bytes - known[i].bytes
                                                      : known[i].bytes - m->file_bytes;
        if (off > 6144)
            fail_msg("%s %s: %" PRIu64 ", published %" PRIu64, known[i].id, known[i].quant,
                     m->file_bytes, known[i].bytes);
        (void)pl_model_free(m);
    }
}

/* gpt-oss was published in MXFP4; the file of ggml-org/gpt-oss-20b-GGUF keeps a few small tensors
 * in other types than the mix. */
static void published_quantised(void **state)
{
    const struct pl_catalogue_row *row = pl_catalogue_find("gpt-oss-20b");
    const double published = 12109566560;
    struct pl_model *m = NULL;
    (void)state;
    assert_string_equal(pl_catalogue_quant(row), "MXFP4_MOE");
    assert_true(pl_catalogue_quant_own(row, "mxfp4_moe"));
    assert_false(pl_catalogue_quant_own(row, "q4_k_m"));
    assert_false(pl_catalogue_quant_own(NULL, "mxfp4_moe"));
    assert_string_equal(pl_catalogue_quant(pl_catalogue_find("qwen3-8b")), PL_CATALOGUE_QUANT);
    assert_int_equal(pl_catalogue_model(row, NULL, &m, NULL), 0);
    assert_true(fabs((double)m->file_bytes / published - 1) < 0.0005);
    (void)pl_model_free(m);
}

static void every_mix_of_every_row(void **state)
{
    size_t n_row = 0, n_mix = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n_row);
    const struct pl_mix *mix = pl_mixes(&n_mix);
    (void)state;
    for (size_t i = 0; i < n_row; i++) {
        for (size_t k = i % 7; k < n_mix; k += 7) {
            struct pl_model *m = NULL;
            struct pl_err err = {0};
            if (row[i].gguf_arch != NULL && pl_streq(row[i].gguf_arch, "whisper"))
                continue; /* its files have types of their own: tests/cli/whisper.sh */
            int rc = pl_catalogue_model(&row[i], mix[k].name, &m, &err);
            /* without a fallback for rows that are no whole blocks llama-quantize stops as well */
            if (rc < 0 && rc != -ENOTSUP && strstr(err.what, "do not fit blocks") == NULL)
                fail_msg("%s %s: %s", row[i].id, mix[k].name, err.what);
            assert_true(rc == 0 || row[i].offered == 0 || pl_streq(mix[k].name, "Q1_0") ||
                        pl_streq(mix[k].name, "NVFP4"));
            assert_true(rc < 0 || m->file_bytes > pl_model_tensor_bytes(m));
            m = pl_model_free(m);
        }
    }
}

static void tensors_of_the_families(void **state)
{
    struct pl_model *m = NULL;
    (void)state;
    assert_int_equal(pl_catalogue_model(pl_catalogue_find("qwen3-8b"), "Q4_K_M", &m, NULL), 0);
    assert_string_equal(m->path, "qwen3-8b:q4_k_m");
    assert_non_null(pl_model_tensor(m, "blk.35.attn_q_norm.weight"));
    assert_non_null(pl_model_tensor(m, "output.weight"));
    assert_null(pl_model_tensor(m, "blk.0.attn_q.bias"));
    assert_true(pl_model_arch_u64(m, "attention.key_length", 0) == 128);
    assert_true(m->n_file == 0);
    m = pl_model_free(m);
    assert_int_equal(pl_catalogue_model(pl_catalogue_find("qwen2.5-0.5b"), NULL, &m, NULL), 0);
    assert_non_null(pl_model_tensor(m, "blk.23.attn_v.bias"));
    assert_null(pl_model_tensor(m, "output.weight"));
    m = pl_model_free(m);
    assert_int_equal(pl_catalogue_model(pl_catalogue_find("llama-3.2-1b"), NULL, &m, NULL), 0);
    assert_true(pl_model_tensor(m, "rope_freqs.weight")->ne[0] == 32);
    m = pl_model_free(m);
    /* head width that is not embedding / heads */
    assert_int_equal(pl_catalogue_model(pl_catalogue_find("mistral-small-24b"), NULL, &m, NULL), 0);
    assert_true(pl_model_arch_u64(m, "attention.key_length", 0) == 128);
    assert_true(pl_model_tensor(m, "blk.0.attn_q.weight")->ne[1] == 4096);
    m = pl_model_free(m);
}

static void names(void **state)
{
    char near[200];
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    (void)state;
    assert_string_equal(pl_catalogue_find("QWEN3-8B")->id, "qwen3-8b");
    assert_string_equal(pl_catalogue_find("Mistral-7B")->id, "mistral-7b-v0.3");
    assert_null(pl_catalogue_find("qwen3-9b"));
    assert_null(pl_catalogue_find(""));
    pl_catalogue_nearest("Qwen3-9b", near, sizeof(near));
    assert_non_null(strstr(near, "qwen3-8b"));
    pl_catalogue_nearest("completely-unknown-thing", near, sizeof(near));
    assert_string_equal(near, "");
    assert_int_equal(pl_catalogue_model(pl_catalogue_find("qwen3-8b"), "q4_k_x", &m, &err),
                     -EINVAL);
    assert_non_null(strstr(err.hint, "Q4_K_"));
}

static void what_cannot_be_opened(void **state)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    struct pl_tree t;
    char path[200];
    (void)state;
    assert_int_equal(pl_model_open("hf:org", &m, &err), -EINVAL);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    assert_int_equal(pl_model_open("https://", &m, &err), -EINVAL);
    assert_int_equal(pl_model_open("ollama:a/b/c", &m, &err), -EINVAL);
    assert_int_equal(pl_model_open("qwen3-9b:q4_k_m", &m, &err), -ENOENT);
    assert_non_null(strstr(err.what, "no such file, and no such model"));
    assert_non_null(strstr(err.hint, "qwen3-8b"));
    assert_int_equal(pl_model_open("", &m, &err), -ENOENT);
    assert_int_equal(pl_model_open(":", &m, &err), -ENOENT);
    assert_int_equal(pl_model_open("/nonexistent/model.gguf", &m, &err), -ENOENT);
    assert_int_equal(pl_model_open("qwen3-8b:q9", &m, &err), -EINVAL);
    assert_int_equal(pl_model_open("qwen3-8b:", &m, &err), -EINVAL);
    pl_tree_open(&t);
    pl_tree_put(&t, "models/a.gguf", "x");
    (void)PL_FMT(path, "%s/models", t.dir);
    assert_int_equal(pl_model_open(path, &m, &err), -EISDIR);
    assert_non_null(strstr(err.hint, "a.gguf"));
    (void)PL_FMT(path, "%s/models/a.gguf", t.dir);
    assert_true(pl_model_open(path, &m, &err) < 0);
    pl_tree_done(&t);
    assert_null(m);
    assert_int_equal(pl_model_open("Qwen3-8B", &m, &err), 0);
    assert_string_equal(m->path, "qwen3-8b:q4_k_m");
    m = pl_model_free(m);
    assert_int_equal(pl_model_open("llama-3.2-1b:IQ4_XS", &m, &err), 0);
    assert_string_equal(pl_model_file_type(m), "IQ4_XS");
    m = pl_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_the_published),
        cmocka_unit_test(file_lengths),
        cmocka_unit_test(shared_layers_are_what_differs),
        cmocka_unit_test(every_mix_of_every_row),
        cmocka_unit_test(tensors_of_the_families),
        cmocka_unit_test(names),
        cmocka_unit_test(published_quantised),
        cmocka_unit_test(what_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
