/* What describe says of a model, and every warning: once where it belongs, never on a sound file.
 */
#include "test.h"

#include "base/str.h"
#include "gguf_make.h"
#include "model/describe.h"
#include "model/gguf.h"

#include <string.h>

static int open_made(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    const struct pl_make *g = ctx;
    (void)path;
    (void)err;
    pl_input_memory(g->data, g->n, ret);
    return 0;
}

static struct pl_model *read_made(struct pl_make *g)
{
    struct pl_opener opener = {open_made, g};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    if (pl_gguf_read_with(&opener, "x.gguf", &m, &err) != 0)
        fail_msg("%s", err.what);
    pl_make_done(g);
    return m;
}

static void expect(const struct pl_description *d, const char *text)
{
    for (uint32_t i = 0; i < d->n_warning; i++) {
        if (strstr(d->warning[i], text) != NULL)
            return;
    }
    fail_msg("no warning holds '%s'; the first of %u is '%s'", text, d->n_warning, d->warning[0]);
}

static void a_sound_model_gets_no_warning(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_description d;
    pl_make_tiny(&g, 3, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, NULL);
    struct pl_model *m = read_made(&g);
    pl_model_describe(m, &d);
    if (d.n_warning > 0)
        fail_msg("%s", d.warning[0]);
    assert_int_equal(d.kind, PL_MODEL_WHOLE);
    assert_true(d.parameters == 200 && d.parameters_active == 200 && d.tensor_bytes == 800);
    assert_true(d.n_type == 1 && d.type[0].count == 4 && d.type[0].bytes == 800);
    assert_true(d.type[0].parameters == 200);
    assert_true(d.shape[PL_SHAPE_CONTEXT].known && d.shape[PL_SHAPE_CONTEXT].high == 64);
    assert_false(d.shape[PL_SHAPE_EXPERTS].known);
    assert_true(d.tokenizer.present && d.tokenizer.vocabulary.high == 8);
    assert_false(d.tokenizer.merges.known);
    assert_true(d.tokenizer.chat_template && d.tokenizer.chat_template_bytes == 14);
    assert_true(d.tokenizer.chat_templates == 1 && !d.tied_output);
    (void)pl_model_free(m);
}

static void the_other_byte_order_is_told(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_description d;
    pl_make_tiny(&g, 3, __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__, NULL);
    struct pl_model *m = read_made(&g);
    pl_model_describe(m, &d);
    assert_int_equal(d.n_warning, 1);
    expect(&d, "engines here cannot use it");
    (void)pl_model_free(m);
}

/* A mixture of experts in which nothing agrees. */
static void a_wrong_model_gets_its_warnings(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_description d;
    char longest[80];
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 4, 14);
    pl_make_key_str(&g, "general.architecture", "odd");
    pl_make_key_int(&g, "general.file_type", PL_KV_U32, 15);
    pl_make_key_int(&g, "plimsoll.ghost", PL_KV_BOOL, 1);
    pl_make_key_int(&g, "odd.context_length", PL_KV_U32, 0);
    pl_make_key_int(&g, "odd.block_count", PL_KV_U32, 9);
    pl_make_key_int(&g, "odd.embedding_length", PL_KV_U32, 100);
    pl_make_key_int(&g, "odd.attention.head_count", PL_KV_U32, 7);
    pl_make_key_array(&g, "odd.attention.head_count_kv", PL_KV_U32, 3);
    pl_make_int(&g, 4, 7);
    pl_make_int(&g, 4, 0);
    pl_make_int(&g, 4, 2);
    pl_make_key_int(&g, "odd.rope.dimension_count", PL_KV_U32, 15);
    pl_make_key_int(&g, "odd.expert_count", PL_KV_U32, 2);
    pl_make_key_int(&g, "odd.expert_used_count", PL_KV_U32, 3);
    pl_make_key_str(&g, "tokenizer.ggml.model", "gpt2");
    pl_make_key_array(&g, "tokenizer.ggml.tokens", PL_KV_STR, 2);
    pl_make_str(&g, "a");
    pl_make_str(&g, "b");
    pl_make_key_array(&g, "tokenizer.ggml.scores", PL_KV_F32, 1);
    pl_make_zeros(&g, 4);
    pl_make_tensor(&g, "token_embd.weight", 8, 4, 0, 0);
    pl_make_tensor(&g, "blk.2.ffn_up_exps.weight", 32, 2, 8, 192);
    pl_make_tensor(&g, longest, 1, 0, 0, 128);
    pl_make_tensor(&g, "blk.x.y", 1, 0, 0, 160);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 400);
    struct pl_model *m = read_made(&g);
    pl_model_describe(m, &d);
    expect(&d, "ghost");
    expect(&d, "a name of over 63 bytes");
    expect(&d, "does not follow the one before it");
    expect(&d, "112 bytes follow the last tensor");
    expect(&d, "general.file_type says Q4_K_M, but no tensor is of that type; most bytes are F32");
    expect(&d, "BPE tokenizer without merges");
    expect(&d, "tokenizer.ggml.scores has 1 entries, the vocabulary 2");
    expect(&d, "the tokenizer has 2 tokens, token_embd.weight 4 rows");
    expect(&d, "embedding_length is 100, token_embd.weight has rows of 8");
    expect(&d, "block_count is 9, the tensors have 3 blocks");
    expect(&d, "the context length is 0");
    expect(&d, "block 2: 7 heads are no multiple of 2 KV heads");
    expect(&d, "embedding_length 100 is no multiple of 7 heads");
    expect(&d, "rope.dimension_count 15 exceeds the head's 14");
    expect(&d, "3 experts used of 2");
    assert_int_equal(d.n_warning, 15);
    assert_true(d.shape[PL_SHAPE_HEADS_KV].low == 0 && d.shape[PL_SHAPE_HEADS_KV].high == 7);
    assert_true(d.tied_output && m->ghost);
    (void)pl_model_free(m);
}

static void what_is_missing_is_told(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_description d;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 1, 0);
    pl_make_tensor(&g, "blk.0.ffn_up_exps.weight", 8, 4, 0, 0);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 128);
    struct pl_model *m = read_made(&g);
    pl_model_describe(m, &d);
    expect(&d, "no general.architecture");
    expect(&d, "no tokenizer");
    expect(&d, "no tensor token_embd.weight");
    expect(&d, "nothing to compute logits with");
    expect(&d, "no unknown.block_count");
    expect(&d, "the context length is not given");
    expect(&d, "there are expert tensors, but no unknown.expert_count");
    assert_int_equal(d.n_warning, 7);
    assert_true(d.parameters_active == d.parameters); /* unknown, so all */
    (void)pl_model_free(m);
}

static void declared_numbers_are_compared(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_description d;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 1, 6);
    pl_make_key_str(&g, "general.architecture", "a");
    pl_make_key_int(&g, "a.vocab_size", PL_KV_U32, 5);
    pl_make_key_int(&g, "a.context_length", PL_KV_U32, 5);
    pl_make_key_int(&g, "a.block_count", PL_KV_U32, 5);
    pl_make_key_int(&g, "a.rope.dimension_count", PL_KV_U32, 5);
    pl_make_key_str(&g, "tokenizer.ggml.model", "llama");
    pl_make_tensor(&g, "token_embd.weight", 8, 4, 0, 0);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 128);
    struct pl_model *m = read_made(&g);
    pl_model_describe(m, &d);
    expect(&d, "the tokenizer has no list of tokens");
    expect(&d, "vocab_size is 5, token_embd.weight has 4 rows");
    expect(&d, "rope.dimension_count 5 is odd");
    assert_int_equal(d.n_warning, 3);
    (void)pl_model_free(m);
}

static void other_kinds_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        enum pl_model_kind kind;
        const char *name;
    } cases[] = {
        {"general.type",         "imatrix", PL_MODEL_IMATRIX,    "imatrix"   },
        {"general.type",         "adapter", PL_MODEL_ADAPTER,    "adapter"   },
        {"general.type",         "mmproj",  PL_MODEL_PROJECTOR,  "projector" },
        {"general.architecture", "clip",    PL_MODEL_PROJECTOR,  "projector" },
        {"tokenizer.ggml.model", "llama",   PL_MODEL_VOCABULARY, "vocabulary"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_make g;
        struct pl_description d;
        pl_make_start(&g, false);
        pl_make_head(&g, 3, 0, 1);
        pl_make_key_str(&g, cases[i].key, cases[i].value);
        struct pl_model *m = read_made(&g);
        pl_model_describe(m, &d);
        assert_int_equal(d.kind, cases[i].kind);
        assert_string_equal(pl_model_kind_name(d.kind), cases[i].name);
        assert_int_equal(d.n_warning, 0);
        (void)pl_model_free(m);
    }
}

static void experts_count_by_use(void **state)
{
    (void)state;
    struct pl_make g;
    struct pl_description d;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 2, 3);
    pl_make_key_str(&g, "general.architecture", "moe");
    pl_make_key_int(&g, "moe.expert_count", PL_KV_U32, 8);
    pl_make_key_int(&g, "moe.expert_used_count", PL_KV_U32, 2);
    pl_make_tensor(&g, "blk.0.ffn_up_exps.weight", 8, 8, 0, 0);
    pl_make_tensor(&g, "token_embd.weight", 8, 1, 0, 256);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 288);
    struct pl_model *m = read_made(&g);
    pl_model_describe(m, &d);
    assert_true(d.parameters == 72 && d.parameters_active == 8 + 16);
    (void)pl_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_model_gets_no_warning),
        cmocka_unit_test(the_other_byte_order_is_told),
        cmocka_unit_test(a_wrong_model_gets_its_warnings),
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test(declared_numbers_are_compared),
        cmocka_unit_test(other_kinds_are_known),
        cmocka_unit_test(experts_count_by_use),
    };
    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
