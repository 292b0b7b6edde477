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
        "-ngl all -sm row -ts 3,1 -mg 1 -dev CUDA0,CUDA1 -ot exps=CPU -ncmoe 3 -cmoe -ncffn 2 "
        "--moe-cache-mib 64 --rpc host:1 -fit off -fitt 512,256 -fitc 8192",
        "-ctxcp 4 -cms 64 --no-cache-idle-slots --embedding --pooling cls -lzm off",
        "-md d.gguf --spec-type draft-mtp -ngld 4 -ctkd q8_0 -ctvd q8_0 -devd none -cmoed "
        "--spec-draft-n-max 8 --spec-draft-n-ubatch 64",
        "-mm p.gguf --no-mmproj-offload -mmdev CUDA1 --image-max-tokens 512 --lora a.gguf,b.gguf "
        "--lora-scaled c.gguf:0.5 --control-vector v.gguf --control-vector-layer-range 1 4",
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

static void files_are_kept_by_their_names(void **state)
{
    (void)state;
    struct pl_settings s;
    struct pl_err err = {0};
    struct pl_str text;
    const char *argv[PL_FLAG_ARGV_MAX];
    struct pl_arena a;
    pl_str_init(&text, 4096);
    pl_arena_init(&a, 65536);
    assert_int_equal(parse(&s, &err,
                           "-mm /x/p.gguf --lora /x/a.gguf,b.gguf "
                           "--lora-scaled ../y/c.gguf:0.5,/z/d.gguf:1"),
                     0);
    pl_llamacpp_flags_text(&s, &text);
    assert_string_equal(pl_str_get(&text), "-mm p.gguf --lora a.gguf,b.gguf --lora-scaled "
                                           "c.gguf:0.5,d.gguf:1");
    assert_int_equal(pl_llamacpp_argv(&s, &a, argv, &err), 6); /* the engine needs the paths */
    assert_string_equal(argv[1], "/x/p.gguf");
    assert_string_equal(argv[3], "/x/a.gguf,b.gguf");
    pl_arena_done(&a);
    pl_str_done(&text);
}

static void old_spellings_mean_a_load_mode(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum pl_load_mode mode;
    } cases[] = {
        {"--no-mmap",         PL_LOAD_NONE      },
        {"--mlock",           PL_LOAD_MMAP_MLOCK},
        {"--mlock --no-mmap", PL_LOAD_MLOCK     },
        {"--no-mmap --mlock", PL_LOAD_MLOCK     },
        {"--direct-io",       PL_LOAD_DIO       },
        {"-lm none --mmap",   PL_LOAD_MMAP      },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_settings s;
        struct pl_err err = {0};
        assert_int_equal(parse(&s, &err, cases[i].line), 0);
        assert_int_equal(s.load_mode, cases[i].mode);
    }
}

/* The first override that matches a tensor decides, so their order is kept. */
static void overrides_keep_their_order(void **state)
{
    (void)state;
    struct pl_settings s;
    struct pl_err err = {0};
    assert_int_equal(parse(&s, &err, "-ncmoe 2 -ot exps=Vulkan0 -cmoe -ncffn 1"), 0);
    assert_int_equal(s.overrides.n, 4);
    assert_int_equal(s.overrides.one[0].kind, PL_OVERRIDE_EXPERTS);
    assert_int_equal(s.overrides.one[0].n, 2);
    assert_string_equal(s.overrides.one[1].text, "exps=Vulkan0");
    assert_true(s.overrides.one[2].n == UINT64_MAX);
    assert_int_equal(s.overrides.one[3].kind, PL_OVERRIDE_FFN);
}

/* No name stands in two rows, and every variable belongs to one. */
static void the_table_is_sound(void **state)
{
    (void)state;
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        for (const struct pl_flag *g = f; g->names[0] != NULL; g++) {
            if (g != f && f->env != NULL && g->env != NULL)
                assert_string_not_equal(f->env, g->env);
            for (int i = 0; i < PL_FLAG_NAMES_MAX && f->names[i] != NULL; i++) {
                for (int k = g == f ? i + 1 : 0; k < PL_FLAG_NAMES_MAX && g->names[k] != NULL; k++)
                    assert_string_not_equal(f->names[i], g->names[k]);
            }
        }
        assert_true(f->kind != PL_FLAG_WORD || f->words != NULL);
        assert_true(f->kind != PL_FLAG_REFUSE || f->words != NULL);
        assert_true(f->kind < PL_FLAG_OLD || f->help == NULL);
    }
}

static void switches_of_the_environment_go_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *flags;
    } cases[] = {
        {"LLAMA_ARG_KV_OFFLOAD",    "0",     "-nkvo"     },
        {"LLAMA_ARG_NO_KV_OFFLOAD", "0",     "-nkvo"     }, /* its presence counts */
        {"LLAMA_ARG_KV_UNIFIED",    "false", "-no-kvu"   },
        {"LLAMA_ARG_KV_UNIFIED",    "on",    "-kvu"      },
        {"LLAMA_ARG_JINJA",         "off",   "--no-jinja"},
        {"LLAMA_ARG_JINJA",         "1",     "--jinja"   },
        {"LLAMA_ARG_TOP_K",         "7",     "--top-k 7" },
        {"LLAMA_ARG_HOST",          "::1",   ""          },
        {"LLAMA_ARG_SPLIT_MODE",    "none",  "-sm none"  },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_settings s;
        struct pl_str text;
        pl_str_init(&text, 4096);
        pl_llamacpp_defaults(&s);
        (void)setenv(cases[i].name, cases[i].value, 1);
        assert_int_equal(pl_llamacpp_environment(&s, NULL), 0);
        (void)unsetenv(cases[i].name);
        pl_llamacpp_flags_text(&s, &text);
        assert_string_equal(pl_str_get(&text), cases[i].flags);
        pl_str_done(&text);
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
        {"-c",                -EINVAL, "-c needs a value" },
        {"-c 8k",             -EINVAL, "-c: '8k'"         },
        {"-c -5",             -EINVAL, "-c: '-5'"         },
        {"-c 99999999999999", -EINVAL, "whole number"     },
        {"-ctk q6_K",         -EINVAL, "cache type"       },
        {"-fa maybe",         -EINVAL, "on, off or auto"  },
        {"-ngl many",         -EINVAL, "whole number"     },
        {"-lm fast",          -EINVAL, "one of auto, none"},
        {"-m x.gguf",         -EINVAL, "-m is no setting" },
        {"-ts 1,,2",          -EINVAL, "list of at most"  },
        {"-ts -1",            -EINVAL, "list of at most"  },
        {"-sm diagonal",      -EINVAL, "layer, none, row" },
        {"-fit maybe",        -EINVAL, "on or off"        },
        {"-ot exps",          -EINVAL, "PATTERN=BUFFER"   },
        {"-ot a=CPU,=CPU",    -EINVAL, "PATTERN=BUFFER"   },
        {"--no-such-flag",    -ENOENT, ""                 },
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

static struct pl_layer one_layer = {
    .kind = PL_LAYER_ATTENTION, .n_head = 32, .n_head_kv = 8, .head_k = 128, .head_v = 128};

/* What resolving asks of a Qwen3 8B. */
static struct pl_net qwen3_8b(void)
{
    return (struct pl_net){.arch = pl_arch("qwen3"),
                           .n_layer = 1,
                           .n_layer_all = 1,
                           .layer = &one_layer,
                           .n_ctx_train = 40960,
                           .causal = true};
}

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
    const struct pl_net net = qwen3_8b();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_settings s;
        struct pl_resolved r;
        struct pl_err err = {0};
        assert_int_equal(parse(&s, &err, cases[i].line), 0);
        assert_int_equal(pl_llamacpp_resolve(&s, &net, &r, &err), 0);
        assert_int_equal(r.n_ctx, cases[i].n_ctx);
        assert_int_equal(r.n_ctx_seq, cases[i].n_ctx_seq);
        assert_int_equal(r.n_seq, cases[i].n_seq);
        assert_int_equal(r.n_stream, cases[i].n_stream);
        assert_int_equal(r.n_batch, cases[i].n_batch);
        assert_int_equal(r.n_ubatch, cases[i].n_ubatch);
    }
}

static int resolved_as(const char *arch, uint32_t head, const char *line, struct pl_resolved *r)
{
    struct pl_settings s;
    struct pl_err err = {0};
    struct pl_layer layer = one_layer;
    struct pl_net net = qwen3_8b();
    layer.head_k = layer.head_v = head;
    net.layer = &layer;
    net.arch = pl_arch(arch);
    net.mla = net.arch->mla != 0;
    net.causal = net.arch->causal != 0;
    assert_int_equal(parse(&s, &err, line), 0);
    int rc = pl_llamacpp_resolve(&s, &net, r, &err);
    assert_true(rc == 0 || (err.exit_code == PL_EXIT_USAGE && err.what[0] != '\0'));
    return rc;
}

static void what_the_engine_refuses_is_refused(void **state)
{
    (void)state;
    struct pl_resolved r;
    assert_int_equal(resolved_as("qwen3", 128, "-fa off -ctv q8_0", &r), -EINVAL);
    assert_int_equal(resolved_as("qwen3", 128, "-np 257", &r), -EINVAL);
    assert_int_equal(resolved_as("qwen3", 128, "-b 0", &r), -EINVAL);
    /* blocks of 32 divide a row of 8 heads of 80, not one head: only flash attention minds */
    assert_int_equal(resolved_as("qwen3", 80, "-ctk q8_0", &r), -EINVAL);
    assert_int_equal(resolved_as("qwen3", 80, "-fa off -ctk q8_0", &r), 0);
    assert_int_equal(resolved_as("deepseek2", 128, "-ctk q8_0", &r), -EINVAL);
    assert_int_equal(resolved_as("deepseek2", 128, "-ctk q8_0 -ctv q8_0", &r), 0);
}

static void what_an_architecture_forces_is_forced(void **state)
{
    (void)state;
    struct pl_resolved r;
    assert_int_equal(resolved_as("grok", 128, "-fa on", &r), 0);
    assert_false(r.flash_attn);
    assert_int_equal(resolved_as("grok", 128, "-ctv q8_0", &r), -EINVAL);
    /* a batch is cut to the context only where tokens attend to what came before */
    assert_int_equal(resolved_as("qwen3", 128, "-c 256 -np 1", &r), 0);
    assert_int_equal(r.n_batch, 256);
    assert_int_equal(resolved_as("dream", 128, "-c 256 -np 1", &r), 0);
    assert_int_equal(r.n_batch, 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_long_and_short_mean_the_same),
        cmocka_unit_test(a_port_is_the_servers_alone),
        cmocka_unit_test(flags_text_reproduces_the_settings),
        cmocka_unit_test(files_are_kept_by_their_names),
        cmocka_unit_test(old_spellings_mean_a_load_mode),
        cmocka_unit_test(overrides_keep_their_order),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(switches_of_the_environment_go_both_ways),
        cmocka_unit_test(bad_values_name_the_flag),
        cmocka_unit_test(the_environment_counts_and_flags_win),
        cmocka_unit_test(resolving_follows_the_server),
        cmocka_unit_test(what_the_engine_refuses_is_refused),
        cmocka_unit_test(what_an_architecture_forces_is_forced),
    };
    return cmocka_run_group_tests_name("llamacpp_settings", tests, NULL, NULL);
}
