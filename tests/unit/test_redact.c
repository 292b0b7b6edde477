/* What is taken out of a text, and what is left. */
#include "test.h"

#include "base/redact.h"
#include "base/redact_words.h"

#include <string.h>

static void becomes(struct pl_redact *r, const char *path, const char *in, const char *want)
{
    struct pl_str out;
    pl_str_init(&out, 4096);
    pl_redact_text(r, path, in, strlen(in), &out);
    assert_string_equal(pl_str_get(&out), want);
    pl_str_done(&out);
}

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } pair[] = {
        {"/home/joe/models and /home/ann, /home/joe",
         "/home/user1/models and /home/user2, /home/user1"                                      },
        {"/export/home/joe x",                        "/export/home/user1 x"                    },
        {"10.0.0.5:/nfs 10.0.0.6 10.0.0.5",           "192.0.2.1:/nfs 192.0.2.2 192.0.2.1"      },
        {"http://127.0.0.1:8080 0.0.0.0",             "http://127.0.0.1:8080 0.0.0.0"           },
        {"5.15.153.1-microsoft 1.2.3.4.5 256.1.1.1",  "5.15.153.1-microsoft 1.2.3.4.5 256.1.1.1"},
        {"aa:bb:cc:dd:ee:0F",                         "02:00:00:00:00:01"                       },
        {"0000:01:00.0 12:30:01 ::1 a::b",            "0000:01:00.0 12:30:01 ::1 a::b"          },
        {"fe80::1234:5 [2a01:4f8:1:2:3:4:5:6]",       "2001:db8::1 [2001:db8::2]"               },
        {"GPU-11111111-2222-3333-4444-555555555555",  "GPU-00000000-0000-4000-8000-000000000001"},
        {"11111111-2222-3333-4444-555555555555",      "00000000-0000-4000-8000-000000000001"    },
        {"https://joe:pw@h.example/x?token=abc&n=1",
         "https://<secret>@h.example/x?token=<secret>&n=1"                                      },
        {"mybox mybox.example notmybox mybox-2",      "host1 host1.example notmybox mybox-2"    },
    };
    struct pl_redact *r = pl_redact_new();
    pl_redact_host(r, "mybox");
    for (size_t i = 0; i < sizeof(pair) / sizeof(pair[0]); i++)
        becomes(r, "", pair[i].in, pair[i].out);
    /* versions look like addresses */
    becomes(r, "sys/module/x/version", "10.2.3.4\n", "10.2.3.4\n");
    r = pl_redact_free(r);
}

static void by_path(void **state)
{
    (void)state;
    struct pl_redact *r = pl_redact_new();
    struct pl_str out;
    static const char id[] = "0123456789abcdef0123456789abcdef\n";
    pl_redact_learn(r, "etc/machine-id", id, strlen(id));
    pl_redact_learn(r, "sys/class/dmi/id/product_serial", "PF1ABCDE\n", 9);
    pl_redact_learn(r, "sys/class/dmi/id/board_serial", "None\n", 5);
    becomes(r, "etc/machine-id", id, "00000000000000000000000000000001\n");
    becomes(r, "proc/x", "serial PF1ABCDE, PF1ABCDEF None", "serial x0000002, PF1ABCDEF None");
    becomes(r, "sys/class/dmi/id/board_serial", "None\n", "None\n");
    pl_str_init(&out, 4096);
    static const char args[] = "/usr/bin/python3\0-m\0vllm.entrypoints\0--model\0/home/joe/secret\0"
                               "--api-key=abc\0-ngl\0"
                               "99";
    static const char want[] = "/usr/bin/python3\0-m\0vllm.entrypoints\0--model\0<argument>\0"
                               "--api-key=<argument>\0-ngl\0<argument>";
    pl_redact_text(r, "proc/12/cmdline", args, sizeof(args), &out);
    assert_int_equal(out.len, sizeof(want));
    assert_memory_equal(out.data, want, sizeof(want));
    pl_str_clear(&out);
    pl_redact_report(r, &out);
    assert_string_equal(pl_str_get(&out),
                        "serial numbers and machine ids 2, command-line arguments 3");
    pl_str_done(&out);
    r = pl_redact_free(r);
}

/* Words are joined by "|" here. */
static void words_of_a_command(void **state)
{
    (void)state;
    static const struct {
        const char *word[6], *want;
    } row[] = {
        {{"llama-server", "--api-key", "abc/def", "-m", "x"},
         "llama-server|--api-key|<secret>|-m|x"                                                                      },
        {{"--api-key=abc", "--api-key-file", "/etc/key"},
         "--api-key=<secret>|--api-key-file|/etc/key"                                                                },
        {{"-hft", "hf_0", "--hf-token", "t", "--port", "80"},
         "-hft|<secret>|--hf-token|<secret>|--port|80"                                                               },
        {{"env", "HF_TOKEN=hf_x", "OMP_NUM_THREADS=2"},                     "env|HF_TOKEN=<secret>|OMP_NUM_THREADS=2"},
        {{"docker", "-e", "OPENAI_API_KEY=sk", "--env=PGPASSWORD=x"},
         "docker|-e|OPENAI_API_KEY=<secret>|--env=PGPASSWORD=<secret>"                                               },
        {{"sh", "-c", "A_SECRET='x y' cmd --token z; echo --max-tokens 5"},
         "sh|-c|A_SECRET='<secret> y' cmd --token <secret>; echo --max-tokens 5"                                     },
        {{"curl", "-H", "Authorization: Bearer abc", "-H", "X-Api-Key: d"},
         "curl|-H|Authorization: Bearer <secret>|-H|X-Api-Key: <secret>"                                             },
        {{"https://me:pw@host/f.gguf?token=abc&x=1"},
         "https://<secret>@host/f.gguf?token=<secret>&x=1"                                                           },
        {{"x.py", "hf_abcdefghijklmnopqrstuvwxyz"},                         "x.py|<secret>"                          },
        {{"--max-tokens", "512", "--tokenizer", "k"},                       "--max-tokens|512|--tokenizer|k"         },
        {{"--override-kv", "qwen3moe.expert_used_count=int:4"},
         "--override-kv|qwen3moe.expert_used_count=int:4"                                                            },
        {{"--api-key", "--port", "80"},                                     "--api-key|--port|80"                    },
        {{"--key", ""},                                                     "--key|"                                 },
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct pl_redact_words r = {0};
        struct pl_str out;
        pl_str_init(&out, 1024);
        for (int k = 0; k < 6 && row[i].word[k] != NULL; k++) {
            pl_str_add(&out, k > 0 ? "|" : "");
            pl_redact_word(&r, row[i].word[k], &out);
        }
        assert_string_equal(pl_str_get(&out), row[i].want);
        pl_str_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(by_path),
        cmocka_unit_test(words_of_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
