/* The log grammar: its table, its bounds, and the traps that figures in logs set. */
#include "test.h"

#include "base/units.h"
#include "why/cause.h"
#include "why/log.h"
#include "why/object.h"
#include "why/rule.h"
#include "why/rule_pattern.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* The failure of a log, fed in pieces of `piece` bytes. The copy outlives the log. */
static bool read_log(const char *text, size_t len, size_t piece, struct pl_oom *ret)
{
    struct pl_whylog *l = NULL;
    struct pl_err err = {0};
    assert_int_equal(pl_whylog_new(NULL, &l, &err), 0);
    for (size_t at = 0; at < len; at += piece)
        pl_whylog_feed(l, text + at, len - at < piece ? len - at : piece);
    pl_whylog_end(l);
    const struct pl_oom *o = pl_whylog_failure(l);
    bool told = o != NULL && o->class != PL_OOM_UNKNOWN;
    if (o != NULL)
        *ret = *o;
    l = pl_whylog_free(l);
    return told;
}

static struct pl_oom of(const char *text)
{
    struct pl_oom o = {0};
    assert_true(read_log(text, strlen(text), strlen(text), &o));
    return o;
}

/* Every row compiles, and what it takes for an anchor stands in it. */
static void table(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < pl_rule_rows_n; i++) {
        struct pl_str text;
        struct pl_pattern p;
        struct pl_err err = {0};
        regex_t re;
        char anchor[128];
        pl_str_init(&text, 8192);
        if (pl_pattern_translate(pl_rule_rows[i].pattern, &text, &p, &err) != 0)
            fail_msg("%s: %s", pl_rule_rows[i].id, err.what);
        if (regcomp(&re, pl_str_get(&text), REG_EXTENDED | REG_ICASE) != 0)
            fail_msg("%s: %s", pl_rule_rows[i].id, pl_str_get(&text));
        regfree(&re);
        pl_pattern_anchor(pl_rule_rows[i].pattern, anchor, sizeof(anchor));
        assert_true(strlen(anchor) >= 3);
        assert_non_null(strstr(pl_rule_rows[i].pattern, anchor));
        pl_str_done(&text);
    }
}

static void bad_patterns(void **state)
{
    (void)state;
    static const char *const bad[] = {"a {requested:size", "a {nothing:size}",
                                      "a {requested:furlong}", "{a|{b|{c|{d|{e|{f|g}}}}}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pl_str text;
        struct pl_pattern p;
        struct pl_err err = {0};
        pl_str_init(&text, 8192);
        assert_true(pl_pattern_translate(bad[i], &text, &p, &err) < 0);
        assert_true(err.what[0] != '\0');
        pl_str_done(&text);
    }
}

/* Whatever the engine, there is a cause to speak of. */
static void every_class_has_a_cause(void **state)
{
    (void)state;
    for (int c = PL_OOM_UNKNOWN + 1; c < PL_OOM_CLASSES; c++) {
        struct pl_oom o = {.class = (enum pl_oom_class)c, .engine = "none of ours"};
        const struct pl_cause_row *r = pl_oom_cause(&o);
        if (r == NULL || r->cause == NULL || r->remedies == NULL)
            fail_msg("%s has none", pl_oom_class_name(o.class));
    }
}

static void the_documents_failure(void **state)
{
    (void)state;
    struct pl_oom o =
        of("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 112.00 MiB. GPU 0 has a "
           "total capacity of 7.77 GiB of which 37.19 MiB is free.\n");
    assert_string_equal(o.engine, "torch");
    assert_int_equal(o.device, 0);
    assert_int_equal(o.n[PL_OOM_REQUESTED].likely, 112 * PL_MIB);
    assert_true(o.n[PL_OOM_TOTAL].low <= 8342973971 && o.n[PL_OOM_TOTAL].high >= 8342973971);
    assert_int_equal(o.class, PL_OOM_CAPACITY);
    assert_true(pl_oom_asks_for(&o, 14336ull * 4096 * 2));
    assert_false(pl_oom_asks_for(&o, 14336ull * 4096 * 4));
}

static void jetson(void **state)
{
    (void)state;
    struct pl_oom o =
        of("NvMapMemAllocInternalTagged: 1075072515 error 12\n"
           "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4168.09 MiB on device 0: "
           "cudaMalloc failed: out of memory\n");
    assert_string_equal(o.engine, "llama.cpp");
    assert_string_equal(o.backend, "cuda");
    assert_string_equal(o.platform, "jetson");
    assert_int_equal(o.class, PL_OOM_ALLOCATION_LIMIT);
    assert_true(o.n[PL_OOM_REQUESTED].low <= 4370559140 &&
                o.n[PL_OOM_REQUESTED].high >= 4370559140);
}

static void sentinels(void **state)
{
    (void)state;
    struct pl_oom o = of(
        "Allocation on device 0 would exceed allowed memory. (out of memory)\n"
        "Requested : 50.00 MiB\nDevice limit : 14.75 GiB\n"
        "Free (according to CUDA): 4.81 MiB\nPyTorch limit (set by user-supplied memory fraction)\n"
        " : 17179869184.00 GiB\n");
    assert_int_equal(o.class, PL_OOM_CAPACITY); /* 2^64 bytes are no limit */
    assert_false(pl_known(o.n[PL_OOM_ALLOWED]));
    o = of("ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size "
           "18446744073709549568\n");
    assert_int_equal(o.class, PL_OOM_SIZING_BUG);
    assert_int_equal(o.n[PL_OOM_REQUESTED].likely, 18446744073709549568ull);
    o = of(
        "BFCArena: Failed to allocate memory for requested buffer of size 4585490524328388608\n");
    assert_int_equal(o.class, PL_OOM_SIZING_BUG);
    o = of("ggml: failed to allocate CUDA0 buffer of size 99999999999999999999999999999999\n");
    assert_int_equal(o.class, PL_OOM_SIZING_BUG);
}

static void not_capacity(void **state)
{
    (void)state;
    struct pl_oom o =
        of("RuntimeError: CUDA out of memory. Tried to allocate 12.50 MiB (GPU 0; 10.92 GiB total "
           "capacity; 8.57 MiB already allocated; 9.28 GiB free; 4.68 MiB cached)\n");
    assert_int_equal(o.class, PL_OOM_NOT_CAPACITY);
    assert_int_equal(o.is_short, PL_OOM_SHORT_NO);
    o = of("CUDA out of memory. Tried to allocate 1.00 GiB (GPU 0; 8.00 GiB total capacity; 17.20 "
           "GiB already "
           "allocated; 0 bytes free; 19.15 GiB reserved in total by PyTorch)\n");
    assert_int_equal(o.class, PL_OOM_OVERSUBSCRIBED);
    o = of("HIP out of memory. Tried to allocate 16.00 GiB. GPU 0 has a total capacity of 15.49 "
           "GiB of which 84.98 "
           "GiB is free.\n");
    assert_int_equal(o.class, PL_OOM_ACCOUNTING);
    o = of("oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/a,task_memcg=/a/"
           "b,task=tritonserver,pid=9,uid=0\n"
           "Memory cgroup out of memory: Killed process 9 (tritonserver) total-vm:38974820kB, "
           "anon-rss:98544kB\n");
    assert_int_equal(o.class, PL_OOM_CGROUP);
    assert_string_equal(o.group, "/a");
    assert_non_null(strstr(o.why, "pinned"));
}

static void look_alikes(void **state)
{
    (void)state;
    struct pl_oom o =
        of("WARNING: failed to allocate 512.00 MB of pinned memory: out of memory\nserver is up\n");
    assert_false(o.fatal);
    o = of("ggml_gallocr_reserve_n_impl: failed to allocate CUDA0 buffer of size 123456789\n"
           "graph_reserve: failed to allocate compute buffers\n"
           "llama_context: retrying without pipeline parallelism\n");
    assert_false(o.fatal);
    o = of("[E] Error Code: 9: Skipping tactic 0x0 due to exception autotuning: User allocator "
           "error allocating "
           "86114304000-byte buffer\n");
    assert_false(o.fatal);
    o = of("2022-06-19 W tensorflow/core/common_runtime/bfc_allocator.cc: Allocator (GPU_0_bfc) "
           "ran out of memory "
           "trying to allocate 1.00GiB. The caller indicates that this is not a failure, but may "
           "mean that there "
           "could be performance gains if more memory were available.\n");
    assert_false(o.fatal);
}

/* A fatal failure is spoken of before a look-alike that came later, memory before a crash. */
static void which_one(void **state)
{
    (void)state;
    struct pl_oom o = of("CUDA out of memory. Tried to allocate 1.00 GiB\nTraceback\nSegmentation "
                         "fault (core dumped)\n");
    assert_int_equal(o.class, PL_OOM_CAPACITY);
    o = of("GGML_ASSERT(x) failed\n");
    assert_int_equal(o.class, PL_OOM_CRASH);
    o = of("srv: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080\n");
    assert_int_equal(o.class, PL_OOM_PORT_TAKEN);
    assert_string_equal(o.node, "8080");
    struct pl_oom none = {0};
    assert_false(read_log("all is well\nmodel loaded\n", 25, 25, &none));
}

/* However the bytes come, the answer is one. */
static void cut_anywhere(void **state)
{
    (void)state;
    static const char text[] =
        "\x1b[31mdeep-seek-1  | ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9866.00 MiB "
        "on device 1: cudaMalloc "
        "failed: out of memory\x1b[0m\r\ndeep-seek-1  | ggml_gallocr_reserve_n: failed to allocate "
        "CUDA1 buffer of size "
        "10345253120\n(EngineCore) To serve at least one request with the model's max seq len "
        "(100000), (4.26 GiB KV cach\n"
        "e is needed, which is larger than the available KV cache memory (4.25 GiB). Based on\n";
    struct pl_oom whole = {0}, part = {0};
    assert_true(read_log(text, sizeof(text) - 1, sizeof(text), &whole));
    for (size_t piece = 1; piece < 40; piece++) {
        assert_true(read_log(text, sizeof(text) - 1, piece, &part));
        assert_memory_equal(&whole.n[PL_OOM_REQUESTED].likely, &part.n[PL_OOM_REQUESTED].likely, 8);
        assert_string_equal(whole.engine, part.engine);
        assert_int_equal(whole.class, part.class);
    }
}

/* One endless line, and bytes that are no text: bounded, and what follows is still read. */
static void hostile(void **state)
{
    (void)state;
    struct pl_whylog *l = NULL;
    char *block = malloc(PL_MIB);
    assert_non_null(block);
    assert_int_equal(pl_whylog_new(NULL, &l, NULL), 0);
    memset(block, 'x', PL_MIB);
    for (int i = 0; i < 64; i++)
        pl_whylog_feed(l, block, PL_MIB);
    for (size_t i = 0; i < PL_MIB; i++)
        block[i] = (char)(i * 2654435761u >> 13);
    pl_whylog_feed(l, block, PL_MIB);
    static const char failure[] = "\nCUDA out of memory. Tried to allocate 1.00 GiB\n";
    pl_whylog_feed(l, failure, sizeof(failure) - 1);
    for (int i = 0; i < 1000; i++) /* far more failures than are kept */
        pl_whylog_feed(l, failure, sizeof(failure) - 1);
    pl_whylog_end(l);
    const struct pl_oom *kept, *o = pl_whylog_failure(l);
    assert_non_null(o);
    assert_int_equal(o->n[PL_OOM_REQUESTED].likely, PL_GIB);
    assert_true(pl_whylog_cut(l));
    assert_true(pl_whylog_failures(l, &kept) <= PL_LOG_FAILURES_MAX);
    assert_true(pl_whylog_count(l) >= 1000);
    l = pl_whylog_free(l);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(bad_patterns),
        cmocka_unit_test(every_class_has_a_cause),
        cmocka_unit_test(the_documents_failure),
        cmocka_unit_test(jetson),
        cmocka_unit_test(sentinels),
        cmocka_unit_test(not_capacity),
        cmocka_unit_test(look_alikes),
        cmocka_unit_test(which_one),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
