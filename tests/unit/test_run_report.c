#include "test.h"

#include "base/units.h"
#include "report/run.h"
#include "run_fixture.h"

#include <stdlib.h>

static struct pl_quantity exactly(uint64_t bytes)
{
    return pl_exact(bytes, PL_SOURCE_MEASURED, "test");
}

static void difference(struct pl_quantity predicted, struct pl_quantity measured, const char *want)
{
    char text[PL_DIFFERENCE_TEXT_MAX];
    assert_string_equal(pl_difference_text(predicted, measured, text), want);
}

static void differences_have_a_sign(void **state)
{
    (void)state;
    struct pl_quantity unknown = {0};
    difference(exactly(110 << 20), exactly(100 << 20), "+10.0 MiB (+10.0 %)");
    difference(exactly(90 << 20), exactly(100 << 20), "-10.0 MiB (-10.0 %)");
    difference(exactly((100 << 20) - 3), exactly(100 << 20), "-3 B (under 0.1 %)");
    difference(exactly(5), exactly(5), "0 B");
    difference(exactly(5), exactly(0), "+5 B");
    difference(unknown, exactly(5), "unknown");
    difference(exactly(5), unknown, "unknown");
    difference(exactly(UINT64_MAX), exactly(5), "unknown"); /* no limit has no difference */
}

/* The text of a run, for strstr. */
static char *text_of(const struct pl_run *run)
{
    struct pl_str out;
    pl_str_init(&out, 1u << 20);
    pl_run_text(run, &out, false);
    assert_false(out.failed);
    return out.data;
}

static void a_miss_is_marked(void **state)
{
    (void)state;
    static struct pl_run run;
    memset(&run, 0, sizeof(run));
    run.predicted.n_pool = 1;
    (void)PL_FMT(run.predicted.pool[0].pool, "ram");
    run.predicted.pool[0].part[PL_PART_KV] = pl_between(90, 100, 110, PL_SOURCE_DERIVED, "t");
    run.measured[PL_PART_KV] = exactly(110);
    char *text = text_of(&run);
    assert_non_null(strstr(text, "-10 B (-9.1 %)\n"));
    free(text);
    run.measured[PL_PART_KV] = exactly(111);
    text = text_of(&run);
    assert_non_null(strstr(text, "-11 B (-9.9 %), outside\n"));
    free(text);
}

static void what_cannot_occur_is_left_out(void **state)
{
    (void)state;
    static struct pl_run run;
    memset(&run, 0, sizeof(run));
    run.predicted.n_pool = 1;
    (void)PL_FMT(run.predicted.pool[0].pool, "ram");
    for (int i = 0; i < PL_PARTS; i++)
        run.predicted.pool[0].part[i] = pl_exact(0, PL_SOURCE_DERIVED, "not used");
    run.predicted.pool[0].part[PL_PART_DRAFT] = PL_QUANTITY_UNKNOWN("no file");
    run.measured[PL_PART_EXTRA] = exactly(7);
    char *text = text_of(&run);
    assert_null(strstr(text, "projector"));
    assert_non_null(strstr(text, "draft")); /* unknown is not nothing */
    assert_non_null(strstr(text, "extra")); /* nothing was predicted, something was there */
    free(text);
}

static void measured_without_prediction_is_shown(void **state)
{
    (void)state;
    static struct pl_run run;
    memset(&run, 0, sizeof(run));
    run.measured_total = exactly(3 << 20);
    char size[PL_SIZE_TEXT_MAX], *text = text_of(&run);
    assert_non_null(strstr(text, pl_size_text(3 << 20, size)));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_have_a_sign),
        cmocka_unit_test(a_miss_is_marked),
        cmocka_unit_test(what_cannot_occur_is_left_out),
        cmocka_unit_test(measured_without_prediction_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
