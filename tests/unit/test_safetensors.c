/* The reader of safetensors checkpoints: one file's header, shards by their index, folders. */
#include "test.h"

#include "base/str.h"
#include "domain/tensor_type.h"
#include "model/safetensors.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 4096

/* One file's bytes in memory: the length, the JSON, zeros. */
struct file {
    const char *path, *json;
    uint64_t data; /* bytes behind the header */
    uint64_t says; /* the header's length as written; 0: the right one */
    char bytes[TEXT_MAX];
};

struct files {
    struct file *file;
    size_t n;
};

static size_t fill(struct file *f)
{
    size_t n = strlen(f->json);
    uint64_t len = f->says != 0 ? f->says : n;
    assert_true(8 + n + f->data <= sizeof(f->bytes));
    memset(f->bytes, 0, sizeof(f->bytes));
    for (int i = 0; i < 8; i++)
        f->bytes[i] = (char)(len >> (8 * i));
    memcpy(f->bytes + 8, f->json, n);
    return 8 + n + (size_t)f->data;
}

static int open_one(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    const struct files *all = ctx;
    for (size_t i = 0; i < all->n; i++) {
        struct file *f = &all->file[i];
        bool whole = pl_ends(path, ".safetensors");
        if (!pl_streq(f->path, path))
            continue;
        size_t n = whole ? fill(f) : strlen(f->json);
        pl_input_memory(whole ? f->bytes : f->json, n, ret);
        return 0;
    }
    return pl_fail(err, -ENOENT, "cannot open: not there");
}

static int read_of(struct file *file, size_t n, const char *path, struct pl_model **ret,
                   struct pl_err *err)
{
    struct files all = {file, n};
    const struct pl_opener opener = {.open = open_one, .ctx = &all};
    return pl_safetensors_read_with(&opener, path, ret, err);
}

static void a_file_is_read(void **state)
{
    static struct file f = {
        .path = "m/x.safetensors",
        .json = "{\"__metadata__\":{\"format\":\"pt\"},"
                "\"b\":{\"dtype\":\"BF16\",\"shape\":[3,4],\"data_offsets\":[0,24]},"
                "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]},"
                "\"five\":{\"dtype\":\"I8\",\"shape\":[2,3,4,5,6],\"data_offsets\":[28,748]}}",
        .data = 748};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(read_of(&f, 1, f.path, &m, &err), 0);
    assert_int_equal(m->n_tensor, 3);
    assert_string_equal(m->format, "safetensors");
    assert_string_equal(m->arch, "unknown"); /* no config.json: what it would say is not known */
    assert_string_equal(m->name, "m");
    assert_int_equal(m->file_bytes, 8 + strlen(f.json) + 748);
    assert_int_equal(m->file[0].data_offset, 8 + strlen(f.json));
    const struct pl_tensor *b = pl_model_tensor(m, "b"), *a = pl_model_tensor(m, "a"),
                           *five = pl_model_tensor(m, "five");
    assert_non_null(b);
    assert_non_null(a);
    assert_non_null(five);
    assert_int_equal(b->ne[0], 4); /* fastest first */
    assert_int_equal(b->ne[1], 3);
    assert_int_equal(b->n_dims, 2);
    assert_int_equal(b->bytes, 24);
    assert_string_equal(pl_tensor_type(b->type)->name, "BF16");
    assert_int_equal(a->n_dims, 1); /* a scalar is one element */
    assert_int_equal(a->ne[0], 1);
    assert_int_equal(a->offset, 24);
    assert_int_equal(five->n_dims, 4);
    assert_int_equal(five->ne[0], 6);
    assert_int_equal(five->ne[3], 2 * 3); /* lengths beyond the fourth go into it */
    assert_int_equal(pl_model_parameters(m), 12 + 1 + 720);
    (void)pl_model_free(m);
}

/* Every way to break the grammar is an error of the input, in one line. */
static void broken_headers_are_refused(void **state)
{
    static const struct {
        const char *json, *why;
        uint64_t data, says;
    } bad[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",          "cut off",           4,  0   },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",         "gap",               12, 0   },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", "overlap",           12, 0   },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",          "disagree",          8,  0   },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",         "shape",             8,  0   },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":\"2\",\"data_offsets\":[0,8]}}",        "shape",             8,  0   },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",          "data_offsets",      8,  0   },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}",            "data_offsets",      8,  0   },
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}",          "dtype",             8,  0   },
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],"
         "\"data_offsets\":[0,8]}}",                                         "overflow",          8,  0   },
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}",           "whole number",      1,  0   },
        {"{\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",           "not a name",        8,  0   },
        {"{\"a\":7}",                                                                 "not a name",        0,  0   },
        {"{\"a\":",                                                                   "",                  0,  0   },
        {"{}",                                                                        "cut off",           0,  3000},
        {"[]",                                                                        "not a safetensors", 0,  0   },
        {"{\"\\u001b[31m\":{\"dtype\":\"no\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         "unknown dtype",                                                                                  8,  0   },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        static struct file f;
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        f = (struct file){
            .path = "x.safetensors", .json = bad[i].json, .data = bad[i].data, .says = bad[i].says};
        int rc = read_of(&f, 1, f.path, &m, &err);
        if (rc != -EBADMSG || err.exit_code != 2 || strstr(err.what, bad[i].why) == NULL)
            fail_msg("%s: %d, exit %d: %s", bad[i].json, rc, err.exit_code, err.what);
        assert_null(m);
        assert_null(strchr(err.what, '\x1b'));
        assert_string_equal(err.file, "x.safetensors");
    }
}

#define ONE(name) "{\"" name "\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}}"

static void shards_are_read_by_their_index(void **state)
{
    static struct file f[] = {
        {.path = "d/m-1.safetensors",              .json = ONE("a"),                       .data = 8},
        {.path = "d/m-2.safetensors",                                        .json = ONE("b"),                                                    .data = 8},
        {.path = "d/other.safetensors",                               .json = ONE("c"),                  .data = 8},
        {.path = "d/model.safetensors.index.json",
         .json = "{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}"     },
        {.path = "d/config.json", .json = "{\"model_type\":\"llama\",\"hidden_size\":4}"},
    };
    static const struct {
        const char *path;
        uint64_t n;
    } asked[] = {
        {"d/model.safetensors.index.json", 2},
        {"d/config.json",                  2},
        {"d/m-2.safetensors",              2},
        {"d/other.safetensors",            1}, /* the index does not name it */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        if (read_of(f, sizeof(f) / sizeof(f[0]), asked[i].path, &m, &err) < 0)
            fail_msg("%s: %s", asked[i].path, err.what);
        assert_int_equal(m->n_tensor, asked[i].n);
        assert_int_equal(m->n_file, asked[i].n);
        assert_string_equal(m->arch, "llama");
        for (uint64_t k = 0; k < m->n_tensor; k++)
            assert_int_equal(m->tensor[k].split, k);
        (void)pl_model_free(m);
    }
}

/* An index reaches no file outside of its folder, and nothing that is no shard. */
static void an_index_does_not_climb(void **state)
{
    static const char *const names[] = {
        "../m.safetensors", "/etc/m.safetensors", "a/m.safetensors", ".m.safetensors", "m.bin", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        static char index[256];
        static struct file f[2];
        struct pl_model *m = NULL;
        struct pl_err err = {0};
        (void)PL_FMT(index, "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
        f[0] = (struct file){.path = "d/model.safetensors.index.json", .json = index};
        f[1] = (struct file){.path = "m.safetensors", .json = ONE("a"), .data = 8};
        assert_int_equal(read_of(f, 2, f[0].path, &m, &err), -EBADMSG);
        assert_null(m);
        assert_string_equal(err.file, "d/model.safetensors.index.json");
    }
}

/* No file is no model of zero bytes. */
static void an_index_of_nothing_is_refused(void **state)
{
    static struct file f = {.path = "d/model.safetensors.index.json",
                            .json = "{\"weight_map\":{}}"};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(read_of(&f, 1, f.path, &m, &err), -EBADMSG);
    assert_int_equal(err.exit_code, 2);
    assert_null(m);
}

static void the_same_tensor_twice_is_refused(void **state)
{
    static struct file f[] = {
        {.path = "d/m-1.safetensors", .json = ONE("a"), .data = 8},
        {.path = "d/m-2.safetensors",                           .json = ONE("a"),                 .data = 8},
        {.path = "d/model.safetensors.index.json",
         .json = "{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}"                 },
    };
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(read_of(f, 3, f[2].path, &m, &err), -EBADMSG);
    assert_null(m);
}

static void what_begins_so_matches(void **state)
{
    const uint8_t right[] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    const uint8_t gguf[] = {'G', 'G', 'U', 'F', 3, 0, 0, 0, '{', 0};
    const uint8_t none[] = {0, 0, 0, 0, 0, 0, 0, 0, '{', 0};
    (void)state;
    assert_true(pl_safetensors_match(right, sizeof(right)));
    assert_false(pl_safetensors_match(right, 8));
    assert_false(pl_safetensors_match(gguf, sizeof(gguf)));
    assert_false(pl_safetensors_match(none, sizeof(none)));
}

static void a_folder_holds_one(void **state)
{
    char path[512], want[512];
    struct pl_tree t;
    (void)state;
    pl_tree_open(&t);
    assert_false(pl_safetensors_folder(t.dir, path, sizeof(path)));
    pl_tree_put(&t, "one.safetensors", "x");
    assert_true(pl_safetensors_folder(t.dir, path, sizeof(path)));
    (void)PL_FMT(want, "%s/one.safetensors", t.dir);
    assert_string_equal(path, want);
    pl_tree_put(&t, "two.safetensors", "x"); /* which of them is not told */
    assert_false(pl_safetensors_folder(t.dir, path, sizeof(path)));
    pl_tree_put(&t, "model.safetensors", "x");
    assert_true(pl_safetensors_folder(t.dir, path, sizeof(path)));
    assert_false(pl_safetensors_folder(t.dir, path, 8)); /* no room for the path */
    pl_tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(broken_headers_are_refused),
        cmocka_unit_test(shards_are_read_by_their_index),
        cmocka_unit_test(an_index_does_not_climb),
        cmocka_unit_test(an_index_of_nothing_is_refused),
        cmocka_unit_test(the_same_tensor_twice_is_refused),
        cmocka_unit_test(what_begins_so_matches),
        cmocka_unit_test(a_folder_holds_one),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
