/* Corrections: the arithmetic, and what a ledger with lies in it teaches. */
#include "test.h"

#include "ledger/observe.h"
#include "ledger_fixture.h"

#include <math.h>

static void correct(const double *v, uint32_t n, struct pl_correction *ret)
{
    double copy[64];
    if (n > 0)
        memcpy(copy, v, n * sizeof(*v));
    pl_correct(copy, n, PL_CORRECTION_RUNS, ret);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-4 * fabs(b);
}

static void the_middle_of_the_ratios_counts(void **state)
{
    (void)state;
    struct pl_correction c;
    correct((double[]){1.10, 1.20, 1.15}, 3, &c);
    assert_true(c.known && c.n == 3 && c.odd == 0);
    assert_true(near(c.factor, 1.15));
    /* 1.4826 x the median of |ln 1.10/1.15|, |ln 1.20/1.15|, 0: 1.4826 x 0.0425596 */
    assert_true(near(c.spread, 0.0630989));
    correct((double[]){1.10, 1.20}, 2, &c);
    assert_false(c.known);
    assert_true(near(c.factor, 1));
    correct((double[]){1.44, 1, 1.44, 1.69}, 4, &c);
    assert_true(near(c.factor, 1.44));
    correct((double[]){1.21, 1, 1.44, 1.1}, 4, &c); /* an even number: the geometric mean of two */
    assert_true(near(c.factor, sqrt(1.21 * 1.1)));
    correct(NULL, 0, &c);
    assert_false(c.known);
}

static void one_liar_changes_nothing(void **state)
{
    (void)state;
    struct pl_correction c;
    /* a throttled run, a clock that ran backwards, one that stood still, one in other units */
    correct(
        (double[]){1.02, 0.98, 1.00, 1.01, 0.99, 0.25, -3, (double)INFINITY, (double)NAN, 1e9, 0},
        11, &c);
    assert_true(c.known);
    assert_int_equal(c.n, 5);
    assert_int_equal(c.odd, 6);
    assert_true(fabs(c.factor - 1) < 0.011);
    assert_true(c.spread < 0.03);
    /* runs that agree on what cannot be */
    correct((double[]){9, 9.1, 8.9, 9.05}, 4, &c);
    assert_true(c.known && c.bounded);
    assert_true(near(c.factor, PL_CORRECTION_MOST));
    /* and runs that agree on nothing */
    correct((double[]){0.1, 0.4, 1, 3, 10}, 5, &c);
    assert_false(c.known);
    assert_true(c.disagree);
    /* fewer than half lie, in whatever direction: the factor stays in what the others say */
    uint64_t seed = 3;
    for (int round = 0; round < 500; round++) {
        double v[21];
        for (int i = 0; i < 21; i++) {
            double u = (double)(fixture_next(&seed) % 1000) / 1000;
            v[i] = i < 11 ? 1.2 + 0.1 * u : pow(10, 4 * u - 2);
        }
        correct(v, 21, &c);
        assert_true(!c.known || (c.factor >= 0.5 && c.factor <= 2));
    }
}

static void the_interval_follows_the_runs(void **state)
{
    (void)state;
    struct pl_correction c = {.known = true, .factor = 1.1, .spread = 0.01, .n = 11};
    struct pl_quantity q = pl_between(50000, 100000, 200000, PL_SOURCE_ASSUMED, "x");
    struct pl_quantity r = pl_corrected(q, &c);
    /* exp(2.228 x 0.01 x sqrt(1 + 1/11)) = 1.023544 */
    assert_int_equal(r.likely, 110000);
    assert_true(llabs((long long)r.low - 107470) <= 2);
    assert_true(llabs((long long)r.high - 112590) <= 2);
    c.spread = 0.4; /* never wider than it was */
    r = pl_corrected(q, &c);
    assert_int_equal(r.low, 55000);
    assert_int_equal(r.high, 220000);
    c.known = false;
    r = pl_corrected(q, &c);
    assert_int_equal(r.likely, 100000);
    c = (struct pl_correction){.known = true, .factor = 2, .spread = 0.01, .n = 9, .bounded = true};
    q = pl_between(1, UINT64_MAX - 1, UINT64_MAX, PL_SOURCE_ASSUMED, "no limit");
    r = pl_corrected(q, &c);
    assert_true(r.high == UINT64_MAX && r.likely == UINT64_MAX && r.low <= r.likely);
    r = pl_corrected(PL_QUANTITY_UNKNOWN("no"), &c);
    assert_false(pl_known(r));
    assert_true(near(pl_student(31), 2.0395) && near(pl_student(100), 1.98397) &&
                near(pl_student(10), 2.228) && isinf(pl_student(0)));
}

static struct pl_correction few(const struct pl_ratio *v, uint32_t n, double prior)
{
    struct pl_correction c;
    pl_correct_few(v, n, prior, &c);
    return c;
}

static void few_runs_say_little_and_say_so(void **state)
{
    (void)state;
    /* one run of the model itself: 24 parts of 25 of what it was off by */
    struct pl_correction c = few(&(struct pl_ratio){1.2, 0.65, 1.35, 0.02}, 1, PL_FEW_OWN);
    assert_true(c.known && c.few && !c.wide && c.n == 1);
    assert_true(near(c.factor, exp(log(1.2) / 1.04)));
    struct pl_rate r = {65, 100, 135, PL_SOURCE_DERIVED, PL_STATE_PLAIN, NULL};
    struct pl_rate is = pl_corrected_rate(r, &c);
    /* twice the assumed 5 %, times the root of two: 15 % either way; narrower than before, wider
     * than three runs that agree */
    assert_true(near(is.likely, 100 * c.factor) && near(is.high, is.likely * exp(0.1 * sqrt(2))));
    assert_true(near(is.low, is.likely * exp(-0.1 * sqrt(2))));
    /* repeats that differed by more than that widen it, up to what it was */
    c = few(&(struct pl_ratio){1.2, 0.65, 1.35, 0.5}, 1, PL_FEW_OWN);
    assert_true(near(c.spread, 0.25));
    is = pl_corrected_rate(r, &c);
    assert_true(near(is.low, 0.65 * is.likely) && near(is.high, 1.35 * is.likely));
    /* of another model a quarter, and both intervals */
    c = few(&(struct pl_ratio){1.2, 0.65, 1.35, 0.02}, 1, PL_FEW_OTHERS);
    assert_true(c.known && c.wide && near(c.factor, exp(log(1.2) / 4)));
    is = pl_corrected_rate(r, &c);
    assert_true(near(is.low, 65) && near(is.high, 135 * c.factor));
}

static void one_liar_alone_stays_inside(void **state)
{
    (void)state;
    const struct pl_ratio throttled = {0.2, 0.65, 1.35, 0.02}, fast = {30, 0.65, 1.35, 0.02};
    struct pl_correction c = few(&throttled, 1, PL_FEW_OWN);
    struct pl_rate r = {65, 100, 135, PL_SOURCE_DERIVED, PL_STATE_PLAIN, NULL};
    assert_true(c.known && c.wide && near(c.factor, exp(log(0.65) / 1.04)));
    struct pl_rate is = pl_corrected_rate(r, &c);
    assert_true(is.low <= 65 && is.high >= 135 && is.likely > 65); /* the old one is inside */
    c = few(&fast, 1, PL_FEW_OWN);
    assert_true(near(c.factor, exp(log(1.35) / 1.04)) && c.wide);
    /* two that disagree: the same; two that agree are believed, up to a factor of two */
    c = few(
        (struct pl_ratio[]){
            {1, 0.65, 1.35, 0},
            throttled
    },
        2, PL_FEW_OWN);
    assert_true(c.known && c.wide && near(c.factor, exp(log(0.65) / 2 * 2 / 2.04)));
    c = few(
        (struct pl_ratio[]){
            {1.7,  0.65, 1.35, 0},
            {1.71, 0.65, 1.35, 0}
    },
        2, PL_FEW_OWN);
    assert_true(c.known && !c.wide && !c.bounded && c.factor > 1.65 && c.factor < 1.71);
    c = few(
        (struct pl_ratio[]){
            {5, 0.65, 1.35, 0},
            {5, 0.65, 1.35, 0}
    },
        2, PL_FEW_OWN);
    assert_true(c.bounded && c.factor <= PL_CORRECTION_MOST);
    /* of three one is odd: the two others are few */
    c = few(
        (struct pl_ratio[]){
            {1.1,  0.65, 1.35, 0},
            throttled, {1.11, 0.65, 1.35, 0}
    },
        3, PL_FEW_OWN);
    assert_true(c.known && c.n == 2 && c.odd == 1 && !c.wide && c.factor > 1.09);
    /* a clock that ran backwards, stood still, or counted something else */
    for (int i = 0; i < 5; i++) {
        const double lie[] = {-1, 0, 1e9, (double)NAN, (double)INFINITY};
        c = few(&(struct pl_ratio){lie[i], 0.65, 1.35, 0}, 1, PL_FEW_OWN);
        assert_true(!c.known && c.n == 0 && c.odd == 1 && near(c.factor, 1));
    }
    assert_false(few(NULL, 0, PL_FEW_OWN).known);
}

static void flags_that_no_rate_hangs_on(void **state)
{
    (void)state;
    static const char *const pair[][2] = {
        {"-c 2048 -np 1 -cram 0",          ""                 },
        {"-c 2048 -ngl 99 -ctk q8_0 -kvu", "-ngl 99 -ctk q8_0"},
        {"-t 2 -np 4 -ot a=CPU -ctxcp 3",  "-t 2 -ot a=CPU"   },
        {"-c",                             ""                 },
        {"",                               ""                 },
        {"-cmoe -ub 512",                  "-cmoe -ub 512"    },
    };
    char out[PL_RUN_TEXT_MAX];
    for (size_t i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
        pl_settings_alike(pair[i][0], out);
        assert_string_equal(out, pair[i][1]);
    }
}

static struct pl_run run;

/* A run that needed `ratio` times the runtime part that was predicted, and was as fast as
 * predicted times speed. */
static void add(struct pl_ledger *l, const char *version, const char *arch, double ratio,
                double speed)
{
    fixture_run(&run, 1);
    (void)PL_FMT(run.engine_version, "%s", version);
    (void)PL_FMT(run.arch, "%s", arch);
    run.predicted.n_pool = 1;
    for (int i = 0; i < PL_PARTS; i++) {
        run.predicted.pool[0].part[i] = pl_exact(1000, PL_SOURCE_DERIVED, "x");
        run.measured[i] = pl_exact(1500, PL_SOURCE_MEASURED, "x");
    }
    run.predicted.pool[0].part[PL_PART_RUNTIME] =
        pl_between(500000, 1000000, 2000000, PL_SOURCE_ASSUMED, "x");
    run.measured[PL_PART_RUNTIME] = pl_exact((uint64_t)(1000000 * ratio), PL_SOURCE_MEASURED, "x");
    run.timing.predicted_tokens_per_second = 22.5 * speed;
    (void)must_add(l, &run);
}

static struct pl_learned learn(struct pl_ledger *l, const char *version, const char *arch,
                               int target, int64_t without)
{
    struct pl_observations *o = NULL;
    struct pl_learned ret;
    struct pl_err err = {0};
    if (pl_observe(l, NULL, 0, &o, &err) < 0)
        fail_msg("%s", err.what);
    assert_int_equal(pl_learn(o,
                              &(struct pl_correction_key){.version = version,
                                                          .backend = "CPU",
                                                          .arch = arch,
                                                          .machine = "m-1",
                                                          .target = target},
                              without, &ret),
                     0);
    (void)pl_observations_free(o);
    return ret;
}

static void a_ledger_teaches_by_architecture_and_version(void **state)
{
    struct pl_ledger *l = must_open(path_in(*state, "l.db"), PL_LEDGER_WRITE);
    add(l, "b1", "llama", 1.30, 0.8);
    add(l, "b1", "llama", 1.20, 0.9);
    assert_false(learn(l, "b1", "llama", PL_PART_RUNTIME, 0).c.known);
    add(l, "b1", "llama", 1.25, 0.85);
    struct pl_learned a = learn(l, "b1", "llama", PL_PART_RUNTIME, 0);
    assert_true(a.c.known && near(a.c.factor, 1.25) && !a.any_arch);
    assert_string_equal(a.from, "runs 3, 2, 1");
    a = learn(l, "b1", "llama", PL_TARGET_DECODE, 0);
    assert_true(a.c.known && near(a.c.factor, 0.85));
    /* no run predicts itself */
    assert_false(learn(l, "b1", "llama", PL_PART_RUNTIME, 2).c.known);
    /* another version, another backend: nothing */
    assert_false(learn(l, "b2", "llama", PL_PART_RUNTIME, 0).c.known);
    /* exact figures are never corrected, however wrong */
    assert_false(learn(l, "b1", "llama", PL_PART_WEIGHTS, 0).c.known);
    assert_false(learn(l, "b1", "llama", PL_PART_KV, 0).c.known);
    assert_false(learn(l, "b1", "llama", PL_PART_OUTPUT, 0).c.known);
    /* another architecture: when there are enough of two */
    assert_false(learn(l, "b1", "mamba", PL_PART_RUNTIME, 0).c.known);
    add(l, "b1", "qwen3", 1.24, 1);
    add(l, "b1", "qwen3", 1.26, 1);
    add(l, "b1", "qwen3", 1.25, 1);
    a = learn(l, "b1", "mamba", PL_PART_RUNTIME, 0);
    assert_true(a.c.known && a.any_arch && a.c.n == 6 && near(a.c.factor, 1.25));
    int64_t after = 0;
    assert_int_equal(pl_corrections_reset(l, &after, NULL), 0);
    assert_int_equal(after, 6);
    assert_false(learn(l, "b1", "llama", PL_PART_RUNTIME, 0).c.known);
    (void)pl_ledger_close(l);
}

static void lies_in_a_ledger_teach_nothing(void **state)
{
    struct pl_ledger *l = must_open(path_in(*state, "l.db"), PL_LEDGER_WRITE);
    static const double speed[] = {0.98, 1.00, 1.02, 1.01, 0.99};
    for (int i = 0; i < 5; i++)
        add(l, "b1", "llama", 1, speed[i]);
    add(l, "b1", "llama", 1, -1);      /* the clock ran backwards: stored as unknown */
    add(l, "b1", "llama", 1, 1e12);    /* or took no time at all */
    add(l, "b1", "llama", 1, 1.0 / 8); /* throttled, and nobody said so */
    struct pl_learned a = learn(l, "b1", "llama", PL_TARGET_DECODE, 0);
    assert_true(a.c.known && a.c.n == 5 && a.c.odd == 2);
    assert_true(near(a.c.factor, 1.0));
    (void)pl_ledger_close(l);
    l = must_open(path_in(*state, "m.db"), PL_LEDGER_WRITE);
    for (int i = 0; i < 4; i++) { /* what says nothing of this machine's speed, but of memory */
        fixture_run(&run, 1);
        run.measured[PL_PART_RUNTIME] = run.predicted.pool[0].part[PL_PART_RUNTIME];
        run.beside.disturbed = i == 0;
        run.beside.judged = i != 1;
        if (i == 2)
            (void)PL_FMT(run.fill, "zero");
        if (i == 3)
            (void)PL_FMT(run.machine_id, "another");
        (void)must_add(l, &run);
    }
    a = learn(l, "b9550", "qwen3", PL_TARGET_DECODE, 0);
    assert_true(!a.c.known && a.c.n == 0);
    a = learn(l, "b9550", "qwen3", PL_PART_RUNTIME, 0);
    assert_true(a.c.known && a.c.n == 4 && near(a.c.factor, 1));
    for (int i = 0; i < 3; i++) { /* no run of an engine that is not ours, none that failed */
        fixture_run(&run, 1);
        (void)PL_FMT(i == 0 ? run.engine : run.error, "command");
        run.status = i == 0 ? PL_RUN_OK : PL_RUN_FAILED;
        (void)must_add(l, &run);
    }
    assert_int_equal(learn(l, "b9550", "qwen3", PL_PART_RUNTIME, 0).c.n, 4);
    (void)pl_ledger_close(l);
}

static void a_run_under_load_teaches_its_own_model_no_speed(void **state)
{
    struct pl_ledger *l = must_open(path_in(*state, "l.db"), PL_LEDGER_WRITE);
    struct pl_observations *o = NULL;
    struct pl_learned a;
    char alike[PL_RUN_TEXT_MAX];
    for (int quiet = 0; quiet < 2; quiet++) {
        fixture_run(&run, 1);
        run.beside.judged = true;
        run.beside.disturbed = quiet == 0;
        run.timing.predicted_tokens_per_second = run.predicted_decode.likely * 0.9;
        (void)must_add(l, &run);
        pl_settings_alike(run.flags, alike);
        assert_int_equal(pl_observe(l, NULL, 0, &o, NULL), 0);
        struct pl_correction_key key = {.version = run.engine_version,
                                        .backend = run.backend,
                                        .arch = run.arch,
                                        .machine = run.machine_id,
                                        .model = run.model,
                                        .quant = run.quant,
                                        .alike = alike,
                                        .target = PL_TARGET_DECODE};
        assert_int_equal(pl_learn(o, &key, 0, &a), 0);
        assert_int_equal(a.c.known, quiet);
        if (quiet == 1) {
            assert_true(a.own && a.c.few && a.c.n == 1 && a.c.factor < 1 && a.c.factor > 0.89);
            assert_string_equal(a.from, "run 2");
            /* not itself, not another machine, not other settings in full */
            assert_int_equal(pl_learn(o, &key, 2, &a), 0);
            assert_false(a.c.known);
            key.machine = "elsewhere";
            assert_int_equal(pl_learn(o, &key, 0, &a), 0);
            assert_false(a.c.known);
            key.machine = run.machine_id;
            key.alike = "-t 1";
            assert_int_equal(pl_learn(o, &key, 0, &a), 0);
            assert_true(a.c.known && !a.own && a.c.wide && a.c.factor > 0.96);
        }
        o = pl_observations_free(o);
    }
    (void)pl_ledger_close(l);
}

static void what_is_imported_comes_back(void **state)
{
    struct pl_ledger *l = must_open(path_in(*state, "l.db"), PL_LEDGER_WRITE);
    struct pl_imported row = {.version = "b1",
                              .backend = "CPU",
                              .arch = "llama",
                              .origin = "a.json",
                              .target = PL_PART_RUNTIME,
                              .factor = 1.5,
                              .spread = 0.1,
                              .n = 7};
    assert_int_equal(pl_corrections_put(l, &row, 1, NULL), 0);
    struct pl_learned a = learn(l, "b1", "llama", PL_PART_RUNTIME, 0);
    assert_true(a.c.known && a.imported && near(a.c.factor, 1.5) && a.c.n == 7);
    assert_string_equal(a.from, "imported from a.json");
    for (int i = 0; i < 3; i++) /* what was seen here comes first */
        add(l, "b1", "llama", 1.1, 1);
    a = learn(l, "b1", "llama", PL_PART_RUNTIME, 0);
    assert_true(a.c.known && !a.imported && near(a.c.factor, 1.1));
    (void)pl_ledger_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_of_the_ratios_counts),
        cmocka_unit_test(one_liar_changes_nothing),
        cmocka_unit_test(the_interval_follows_the_runs),
        cmocka_unit_test(few_runs_say_little_and_say_so),
        cmocka_unit_test(one_liar_alone_stays_inside),
        cmocka_unit_test(flags_that_no_rate_hangs_on),
        IN_FOLDER(a_run_under_load_teaches_its_own_model_no_speed),
        IN_FOLDER(a_ledger_teaches_by_architecture_and_version),
        IN_FOLDER(lies_in_a_ledger_teach_nothing),
        IN_FOLDER(what_is_imported_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
