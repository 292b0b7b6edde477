/* The GGUF reader: what it reads, and that it refuses everything else with words. */
#include "test.h"

#include "allocfail.h"
#include "base/str.h"
#include "gguf_make.h"
#include "model/gguf.h"
#include "model/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* A folder in memory: the opener finds its files by name. */
#define SHELF_MAX 4
struct shelf {
    struct {
        const char *path;
        struct pl_make *file;
    } slot[SHELF_MAX];
};

static int shelf_open(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    struct shelf *s = ctx;
    for (int i = 0; i < SHELF_MAX && s->slot[i].path != NULL; i++) {
        if (pl_streq(s->slot[i].path, path)) {
            pl_input_memory(s->slot[i].file->data, s->slot[i].file->n, ret);
            return 0;
        }
    }
    int rc = pl_fail(err, -ENOENT, "cannot open: no such file");
    pl_err_at(err, path, 0, 0);
    return rc;
}

static int read_shelf(struct shelf *s, const char *path, struct pl_model **ret, struct pl_err *err)
{
    struct pl_opener opener = {shelf_open, s};
    return pl_gguf_read_with(&opener, path, ret, err);
}

static int read_one(struct pl_make *g, struct pl_model **ret, struct pl_err *err)
{
    struct shelf s = {.slot = {{"x.gguf", g}}};
    return read_shelf(&s, "x.gguf", ret, err);
}

/* Refused, as bad input, with that text. Frees g. */
static void refused(struct pl_make *g, const char *text)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    int rc = read_one(g, &m, &err);
    assert_true(rc < 0);
    assert_int_equal(err.code, rc);
    assert_null(m);
    if (strstr(err.what, text) == NULL)
        fail_msg("'%s' does not hold '%s'", err.what, text);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    assert_string_equal(err.file, "x.gguf");
    assert_int_equal(read_one(g, &m, NULL), rc); /* err may be NULL */
    pl_make_done(g);
}

static void check_tiny(const struct pl_model *m, bool big, uint32_t version)
{
    assert_string_equal(m->arch, "llama");
    assert_string_equal(m->name, "tiny");
    assert_int_equal(m->version, version);
    assert_true(m->big_endian == big);
    assert_false(m->ghost);
    assert_true(m->n_kv == 13 && m->n_tensor == 4 && m->n_file == 1);
    assert_true(m->alignment == 32);
    assert_true(pl_model_arch_u64(m, "context_length", 0) == 64);
    assert_true(pl_model_layer_u64(m, "attention.head_count_kv", 0, 0) == 1);
    assert_true(pl_model_arch_kv(m, "attention.layer_norm_rms_epsilon")->f > 0.9e-5);
    assert_true(pl_model_arch_kv(m, "attention.layer_norm_rms_epsilon")->f < 1.1e-5);
    assert_true(pl_model_kv(m, "tokenizer.ggml.tokens")->count == 8);
    assert_true(pl_model_kv(m, "tokenizer.ggml.tokens")->text_bytes == 13);
    assert_true(pl_model_kv(m, "tokenizer.ggml.add_bos_token")->u == 1);
    assert_true(pl_model_parameters(m) == 200);
    assert_true(pl_model_tensor_bytes(m) == 800);
    const struct pl_tensor *t = pl_model_tensor(m, "output.weight");
    assert_non_null(t);
    assert_true(t->n_dims == 2 && t->ne[0] == 8 && t->ne[1] == 8 && t->ne[2] == 1 && t->ne[3] == 1);
    assert_true(t->offset == 544 && t->bytes == 256 && t->split == 0 && t->type == 0);
}

static void reads_versions_and_byte_orders(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        for (int big = 0; big < 2; big++) {
            struct pl_make g;
            struct pl_make_marks marks;
            struct pl_model *m = NULL;
            struct pl_err err = {0};
            pl_make_tiny(&g, version, big != 0, &marks);
            assert_int_equal(read_one(&g, &m, &err), 0);
            check_tiny(m, big != 0, version);
            assert_true(m->file[0].data_offset == marks.data && m->file_bytes == marks.end);
            (void)pl_model_free(m);
            pl_make_done(&g);
        }
    }
}

static void reads_every_value_type(void **state)
{
    (void)state;
    static const struct {
        enum pl_kv_type type;
        uint64_t in, out;
    } ints[] = {
        {PL_KV_U8,   200,          200             },
        {PL_KV_I8,   0xfe,         (uint64_t)-2    },
        {PL_KV_U16,  65535,        65535           },
        {PL_KV_I16,  0x8000,       (uint64_t)-32768},
        {PL_KV_U32,  0xffffffff,   0xffffffff      },
        {PL_KV_I32,  0xffffffff,   (uint64_t)-1    },
        {PL_KV_BOOL, 7,            1               },
        {PL_KV_U64,  UINT64_MAX,   UINT64_MAX      },
        {PL_KV_I64,  (uint64_t)-5, (uint64_t)-5    },
    };
    enum { N = sizeof(ints) / sizeof(ints[0]) };
    for (int big = 0; big < 2; big++) {
        struct pl_make g;
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        char key[8] = "k0";
        pl_make_start(&g, big != 0);
        pl_make_head(&g, 3, 0, N + 3);
        for (int i = 0; i < N; i++) {
            key[1] = (char)('0' + i);
            pl_make_key_int(&g, key, ints[i].type, ints[i].in);
        }
        pl_make_key_int(&g, "f", PL_KV_F64, 0x3ff8000000000000);
        pl_make_key_array(&g, "a", PL_KV_I16, 3);
        pl_make_int(&g, 2, 1);
        pl_make_int(&g, 2, 0xffff);
        pl_make_int(&g, 2, 3);
        pl_make_key_array(&g, "reals", PL_KV_F32, 2);
        pl_make_zeros(&g, 8);
        assert_int_equal(read_one(&g, &m, &err), 0);
        for (int i = 0; i < N; i++)
            assert_true(m->kv[i].u == ints[i].out && m->kv[i].type == ints[i].type);
        assert_true(m->kv[N].f > 1.49 && m->kv[N].f < 1.51);
        const struct pl_kv *a = pl_model_kv(m, "a");
        assert_true(a->count == 3 && a->element == PL_KV_I16);
        assert_true(a->ints[0] == 1 && a->ints[1] == -1 && a->ints[2] == 3);
        assert_true(pl_model_kv(m, "reals")->count == 2 && pl_model_kv(m, "reals")->ints == NULL);
        assert_string_equal(m->arch, "unknown");
        assert_string_equal(m->name, "x.gguf");
        (void)pl_model_free(m);
        pl_make_done(&g);
    }
}

/* Values longer than what is kept, and longer than the reader's window. */
static void long_values_are_walked(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    const uint64_t n = 3 * PL_GGUF_WINDOW;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 5);
    pl_make_key(&g, "long", PL_KV_STR);
    pl_make_int(&g, 8, n);
    for (uint64_t i = 0; i < n; i++)
        pl_make_raw(&g, "x", 1);
    pl_make_key_array(&g, "ints", PL_KV_U32, PL_KV_INTS_MAX + 1);
    pl_make_zeros(&g, 4 * (PL_KV_INTS_MAX + 1));
    pl_make_key_array(&g, "kept", PL_KV_U64, PL_KV_INTS_MAX);
    pl_make_zeros(&g, 8 * PL_KV_INTS_MAX);
    pl_make_key_array(&g, "strings", PL_KV_STR, 40000);
    for (int i = 0; i < 40000; i++)
        pl_make_str(&g, i == 777 ? "a longer one" : "four");
    pl_make_key_int(&g, "last", PL_KV_U8, 42);
    assert_int_equal(read_one(&g, &m, &err), 0);
    assert_true(m->kv[0].count == n && strlen(m->kv[0].str) == PL_KV_STR_MAX);
    assert_null(m->kv[1].ints);
    assert_non_null(m->kv[2].ints);
    assert_true(m->kv[3].count == 40000 && m->kv[3].text_bytes == 4 * 40000 + 8);
    assert_true(m->kv[4].u == 42);
    (void)pl_model_free(m);
    pl_make_done(&g);
}

static void foreign_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        {"",                                             0,  "it is empty"                      },
        {"GG",                                           2,  "it begins with 'GG'"              },
        {"<!DOCTYPE html>",                              15, "a web page"                       },
        {"<html><body>",                                 12, "a web page"                       },
        {"PK\003\004abcd",                               8,  "'PK\\x03\\x04abcd' (a zip archive"},
        {"\x40\x01\0\0\0\0\0\0{\"a\":1}",                15, "a safetensors file"               },
        {"{\"error\": 404}",                             14, "a JSON document"                  },
        {"version https://git-lfs.github.com/spec/v1\n", 43, "Git LFS pointer"                  },
        {"tjgg\003\0\0\0",                               8,  "from before GGUF"                 },
        {"\0\0\0\0\0\0\0\0\0\0",                         10, "may be unfinished"                },
        {"\033[31m\007",                                 6,  "'\\x1b[31m\\x07'"                 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_make g;
        pl_make_start(&g, false);
        pl_make_raw(&g, cases[i].bytes, cases[i].n);
        refused(&g, cases[i].text);
    }
}

static void versions_are_checked(void **state)
{
    (void)state;
    struct pl_make g;
    static const uint32_t unknown[] = {0, 4, 77, 0x10000000};
    for (int big = 0; big < 2; big++) {
        pl_make_tiny(&g, 1, big != 0, NULL);
        refused(&g, "GGUF version 1");
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        pl_make_tiny(&g, unknown[i], false, NULL);
        refused(&g, "is unknown");
    }
}

/* Cut at every byte: the header always says truncated; within the data, how much is missing. */
static void truncation_is_told(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_make_marks marks;
    pl_make_tiny(&g, 3, false, &marks);
    for (size_t n = 0; n < marks.end; n++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        char missing[64];
        g.n = n;
        int rc = read_one(&g, &m, &err);
        assert_true(rc < 0);
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
        (void)PL_FMT(missing, "truncated: %zu bytes are missing", marks.end - n);
        bool told = n < 4               ? strstr(err.what, "not a GGUF file") != NULL
                    : n < marks.tensors ? strstr(err.what, "truncated") != NULL ||
                                              strstr(err.what, "do not fit") != NULL ||
                                              strstr(err.what, "does not fit") != NULL
                    : n < marks.data ? strstr(err.what, "truncated") != NULL ||
                                           strstr(err.what, "do not fit") != NULL
                                     : strstr(err.what, missing) != NULL;
        if (!told)
            fail_msg("cut at %zu: '%s'", n, err.what);
    }
    pl_make_done(&g);
}

static void counts_are_bounded(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1000, 1ull << 32, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct pl_make g;
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, counts[i]);
        refused(&g, "keys do not fit");
        pl_make_start(&g, false);
        pl_make_head(&g, 3, counts[i], 0);
        refused(&g, "tensors do not fit");
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, 1);
        pl_make_key_array(&g, "a", PL_KV_STR, counts[i]);
        refused(&g, "does not fit");
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, 1);
        pl_make_key_array(&g, "a", PL_KV_U64, counts[i]);
        refused(&g, "does not fit");
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, 1);
        pl_make_key(&g, "a", PL_KV_STR);
        pl_make_int(&g, 8, counts[i]);
        refused(&g, "key 'a': truncated");
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, 1);
        pl_make_int(&g, 8, counts[i]);
        pl_make_zeros(&g, 20);
        refused(&g, counts[i] == 1000 ? "truncated" : "a name of");
    }
}

static void keys_are_checked(void **state)
{
    (void)state;
    struct pl_make g;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_int(&g, "", PL_KV_U64, 0);
    refused(&g, "key 0: a name of 0 bytes");

    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 2);
    pl_make_key_int(&g, "twin", PL_KV_U8, 0);
    pl_make_key_int(&g, "twin", PL_KV_U64, 0);
    refused(&g, "key 'twin' is there twice");

    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key(&g, "odd", (enum pl_kv_type)13);
    pl_make_zeros(&g, 8);
    refused(&g, "key 'odd': unknown value type 13");

    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_array(&g, "nested", PL_KV_ARRAY, 1);
    pl_make_zeros(&g, 64);
    refused(&g, "key 'nested': an array of arrays");

    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_array(&g, "odd", (enum pl_kv_type)99, 1);
    pl_make_zeros(&g, 64);
    refused(&g, "unknown element type 99");

    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_int(&g, 8, 3);
    pl_make_raw(&g, "a\0b", 3);
    pl_make_int(&g, 4, PL_KV_U64);
    pl_make_zeros(&g, 8);
    refused(&g, "NUL byte");

    /* a string of an array that reaches beyond the end */
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_array(&g, "s", PL_KV_STR, 2);
    pl_make_str(&g, "fine");
    pl_make_int(&g, 8, 1ull << 62);
    refused(&g, "key 's': truncated");
}

static void container_keys_are_checked(void **state)
{
    (void)state;
    struct pl_make g;
    static const uint64_t alignments[] = {0, 1, 4, 12, 33, PL_GGUF_ALIGNMENT_MAX * 2ull};
    for (size_t i = 0; i < sizeof(alignments) / sizeof(alignments[0]); i++) {
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, 1);
        pl_make_key_int(&g, "general.alignment", PL_KV_U32, alignments[i]);
        refused(&g, "general.alignment");
    }
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_str(&g, "general.alignment", "32");
    refused(&g, "key 'general.alignment': not a non-negative integer");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_int(&g, "split.count", PL_KV_I32, 0xffffffff);
    refused(&g, "key 'split.count'");
    static const char *const archs[] = {"", "two words", "\033[2J", "\xff\xfe"};
    for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++) {
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, 1);
        pl_make_key_str(&g, "general.architecture", archs[i]);
        refused(&g, "general.architecture: not a name");
    }
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_int(&g, "general.architecture", PL_KV_U64, 1);
    refused(&g, "general.architecture: not a name");
}

static void bigger_alignment_is_used(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_model *m = NULL;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 2, 1);
    pl_make_key_int(&g, "general.alignment", PL_KV_U32, 4096);
    pl_make_tensor(&g, "a", 1, 0, 0, 0);
    pl_make_tensor(&g, "b", 1, 0, 0, 4096);
    pl_make_pad(&g, 4096);
    pl_make_zeros(&g, 4100);
    assert_int_equal(read_one(&g, &m, NULL), 0);
    assert_true(m->alignment == 4096 && m->file[0].data_offset == 4096);
    (void)pl_model_free(m);
    pl_make_done(&g);
}

static struct pl_make one_tensor(const char *name, uint32_t dims, const uint64_t *ne, uint32_t type,
                                 uint64_t offset)
{
    struct pl_make g;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 1, 0);
    pl_make_str(&g, name);
    pl_make_int(&g, 4, dims);
    for (uint32_t i = 0; i < dims && i < 6; i++)
        pl_make_int(&g, 8, ne[i]);
    pl_make_int(&g, 4, type);
    pl_make_int(&g, 8, offset);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 1024);
    return g;
}

static void tensors_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t dims;
        uint64_t ne[6];
        uint32_t type;
        uint64_t offset;
        const char *text;
    } cases[] = {
        {"",       1,          {8},                                              0,    0,               "tensor 0: a name of 0 bytes"                                  },
        {"d5",     5,          {1, 1, 1, 1, 1},                                  0,    0,               "tensor 'd5': 5 dimensions (at most 4)"                        },
        {"dmax",   UINT32_MAX, {1},                                              0,    0,               "4294967295 dimensions"                                        },
        {"zero",   2,          {8, 0},                                           0,    0,               "tensor 'zero': dimension 1 of 0 elements"                     },
        {"neg",    1,          {UINT64_MAX},                                     0,    0,               "is too large"                                                 },
        {"prod",   4,          {1ull << 20, 1ull << 20, 1ull << 20, 1ull << 20}, 0,    0,               "is too large"                                                 },
        {"bytes",  2,          {1ull << 31, 1ull << 31},                         28,   0,               "its size in bytes overflows"                                  },
        {"future", 1,          {32},                                             4711, 0,               "tensor 'future': unknown type 4711"                           },
        {"old",    1,          {32},                                             4,    0,               "type Q4_2 was removed"                                        },
        {"old2",   1,          {32},                                             31,   0,               "type Q4_0_4_4 was removed"                                    },
        {"rows",   1,          {100},                                            12,   0,               "rows of 100 elements are no whole number of Q4_K blocks (256)"},
        {"askew",  1,          {8},                                              0,    16,              "offset 16 is no multiple of the alignment 32"                 },
        {"far",    1,          {8},                                              0,    1ull << 40,      "bytes are missing: tensor 'far'"                              },
        {"wrap",   1,          {16},                                             0,    UINT64_MAX - 31, "overflows"                                                    },
        {"wrap2",  1,          {8},                                              0,    UINT64_MAX - 63, "overflows"                                                    },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_make g =
            one_tensor(cases[i].name, cases[i].dims, cases[i].ne, cases[i].type, cases[i].offset);
        refused(&g, cases[i].text);
    }
    char name[PL_GGUF_NAME_MAX + 2];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct pl_make g = one_tensor(name, 1, (const uint64_t[]){8}, 0, 0);
    refused(&g, "tensor 0: a name of 1025 bytes");
}

static void scalars_and_rows_have_sizes(void **state)
{
    (void)state;
    struct pl_model *m = NULL;
    struct pl_make g = one_tensor("scalar", 0, NULL, 0, 0);
    assert_int_equal(read_one(&g, &m, NULL), 0);
    assert_true(m->tensor[0].bytes == 4 && m->tensor[0].n_dims == 0 && m->tensor[0].ne[0] == 1);
    (void)pl_model_free(m);
    pl_make_done(&g);
    g = one_tensor("q", 3, (const uint64_t[]){256, 2, 3}, 12, 0);
    assert_int_equal(read_one(&g, &m, NULL), 0);
    assert_true(m->tensor[0].bytes == 144 * 6);
    (void)pl_model_free(m);
    pl_make_done(&g);
}

static void layout_is_checked(void **state)
{
    (void)state;
    struct pl_make g;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 2, 0);
    pl_make_tensor(&g, "first", 16, 0, 0, 0);
    pl_make_tensor(&g, "second", 8, 0, 0, 32);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 1024);
    refused(&g, "tensors 'first' and 'second' overlap");

    pl_make_start(&g, false);
    pl_make_head(&g, 3, 3, 0);
    pl_make_tensor(&g, "same", 8, 0, 0, 0);
    pl_make_tensor(&g, "b", 8, 0, 0, 32);
    pl_make_tensor(&g, "same", 8, 0, 0, 64);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 1024);
    refused(&g, "tensor 'same' is there twice");
}

static void names_cannot_harm_a_terminal(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_str(&g, "general.name",
                    "a\033[2Jb\xff\xc2\x9b"
                    "31m\xe2\x80\xaeq\xc3\xa9");
    assert_int_equal(read_one(&g, &m, &err), 0);
    assert_string_equal(m->name, "a?[2Jb???31m???q\xc3\xa9");
    (void)pl_model_free(m);
    pl_make_done(&g);

    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key(&g, "\033]0;x\007\xc2\x9b", (enum pl_kv_type)50);
    pl_make_zeros(&g, 8);
    assert_true(read_one(&g, &m, &err) < 0);
    assert_string_equal(err.what, "key '?]0;x??"
                                  "?': unknown value type 50");
    pl_make_done(&g);
}

/* --- split models --- */

struct parts {
    struct pl_make g[3];
    struct shelf shelf;
};

static void parts_start(struct parts *p)
{
    static const char *const names[] = {"d/m-00001-of-00003.gguf", "d/m-00002-of-00003.gguf",
                                        "d/m-00003-of-00003.gguf"};
    memset(&p->shelf, 0, sizeof(p->shelf));
    for (uint64_t i = 0; i < 3; i++) {
        pl_make_part(&p->g[i], i, 3);
        p->shelf.slot[i].path = names[i];
        p->shelf.slot[i].file = &p->g[i];
    }
}

static void parts_done(struct parts *p)
{
    for (int i = 0; i < 3; i++)
        pl_make_done(&p->g[i]);
}

static void parts_replace(struct parts *p, int i, struct pl_make with)
{
    pl_make_done(&p->g[i]);
    p->g[i] = with;
}

static void parts_refused(struct parts *p, const char *file, const char *text, int code)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    int rc = read_shelf(&p->shelf, "d/m-00001-of-00003.gguf", &m, &err);
    assert_int_equal(rc, code);
    if (strstr(err.what, text) == NULL && strstr(err.hint, text) == NULL)
        fail_msg("'%s' / '%s' does not hold '%s'", err.what, err.hint, text);
    assert_string_equal(err.file, file);
    parts_done(p);
}

static void any_part_finds_the_others(void **state)
{
    (void)state;
    struct parts p;
    parts_start(&p);
    for (int i = 0; i < 3; i++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        int rc = read_shelf(&p.shelf, p.shelf.slot[i].path, &m, &err);
        assert_int_equal(rc, 0);
        assert_true(m->n_file == 3 && m->n_tensor == 3);
        assert_string_equal(m->path, p.shelf.slot[i].path);
        assert_string_equal(m->name, "tiny"); /* the keys are those of the first part */
        for (int k = 0; k < 3; k++) {
            assert_string_equal(m->file[k].path, p.shelf.slot[k].path);
            assert_true(m->tensor[k].split == k && m->file[k].alignment == 32);
        }
        assert_true(m->file_bytes == p.g[0].n + p.g[1].n + p.g[2].n);
        (void)pl_model_free(m);
    }
    parts_done(&p);
}

static struct pl_make part_with(uint64_t no, uint64_t count, uint64_t tensors, const char *tensor,
                                bool big)
{
    struct pl_make g;
    pl_make_start(&g, big);
    pl_make_head(&g, 3, 1, 3);
    pl_make_key_int(&g, "split.no", PL_KV_U16, no);
    pl_make_key_int(&g, "split.count", PL_KV_U16, count);
    pl_make_key_int(&g, "split.tensors.count", PL_KV_I32, tensors);
    pl_make_tensor(&g, tensor, 8, 8, 0, 0);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 256);
    return g;
}

static void wrong_parts_are_refused(void **state)
{
    (void)state;
    const char *first = "d/m-00001-of-00003.gguf", *second = "d/m-00002-of-00003.gguf";
    const char *third = "d/m-00003-of-00003.gguf";
    struct parts p;
    parts_start(&p);
    p.shelf.slot[2].path = "elsewhere";
    parts_refused(&p, third, "part 3 of 3 of the model is missing", -ENOENT);
    parts_start(&p);
    parts_replace(&p, 1, part_with(0, 3, 3, "x", false)); /* the first once more: no cycle */
    parts_refused(&p, second, "says it is part 1, its name says 2", -EBADMSG);
    parts_start(&p);
    parts_replace(&p, 1, part_with(1, 4, 3, "x", false));
    parts_refused(&p, second, "says it is one of 4 parts, its brother says 3", -EBADMSG);
    parts_start(&p);
    parts_replace(&p, 1, part_with(1, 3, 9, "x", false));
    parts_refused(&p, second, "says the model has 9 tensors, its brother says 3", -EBADMSG);
    parts_start(&p);
    parts_replace(&p, 1, part_with(1, 3, 3, "x", true));
    parts_refused(&p, second, "byte order", -EBADMSG);
    parts_start(&p);
    parts_replace(&p, 1, part_with(1, 3, 3, "token_embd.weight", false));
    parts_refused(&p, first, "tensor 'token_embd.weight' is there twice", -EBADMSG);
    parts_start(&p);
    p.g[1].n -= 1;
    parts_refused(&p, second, "truncated: 1 bytes are missing", -EBADMSG);
    parts_start(&p);
    p.g[2].n = 0;
    parts_refused(&p, third, "it is empty", -EINVAL);
    parts_start(&p);
    for (uint64_t i = 0; i < 3; i++)
        parts_replace(&p, (int)i, part_with(i, 3, 5, i == 0 ? "a" : i == 1 ? "b" : "c", false));
    parts_refused(&p, first, "split.tensors.count says 5, the parts hold 3", -EBADMSG);
}

static void parts_need_their_names(void **state)
{
    (void)state;
    struct pl_make g = part_with(0, 3, 3, "x", false);
    refused(&g, "is part 1 of 3 of a split model, but not named so");
    g = part_with(3, 3, 3, "x", false);
    refused(&g, "split.no: part 4 of 3");
    g = part_with(0, 60000, 3, "x", false);
    refused(&g, "split.count: 60000 parts");
    g = part_with(0, 1, 1, "x", false); /* one part of one is a whole model */
    struct pl_model *m = NULL;
    assert_int_equal(read_one(&g, &m, NULL), 0);
    (void)pl_model_free(m);
    pl_make_done(&g);
}

static void part_paths_are_made(void **state)
{
    (void)state;
    struct pl_arena a;
    pl_arena_init(&a, 1 << 20);
    assert_string_equal(pl_gguf_part_path(&a, "/d/m-00002-of-00012.gguf", 1, 12, 11),
                        "/d/m-00012-of-00012.gguf");
    assert_null(pl_gguf_part_path(&a, "/d/m-00002-of-00012.gguf", 2, 12, 11));
    assert_null(pl_gguf_part_path(&a, "m.gguf", 0, 2, 1));
    pl_arena_done(&a);
}

/* --- the file system --- */

struct room {
    char dir[64], path[128];
};

static void room_open(struct room *r)
{
    (void)PL_FMT(r->dir, "/tmp/plimsoll-gguf.XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    (void)PL_FMT(r->path, "%s/m.gguf", r->dir);
}

static void room_done(struct room *r)
{
    (void)unlink(r->path);
    (void)rmdir(r->dir);
}

static void path_refused(const char *path, int code, const char *text)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    assert_int_equal(pl_gguf_read(path, &m, &err), code);
    if (strstr(err.what, text) == NULL)
        fail_msg("'%s' does not hold '%s'", err.what, text);
    assert_string_equal(err.file, path);
    assert_int_equal(pl_model_read(path, &m, NULL), code);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct room r;
    room_open(&r);
    path_refused(r.path, -ENOENT, "No such file");
    path_refused(r.dir, -EISDIR, "is a directory");
    path_refused("/dev/zero", -EINVAL, "is a device");
    assert_int_equal(mkfifo(r.path, 0600), 0);
    path_refused(r.path, -EINVAL, "is a pipe"); /* at once: nobody writes to it */
    assert_int_equal(unlink(r.path), 0);
    int fd = open(r.path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    path_refused(r.path, -EINVAL, "it is empty");
    assert_int_equal(unlink(r.path), 0);
    assert_int_equal(symlink("m.gguf", r.path), 0);
    path_refused(r.path, -ELOOP, "cannot open");
    room_done(&r);
}

static void no_permission_is_the_environment(void **state)
{
    (void)state;
    struct room r;
    struct pl_make g;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    room_open(&r);
    pl_make_tiny(&g, 3, false, NULL);
    assert_true(pl_make_save(&g, r.path));
    assert_int_equal(chmod(r.path, 0), 0);
    uid_t me = geteuid();
    assert_true(me != 0 || seteuid(65534) == 0); /* root reads everything, nobody nothing */
    int rc = pl_gguf_read(r.path, &m, &err);
    assert_int_equal(seteuid(me), 0);
    assert_int_equal(rc, -EACCES);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    pl_make_done(&g);
    room_done(&r);
}

static void files_are_read_and_ghosts_known(void **state)
{
    (void)state;
    struct room r;
    struct pl_make g;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    room_open(&r);
    pl_make_tiny(&g, 3, false, NULL);
    assert_true(pl_make_save(&g, r.path));
    assert_int_equal(pl_model_read(r.path, &m, &err), 0);
    check_tiny(m, false, 3);
    assert_string_equal(m->file[0].path, r.path);
    (void)pl_model_free(m);
    pl_make_done(&g);

    /* 64 MiB of hole behind a header: by the key, and by its holes */
    for (int key = 0; key < 2; key++) {
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 1, (uint64_t)key);
        if (key == 1)
            pl_make_key_int(&g, PL_GGUF_GHOST_KEY, PL_KV_BOOL, 1);
        pl_make_tensor(&g, "token_embd.weight", 4096, 4096, 0, 0);
        pl_make_pad(&g, 32);
        assert_true(pl_make_save(&g, r.path));
        assert_int_equal(truncate(r.path, (off_t)g.n + (64 << 20)), 0);
        assert_int_equal(pl_gguf_read(r.path, &m, &err), 0);
        assert_true(m->file_bytes == g.n + (64u << 20));
        assert_true(key == 0 || m->ghost);
        if (m->file[0].disk_bytes < (8u << 20)) /* the file system has holes */
            assert_true(m->ghost);
        (void)pl_model_free(m);
        pl_make_done(&g);
    }
    room_done(&r);
}

/* --- no memory --- */

/* Every allocation of reading path fails in turn; returns how many there are. */
static uint64_t fail_each(struct shelf *s, const char *path)
{
    for (uint64_t n = 0;; n++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        pl_allocfail_arm(n);
        int rc = read_shelf(s, path, &m, &err);
        if (!pl_allocfail_disarm()) {
            assert_int_equal(rc, 0);
            (void)pl_model_free(m);
            return n;
        }
        assert_int_equal(rc, -ENOMEM);
        assert_null(m);
        assert_non_null(strstr(err.what, "no memory"));
        assert_true(err.exit_code == 0); /* not the input's fault */
        assert_true(err.file[0] != '\0');
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct parts p;
    parts_start(&p);
    assert_true(fail_each(&p.shelf, "d/m-00002-of-00003.gguf") >= 6);
    parts_done(&p);

    /* large enough that every kind of thing takes a block of its own */
    struct pl_make g;
    struct shelf s = {.slot = {{"x.gguf", &g}}};
    const uint64_t many = 600;
    char name[PL_GGUF_NAME_MAX + 1];
    pl_make_start(&g, false);
    pl_make_head(&g, 3, many, 3 + many);
    for (uint64_t i = 0; i < many; i++) {
        (void)PL_FMT(name, "key.%0100u", (unsigned)i);
        pl_make_key_str(&g, name, name);
    }
    pl_make_key(&g, "long", PL_KV_STR);
    pl_make_int(&g, 8, 40000);
    pl_make_zeros(&g, 40000);
    pl_make_key_array(&g, "ints", PL_KV_U8, PL_KV_INTS_MAX);
    pl_make_zeros(&g, PL_KV_INTS_MAX);
    pl_make_key_str(&g, "general.name", "large");
    for (uint64_t i = 0; i < many; i++) {
        (void)PL_FMT(name, "tensor.%01000u", (unsigned)i);
        pl_make_tensor(&g, name, 8, 0, 0, 32 * i);
    }
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 32 * many);
    assert_true(fail_each(&s, "x.gguf") >= 50);
    pl_make_done(&g);
}

/* A path as long as a block of the arena, so that the brothers' paths take blocks of their own. */
static void long_paths_may_find_no_memory(void **state)
{
    (void)state;
    static char path[3][17000];
    struct parts p;
    parts_start(&p);
    for (int i = 0; i < 3; i++) {
        memset(path[i], 'd', 16500);
        memcpy(path[i] + 16500, p.shelf.slot[i].path, strlen(p.shelf.slot[i].path) + 1);
        p.shelf.slot[i].path = path[i];
    }
    assert_true(fail_each(&p.shelf, path[0]) >= 8);
    parts_done(&p);
}

/* A gigabyte of hole within the header. */
static void endless_headers_are_refused(void **state)
{
    (void)state;
    struct room r;
    struct pl_make g;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    room_open(&r);
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 2);
    pl_make_key_array(&g, "hole", PL_KV_U8, PL_GGUF_ARRAY_MAX);
    assert_true(pl_make_save(&g, r.path));
    assert_int_equal(truncate(r.path, (off_t)PL_GGUF_HEADER_MAX + (1 << 20)), 0);
    assert_int_equal(pl_gguf_read(r.path, &m, &err), -EBADMSG);
    assert_string_equal(err.what, "header: longer than 1024 MiB");
    pl_make_done(&g);
    room_done(&r);
}

/* --- no luck with the disk --- */

static uint64_t reads_left;

static int read_or_fail(struct pl_input *in, uint64_t at, void *buf, size_t n, struct pl_err *err)
{
    if (reads_left-- == 0)
        return pl_fail(err, -EIO, "cannot read at byte %llu: Input/output error",
                       (unsigned long long)at);
    assert_true(at <= in->bytes && n <= in->bytes - at); /* the contract of inputs */
    memcpy(buf, in->data + at, n);
    return 0;
}

static int open_failing(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    int rc = shelf_open(ctx, path, ret, err);
    ret->read = read_or_fail;
    return rc;
}

static void every_read_may_fail(void **state)
{
    (void)state;
    struct pl_make g;
    struct shelf s = {.slot = {{"x.gguf", &g}}};
    struct pl_opener opener = {open_failing, &s};
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 2);
    pl_make_key_array(&g, "strings", PL_KV_STR, 50000);
    for (int i = 0; i < 50000; i++)
        pl_make_str(&g, "four");
    pl_make_key_int(&g, "last", PL_KV_U8, 42);
    int rc = -EIO;
    uint64_t n = 0;
    for (; rc != 0; n++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        reads_left = n;
        rc = pl_gguf_read_with(&opener, "x.gguf", &m, &err);
        assert_true(rc == 0 || (rc == -EIO && strstr(err.what, "Input/output error") != NULL));
        assert_true(rc == 0 || (pl_streq(err.file, "x.gguf") && err.exit_code == 0));
        (void)pl_model_free(m);
    }
    assert_true(n >= 600000 / PL_GGUF_WINDOW && n < 20);
    pl_make_done(&g);
}

static void a_shrinking_file_is_told(void **state)
{
    (void)state;
    struct room r;
    struct pl_make g;
    struct pl_input in;
    struct pl_err err = {0};
    char buf[64];
    room_open(&r);
    pl_make_tiny(&g, 3, false, NULL);
    assert_true(pl_make_save(&g, r.path));
    assert_int_equal(pl_input_open(r.path, &in, &err), 0);
    assert_int_equal(truncate(r.path, 40), 0);
    assert_int_equal(in.read(&in, 0, buf, sizeof(buf), &err), -EBADMSG);
    assert_string_equal(err.what, "became shorter while it was read: ends at byte 40");
    pl_input_close(&in);
    pl_input_close(&in); /* twice is harmless */
    pl_make_done(&g);
    room_done(&r);
}

/* The cap on memory is the file's fault, and is told so. */
static void greedy_headers_are_refused(void **state)
{
    (void)state;
    struct pl_err err = {0};
    struct pl_model *m = NULL;
    struct room r;
    struct pl_make g;
    room_open(&r);
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 20000);
    assert_true(pl_make_save(&g, r.path));
    FILE *f = fopen(r.path, "ab");
    assert_non_null(f);
    for (int i = 0; i < 20000; i++) { /* 32 KiB kept of 4 KiB each */
        struct pl_make k = {.data = g.data};
        char key[32];
        (void)PL_FMT(key, "key.%05d", i);
        pl_make_key_array(&k, key, PL_KV_U8, PL_KV_INTS_MAX);
        pl_make_zeros(&k, PL_KV_INTS_MAX);
        assert_true(fwrite(k.data, 1, k.n, f) == k.n);
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(pl_gguf_read(r.path, &m, &err), -EBADMSG);
    assert_non_null(strstr(err.what, "more than the 256 MiB allowed"));
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    pl_make_done(&g);
    room_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_versions_and_byte_orders),
        cmocka_unit_test(reads_every_value_type),
        cmocka_unit_test(long_values_are_walked),
        cmocka_unit_test(foreign_files_are_named),
        cmocka_unit_test(versions_are_checked),
        cmocka_unit_test(truncation_is_told),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(container_keys_are_checked),
        cmocka_unit_test(bigger_alignment_is_used),
        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(scalars_and_rows_have_sizes),
        cmocka_unit_test(layout_is_checked),
        cmocka_unit_test(names_cannot_harm_a_terminal),
        cmocka_unit_test(any_part_finds_the_others),
        cmocka_unit_test(wrong_parts_are_refused),
        cmocka_unit_test(parts_need_their_names),
        cmocka_unit_test(part_paths_are_made),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(no_permission_is_the_environment),
        cmocka_unit_test(files_are_read_and_ghosts_known),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(long_paths_may_find_no_memory),
        cmocka_unit_test(endless_headers_are_refused),
        cmocka_unit_test(every_read_may_fail),
        cmocka_unit_test(a_shrinking_file_is_told),
        cmocka_unit_test(greedy_headers_are_refused),
    };
    return cmocka_run_group_tests_name("gguf", tests, NULL, NULL);
}
