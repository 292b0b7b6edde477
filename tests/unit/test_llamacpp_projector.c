/* Headers of projectors: whole, cut after every key, and hostile. */
#include "test.h"

#include "engine/llamacpp/projector_compute.h"

#include <errno.h>
#include <string.h>

#define KEYS 12

static struct pl_kv text(const char *key, const char *value)
{
    return (struct pl_kv){.key = key, .type = PL_KV_STR, .count = strlen(value), .str = value};
}

static struct pl_kv number(const char *key, uint64_t value)
{
    return (struct pl_kv){.key = key, .type = PL_KV_U32, .count = 1, .u = value};
}

/* Gemma 3's tower, without its tensors. */
struct header {
    struct pl_kv kv[KEYS];
    struct pl_model m;
};

static void header_make(struct header *h)
{
    *h = (struct header){
        .kv = {{.key = "clip.has_vision_encoder", .type = PL_KV_BOOL, .count = 1, .u = 1},
               text("clip.projector_type",                      "gemma3"),
               number("clip.vision.embedding_length",          1152),
               number("clip.vision.feed_forward_length", 4304),
               number("clip.vision.attention.head_count", 16),
               number("clip.vision.block_count", 27),
               number("clip.vision.projection_dim", 2560),
               number("clip.vision.image_size", 896),
               number("clip.vision.patch_size", 14)},
        .m = {.path = "p.gguf",                                   .name = "p", .arch = "clip",                  .n_kv = 9},
    };
    h->m.kv = h->kv;
}

static int header_read(const struct header *h, struct pl_projector *p, struct pl_err *err)
{
    const struct pl_settings s = {.mtmd_batch_tokens = 1024};
    *err = (struct pl_err){0};
    return pl_projector_read(&h->m, 0, &s, p, err);
}

static void test_whole(void **state)
{
    struct header h;
    struct pl_projector p;
    struct pl_err err;
    (void)state;
    header_make(&h);
    assert_int_equal(header_read(&h, &p, &err), 0);
    assert_string_equal(p.kind->name, "gemma3");
    assert_int_equal(p.image, 896);
    assert_int_equal(p.patch, 14);
    assert_int_equal(p.n_out, 2560);
    assert_int_equal(p.head, 72);
    /* 64 x 64 patches, four of a side to a token (docs of Gemma 3: 256 tokens an image) */
    assert_int_equal(pl_projector_patches(&p, &p.warm), 4096);
    assert_int_equal(pl_projector_tokens(&p, &p.warm), 256);
}

/* Every key is asked for: a header that ends before it is refused, with the key's name. */
static void test_cut(void **state)
{
    struct header h;
    struct pl_projector p;
    struct pl_err err;
    (void)state;
    header_make(&h);
    uint64_t whole = h.m.n_kv;
    for (h.m.n_kv = 0; h.m.n_kv < whole; h.m.n_kv++) {
        memset(&p, 0x5a, sizeof(p));
        const struct pl_projector before = p;
        assert_int_equal(header_read(&h, &p, &err), -EBADMSG);
        assert_true(err.what[0] != '\0');
        assert_string_equal(err.file, "p.gguf");
        assert_memory_equal(&p, &before, sizeof(p)); /* nothing half read */
    }
}

static void refused(uint32_t at, struct pl_kv kv, int code, const char *word)
{
    struct header h;
    struct pl_projector p;
    struct pl_projector_bytes b;
    struct pl_err err;
    const struct pl_settings s = {0};
    header_make(&h);
    kv.key = h.kv[at].key;
    h.kv[at] = kv;
    assert_int_equal(header_read(&h, &p, &err), code);
    assert_non_null(strstr(err.what, word));
    assert_int_equal(pl_projector_bytes(&h.m, 0, &s, NULL, &b, &err), code);
}

static void test_hostile(void **state)
{
    (void)state;
    refused(0, number("", 1), -EBADMSG, "no projector"); /* a number where a bool belongs */
    refused(1, text("", "gemma99"), -ENOTSUP, "gemma99");
    refused(1, text("", "ultravox"), -ENOTSUP, "ultravox"); /* a kind of sound for images */
    refused(1, number("", 7), -EBADMSG, "projector_type");
    for (uint32_t at = 2; at < 9; at++) /* beyond any width, and so beyond any product */
        refused(at, number("", UINT32_MAX), -EBADMSG, "holds a size no projector has");
    refused(2, number("", 0), -EBADMSG, "embedding_length");
    refused(5, number("", 100000), -EBADMSG, "layers");
    refused(7, number("", 70000), -EBADMSG, "image");
    refused(8, number("", 0), -EBADMSG, "patch");
}

/* What is absurd and allowed stays within its arithmetic. */
static void test_extreme(void **state)
{
    const struct pl_settings s = {.mtmd_batch_tokens = UINT64_MAX};
    struct pl_projector_bytes b;
    struct header h;
    struct pl_err err;
    (void)state;
    header_make(&h);
    h.kv[2].u = h.kv[3].u = h.kv[6].u = 1u << 20;
    h.kv[4].u = 0;
    h.kv[5].u = 512;
    h.kv[7].u = 65536;
    h.kv[8].u = 1;
    assert_int_equal(pl_projector_bytes(&h.m, 0, &s, NULL, &b, &err), 0);
    assert_true(b.most[0] >= b.warm[0] || b.most[0] == UINT64_MAX);
    assert_int_equal(b.weights, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_extreme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
