#include "test.h"

#include "base/str.h"
#include "model/hub.h"
#include "model/hub_list.h"
#include "model/hub_open.h"
#include "model/ollama.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void list(struct pl_hub_list *l, const char *const *paths)
{
    struct pl_err err = {0};
    pl_hub_list_start(l);
    for (; *paths != NULL; paths++)
        assert_int_equal(pl_hub_list_add(l, *paths, 1, NULL, &err), 0);
}

static void chosen(const char *const *paths, const char *quant, const char *want)
{
    struct pl_hub_list l;
    list(&l, paths);
    const struct pl_hub_file *f = pl_hub_choose(&l, quant);
    if (want == NULL)
        assert_null(f);
    else
        assert_string_equal(f != NULL ? f->path : "(none)", want);
    pl_hub_list_done(&l);
}

static void the_file_of_a_quantisation(void **state)
{
    static const char *const many[] = {"README.md",
                                       "M-BF16.gguf",
                                       "M-F16.gguf",
                                       "M-UD-Q4_K_XL.gguf",
                                       "M-imatrix-Q4_K_M.gguf",
                                       "M-Q4_K_M.gguf",
                                       "M-Q6_K-00002-of-00002.gguf",
                                       "M-Q6_K-00001-of-00002.gguf",
                                       "Q8_0/M-00001-of-00001.gguf",
                                       "mtp-M-Q5_K_M.gguf",
                                       NULL};
    static const char *const few[] = {"mmproj-F16.gguf", "z-iq2_s.gguf", "a-q8_0.gguf", NULL};
    static const char *const odd[] = {"imatrix.gguf", "x-00002-of-00002.gguf", "plain.gguf", NULL};
    static const char *const none[] = {"mmproj.gguf", "README.md", NULL};
    (void)state;
    chosen(many, NULL, "M-Q4_K_M.gguf");
    chosen(many, "", "M-Q4_K_M.gguf");
    chosen(many, "f16", "M-F16.gguf");
    chosen(many, "bf16", "M-BF16.gguf");
    chosen(many, "Q6_K", "M-Q6_K-00001-of-00002.gguf");
    chosen(many, "Q4_K_XL", "M-UD-Q4_K_XL.gguf");
    chosen(many, "UD-Q4_K_XL", "M-UD-Q4_K_XL.gguf");
    chosen(many, "Q8_0", "Q8_0/M-00001-of-00001.gguf");
    chosen(many, "Q5_K_M", NULL);
    chosen(many, "Q4_K", NULL); /* not Q4_K_M */
    chosen(many, "m-bf16.GGUF", "M-BF16.gguf");
    chosen(few, NULL, "a-q8_0.gguf");
    chosen(odd, NULL, "plain.gguf");
    chosen(none, NULL, NULL);
}

static void the_projector(void **state)
{
    static const char *const paths[] = {"a/M-Q8_0.gguf",
                                        "M-Q4_K_M.gguf",
                                        "mmproj-M-F16.gguf",
                                        "mmproj-Q8_0.gguf",
                                        "a/mmproj-M-F32.gguf",
                                        "b/mmproj-Q8_0.gguf",
                                        NULL};
    struct pl_hub_list l;
    (void)state;
    list(&l, paths);
    assert_string_equal(pl_hub_projector(&l, pl_hub_choose(&l, "Q4_K_M"))->path,
                        "mmproj-Q8_0.gguf");
    assert_string_equal(pl_hub_projector(&l, pl_hub_choose(&l, "Q8_0"))->path,
                        "a/mmproj-M-F32.gguf"); /* its own folder goes first */
    pl_hub_list_done(&l);
}

static void listings(void **state)
{
    static const char *const bad[] = {"", "{}", "[", "7", "null"};
    struct pl_hub_list l;
    struct pl_err err = {0};
    char words[64];
    (void)state;
    static const char text[] =
        "[{\"type\":\"file\",\"path\":\"A-Q8_0.gguf\",\"size\":130,\"lfs\":{\"size\":9000000000}},"
        "{\"type\":\"file\",\"path\":\"../A-Q4_0.gguf\",\"size\":1},"
        "{\"type\":\"directory\",\"path\":\"d.gguf\"}]";
    assert_int_equal(pl_hub_list_parse(text, strlen(text), &l, &err), 0);
    assert_int_equal(l.n, 1);
    assert_true(l.file[0].bytes == 9000000000u); /* of the file, not of the pointer to it */
    pl_hub_quants(&l, words, sizeof(words));
    assert_string_equal(words, "Q8_0");
    pl_hub_list_done(&l);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(pl_hub_list_parse(bad[i], strlen(bad[i]), &l, &err) < 0);
        pl_hub_list_done(&l);
    }
}

static void names(void **state)
{
    struct pl_hub_spec hub;
    struct pl_ollama_name o;
    (void)state;
    assert_true(pl_hub_spec("ggml-org/gemma-3-1b-it-GGUF:Q8_0", &hub));
    assert_string_equal(hub.org, "ggml-org");
    assert_string_equal(hub.repo, "gemma-3-1b-it-GGUF");
    assert_string_equal(hub.quant, "Q8_0");
    assert_false(pl_hub_spec("a/b/c", &hub));
    assert_false(pl_hub_spec("a/../c", &hub));
    assert_false(pl_hub_spec("a/b?x", &hub));
    assert_true(pl_ollama_name("qwen3", &o));
    assert_string_equal(o.space, "library");
    assert_string_equal(o.tag, "latest");
    assert_true(pl_ollama_name("me/it:8b-q4_K_M", &o));
    assert_string_equal(o.space, "me");
    assert_string_equal(o.tag, "8b-q4_K_M");
    assert_false(pl_ollama_name("it:", &o));
    assert_false(pl_ollama_name("it:a:b", &o));
}

static void tokens(void **state)
{
    char token[PL_HUB_TOKEN_MAX], url[PL_URL_MAX];
    (void)state;
    assert_int_equal(setenv("HF_TOKEN", " hf_abc\n", 1), 0);
    assert_int_equal(unsetenv("HF_ENDPOINT"), 0);
    assert_true(pl_hub_token(token));
    assert_string_equal(token, "hf_abc");
    assert_true(pl_hub_token_for("https://huggingface.co/a/b", token));
    assert_false(pl_hub_token_for("https://huggingface.co.evil.example/a", token));
    assert_false(pl_hub_token_for("http://huggingface.co/a", token)); /* in the clear */
    assert_int_equal(setenv("HF_TOKEN", "two words", 1), 0);
    assert_int_equal(setenv("HF_TOKEN_PATH", "/nonexistent", 1), 0);
    assert_false(pl_hub_token(token));
    assert_true(pl_hub_file_url("https://huggingface.co/a/b/blob/main/x.gguf", url));
    assert_string_equal(url, "https://huggingface.co/a/b/resolve/main/x.gguf");
    assert_true(pl_hub_file_url("https://h.example/blob/x.gguf", url));
    assert_string_equal(url, "https://h.example/blob/x.gguf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_of_a_quantisation),
        cmocka_unit_test(the_projector),
        cmocka_unit_test(listings),
        cmocka_unit_test(names),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
