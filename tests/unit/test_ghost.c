#include "test.h"

#include "base/str.h"
#include "domain/tensor_type.h"
#include "model/catalogue.h"
#include "model/edit.h"
#include "model/gguf.h"
#include "model/gguf_write.h"
#include "model/ghost.h"
#include "model/ghost_fill.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct pl_tree tree;

static int tree_begin(void **state)
{
    (void)state;
    pl_tree_open(&tree);
    return 0;
}

static int tree_end(void **state)
{
    (void)state;
    pl_tree_done(&tree);
    return 0;
}

static const char *in_tree(const char *name, char out[200])
{
    (void)pl_fmt(out, 200, "%s/%s", tree.dir, name);
    return out;
}

static unsigned files_in_tree(void)
{
    unsigned n = 0;
    DIR *d = opendir(tree.dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += pl_streq(e->d_name, ".") || pl_streq(e->d_name, "..") ? 0 : 1;
    (void)closedir(d);
    return n;
}

/* A catalogue model small enough to fill in a moment. */
static struct pl_model *small(const char *id, const char *quant)
{
    struct pl_catalogue_row row = *pl_catalogue_find(id);
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    row.n_layer = 2;
    row.n_embd = 512;
    row.n_ff = 1024;
    row.n_vocab = 4096;
    row.tokenizer = "smollm";
    if (pl_catalogue_model(&row, quant, &m, &err) < 0)
        fail_msg("%s", err.what);
    return m;
}

static struct pl_ghost_written write_ghost(const struct pl_model *m, const char *path,
                                           enum pl_fill fill, uint64_t seed)
{
    const struct pl_ghost_options o = {.fill = fill, .seed = seed};
    struct pl_ghost_written w = {0};
    struct pl_err err = {0};
    if (pl_ghost_write(m, path, &o, &w, &err) < 0)
        fail_msg("%s", err.what);
    return w;
}

static struct pl_model *read_back(const char *path)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    if (pl_gguf_read(path, &m, &err) < 0)
        fail_msg("%s", err.what);
    return m;
}

static void same_tensors(const struct pl_model *a, const struct pl_model *b)
{
    assert_true(a->n_tensor == b->n_tensor);
    for (uint64_t i = 0; i < a->n_tensor; i++) {
        assert_string_equal(a->tensor[i].name, b->tensor[i].name);
        assert_true(a->tensor[i].type == b->tensor[i].type);
        assert_true(a->tensor[i].n_dims == b->tensor[i].n_dims);
        assert_memory_equal(a->tensor[i].ne, b->tensor[i].ne, sizeof(a->tensor[i].ne));
        assert_true(a->tensor[i].bytes == b->tensor[i].bytes);
    }
}

static void same_kv(const struct pl_kv *a, const struct pl_kv *b)
{
    assert_non_null(b);
    assert_true(a->type == b->type && a->count == b->count && a->u == b->u);
    if (a->type == PL_KV_ARRAY)
        assert_true(a->element == b->element && a->text_bytes == b->text_bytes);
    if (a->type == PL_KV_STR)
        assert_string_equal(a->str, b->str);
    if (a->type == PL_KV_F32)
        assert_true(a->f - b->f < 1e-3 && b->f - a->f < 1e-3);
}

/* Rows of the catalogue, written as a hole and read back: same keys, same tensors. */
static void round_trip(void **state)
{
    char path[200];
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    (void)state;
    (void)in_tree("ghost.gguf", path);
    for (size_t i = 0; i < n; i++) {
        struct pl_model *m = NULL;
        if (row[i].offered == 0 && i % 8 != 0)
            continue;
        if (pl_catalogue_model(&row[i], NULL, &m, NULL) < 0)
            continue;            /* what cannot be told is test_catalogue.c's */
        if (m->format != NULL) { /* of whisper.cpp: tests/cli/whisper.sh */
            (void)pl_model_free(m);
            continue;
        }
        struct pl_ghost_written w = write_ghost(m, path, PL_FILL_ZERO, 0);
        struct pl_model *back = read_back(path);
        same_tensors(m, back);
        for (uint64_t k = 0; k < m->n_kv; k++)
            same_kv(&m->kv[k], pl_model_kv(back, m->kv[k].key));
        assert_true(back->ghost && w.synthetic_tokenizer);
        assert_string_equal(pl_model_str(back, "plimsoll.ghost_of", ""), m->path);
        assert_true(w.bytes == back->file_bytes);
        /* our own keys are all that the file is longer by */
        assert_true(w.bytes >= m->file_bytes && w.bytes - m->file_bytes < 256);
        if (!w.no_holes)
            assert_true(w.disk_bytes < (16u << 20));
        (void)pl_model_free(back);
        (void)pl_model_free(m);
    }
    assert_int_equal(files_in_tree(), 1);
}

static uint8_t *bytes_of(const char *path, const struct pl_model *m, const char *name)
{
    const struct pl_tensor *t = pl_model_tensor(m, name);
    assert_non_null(t);
    uint8_t *b = malloc(t->bytes);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && b != NULL);
    assert_true(pread(fd, b, t->bytes, (off_t)(m->file[0].data_offset + t->offset)) ==
                (ssize_t)t->bytes);
    (void)close(fd);
    return b;
}

static void random_weights(void **state)
{
    char path[200], other[200];
    (void)state;
    struct pl_model *m = small("llama-3.2-1b", "q4_k_m");
    struct pl_ghost_written w =
        write_ghost(m, in_tree("a.gguf", path), PL_FILL_RANDOM, PL_GHOST_SEED);
    struct pl_model *a = read_back(path);
    assert_true(w.disk_bytes + (1u << 20) > w.weight_bytes);
    /* the scales of every Q4_K block, here 144 bytes, are ours; the rest is not */
    uint8_t *q = bytes_of(path, a, "blk.1.attn_q.weight");
    uint64_t n = pl_model_tensor(a, "blk.1.attn_q.weight")->bytes, same = 0;
    assert_true(pl_model_tensor(a, "blk.1.attn_q.weight")->type == 12);
    for (uint64_t at = 0; at < n; at += 144) {
        assert_true(q[at] == 0x8E && q[at + 1] == 0x06 && q[at + 2] == 0x25 && q[at + 3] == 0x12);
        same += q[at + 20] == q[20];
    }
    assert_true(same < n / 144 / 16);
    uint8_t *norm = bytes_of(path, a, "output_norm.weight");
    assert_memory_equal(norm, ((const uint8_t[]){0, 0, 0x80, 0x3F}), 4);
    free(norm);
    norm = bytes_of(path, a, "rope_freqs.weight");
    assert_memory_equal(norm, ((const uint8_t[]){0, 0, 0x80, 0x3F}), 4);
    free(norm);
    /* the same seed, the same bytes; another, others */
    (void)write_ghost(m, in_tree("b.gguf", other), PL_FILL_RANDOM, PL_GHOST_SEED);
    uint8_t *again = bytes_of(other, a, "blk.1.attn_q.weight");
    assert_memory_equal(q, again, n);
    free(again);
    (void)write_ghost(m, other, PL_FILL_RANDOM, 2);
    again = bytes_of(other, a, "blk.1.attn_q.weight");
    assert_memory_not_equal(q, again, n);
    free(again);
    free(q);
    (void)pl_model_free(a);
    (void)pl_model_free(m);
}

/* RoPE's factors divide; norms and matrices may be zero. */
static void zeros(void **state)
{
    char path[200];
    (void)state;
    struct pl_model *m = small("llama-3.2-1b", "q8_0");
    (void)write_ghost(m, in_tree("z.gguf", path), PL_FILL_ZERO, 0);
    struct pl_model *back = read_back(path);
    uint8_t *b = bytes_of(path, back, "rope_freqs.weight");
    assert_memory_equal(b, ((const uint8_t[]){0, 0, 0x80, 0x3F}), 4);
    free(b);
    b = bytes_of(path, back, "blk.0.attn_norm.weight");
    assert_memory_equal(b, ((const uint8_t[]){0, 0, 0, 0}), 4);
    free(b);
    (void)pl_model_free(back);
    (void)pl_model_free(m);
}

/* Every type that a file may hold can be filled, and keeps its blocks whole. */
static void every_type(void **state)
{
    static uint8_t buf[(1u << 16) + 8];
    (void)state;
    for (uint32_t id = 0; id < 64; id++) {
        const struct pl_tensor_type *type = pl_tensor_type(id);
        struct pl_ghost_fill f;
        if (type == NULL || type->removed || pl_streq(type->name, "Q8_1") ||
            pl_streq(type->name, "Q8_K")) /* types of activations */
            continue;
        struct pl_tensor t = {.name = "blk.0.ffn_up.weight", .type = id, .bytes = 1 << 20};
        if (!pl_ghost_fill_start(&f, &t, 1, 1))
            fail_msg("%s: cannot be filled", type->name);
        size_t n = pl_ghost_fill_chunk(&f, 1u << 16);
        assert_true(n > 0 && n % type->block_bytes == 0 && n % 8 == 0);
        buf[n] = 0x5A;
        pl_ghost_fill_next(&f, buf, n);
        assert_true(buf[n] == 0x5A);
        pl_ghost_fill_next(&f, buf, type->block_bytes);
    }
}

/* Writes a file of one tensor, as a part of a split model when count > 1. */
static void put_file(const char *name, const char *tensor, uint64_t no, uint64_t count,
                     const char *tokenizer)
{
    char path[200];
    struct pl_gguf_out o;
    struct pl_tensor t = {
        .name = tensor, .n_dims = 2, .ne = {64, 300, 1, 1},
                .bytes = 76800
    };
    const struct pl_kv kv[] = {
        {.key = "general.architecture", .type = PL_KV_STR, .str = "llama",    .count = 5},
        {.key = "tokenizer.ggml.model",
         .type = PL_KV_STR,
         .str = tokenizer,
         .count = strlen(tokenizer)                                                     },
        {.key = "llama.odd",            .type = PL_KV_I16, .u = (uint64_t)-3, .count = 1},
        {.key = "split.no",             .type = PL_KV_U16, .u = no,           .count = 1},
        {.key = "split.count",          .type = PL_KV_U16, .u = count,        .count = 1},
        {.key = "split.tensors.count",  .type = PL_KV_I32, .u = count,        .count = 1},
    };
    uint64_t n_kv = count > 1 ? 6 : 3;
    int fd = open(in_tree(name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(pl_gguf_out_init(&o, fd, NULL), 0);
    pl_gguf_put_head(&o, 1, n_kv);
    for (uint64_t i = 0; i < n_kv; i++)
        assert_int_equal(pl_gguf_put_kv(&o, &kv[i], NULL), 0);
    pl_gguf_put_info(&o, &t);
    pl_gguf_put_zeros(&o, 32 - o.at % 32);
    pl_gguf_put_zeros(&o, t.bytes);
    assert_int_equal(pl_gguf_out_flush(&o), 0);
    pl_gguf_out_done(&o);
    (void)close(fd);
}

static void a_split_model_becomes_one_file(void **state)
{
    char path[200], ghost[200];
    (void)state;
    put_file("m-00001-of-00002.gguf", "token_embd.weight", 0, 2, "no_vocab");
    put_file("m-00002-of-00002.gguf", "output.weight", 1, 2, "no_vocab");
    struct pl_model *m = read_back(in_tree("m-00001-of-00002.gguf", path));
    assert_true(m->n_file == 2);
    (void)write_ghost(m, in_tree("one.gguf", ghost), PL_FILL_ZERO, 0);
    struct pl_model *back = read_back(ghost);
    assert_true(back->n_file == 1);
    same_tensors(m, back);
    assert_null(pl_model_kv(back, "split.count"));
    assert_true(pl_model_kv(back, "llama.odd")->u == (uint64_t)-3);
    (void)pl_model_free(back);
    (void)pl_model_free(m);
}

static void a_missing_tokenizer_is_made(void **state)
{
    char path[200], ghost[200];
    (void)state;
    put_file("no.gguf", "token_embd.weight", 0, 1, "no_vocab");
    struct pl_model *m = read_back(in_tree("no.gguf", path));
    struct pl_ghost_written w = write_ghost(m, in_tree("g.gguf", ghost), PL_FILL_RANDOM, 1);
    assert_true(w.synthetic_tokenizer);
    struct pl_model *back = read_back(ghost);
    assert_string_equal(pl_model_str(back, "tokenizer.ggml.model", ""), "gpt2");
    assert_true(pl_model_kv(back, "tokenizer.ggml.tokens")->count == 300);
    assert_string_equal(pl_model_str(back, "plimsoll.ghost_of", ""), "no.gguf");
    /* a ghost of a ghost is of the same model, and its tokenizer is there now */
    (void)in_tree("g2.gguf", path);
    w = write_ghost(back, path, PL_FILL_ZERO, 1);
    assert_false(w.synthetic_tokenizer);
    struct pl_model *second = read_back(path);
    same_tensors(back, second);
    assert_true(second->n_kv == back->n_kv);
    assert_string_equal(pl_model_str(second, "plimsoll.ghost_of", ""), "no.gguf");
    assert_string_equal(pl_model_str(second, "plimsoll.ghost_fill", ""), "zero");
    (void)pl_model_free(second);
    (void)pl_model_free(back);
    (void)pl_model_free(m);
}

static int stop_at_once(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    (void)done;
    (void)total;
    return 1;
}

static void nothing_is_left_behind(void **state)
{
    char path[200];
    struct pl_err err = {0};
    (void)state;
    struct pl_model *m = small("qwen2.5-0.5b", "q4_k_m");
    struct pl_ghost_options o = {.fill = PL_FILL_RANDOM, .progress = stop_at_once};
    assert_int_equal(pl_ghost_write(m, in_tree("x.gguf", path), &o, NULL, &err), -ECANCELED);
    assert_int_equal(files_in_tree(), 0);
    assert_int_equal(pl_ghost_write(m, in_tree("no/folder.gguf", path), &o, NULL, &err), -ENOENT);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    assert_int_equal(files_in_tree(), 0);
    (void)pl_model_free(m);
}

static void what_is_no_ghost_stays(void **state)
{
    char path[200], same[200];
    struct pl_err err = {0};
    struct pl_ghost_options o = {.fill = PL_FILL_ZERO};
    (void)state;
    struct pl_model *m = small("qwen2.5-0.5b", "q4_k_m");
    pl_tree_put(&tree, "letter.gguf", "dear reader");
    assert_int_equal(pl_ghost_write(m, in_tree("letter.gguf", path), &o, NULL, &err), -EEXIST);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    assert_non_null(strstr(err.hint, "--force"));
    put_file("real.gguf", "token_embd.weight", 0, 1, "no_vocab");
    assert_int_equal(pl_ghost_write(m, in_tree("real.gguf", same), &o, NULL, &err), -EEXIST);
    o.force = true;
    assert_int_equal(pl_ghost_write(m, path, &o, NULL, &err), 0);
    assert_int_equal(pl_ghost_write(m, tree.dir, &o, NULL, &err), -EEXIST);
    /* the source is never overwritten, whatever is asked */
    struct pl_model *real = read_back(same);
    assert_int_equal(pl_ghost_write(real, same, &o, NULL, &err), -EEXIST);
    o.force = false;
    /* a ghost may be replaced */
    assert_int_equal(pl_ghost_write(real, path, &o, NULL, &err), 0);
    (void)pl_model_free(real);
    (void)pl_model_free(m);
}

/* A file of that name that was last written an hour ago; held by the returned descriptor. */
static int unfinished(const char *name)
{
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
    char path[200];
    int fd = open(in_tree(name, path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(futimens(fd, old), 0);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    return fd;
}

static void what_killed_writers_left_goes(void **state)
{
    (void)state;
    char path[200];
    int held = unfinished(".plimsoll-1-0.part");
    (void)close(unfinished(".plimsoll-2-0.part"));
    (void)close(unfinished(".plimsoll-2-0.gguf"));
    (void)close(unfinished("model.part"));
    int young = open(in_tree(".plimsoll-3-0.part", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    (void)close(young);
    assert_int_equal(symlink("model.part", in_tree(".plimsoll-4-0.part", path)), 0);
    assert_int_equal(files_in_tree(), 6);
    assert_int_equal(pl_ghost_sweep(tree.dir), 1); /* of process 2 alone */
    assert_int_equal(files_in_tree(), 5);
    assert_int_equal(access(in_tree(".plimsoll-2-0.part", path), F_OK), -1);
    (void)close(held); /* as when its process ends */
    assert_int_equal(pl_ghost_sweep(tree.dir), 1);
    assert_int_equal(pl_ghost_sweep(in_tree("absent", path)), 0);
}

/* Edits are written, what is not edited stays as the file says, and a second ghost of the result
 * is the same. */
static void edits_are_written(void **state)
{
    static const char lines[] = "# two more layers\n"
                                "set llama.block_count 4\ncopy blk.0. blk.2.\ncopy blk.1. blk.3.\n"
                                "set llama.attention.head_count_kv 1,2,1,2\n"
                                "set llama.new_key 7\nset llama.new_real 1e-5\n"
                                "unset llama.rope.freq_base\nset general.name other\n"
                                "shape blk.*.ffn_gate.weight 512 2048\n"
                                "type blk.3.ffn_up.weight f32\ndrop blk.1.ffn_down\n";
    char a[200], b[200];
    struct pl_err err = {0};
    (void)state;
    struct pl_model *m = small("llama-3.2-1b", "q8_0");
    (void)write_ghost(m, in_tree("a.gguf", a), PL_FILL_ZERO, 0);
    struct pl_model *source = read_back(a);
    uint64_t n = source->n_tensor;
    if (pl_model_edit(source, lines, sizeof(lines) - 1, "edits", &err) < 0)
        fail_msg("%s:%u %s", err.file, err.line, err.what);
    (void)write_ghost(source, in_tree("b.gguf", b), PL_FILL_ZERO, 0);
    struct pl_model *back = read_back(b);
    uint64_t per_layer = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++)
        per_layer += pl_starts(m->tensor[i].name, "blk.0.") ? 1 : 0;
    assert_true(per_layer > 0 && back->n_tensor == n + 2 * per_layer - 1);
    same_tensors(source, back);
    assert_int_equal(pl_model_arch_u64(back, "block_count", 0), 4);
    assert_int_equal(pl_model_layer_u64(back, "attention.head_count_kv", 3, 0), 2);
    assert_int_equal(pl_model_arch_u64(back, "new_key", 0), 7);
    assert_int_equal(pl_model_arch_kv(back, "new_real")->type, PL_KV_F32);
    assert_string_equal(back->name, "other");
    assert_non_null(pl_model_arch_kv(m, "rope.freq_base"));
    assert_null(pl_model_arch_kv(back, "rope.freq_base"));
    assert_int_equal(pl_model_tensor(back, "blk.3.ffn_gate.weight")->ne[1], 2048);
    assert_int_equal(pl_model_tensor(back, "blk.3.ffn_up.weight")->type, 0);
    assert_null(pl_model_tensor(back, "blk.1.ffn_down.weight"));
    same_kv(pl_model_kv(m, "llama.embedding_length"), pl_model_kv(back, "llama.embedding_length"));
    same_kv(pl_model_kv(m, "tokenizer.ggml.tokens"), pl_model_kv(back, "tokenizer.ggml.tokens"));
    (void)pl_model_free(back);
    (void)pl_model_free(source);
    (void)pl_model_free(m);
}

static void senseless_edits_are_refused(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"\nset llama.block_count two",                                       "no whole number"   },
        {"\nset llama.new_key some",                                          "no number"         },
        {"\nset tokenizer.ggml.tokens 3",                                     "list of texts"     },
        {"\nset only",                                                        "wants 2 to 2"      },
        {"\nshape no.such 3",                                                 "no tensor is named"},
        {"\nshape token_embd.weight 0",                                       "is no length"      },
        {"\nshape token_embd.weight 33",                                      "has no size"       },
        {"\nshape token_embd.weight 32 99999999999999999999",                 "is no length"      },
        {"\nshape token_embd.weight 4611686018427387904 4611686018427387904", "has no size"       },
        {"\ntype token_embd.weight q9",                                       "no element type"   },
        {"\ncopy blk.0. blk.1.",                                              "already"           },
        {"\ncopy blk.9. blk.10.",                                             "no tensor begins"  },
        {"\nlower it",                                                        "is no edit"        },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_err err = {0};
        struct pl_model *m = small("llama-3.2-1b", "q8_0");
        if (pl_model_edit(m, cases[i].line, strlen(cases[i].line), "e", &err) != -EINVAL)
            fail_msg("%s: accepted", cases[i].line);
        if (strstr(err.what, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].line, err.what);
        assert_int_equal(err.line, 2);
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
        (void)pl_model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(random_weights, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(zeros, tree_begin, tree_end),
        cmocka_unit_test(every_type),
        cmocka_unit_test_setup_teardown(edits_are_written, tree_begin, tree_end),
        cmocka_unit_test(senseless_edits_are_refused),
        cmocka_unit_test_setup_teardown(a_split_model_becomes_one_file, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(a_missing_tokenizer_is_made, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(nothing_is_left_behind, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(what_is_no_ghost_stays, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(what_killed_writers_left_goes, tree_begin, tree_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
