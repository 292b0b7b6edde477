/* How long a trial takes, roughly: from the CPU, and from what is remembered. */
#include "test.h"

#include "cli/choose.h"
#include "ledger_fixture.h"

/* The one machine of these tests, remade. Too large for a stack. */
static struct pl_machine *machine_with(const char *isa, uint32_t threads, uint32_t cores)
{
    static struct pl_machine m;
    memset(&m, 0, sizeof(m));
    (void)PL_FMT(m.id, "here");
    (void)PL_FMT(m.cpu.isa, "%s", isa);
    m.cpu.threads_allowed = threads;
    m.cpu.cores_physical = cores;
    return &m;
}

static double pace_of(const char *isa, uint32_t threads, uint32_t cores)
{
    return pl_choose_pace(machine_with(isa, threads, cores), NULL);
}

static bool near(double a, double b)
{
    return a - b < 1e-6 * b && b - a < 1e-6 * b;
}

static void pace_follows_the_cpu(void **state)
{
    (void)state;
    double none = pace_of("", 1, 0);
    assert_true(none > 0);
    assert_true(pace_of("avx avx2 fma", 1, 1) > pace_of("avx avx2x xavx2", 1, 1));
    assert_true(pace_of("avx2 avx512_vnni", 1, 1) > pace_of("avx2", 1, 1));
    assert_true(pace_of("avx2", 8, 8) > 7.9 * pace_of("avx2", 1, 1));
    /* a second thread of a core computes nothing more; fewer threads than cores count */
    assert_true(pace_of("avx2", 16, 8) < 1.1 * pace_of("avx2", 8, 8));
    assert_true(pace_of("avx2", 2, 8) < 1.1 * pace_of("avx2", 2, 2));
    double whole = pace_of("avx2", 1, 1);
    struct pl_machine *m = machine_with("avx2", 8, 8);
    m->cpu.quota_cpus = 0.5;
    assert_true(pl_choose_pace(m, NULL) < whole);
}

static void remember(struct pl_ledger *l, const char *model, uint64_t parameters, uint64_t prompt,
                     double rate)
{
    struct pl_run run = {.parameters = parameters, .started_unix = 1};
    (void)PL_FMT(run.machine_id, "here");
    (void)PL_FMT(run.engine, "llama.cpp");
    (void)PL_FMT(run.model, "%s", model);
    run.repeats = 3;
    run.timing.prompt_tokens = prompt;
    run.timing.prompt_tokens_per_second = rate;
    (void)must_add(l, &run);
}

static void pace_is_remembered(void **state)
{
    struct pl_machine *m = machine_with("avx2", 1, 1);
    double guess = pl_choose_pace(m, NULL);
    struct pl_ledger *l = must_open(path_in(*state, "l.db"), PL_LEDGER_WRITE);
    assert_true(near(pl_choose_pace(m, l), guess));

    remember(l, "llama-3.2-1b", 1000000000, 512, 100);   /* 2 x 1e9 x 100 */
    remember(l, "qwen2.5-0.5b", 500000000, 512, 1);      /* smaller */
    remember(l, "qwen3-8b", 8000000000, 1, 1);           /* too short a prompt */
    remember(l, "my-mixture.gguf", 9000000000, 512, 50); /* may not use all its parameters */
    assert_true(near(pl_choose_pace(m, l), 2e11));
    (void)PL_FMT(m->id, "there");
    assert_true(near(pl_choose_pace(m, l), guess));
    (void)pl_ledger_close(l);
}

static void seconds(void **state)
{
    (void)state;
    struct pl_choice small = {.row = pl_catalogue_find("qwen2.5-0.5b")}, large = small;
    large.row = pl_catalogue_find("qwen3-8b");
    assert_non_null(small.row);
    assert_non_null(large.row);
    /* bandwidth unknown: still an answer, and the larger takes longer */
    double s = pl_choose_seconds(&small, 1e11, 4, 512, 32);
    double b = pl_choose_seconds(&large, 1e11, 4, 512, 32);
    assert_true(s > 0 && b > 10 * s);
    large.decode = (struct pl_rate){
        .low = 0.1, .likely = 1, .high = 2, .source = PL_SOURCE_ASSUMED, .why = "a test"};
    assert_true(pl_choose_seconds(&large, 1e11, 4, 512, 32) > 4 * 32 / 0.1);
    /* a faster machine, fewer requests: sooner */
    assert_true(pl_choose_seconds(&small, 2e11, 4, 512, 32) < s);
    assert_true(pl_choose_seconds(&small, 1e11, 3, 512, 32) < s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace_follows_the_cpu),
        IN_FOLDER(pace_is_remembered),
        cmocka_unit_test(seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
