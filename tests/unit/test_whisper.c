/* The reader of whisper.cpp files, against bytes that are written here by the format's own words.
 */
#include "test.h"

#include "base/str.h"
#include "domain/tensor_type.h"
#include "domain/whisper.h"
#include "model/catalogue.h"
#include "model/whisper.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_VOCAB 20u
#define SMALL_WIDE 32u /* a whole block of every type */

/* A file as it grows. */
struct bytes {
    uint8_t *data;
    size_t n, cap;
};

static void put(struct bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = 2 * (b->n + n);
        b->data = realloc(b->data, b->cap);
        assert_non_null(b->data);
    }
    if (data != NULL)
        memcpy(b->data + b->n, data, n);
    else
        memset(b->data + b->n, 0, n);
    b->n += n;
}

static void put_u32(struct bytes *b, uint32_t v)
{
    const uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    put(b, le, sizeof(le));
}

/* Width SMALL_WIDE, two heads, one layer each; ftype as ggml.h has it. */
static void head(struct bytes *b, uint32_t ftype)
{
    const uint32_t number[] = {SMALL_VOCAB, 8, SMALL_WIDE, 2, 1, 6, SMALL_WIDE, 2, 1, 2, ftype};
    put_u32(b, 0x67676d6c);
    for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
        put_u32(b, number[i]);
}

static void filters_and_words(struct bytes *b)
{
    put_u32(b, 2); /* mels */
    put_u32(b, 3);
    put(b, NULL, 2 * 3 * 4);
    put_u32(b, 2);
    put_u32(b, 1);
    put(b, "a", 1);
    put_u32(b, 4);
    put(b, "word", 4);
}

static void tensor(struct bytes *b, const char *name, uint32_t type, uint32_t ne0, uint32_t ne1,
                   size_t bytes)
{
    put_u32(b, ne1 > 0 ? 2 : 1);
    put_u32(b, (uint32_t)strlen(name));
    put_u32(b, type);
    put_u32(b, ne0);
    if (ne1 > 0)
        put_u32(b, ne1);
    put(b, name, strlen(name));
    put(b, NULL, bytes);
}

static int read_of(const struct bytes *b, struct pl_model **ret, struct pl_err *err)
{
    struct pl_input in;
    pl_input_memory(b->data, b->n, &in);
    return pl_whisper_read_input(&in, "dir/ggml-test.bin", ret, err);
}

static void a_file_is_read(void **state)
{
    struct bytes b = {0};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    struct pl_whisper w;
    (void)state;
    head(&b, 2008); /* Q5_0, by the quantiser's second version */
    filters_and_words(&b);
    size_t first = b.n;
    tensor(&b, "decoder.token_embedding.weight", 6, SMALL_WIDE, SMALL_VOCAB, 22 * SMALL_VOCAB);
    tensor(&b, "encoder.ln_post.bias", 0, SMALL_WIDE, 0, 4 * SMALL_WIDE);
    if (read_of(&b, &m, &err) < 0)
        fail_msg("%s", err.what);
    assert_string_equal(m->arch, "whisper");
    assert_string_equal(m->name, "ggml-test.bin");
    assert_string_equal(m->format, PL_WHISPER_FORMAT);
    assert_int_equal(m->file_bytes, b.n);
    assert_false(m->ghost);
    assert_true(pl_whisper_of(m, &w));
    assert_string_equal(w.type_name, "Q5_0");
    assert_int_equal(w.n_vocab, SMALL_VOCAB);
    assert_int_equal(w.n_audio_ctx, 8);
    assert_int_equal(w.n_text_ctx, 6);
    assert_int_equal(m->n_tensor, 2);
    assert_string_equal(m->tensor[0].name, "decoder.token_embedding.weight");
    assert_int_equal(m->tensor[0].bytes, 22 * SMALL_VOCAB);
    assert_int_equal(m->tensor[0].offset, first + 5 * 4 + strlen(m->tensor[0].name));
    assert_int_equal(m->tensor[1].offset, b.n - 4 * SMALL_WIDE);
    assert_int_equal(pl_model_kv(m, PL_WHISPER_DATA_KEY)->u, first);
    const struct pl_kv *words = pl_model_kv(m, "tokenizer.ggml.tokens");
    assert_int_equal(words->count, 2);
    assert_int_equal(words->text_bytes, 5);
    (void)pl_model_free(m);
    free(b.data);
}

/* Cut anywhere it is an error of the input, never a smaller model; between two tensors the file
 * cannot be told from a whole one, and the engine's check of their number finds it. */
static void cut_files_are_refused(void **state)
{
    struct bytes b = {0};
    (void)state;
    head(&b, 1);
    filters_and_words(&b);
    size_t words = b.n;
    tensor(&b, "one", 1, SMALL_WIDE, 2, 2 * 2 * SMALL_WIDE);
    size_t whole = b.n;
    for (b.n = 0; b.n < whole; b.n++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        int rc = read_of(&b, &m, &err);
        if (b.n == words) {
            assert_int_equal(rc, 0);
            assert_int_equal(m->n_tensor, 0);
        } else if (rc != -EBADMSG || err.exit_code != 2 || m != NULL) {
            fail_msg("cut at %zu of %zu: %d, exit %d: %s", b.n, whole, rc, err.exit_code, err.what);
        }
        (void)pl_model_free(m);
    }
    free(b.data);
}

static void wrong_numbers_are_refused(void **state)
{
    static const struct {
        uint32_t at, v; /* of the eleven */
        const char *why;
    } bad[] = {
        {0,  0,          "vocabulary"},
        {1,  0,          "length"    },
        {2,  64,         "width"     },
        {3,  3,          "heads"     },
        {4,  0,          "layers"    },
        {8,  100000,     "layers"    },
        {9,  0xffffffff, "length"    },
        {10, 77,         "type"      },
        {10, 0xffffffff, "type"      },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct bytes b = {0}, one = {0};
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        head(&b, 1);
        put_u32(&one, bad[i].v);
        memcpy(b.data + 4 + 4 * bad[i].at, one.data, 4);
        assert_false(pl_whisper_match(b.data, b.n));
        filters_and_words(&b);
        assert_int_equal(read_of(&b, &m, &err), -EBADMSG);
        if (strstr(err.what, bad[i].why) == NULL)
            fail_msg("number %u = %u: %s", bad[i].at, bad[i].v, err.what);
        free(b.data);
        free(one.data);
    }
}

static void hostile_tensors_are_refused(void **state)
{
    static const struct {
        const char *name;
        uint32_t type, ne0, ne1;
        size_t bytes;
    } bad[] = {
        {"unknown type",   99, 32,         1,          0},
        {"no rows",        1,  0,          1,          0},
        {"half a block",   6,  33,         1,          0},
        {"far too long",   0,  0xffffffff, 0xffffffff, 0},
        {"",               0,  1,          0,          4},
        {"\x1b[2J twice!", 99, 32,         1,          0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct bytes b = {0};
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        head(&b, 1);
        filters_and_words(&b);
        tensor(&b, bad[i].name, bad[i].type, bad[i].ne0, bad[i].ne1, bad[i].bytes);
        assert_int_equal(read_of(&b, &m, &err), -EBADMSG);
        assert_null(m);
        assert_null(strchr(err.what, '\x1b'));
        free(b.data);
    }
    struct bytes b = {0}; /* and the same name twice */
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    head(&b, 1);
    filters_and_words(&b);
    tensor(&b, "one", 0, 4, 0, 16);
    tensor(&b, "one", 0, 4, 0, 16);
    assert_int_equal(read_of(&b, &m, &err), -EBADMSG);
    free(b.data);
}

static void the_magic_alone_is_no_match(void **state)
{
    struct bytes b = {0};
    (void)state;
    put_u32(&b, PL_WHISPER_MAGIC); /* other files from before GGUF begin so too */
    put(&b, NULL, 60);
    assert_false(pl_whisper_match(b.data, b.n));
    b.n = 0;
    head(&b, 1);
    assert_true(pl_whisper_match(b.data, b.n));
    assert_false(pl_whisper_match(b.data, b.n - 1));
    free(b.data);
}

/* The table of tensors: what the row's file would hold, in bytes, is the sum of its records. */
static void a_row_is_a_file(void **state)
{
    static const char *const types[] = {"f32", "f16", "q4_0", "q5_1", "q8_0"};
    const struct pl_catalogue_row *row = pl_catalogue_find("whisper-tiny");
    (void)state;
    assert_non_null(row);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        struct pl_whisper w;
        if (pl_whisper_model(row, types[i], &m, &err) < 0)
            fail_msg("%s: %s", types[i], err.what);
        assert_true(pl_whisper_of(m, &w));
        assert_int_equal(m->n_tensor, pl_whisper_tensor_count(&w));
        uint64_t at = 0;
        for (uint64_t k = 0; k < m->n_tensor; k++) {
            const struct pl_tensor *t = &m->tensor[k];
            if (k > 0)
                assert_int_equal(t->offset, at + pl_whisper_record_bytes(t));
            at = t->offset + t->bytes;
        }
        assert_int_equal(m->file_bytes, at);
        (void)pl_model_free(m);
    }
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    assert_int_equal(pl_whisper_model(row, "q4_k_m", &m, &err), -EINVAL);
    assert_int_equal(err.exit_code, 2);
    assert_int_equal(pl_whisper_model(row, "q4_k", &m, &err), -EINVAL); /* rows of 384 */
}

static void a_spec_is_known(void **state)
{
    struct pl_tree t;
    struct bytes b = {0};
    char path[128];
    FILE *f;
    (void)state;
    assert_true(pl_whisper_spec("whisper-tiny"));
    assert_true(pl_whisper_spec("whisper-tiny:q5_1"));
    assert_false(pl_whisper_spec("qwen3-8b"));
    assert_false(pl_whisper_spec("/nonexistent/ggml-tiny.bin"));
    assert_false(pl_whisper_spec(""));
    pl_tree_open(&t);
    assert_false(pl_whisper_spec(t.dir)); /* a folder */
    pl_tree_put(&t, "a.bin", "lmgg");
    (void)PL_FMT(path, "%s/a.bin", t.dir);
    assert_false(pl_whisper_spec(path)); /* the magic alone */
    head(&b, 1);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.data, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
    assert_true(pl_whisper_spec(path));
    pl_tree_done(&t);
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(wrong_numbers_are_refused),
        cmocka_unit_test(hostile_tensors_are_refused),
        cmocka_unit_test(the_magic_alone_is_no_match),
        cmocka_unit_test(a_row_is_a_file),
        cmocka_unit_test(a_spec_is_known),
    };
    return cmocka_run_group_tests_name("whisper", tests, NULL, NULL);
}
