/* Two runs side by side: beyond the noise or not; pairs with a confidence interval; what is valid
 * beside others. */
#include "test.h"

#include "domain/versus.h"
#include "measure/beside.h"
#include "run_fixture.h"

#include <math.h>

static struct pl_run a, b;
static struct pl_versus v;

static void two_runs(void)
{
    fixture_run(&a, 1);
    a.predicted.n_pool = 1;
    for (int i = 0; i < PL_PARTS; i++)
        a.measured[i] = pl_exact(0, PL_SOURCE_MEASURED, "none");
    a.measured[PL_PART_RUNTIME] = pl_exact(100000000, PL_SOURCE_MEASURED, "x");
    a.measured_total = pl_exact(1000000000, PL_SOURCE_MEASURED, "x");
    a.prompt_spread = 0.03;
    a.predicted_spread = 0.04;
    b = a;
}

static const struct pl_versus_row *row(const char *what)
{
    for (uint32_t i = 0; i < v.n; i++) {
        if (pl_streq(v.row[i].what, what))
            return &v.row[i];
    }
    fail_msg("no row %s", what);
    return &v.row[0];
}

static void what_repeats_differ_by_is_no_news(void **state)
{
    (void)state;
    two_runs();
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(v.n, 4);
    assert_true(v.worse == 0 && v.better == 0 && !v.speed_unknown);
    /* noise of decode: sqrt(0.04^2 + 0.04^2) = 5.66 % */
    b.timing.predicted_tokens_per_second = a.timing.predicted_tokens_per_second * 0.95;
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(row("decode")->is, PL_VERSUS_SAME);
    b.timing.predicted_tokens_per_second = a.timing.predicted_tokens_per_second * 0.94;
    b.measured[PL_PART_RUNTIME] = pl_exact(103000000, PL_SOURCE_MEASURED, "x");
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(row("decode")->is, PL_VERSUS_WORSE);
    assert_int_equal(row("ram runtime")->is, PL_VERSUS_WORSE);
    assert_int_equal(row("ram total")->is, PL_VERSUS_SAME);
    assert_int_equal(v.worse, 2);
    /* an interval that reaches over is no difference */
    b.measured[PL_PART_RUNTIME] =
        pl_between(99000000, 103000000, 104000000, PL_SOURCE_MEASURED, "");
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(row("ram runtime")->is, PL_VERSUS_SAME);
    b.measured[PL_PART_RUNTIME] = pl_exact(90000000, PL_SOURCE_MEASURED, "x");
    b.timing.predicted_tokens_per_second = a.timing.predicted_tokens_per_second * 1.5;
    pl_versus_runs(&a, &b, &v);
    assert_true(v.better == 2 && v.worse == 0);
}

static void speeds_that_say_nothing_are_not_compared(void **state)
{
    (void)state;
    two_runs();
    b.timing.predicted_tokens_per_second = 1;
    b.measured_total = pl_exact(2000000000, PL_SOURCE_MEASURED, "x");
    b.beside.disturbed = true;
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(row("decode")->is, PL_VERSUS_UNKNOWN);
    assert_int_equal(row("ram total")->is, PL_VERSUS_WORSE); /* memory stays valid */
    assert_true(v.speed_unknown && v.worse == 1);
    b.beside.disturbed = false;
    (void)PL_FMT(b.fill, "zero");
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(row("decode")->is, PL_VERSUS_UNKNOWN);
    b = a;
    b.timing.predicted_tokens_per_second = (double)NAN;
    b.timing.prompt_tokens_per_second = -5;
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(row("decode")->is, PL_VERSUS_UNKNOWN);
    assert_int_equal(row("prefill")->is, PL_VERSUS_UNKNOWN);
    b = a;
    b.repeats = 1; /* without repeats a tenth is noise */
    b.timing.predicted_tokens_per_second = a.timing.predicted_tokens_per_second * 0.91;
    pl_versus_runs(&a, &b, &v);
    assert_int_equal(row("decode")->is, PL_VERSUS_SAME);
}

/* Expected values: awk over the same numbers, t = 3.182 and 2.776. */
static void pairs_name_a_winner_only_beyond_the_noise(void **state)
{
    (void)state;
    struct pl_paired p;
    const double one[] = {10.0, 10.4, 9.8, 10.1}, more[] = {11.0, 11.3, 10.9, 11.2};
    pl_paired(one, more, 4, &p);
    assert_true(p.known && p.n == 4 && p.winner == 2);
    assert_true(fabs(p.ratio - 1.101879) < 1e-5);
    assert_true(fabs(p.low - 1.083710) < 1e-5 && fabs(p.high - 1.120352) < 1e-5);
    const double loud[] = {8.0, 12.5, 9.0, 13.0};
    pl_paired(one, loud, 4, &p);
    assert_true(p.known && p.winner == 0 && p.low < 1 && p.high > 1);
    pl_paired(more, one, 4, &p);
    assert_int_equal(p.winner, 1);
    const double holes[] = {11.0, 0, 10.9, -1};
    pl_paired(one, holes, 4, &p);
    assert_true(!p.known && p.n == 2 && p.winner == 0);
    pl_paired(one, one, 4, &p);
    assert_true(p.known && p.winner == 0);
}

static void others_are_seen(void **state)
{
    (void)state;
    struct pl_beside q = {.pressure_known = true, .pressure_before = 0.02, .pressure_during = 0.05};
    pl_beside_judge(&q, 2, 2);
    assert_true(q.judged && !q.disturbed);
    q.pressure_during = 0.34; /* as seen with another job */
    pl_beside_judge(&q, 2, 2);
    assert_true(q.disturbed);
    pl_beside_judge(&q, 8, 2); /* eight threads on two processors wait for each other */
    assert_false(q.disturbed);
    q.pressure_before = 0.34;
    pl_beside_judge(&q, 8, 2);
    assert_true(q.disturbed);
    q = (struct pl_beside){.load_known = true, .load_before = 1.5};
    pl_beside_judge(&q, 2, 2);
    assert_true(q.judged && q.disturbed);
    q = (struct pl_beside){0};
    pl_beside_judge(&q, 2, 2);
    assert_true(!q.judged && !q.disturbed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_repeats_differ_by_is_no_news),
        cmocka_unit_test(speeds_that_say_nothing_are_not_compared),
        cmocka_unit_test(pairs_name_a_winner_only_beyond_the_noise),
        cmocka_unit_test(others_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
