/* Secrets out of lines: each form, what only looks like one, and values that are known. */
#include "base/mask.h"
#include "test.h"

#include <string.h>

static const char *masked(const struct pl_mask *m, const char *text)
{
    static char out[1024];
    return pl_mask_text(m, text, out, sizeof(out));
}

static void forms_of_secrets_go(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } of[] = {
        {"llama-server --api-key abc -m x",                      "llama-server --api-key <secret> -m x"    },
        {"vllm serve x --api-key=abc --port 1",                  "vllm serve x --api-key=<secret> --port 1"},
        {"--hf-token hf_x -hft y",                               "--hf-token <secret> -hft <secret>"       },
        {"--password 'a b'",                                     "--password '<secret>'"                   },
        {"PGPASSWORD=abc x",                                     "PGPASSWORD=<secret> x"                   },
        {"DB_PASS=abc",                                          "DB_PASS=<secret>"                        },
        {"PWD=/home/me",                                         "PWD=/home/me"                            },
        {"clientsecret=abc",                                     "clientsecret=<secret>"                   },
        {"-d \"{\\\"api_key\\\": \\\"abc\\\"}\"",                "-d \"{\\\"api_key\\\": \\\"<secret>\"}\""},
        {"{\"password\": \"a b,c\"}",                            "{\"password\": \"<secret>\"}"            },
        {"sk_live_0123456789abcdef",                             "<secret>"                                },
        {"env HF_TOKEN=abc OPENAI_API_KEY=def PATH=/bin x",
         "env HF_TOKEN=<secret> OPENAI_API_KEY=<secret> PATH=/bin x"                                       },
        {"docker run -e AWS_SECRET_ACCESS_KEY=k img",
         "docker run -e AWS_SECRET_ACCESS_KEY=<secret> img"                                                },
        {"{\"api_key\": \"abc\", \"model\": \"m\"}",
         "{\"api_key\": \"<secret>\", \"model\": \"m\"}"                                                   },
        {"args: Namespace(api_key=['abc'], port=1)",
         "args: Namespace(api_key=['<secret>'], port=1)"                                                   },
        {"> Authorization: Bearer abc.def",                      "> Authorization: <secret>"               },
        {"x-api-key: abc",                                       "x-api-key: <secret>"                     },
        {"sent Bearer 0123456789abcdef0",                        "sent Bearer <secret>"                    },
        {"GET https://me:pw@host/f.gguf",                        "GET https://<secret>@host/f.gguf"        },
        {"https://h/f?Expires=1&Signature=abc&Key-Pair-Id=K",
         "https://h/f?Expires=1&Signature=<secret>&Key-Pair-Id=<secret>"                                   },
        {"https://h/f?X-Amz-Credential=a%2Fb&X-Amz-Signature=c",
         "https://h/f?X-Amz-Credential=<secret>&X-Amz-Signature=<secret>"                                  },
        {"token hf_abcdefghijklmnopqrstuvwx is wrong",           "token <secret> is wrong"                 },
        {"key sk-proj-abcdefghijklmnopqrstuvwx.",                "key <secret>."                           },
        {"token=0123456789abcdef0123",                           "token=<secret>"                          },
    };
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        assert_string_equal(masked(NULL, of[i].text), of[i].shown);
}

static void what_is_no_secret_stays(void **state)
{
    (void)state;
    static const char *const of[] = {
        "print_info: EOS token        = 151643 '<|endoftext|>'",
        "eval time = 10 ms / 5 tokens (2.00 ms per token, 500.00 tokens per second)",
        "llama-server -m model.gguf -c 8192 --max-tokens 10 --eos-token x",
        "hf_token=None, api_key=None, use_auth_token=False",
        "key=attn.k value=3",
        "https://huggingface.co/ggml-org/models/resolve/main/x.gguf?download=true",
        "llama_model_loader: - kv   3: tokenizer.ggml.eos_token_id u32 = 2",
        "CUDA out of memory. Tried to allocate 112.00 MiB. GPU 0 has a total capacity of 7.77 GiB",
        "sk-learn and hf_home",
        "",
    };
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        assert_string_equal(masked(NULL, of[i]), of[i]);
}

static void known_values_go_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const words[] = {
        "x",  "--api-key",           "wordlike-value", "--password=other-value",
        "-e", "A_TOKEN=third-value", "--api-key",      "short"};
    static const char *const env[] = {"DB_PASSWORD=fourth-value", "HOME=/home/somebody", NULL};
    struct pl_mask m = {0};
    pl_mask_words(&m, 8, (char *const *)(uintptr_t)words);
    pl_mask_environment(&m, (char *const *)(uintptr_t)env);
    pl_mask_environment(&m, NULL);
    assert_int_equal(m.n, 4);
    assert_string_equal(masked(&m, "said wordlike-value, other-value third-value/fourth-value"),
                        "said <secret>, <secret> <secret>/<secret>");
    assert_string_equal(masked(&m, "a short word in /home/somebody"),
                        "a short word in /home/somebody");
}

static void any_bytes_are_taken(void **state)
{
    (void)state;
    char text[300];
    uint32_t x = 1;
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)i % sizeof(text);
        struct pl_str out;
        for (size_t k = 0; k < n; k++) {
            static const char pieces[] = "--api-key=token: \"'[//@?&Bearer hf_\0\n\xff";
            x = x * 1664525u + 1013904223u;
            text[k] = pieces[(x >> 16) % (sizeof(pieces) - 1)];
        }
        pl_str_init(&out, 1 << 20);
        pl_mask_add(NULL, text, n, &out);
        assert_false(out.failed);
        pl_str_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_secrets_go),
        cmocka_unit_test(what_is_no_secret_stays),
        cmocka_unit_test(known_values_go_wherever_they_stand),
        cmocka_unit_test(any_bytes_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
