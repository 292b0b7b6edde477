#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/log.h"
#include "engine/llamacpp/project.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 12.34 as printed, in bytes. */
static uint64_t mib(double printed)
{
    return (uint64_t)(printed * (double)PL_MIB + 0.5);
}

/* Feeds a captured log (tests/replay/llamacpp) in pieces of the given size. */
static void replay(struct pl_log *l, const char *name, size_t piece)
{
    char path[4096], buf[4096];
    const char *source = getenv("PLIMSOLL_SOURCE");
    (void)PL_FMT(path, "%s/tests/replay/llamacpp/%s.log", source != NULL ? source : ".", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    pl_log_init(l);
    size_t n;
    while ((n = fread(buf, 1, piece, f)) > 0)
        pl_log_feed(l, buf, n);
    (void)fclose(f);
    pl_log_end(l);
}

static void feed(struct pl_log *l, const char *text)
{
    pl_log_feed(l, text, strlen(text));
}

/* Verbosity 5 prints the buffers of the dry run too: they must not be counted. */
static void the_dry_run_of_fit_is_not_counted(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 4096};
    for (size_t i = 0; i < 3; i++) {
        struct pl_log l;
        replay(&l, "fit-debug", pieces[i]);
        const struct pl_engine_report *r = &l.report;
        assert_int_equal(r->n_ctx, 4096);
        assert_int_equal(r->n_ctx_seq, 4096);
        assert_int_equal(r->n_ctx_slot, 256);
        assert_int_equal(r->n_slots, 4);
        assert_true(r->kv_unified_known && r->kv_unified);
        assert_int_equal(r->kv.bytes, mib(2.00));
        assert_int_equal(r->compute.bytes, mib(8.02));
        assert_int_equal(r->weights_mapped.bytes, mib(2.01) + mib(1.75));
        assert_false(r->weights_other.known); /* the dry run's empty buffer */
        assert_false(r->weights_repack.known);
        assert_false(r->recurrent.known);
        assert_true(r->output.known);
        assert_int_equal(l.n_vocab, 128);
        assert_int_equal(l.contexts, 1);
        assert_true(l.listening);
        assert_int_equal(l.cause, PL_CAUSE_NONE);
        assert_string_equal(r->backend, "cpu-zen4");
        assert_string_equal(r->version, "b11669");
        assert_true(l.breakdown.known);
        assert_int_equal(l.breakdown.rows, 1);
        assert_int_equal(l.breakdown.model_mib, 3);
        assert_int_equal(l.breakdown.context_mib, 2);
        assert_int_equal(l.breakdown.compute_mib, 8);
    }
}

static void repacked_weights_are_told_from_mapped_ones(void **state)
{
    (void)state;
    struct pl_log l;
    replay(&l, "repack", 4096);
    assert_int_equal(l.report.weights_mapped.bytes, mib(0.05));
    assert_int_equal(l.report.weights_repack.bytes, mib(0.49));
    assert_int_equal(l.breakdown.rows, 2);
}

static void separate_slots_are_told_from_one_cache(void **state)
{
    (void)state;
    struct pl_log l;
    replay(&l, "slots", 4096);
    assert_int_equal(l.report.n_ctx, 8192);
    assert_int_equal(l.report.n_ctx_seq, 4096);
    assert_int_equal(l.report.n_slots, 2);
    assert_true(l.report.kv_unified_known);
    assert_false(l.report.kv_unified);
    assert_int_equal(l.report.kv.bytes, mib(4.00));
}

static void every_cache_is_added(void **state)
{
    (void)state;
    struct pl_log l;
    replay(&l, "window", 4096);
    assert_int_equal(l.report.kv.bytes, mib(0.75) + mib(4.00));
    replay(&l, "hybrid", 4096);
    assert_int_equal(l.report.kv.bytes, mib(8.00));
    assert_int_equal(l.report.recurrent.bytes, mib(2.09));
}

static void causes_of_death_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *log;
        enum pl_log_cause cause;
        const char *words;
    } deaths[] = {
        {"out-of-memory", PL_CAUSE_MEMORY, "attempted to allocate 3906.25 MB"       },
        {"bad-model",     PL_CAUSE_MODEL,  "invalid magic characters"               },
        {"bad-flag",      PL_CAUSE_FLAG,   "error: invalid argument: --nonsense"    },
        {"port-taken",    PL_CAUSE_PORT,   "couldn't bind HTTP server socket, hostn"},
    };
    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
        struct pl_log l;
        replay(&l, deaths[i].log, 4096);
        assert_int_equal(l.cause, deaths[i].cause);
        assert_non_null(strstr(l.error, deaths[i].words));
        assert_false(l.listening);
    }
}

/* A reservation printed again for one context replaces the first; a draft model's context adds. */
static void compute_buffers_of_two_contexts(void **state)
{
    (void)state;
    struct pl_log l;
    pl_log_init(&l);
    feed(&l, "llama_context: constructing llama_context\n"
             "llama_context: n_ctx         = 1024\n"
             "sched_reserve: reserving ...\n"
             "sched_reserve:        CPU compute buffer size =    10.00 MiB\n"
             "sched_reserve: reserving ...\n"
             "sched_reserve:      CUDA0 compute buffer size =     8.00 MiB\n"
             "sched_reserve:        CPU compute buffer size =     4.00 MiB\n");
    assert_int_equal(l.report.compute.bytes, mib(4));
    assert_int_equal(l.report.device[0].compute.bytes, mib(8));
    feed(&l, "llama_context: constructing llama_context\n"
             "llama_context: n_ctx         = 512\n"
             "sched_reserve: reserving ...\n"
             "sched_reserve:        CPU compute buffer size =     1.00 MiB\n"
             "alloc_compute_meta:        CPU compute buffer size =   99.00 MiB\n"
             "~llama_context:        CPU compute buffer size is   8.0176 MiB, matches\n");
    assert_int_equal(l.report.compute.bytes, mib(5));
    assert_int_equal(l.report.device[0].compute.bytes, mib(8));
    assert_int_equal(l.report.n_ctx, 1024);
}

/* An engine that slept loads again: nothing is counted twice. */
static void a_new_load_begins_anew(void **state)
{
    (void)state;
    struct pl_log l;
    pl_log_init(&l);
    for (int i = 0; i < 2; i++)
        feed(&l, "srv    load_model: loading model 'm.gguf'\n"
                 "load_tensors:          CPU model buffer size =     5.00 MiB\n"
                 "llama_context: constructing llama_context\n"
                 "llama_kv_cache:        CPU KV buffer size =     3.00 MiB\n");
    assert_int_equal(l.report.weights_other.bytes, mib(5));
    assert_int_equal(l.report.kv.bytes, mib(3));
    assert_int_equal(l.contexts, 1);
}

/* The words of versions before 0.x: no time, no level, other names. */
static void older_versions_are_understood(void **state)
{
    (void)state;
    struct pl_log l;
    pl_log_init(&l);
    feed(&l, "build: 4589 (eb7cf15a) with cc (Debian 12.2.0) for x86_64-linux-gnu\n"
             "load_tensors:   CPU_Mapped model buffer size =  1918.35 MiB\n"
             "llama_init_from_model: n_seq_max     = 1\n"
             "llama_init_from_model: n_ctx         = 4096\n"
             "llama_init_from_model: n_ctx_per_seq = 4096\n"
             "llama_kv_cache_init:        CPU KV buffer size =   448.00 MiB\n"
             "llama_init_from_model:        CPU  output buffer size =     0.49 MiB\n"
             "llama_init_from_model:        CPU compute buffer size =   256.50 MiB\n"
             "main: server is listening on http://127.0.0.1:8080 - starting the main loop\n");
    assert_int_equal(l.report.n_ctx, 4096);
    assert_int_equal(l.report.n_ctx_seq, 4096);
    assert_int_equal(l.report.n_slots, 1);
    assert_false(l.report.kv_unified_known);
    assert_int_equal(l.report.weights_mapped.bytes, mib(1918.35));
    assert_int_equal(l.report.kv.bytes, mib(448));
    assert_int_equal(l.report.output.bytes, mib(0.49));
    assert_int_equal(l.report.compute.bytes, mib(256.5));
    assert_string_equal(l.report.version, "b4589");
    assert_true(l.listening);
}

static void hostile_lines_do_no_harm(void **state)
{
    (void)state;
    struct pl_log l;
    pl_log_init(&l);
    feed(&l, "load_tensors: CPU model buffer size = 99999999999999999999 MiB\n"
             "load_tensors: CPU model buffer size = -5.00 MiB\n"
             "load_tensors: CPU model buffer size = 5.0.0 MiB\n"
             "load_tensors: CPU model buffer size = 5.00 GiB\n"
             " model buffer size = \n"
             "llama_context: n_ctx = 99999999999999999999999\n"
             "load_backend: loaded .so libggml-\n"
             "load_backend: loaded X from .so.so libggml-.so\n"
             "common_memory_breakdown_print: | = 99999999999999 + 1 + 1\n"
             "0.00.1 I llama_model_loader: - kv 1: general.name str = out of memory\n"
             "0.00.1 W warning: failed to mlock 1-byte buffer: Cannot allocate memory\n"
             "0.00.001 I user text: out of memory\n");
    assert_false(l.report.weights_other.known);
    assert_int_equal(l.report.n_ctx, 0);
    assert_int_equal(l.cause, PL_CAUSE_NONE);
    pl_log_init(&l);
    for (int i = 0; i < 5000; i++)
        feed(&l, "aaaaaaaaaa"); /* one endless line */
    pl_log_feed(&l, "\0\0\033[1m", 6);
    feed(&l, "\nload_tensors: \033[31mCPU\033[0m model buffer size = 1.00 MiB");
    pl_log_end(&l);
    assert_int_equal(l.report.weights_other.bytes, mib(1));
}

/* Lines of 0.7.0 at verbosity 5; what is no row of the table is none. */
static void the_projection_is_read(void **state)
{
    static const char *const rows[] = {
        "0.00.701 I common_memory_breakdown_print: |   - Host               |                 1162 "
        "=  1013 +      87 +      62                |",
        "x common_memory_breakdown_print: |   - Vulkan0 (llvmpipe (LLVM 15)) | 24105 = 22999 + "
        "(1000 = 900 + 50 + 50) + 106 |",
    };
    static const char *const none[] = {
        "",
        "common_memory_breakdown_print: | memory breakdown [MiB] | total   free    self   model |",
        "common_memory_breakdown_print: |   - Host  ",
        "common_memory_breakdown_print: |   - Host | 1 = 2 + 3 |",
        "common_memory_breakdown_print: |   - Host | 1 = 99999999999999999999999 + 3 + 4 |",
        "common_memory_breakdown_print: |   - | 1 = 2 + 3 + 4 |",
    };
    struct pl_projection p = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_false(pl_projection_line(&p, none[i]));
    assert_true(pl_projection_line(&p, rows[0]));
    assert_string_equal(p.row[0].device, "Host");
    assert_int_equal(p.row[0].model_mib, 1013);
    assert_int_equal(p.row[0].context_mib, 87);
    assert_int_equal(p.row[0].compute_mib, 62);
    assert_int_equal(p.n_row, 1);
    while (pl_projection_line(&p, rows[1])) /* a table without end stops at its limit */
        ;
    assert_int_equal(p.n_row, PL_PROJECTION_ROWS_MAX);
    assert_string_equal(p.row[1].device, "Vulkan0");
    assert_int_equal(p.row[16].compute_mib, 50);
}

/* What lies on devices is not the host's; what they pin there is. */
static void buffers_of_devices_stand_apart(void **state)
{
    (void)state;
    static const char text[] = "load_tensors:      Vulkan0 model buffer size =    12.00 MiB\n"
                               "load_tensors:        CUDA1 model buffer size =     3.00 MiB\n"
                               "load_tensors:  Vulkan_Host model buffer size =     5.00 MiB\n"
                               "llama_context: constructing llama_context\n"
                               "llama_context: Vulkan_Host  output buffer size =     0.50 MiB\n"
                               "llama_kv_cache:        CPU KV buffer size =     4.00 MiB\n"
                               "llama_kv_cache:    Vulkan0 KV buffer size =     6.00 MiB\n"
                               "llama_memory_recurrent: Vulkan0 RS buffer size =     1.00 MiB\n"
                               "sched_reserve: reserving ...\n"
                               "sched_reserve:    Vulkan0 compute buffer size =     9.00 MiB\n"
                               "sched_reserve: reserving ...\n"
                               "sched_reserve:    Vulkan0 compute buffer size =    10.00 MiB\n"
                               "sched_reserve: Vulkan_Host compute buffer size =     2.00 MiB\n";
    static struct pl_log l;
    pl_log_init(&l);
    pl_log_feed(&l, text, strlen(text));
    const struct pl_engine_report *r = &l.report;
    assert_int_equal(r->n_device, 2);
    assert_string_equal(r->device[0].name, "Vulkan0");
    assert_true(r->device[0].weights.bytes == 12u << 20 && r->device[0].kv.bytes == 6u << 20);
    assert_true(r->device[0].recurrent.bytes == 1u << 20);
    assert_true(r->device[0].compute.bytes == 10u << 20); /* the last reservation counts */
    assert_true(r->device[1].weights.bytes == 3u << 20 && !r->device[1].kv.known);
    assert_true(r->weights_other.bytes == 5u << 20 && r->kv.bytes == 4u << 20);
    assert_true(r->output.bytes == 1u << 19 && r->compute.bytes == 2u << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_of_devices_stand_apart),
        cmocka_unit_test(the_projection_is_read),
        cmocka_unit_test(the_dry_run_of_fit_is_not_counted),
        cmocka_unit_test(repacked_weights_are_told_from_mapped_ones),
        cmocka_unit_test(separate_slots_are_told_from_one_cache),
        cmocka_unit_test(every_cache_is_added),
        cmocka_unit_test(causes_of_death_are_told_apart),
        cmocka_unit_test(compute_buffers_of_two_contexts),
        cmocka_unit_test(a_new_load_begins_anew),
        cmocka_unit_test(older_versions_are_understood),
        cmocka_unit_test(hostile_lines_do_no_harm),
    };
    return cmocka_run_group_tests_name("llamacpp_log", tests, NULL, NULL);
}
