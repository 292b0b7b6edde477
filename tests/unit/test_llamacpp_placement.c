#include "test.h"

#include "base/str.h"
#include "engine/llamacpp/pattern.h"
#include "engine/llamacpp/placement.h"
#include "engine/llamacpp/placement_fit.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/seen.h"
#include "engine/llamacpp/settings.h"

#include <errno.h>
#include <string.h>

#define LAYERS 4u

/* Four layers: attention and feed-forward of one size, experts of another; a tied embedding. */
static struct pl_tensor tensors[64];
static char names[64][48];
static struct pl_layer layers[LAYERS];
static struct pl_arch arch = {.name = "llama", .memory = PL_MEMORY_KV};
static struct pl_model model = {.tensor = tensors, .arch = "llama"};
static struct pl_net net = {.arch = &arch,
                            .n_layer = LAYERS,
                            .n_layer_all = LAYERS,
                            .layer = layers,
                            .has_cache = true,
                            .tied = true};

static void add(const char *name, uint64_t bytes)
{
    uint64_t i = model.n_tensor++;
    (void)PL_FMT(names[i], "%s", name);
    tensors[i] = (struct pl_tensor){
        .name = names[i], .bytes = bytes, .ne = {bytes, 1, 1, 1}
    };
}

static int setup(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t bytes;
    } each[] = {
        {"attn_q.weight",         1000},
        {"ffn_up.weight",         200 },
        {"ffn_up_exps.weight",    7000},
        {"ffn_gate_exps.weight",  7000},
        {"ffn_down_exps.weight",  7000},
        {"ffn_gate_shexp.weight", 30  },
    };
    char name[48];
    model.n_tensor = 0;
    add("token_embd.weight", 100000);
    add("output_norm.weight", 16);
    add("rope_freqs.weight", 64);
    for (uint32_t il = 0; il < LAYERS; il++) {
        layers[il] = (struct pl_layer){.kind = PL_LAYER_ATTENTION,
                                       .n_head = 2,
                                       .n_head_kv = 2,
                                       .head_k = 8,
                                       .head_v = 8,
                                       .owns_kv = true};
        for (size_t k = 0; k < sizeof(each) / sizeof(each[0]); k++) {
            (void)PL_FMT(name, "blk.%u.%s", il, each[k].name);
            add(name, each[k].bytes);
        }
    }
    return 0;
}

static struct pl_used_devices devices(uint32_t n, uint64_t free0, uint64_t free1)
{
    struct pl_used_devices d = {.n = n};
    for (uint32_t i = 0; i < n; i++) {
        (void)PL_FMT(d.one[i].name, "Vulkan%u", i);
        (void)PL_FMT(d.one[i].pool, "gpu%u", i);
        d.one[i].backend = PL_BACKEND_VULKAN;
        d.one[i].alignment = 64;
        d.one[i].range_max = UINT64_MAX;
        d.one[i].free = pl_exact(i == 0 ? free0 : free1, PL_SOURCE_DECLARED, "test");
    }
    return d;
}

static int place(const char *line, uint32_t n_device, struct pl_placement *p, struct pl_err *err)
{
    static char copy[256];
    char *argv[32];
    int argc = 0;
    struct pl_settings s;
    struct pl_used_devices d = devices(n_device, 3000, 1000);
    *p = (struct pl_placement){0};
    (void)PL_FMT(copy, "%s", line);
    for (char *w = strtok(copy, " "); w != NULL && argc < 32; w = strtok(NULL, " "))
        argv[argc++] = w;
    pl_llamacpp_defaults(&s);
    for (int i = 0; i < argc;) {
        int used = pl_llamacpp_flag(&s, argc - i, argv + i, err);
        assert_true(used > 0);
        i += used;
    }
    uint64_t ngl = s.n_gpu_layers < 0 ? 999 : (uint64_t)s.n_gpu_layers;
    return pl_llamacpp_place(&model, &net, &s, &d, ngl, NULL, p, err);
}

static struct pl_placed sum(const char *line, uint32_t n_device)
{
    struct pl_placement p;
    struct pl_placed ret;
    struct pl_err err = {0};
    struct pl_resolved r = {.n_ctx = 256,
                            .n_ctx_seq = 256,
                            .n_seq = 1,
                            .n_stream = 1,
                            .type_k = 1,
                            .type_v = 1,
                            .flash_attn = true,
                            .n_ubatch = 512};
    assert_int_equal(place(line, n_device, &p, &err), 0);
    pl_place_sum(&p, &model, &net, &r, &ret);
    pl_placement_done(&p);
    return ret;
}

#define LAYER_BYTES (1000u + 200 + 3 * 7000 + 30)
#define LAYER_KV (256u * 2 * (16 + 16))

/* -ngl counts from the output backwards, and the output is one of them. */
static void layers_move_from_the_end(void **state)
{
    (void)state;
    struct pl_placed none = sum("-ngl 0", 1);
    assert_true(none.weights[1] == 0 && none.kv[1] == 0);
    assert_true(none.weights[0] == 100000 + 16 + 64 + LAYERS * LAYER_BYTES);
    struct pl_placed one = sum("-ngl 1", 1); /* the output: its norm and a copy of the embedding */
    assert_true(one.weights[1] == 100000 + 16 && one.kv[1] == 0);
    assert_true(one.weights[0] == 100000 + 64 + LAYERS * LAYER_BYTES);
    struct pl_placed two = sum("-ngl 2", 1); /* rope factors lie wherever a layer does */
    assert_true(two.weights[1] == 100000 + 16 + 64 + LAYER_BYTES);
    assert_true(two.kv[1] == LAYER_KV && two.kv[0] == 3 * LAYER_KV);
    struct pl_placed all = sum("-ngl 5", 1);
    assert_true(all.weights[0] == 100000 && all.kv[0] == 0);
    assert_true(all.kv[1] == 4 * LAYER_KV);
    struct pl_placed more = sum("-ngl 99", 1);
    assert_memory_equal(&all, &more, sizeof(all));
}

/* Whatever moves where: every cache lies once, every weight once but for copies. */
static void nothing_is_lost(void **state)
{
    (void)state;
    struct pl_placed base = sum("-ngl 0", 1);
    for (uint32_t n_device = 1; n_device <= 2; n_device++) {
        uint64_t before = 0;
        for (int ngl = 0; ngl <= 6; ngl++) {
            char line[32];
            (void)PL_FMT(line, "-ngl %d", ngl);
            struct pl_placed s = sum(line, n_device);
            uint64_t weights = 0, kv = 0;
            for (uint32_t k = 0; k <= n_device; k++) {
                weights += s.weights[k];
                kv += s.kv[k];
            }
            assert_true(kv == base.kv[0]);
            assert_true(weights >= base.weights[0]);
            assert_true(weights <= base.weights[0] + 100000 + 2 * 64);
            assert_true(weights - s.weights[0] >= before); /* more layers, more on devices */
            before = weights - s.weights[0];
        }
    }
}

static void two_devices_share_by_proportion(void **state)
{
    (void)state;
    struct pl_placement p;
    struct pl_err err = {0};
    static const struct {
        const char *line;
        uint8_t layer[LAYERS + 1];
    } cases[] = {
        {"",                  {1, 1, 1, 1, 2}}, /* free memory, 3 to 1 */
        {"-ts 1,1",           {1, 1, 1, 2, 2}},
        {"-ts 1/4",           {1, 2, 2, 2, 2}},
        {"-ts 0,1",           {2, 2, 2, 2, 2}},
        {"-ts 0,0",           {1, 1, 1, 1, 2}}, /* nothing said */
        {"-ngl 2 -ts 1,1",    {0, 0, 0, 1, 2}},
        {"-sm none",          {1, 1, 1, 1, 1}},
        {"-sm none -mg 1",    {1, 1, 1, 1, 1}},
        {"-dev gpu1",         {1, 1, 1, 1, 1}},
        {"-dev Vulkan1,gpu0", {1, 1, 2, 2, 2}}, /* in the order given: 1 to 3 */
        {"-dev none",         {0, 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(place(cases[i].line, 2, &p, &err), 0);
        assert_memory_equal(p.layer, cases[i].layer, LAYERS + 1);
        pl_placement_done(&p);
    }
    assert_int_equal(place("-sm none -mg 1", 2, &p, &err), 0);
    assert_string_equal(p.devices.one[0].pool, "gpu1");
    pl_placement_done(&p);
    assert_int_equal(place("-sm none -mg 2", 2, &p, &err), -EINVAL);
    assert_int_equal(place("-dev CUDA0", 2, &p, &err), -EINVAL);
    assert_int_equal(place("-sm row", 2, &p, &err), -EINVAL); /* Vulkan splits no buffers */
    assert_int_equal(place("-sm row", 1, &p, &err), 0);
}

static void experts_stay_behind(void **state)
{
    (void)state;
    uint64_t all = sum("", 1).weights[1];
    assert_true(sum("-cmoe", 1).weights[1] == all - LAYERS * 21000);
    assert_true(sum("-ncmoe 1", 1).weights[1] == all - 21000);
    assert_true(sum("-ncffn 2", 1).weights[1] == all - 2 * 200);
    assert_true(sum("-ot exps=CPU", 1).weights[1] == all - LAYERS * 21000);
    assert_true(sum("-ot blk\\.[02]\\.ffn_(up|gate)_exps=CPU", 1).weights[1] == all - 4 * 7000);
    /* the first that matches decides */
    assert_true(sum("-ot up_exps=Vulkan0 -cmoe", 1).weights[1] == all - LAYERS * 14000);
    assert_true(sum("-cmoe -ot up_exps=Vulkan0", 1).weights[1] == all - LAYERS * 21000);
    /* and may bring a tensor of a host layer to a device; its cache stays */
    struct pl_placed s = sum("-ngl 0 -ot blk.3.attn=gpu0", 1);
    assert_true(s.weights[1] == 1000 && s.kv[1] == 0);
}

static void caches_follow_or_stay(void **state)
{
    (void)state;
    struct pl_placed s = sum("-nkvo", 1);
    assert_true(s.kv[1] == 0 && s.kv[0] == LAYERS * LAYER_KV);
    assert_true(s.weights[1] == sum("", 1).weights[1]);
}

/* A pinned buffer of the first device takes host weights, so that none are converted. */
static void devices_end_the_conversion(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint32_t devices;
        bool repack;
    } cases[] = {
        {"",          0, true },
        {"",          1, false},
        {"-ngl 0",    1, false},
        {"--no-host", 1, true },
        {"-dev none", 1, true },
        {"-nr",       0, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_placement p;
        struct pl_err err = {0};
        assert_int_equal(place(cases[i].line, cases[i].devices, &p, &err), 0);
        assert_int_equal(pl_place_repack(&p, &tensors[3]), cases[i].repack);
        pl_placement_done(&p);
    }
}

/* A driver's limit on what a kernel may bind: what is larger stays, and may be converted there. */
static void what_is_too_large_stays(void **state)
{
    (void)state;
    struct pl_placement p;
    struct pl_settings s;
    struct pl_err err = {0};
    struct pl_used_devices d = devices(1, 1, 1);
    d.one[0].range_max = 90000;
    pl_llamacpp_defaults(&s);
    p = (struct pl_placement){0};
    assert_int_equal(pl_llamacpp_place(&model, &net, &s, &d, 99, NULL, &p, &err), 0);
    assert_int_equal(pl_place_tensor(&p, &tensors[0]), 1); /* no copy on the device */
    assert_true(pl_place_repack(&p, &tensors[0]));
    assert_int_equal(pl_place_tensor(&p, &tensors[1]), 2);
    assert_false(pl_place_repack(&p, &tensors[1]));
    pl_placement_done(&p);
}

static void patterns_search_as_the_engine(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        int rc;
        bool found;
    } cases[] = {
        {"exps",               "blk.0.ffn_up_exps.weight", 0,        true },
        {"^blk\\.\\d+\\.attn", "blk.12.attn_q.weight",     0,        true },
        {"^blk\\.\\d+\\.attn", "xblk.12.attn_q.weight",    0,        false},
        {"blk\\.(?:1|2)\\.",   "blk.2.attn_q.weight",      0,        true },
        {"blk\\.[\\d]\\.",     "blk.2.attn_q.weight",      0,        true },
        {"blk\\..*?_q",        "blk.2.attn_q.weight",      0,        true },
        {"blk\\.1?\\d\\.",     "blk.17.attn_q.weight",     0,        true },
        {"a.c",                "abc",                      0,        true },
        {"a\\.c",              "abc",                      0,        false},
        {"\\w+\\.weight$",     "output.weight",            0,        true },
        {"blk\\.(?!1\\.)",     "blk.2.",                   -ENOTSUP, false},
        {"(a)\\1",             "aa",                       -ENOTSUP, false},
        {"\\bblk",             "blk",                      -ENOTSUP, false},
        {"(a{9}){9}",          "a",                        -ENOTSUP, false},
        {"a{100}",             "a",                        -ENOTSUP, false},
        {"blk\\.[0-9]{2}\\.",  "blk.12.attn",              0,        true },
        {"a++",                "a",                        -ENOTSUP, false},
        {"a+?b",               "aab",                      0,        true },
        {"\\++",               "+",                        0,        true },
        {"[+]+",               "+",                        0,        true },
        {"(",                  "(",                        -EINVAL,  false},
        {"",                   "a",                        -EINVAL,  false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_name_pattern *p = NULL;
        struct pl_err err = {0};
        const char *text = cases[i].pattern;
        assert_int_equal(pl_pattern_new(text, strlen(text), &p, &err), cases[i].rc);
        if (cases[i].rc == 0)
            assert_int_equal(pl_pattern_found(p, cases[i].name), cases[i].found);
        p = pl_pattern_free(p);
    }
}

static void a_machine_names_its_devices(void **state)
{
    (void)state;
    static struct pl_machine m;
    struct pl_used_devices d;
    memset(&m, 0, sizeof(m));
    (void)pl_machine_add_pool(&m, "ram", PL_POOL_HOST);
    pl_llamacpp_devices(&m, NULL, &d);
    assert_int_equal(d.n, 0);
    (void)pl_machine_add_pool(&m, "gpu0", PL_POOL_DEDICATED);
    (void)pl_machine_add_pool(&m, "gpu1", PL_POOL_DEDICATED);
    pl_llamacpp_devices(&m, NULL, &d);
    assert_int_equal(d.n, 2);
    assert_string_equal(d.one[1].pool, "gpu1");
    struct pl_device *g = pl_machine_add_device(&m, "gpu1");
    (void)PL_FMT(g->pool, "gpu1");
    g->vendor = PL_VENDOR_NVIDIA;
    pl_llamacpp_devices(&m, NULL, &d);
    assert_string_equal(d.one[1].name, "CUDA0");
    pl_llamacpp_devices(&m, "cpu-zen4+vulkan", &d);
    assert_string_equal(d.one[0].name, "Vulkan0");
    assert_string_equal(d.one[1].name, "Vulkan1");
    /* a device that shares memory with the CPU: the pool of both is no device itself */
    memset(&m, 0, sizeof(m));
    (void)pl_machine_add_pool(&m, "unified", PL_POOL_UNIFIED);
    (void)PL_FMT(pl_machine_add_pool(&m, "ram", PL_POOL_UNIFIED)->parent, "unified");
    (void)PL_FMT(pl_machine_add_pool(&m, "gpu0", PL_POOL_UNIFIED)->parent, "unified");
    pl_llamacpp_devices(&m, NULL, &d);
    assert_int_equal(d.n, 1);
    assert_string_equal(d.one[0].pool, "gpu0");
    assert_true(d.one[0].integrated);
}

static bool no_compute(void *ctx, const struct pl_resolved *r, uint64_t *ret)
{
    (void)r;
    *ret = 0;
    return ctx == NULL;
}

static struct pl_settings open_settings(void)
{
    struct pl_settings s;
    pl_llamacpp_defaults(&s);
    s.n_ctx = 256;
    s.n_parallel = 1;
    s.fit_target = "0";
    net.n_ctx_train = 256;
    return s;
}

static uint64_t fitted_bytes(const struct pl_settings *s, const struct pl_used_devices *d,
                             const struct pl_fit *fit)
{
    struct pl_err err = {0};
    struct pl_resolved r = {0};
    struct pl_placement p = {0};
    struct pl_placed placed;
    assert_int_equal(pl_llamacpp_resolve(s, &net, &r, &err), 0);
    assert_int_equal(pl_llamacpp_place_fit(&model, &net, s, d, fit, &p, &err), 0);
    pl_place_sum(&p, &model, &net, &r, &placed);
    pl_placement_done(&p);
    return placed.weights[1] + placed.padding[1] + placed.kv[1];
}

/* Whatever is free, what fitting chooses fits, and one layer more does not. */
static void fitting_takes_all_that_fits(void **state)
{
    (void)state;
    struct pl_settings s = open_settings();
    struct pl_err err = {0};
    struct pl_fit_compute compute = {no_compute, NULL};
    struct pl_fit fit;
    for (uint64_t room = 110000; room < 360000; room += 9973) {
        struct pl_used_devices d = devices(1, room, 0);
        assert_int_equal(pl_llamacpp_fit(&model, &net, &s, &d, &compute, &fit, &err), 0);
        assert_true(fitted_bytes(&s, &d, &fit) <= room);
        struct pl_fit more = fit;
        more.n_gpu_layers++;
        assert_true(fit.n_gpu_layers == LAYERS + 1 || fitted_bytes(&s, &d, &more) > room);
        assert_int_equal(fit.text[0] != '\0', fit.changed);
    }
    /* what is given is left alone, and what cannot be told is said */
    struct pl_used_devices d = devices(1, 150000, 0);
    s.n_gpu_layers = 4;
    assert_int_equal(pl_llamacpp_fit(&model, &net, &s, &d, &compute, &fit, &err), 0);
    assert_true(fit.n_gpu_layers == 4 && !fit.changed);
    s.n_gpu_layers = -1;
    compute.ctx = &d;
    assert_int_equal(pl_llamacpp_fit(&model, &net, &s, &d, &compute, &fit, &err), 0);
    assert_true(fit.n_gpu_layers == LAYERS + 1 && fit.text[0] != '\0');
}

/* Experts leave first, and come back from the front. */
static void fitting_moves_experts_first(void **state)
{
    (void)state;
    struct pl_settings s = open_settings();
    struct pl_err err = {0};
    struct pl_fit_compute compute = {no_compute, NULL};
    struct pl_fit fit;
    uint64_t most = 0;
    net.n_expert = 8;
    net.n_expert_used = 2;
    for (uint64_t room = 185000; room < 280000; room += 4999) {
        struct pl_used_devices d = devices(1, room, 0);
        assert_int_equal(pl_llamacpp_fit(&model, &net, &s, &d, &compute, &fit, &err), 0);
        uint64_t bytes = fitted_bytes(&s, &d, &fit);
        assert_true(bytes <= room && bytes >= most); /* more room, more of them */
        assert_true(fit.n_gpu_layers == LAYERS + 1); /* all layers are there, but for experts */
        most = bytes;
    }
    net.n_expert = net.n_expert_used = 0;
}

static const char listed[] =
    "load_backend: loaded Vulkan backend from libggml-vulkan.so\n"
    "Available devices:\n"
    "  Vulkan0: NVIDIA GeForce RTX 4090 (24564 MiB, 23000 MiB free)\n"
    "  Vulkan1: llvmpipe (LLVM 15.0.6, 256 bits) (24105 MiB, 23401 MiB free)\n"
    "  Vulkan2: broken (x MiB, 1 MiB free)\n"
    "  : nameless (1 MiB, 1 MiB free)\n"
    "  Vulkan3 (1 MiB, 1 MiB free)\n";

static void the_engine_lists_what_it_sees(void **state)
{
    (void)state;
    static struct pl_seen seen;
    pl_llamacpp_seen_parse(listed, &seen);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.one[0].name, "Vulkan0");
    assert_string_equal(seen.one[0].about, "NVIDIA GeForce RTX 4090");
    assert_true(seen.one[0].total_mib == 24564 && seen.one[0].free_mib == 23000);
    assert_string_equal(seen.one[1].about, "llvmpipe (LLVM 15.0.6, 256 bits)");
    pl_llamacpp_seen_parse("Available devices:\n", &seen);
    assert_int_equal(seen.n, 0);
}

/* What the machine knows keeps its pool; a software device gets one below host memory. */
static void both_sides_are_joined(void **state)
{
    (void)state;
    static struct pl_machine m;
    static struct pl_seen seen;
    struct pl_used_devices d;
    memset(&m, 0, sizeof(m));
    (void)pl_machine_add_pool(&m, "ram", PL_POOL_HOST);
    (void)pl_machine_add_pool(&m, "gpu0", PL_POOL_DEDICATED);
    struct pl_device *g = pl_machine_add_device(&m, "gpu0");
    (void)PL_FMT(g->pool, "gpu0");
    (void)PL_FMT(g->name, "NVIDIA GeForce RTX 4090");
    g->vendor = PL_VENDOR_NVIDIA;
    pl_llamacpp_seen_parse(listed, &seen);
    pl_llamacpp_seen_join(&seen, &m, &d);
    assert_int_equal(d.n, 2);
    assert_string_equal(d.one[0].pool, "gpu0");
    assert_string_equal(d.one[0].name, "Vulkan0");
    assert_true(d.one[0].free.likely == 23000ull << 20);
    assert_string_equal(d.one[1].pool, "gpu1");
    assert_string_equal(pl_machine_pool(&m, "gpu1")->parent, "ram");
    assert_true(d.one[1].range_max == 128u << 20); /* Mesa's software driver binds no more */
    /* an engine that sees nothing uses nothing, whatever the machine has */
    seen.n = 0;
    pl_llamacpp_seen_join(&seen, &m, &d);
    assert_int_equal(d.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_move_from_the_end),
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(two_devices_share_by_proportion),
        cmocka_unit_test(experts_stay_behind),
        cmocka_unit_test(caches_follow_or_stay),
        cmocka_unit_test(devices_end_the_conversion),
        cmocka_unit_test(what_is_too_large_stays),
        cmocka_unit_test(patterns_search_as_the_engine),
        cmocka_unit_test(a_machine_names_its_devices),
        cmocka_unit_test(fitting_takes_all_that_fits),
        cmocka_unit_test(fitting_moves_experts_first),
        cmocka_unit_test(the_engine_lists_what_it_sees),
        cmocka_unit_test(both_sides_are_joined),
    };
    return cmocka_run_group_tests_name("llamacpp_placement", tests, setup, NULL);
}
