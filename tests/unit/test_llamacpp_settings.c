#include "test.h"

#include "base/str.h"
#include "engine/llamacpp/environment.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse(struct pl_settings *s, struct pl_err *err, const char *line)
{
    static char copy[512];
    char *argv[64];
    int argc = 0;
    (void)PL_FMT(copy, "%s", line);
    for (char *w = strtok(copy, " "); w != NULL && argc < 64; w = strtok(NULL, " "))
        argv[argc++] = w;
    pl_llamacpp_defaults(s);
    for (int i = 0; i < argc;) {
        int used = pl_llamacpp_flag(s, argc - i, argv + i, err);
        if (used <= 0)
            return used < 0 ? used : -ENOENT;
        i += used;
    }
    return 0;
}

static void flags_long_and_short_mean_the_same(void **state)
{
    (void)state;
    struct pl_settings a, b;
    struct pl_err err = {0};
    assert_int_equal(parse(&a, &err,
                           "-c 8192 -np 3 -kvu -b 1024 -ub 256 -ctk q8_0 -ctv q4_0 -fa on "
                           "-ngl 7 -nr -cram 512 -t 4 -tb 5 -lm none --no-host"),
                     0);
    assert_int_equal(parse(&b, &err,
                           "--ctx-size 8192 --parallel 3 --kv-unified --batch-size 1024 "
                           "--ubatch-size 256 --cache-type-k q8_0 --cache-type-v q4_0 "
                           "--flash-attn on --n-gpu-layers 7 --no-repack --cache-ram 512 "
                           "--threads 4 --threads-batch 5 --load-mode none --no-host"),
                     0);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(a.n_ctx, 8192);
    assert_int_equal(a.kv_unified, PL_ON);
    assert_int_equal(a.type_k, 8);
    assert_int_equal(a.type_v, 2);
    assert_false(a.repack);
}

static void a_port_is_the_servers_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"--port 0", "--port 65536", "--port -1", "--port http"};
    struct pl_settings s;
    struct pl_err err = {0};
    struct pl_str out;
    assert_int_equal(parse(&s, &err, "-c 512 --port 65535"), 0);
    assert_int_equal(s.port, 65535);
    pl_str_init(&out, 4096);
    pl_llamacpp_flags_text(&s, &out); /* remembered and compared: without it */
    assert_string_equal(pl_str_get(&out), "-c 512");
    pl_str_done(&out);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(&s, &err, bad[i]), -EINVAL);
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    }
}

static void flags_text_reproduces_the_settings(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "-c 8192",
        "-c 8192 -np 4 -no-kvu -b 512 -ub 64 -ctk q8_0 -ctv q8_0 -fa on -ngl 3 -lm mmap -nr "
        "--no-host "
        "-cram 0 -t 2 -tb 1 -nkvo --no-op-offload --temp 0.5 --no-warmup",
        "-cram -1 -np -1 -fa off",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct pl_settings s, again;
        struct pl_err err = {0};
        struct pl_str text, text2;
        pl_str_init(&text, 4096);
        pl_str_init(&text2, 4096);
        assert_int_equal(parse(&s, &err, lines[i]), 0);
        pl_llamacpp_flags_text(&s, &text);
        assert_false(text.failed);
        char line[512];
        (void)PL_FMT(line, "%s", pl_str_get(&text));
        assert_int_equal(parse(&again, &err, line), 0);
        pl_llamacpp_flags_text(&again, &text2);
        assert_string_equal(pl_str_get(&text), pl_str_get(&text2));
        pl_str_done(&text);
        pl_str_done(&text2);
    }
}

static void bad_values_name_the_flag(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int code;
        const char *says;
    } bad[] = {
        {"-c",                -EINVAL,  "-c needs a value"  },
        {"-c 8k",             -EINVAL,  "-c: '8k'"          },
        {"-c -5",             -EINVAL,  "-c: '-5'"          },
        {"-c 99999999999999", -EINVAL,  "whole number"      },
        {"-ctk q6_K",         -EINVAL,  "cache type"        },
        {"-fa maybe",         -EINVAL,  "on, off or auto"   },
        {"-ngl many",         -EINVAL,  "whole number"      },
        {"-lm fast",          -EINVAL,  "load mode"         },
        {"-md draft.gguf",    -ENOTSUP, "-md changes memory"},
        {"--mmproj x",        -ENOTSUP, "--mmproj"          },
        {"--no-such-flag",    -ENOENT,  ""                  },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pl_settings s;
        struct pl_err err = {0};
        assert_int_equal(parse(&s, &err, bad[i].line), bad[i].code);
        assert_non_null(strstr(err.what, bad[i].says));
    }
}

static void the_environment_counts_and_flags_win(void **state)
{
    (void)state;
    struct pl_settings s;
    struct pl_err err = {0};
    (void)setenv("LLAMA_ARG_CTX_SIZE", "1234", 1);
    (void)setenv("LLAMA_ARG_CACHE_TYPE_K", "q8_0", 1);
    (void)setenv("LLAMA_ARG_NO_REPACK", "1", 1);
    pl_llamacpp_defaults(&s);
    assert_int_equal(pl_llamacpp_environment(&s, &err), 0);
    assert_int_equal(s.n_ctx, 1234);
    assert_int_equal(s.type_k, 8);
    assert_false(s.repack);
    char *argv[] = {(char[]){"-c"}, (char[]){"99"}};
    assert_int_equal(pl_llamacpp_flag(&s, 2, argv, &err), 2);
    assert_int_equal(s.n_ctx, 99);
    (void)setenv("LLAMA_ARG_CTX_SIZE", "lots", 1);
    assert_int_equal(pl_llamacpp_environment(&s, &err), -EINVAL);
    assert_non_null(strstr(err.what, "LLAMA_ARG_CTX_SIZE"));
    (void)unsetenv("LLAMA_ARG_CTX_SIZE");
    (void)unsetenv("LLAMA_ARG_CACHE_TYPE_K");
    (void)unsetenv("LLAMA_ARG_NO_REPACK");
}

static const struct pl_geometry qwen3_8b = {.n_layer = 36,
                                            .n_embd = 4096,
                                            .n_ff = 12288,
                                            .n_head = 32,
                                            .n_head_kv = 8,
                                            .head_k = 128,
                                            .head_v = 128,
                                            .n_vocab = 151936,
                                            .n_ctx_train = 40960,
                                            .qk_norm = true};

static void resolving_follows_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint64_t n_ctx, n_ctx_seq, n_seq, n_stream, n_batch, n_ubatch;
    } cases[] = {
        {"",                       40960, 40960, 4, 1, 2048, 512 },
        {"-np 1",                  40960, 40960, 1, 1, 2048, 512 },
        {"-c 4096 -np 4",          4096,  1024,  4, 4, 2048, 512 },
        {"-c 4096 -np 4 -kvu",     4096,  4096,  4, 1, 2048, 512 },
        {"-c 1000 -np 1",          1024,  1024,  1, 1, 1000, 512 },
        {"-c 100 -np 1",           256,   256,   1, 1, 100,  100 },
        {"-c 4096 -np 3",          4608,  1536,  3, 3, 2048, 512 },
        {"-c 256 -np 8",           2048,  256,   8, 8, 256,  256 },
        {"-c 4096 -np 1 -b 64",    4096,  4096,  1, 1, 64,   64  },
        {"-c 4096 -np 1 -ub 4096", 4096,  4096,  1, 1, 2048, 2048},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_settings s;
        struct pl_resolved r;
        struct pl_err err = {0};
        assert_int_equal(parse(&s, &err, cases[i].line), 0);
        assert_int_equal(pl_llamacpp_resolve(&s, &qwen3_8b, &r, &err), 0);
        assert_int_equal(r.n_ctx, cases[i].n_ctx);
        assert_int_equal(r.n_ctx_seq, cases[i].n_ctx_seq);
        assert_int_equal(r.n_seq, cases[i].n_seq);
        assert_int_equal(r.n_stream, cases[i].n_stream);
        assert_int_equal(r.n_batch, cases[i].n_batch);
        assert_int_equal(r.n_ubatch, cases[i].n_ubatch);
    }
}

static void what_the_engine_refuses_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"-fa off -ctv q8_0", "-np 257", "-b 0"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct pl_settings s;
        struct pl_resolved r;
        struct pl_err err = {0};
        assert_int_equal(parse(&s, &err, lines[i]), 0);
        assert_int_equal(pl_llamacpp_resolve(&s, &qwen3_8b, &r, &err), -EINVAL);
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    }
    struct pl_settings s;
    struct pl_resolved r;
    struct pl_err err = {0};
    struct pl_geometry odd = qwen3_8b;
    odd.head_k = odd.head_v = 80;
    assert_int_equal(parse(&s, &err, "-ctk q8_0"), 0);
    assert_int_equal(pl_llamacpp_resolve(&s, &odd, &r, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_long_and_short_mean_the_same),
        cmocka_unit_test(a_port_is_the_servers_alone),
        cmocka_unit_test(flags_text_reproduces_the_settings),
        cmocka_unit_test(bad_values_name_the_flag),
        cmocka_unit_test(the_environment_counts_and_flags_win),
        cmocka_unit_test(resolving_follows_the_server),
        cmocka_unit_test(what_the_engine_refuses_is_refused),
    };
    return cmocka_run_group_tests_name("llamacpp_settings", tests, NULL, NULL);
}
