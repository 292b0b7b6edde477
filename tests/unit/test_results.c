/* Results of several runs: what goes into files for other programs, and the plots. */
#include "test.h"

#include "report/csv.h"
#include "report/plots.h"
#include "report/results.h"
#include "report/svg.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void csv_is(const char *text, const char *want)
{
    struct pl_str s;
    pl_str_init(&s, 4096);
    pl_csv_text(text, &s);
    assert_string_equal(pl_str_get(&s), want);
    pl_str_done(&s);
}

/* RFC 4180, section 2, 5 to 7 */
static void csv_fields(void **state)
{
    (void)state;
    csv_is("", "");
    csv_is("plain text", "plain text");
    csv_is("a,b", "\"a,b\"");
    csv_is("say \"so\"", "\"say \"\"so\"\"\"");
    csv_is("two\r\nlines", "\"two\r\nlines\"");
    csv_is("\"", "\"\"\"\"");
    csv_is(" led by a space", "\" led by a space\"");
}

static void xml_is(const char *text, const char *want)
{
    struct pl_str s;
    pl_str_init(&s, 4096);
    pl_xml_text(text, &s);
    assert_string_equal(pl_str_get(&s), want);
    pl_str_done(&s);
}

static void xml_texts(void **state)
{
    (void)state;
    xml_is("plain \xc3\xa4", "plain \xc3\xa4");
    xml_is("<script>alert('x')</script> & \"q\"",
           "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot;");
    xml_is("a\033[2Jb\x01\n\xff", "a?[2Jb???");
    xml_is("\xef\xbf\xbe|\xef\xbf\xbf|\xef\xbb\xa1", "?|?|\xef\xbb\xa1");
}

/* Whatever is asked for: finite, ascending, all of it inside the axis, few ticks. */
static void axes_hold_what_they_show(void **state)
{
    (void)state;
    static const double value[] = {1e-9, 0.3, 1, 7, 99.5, 4096, 131072, 3.1e8, 2.7e9, 6e13};
    const size_t n = sizeof(value) / sizeof(value[0]);
    for (size_t k = 0; k < n * n * 6; k++) {
        double low = value[k % n], high = value[k / n % n];
        enum pl_axis_kind kind = (enum pl_axis_kind)(k / n / n % 3);
        struct pl_axis a;
        char text[PL_AXIS_TEXT_MAX];
        if (high < low)
            continue;
        pl_axis_make(kind, low, high, k / n / n >= 3, &a);
        assert_true(isfinite(a.min) && isfinite(a.max) && a.min < a.max);
        assert_true(a.min <= low * (1 + 1e-9) && a.max >= high * (1 - 1e-9));
        assert_in_range(a.n_tick, 1, PL_PLOT_TICKS_MAX);
        for (uint32_t i = 0; i < a.n_tick; i++) {
            assert_true(i == 0 || a.tick[i] > a.tick[i - 1]);
            assert_true(strlen(pl_axis_text(&a, a.tick[i], text)) > 0);
        }
        assert_true(pl_axis_at(&a, low) >= 0 && pl_axis_at(&a, high) <= 1);
        assert_true(low >= high || pl_axis_at(&a, low) < pl_axis_at(&a, high));
    }
}

static void axis_texts(void **state)
{
    (void)state;
    struct pl_axis a;
    char text[PL_AXIS_TEXT_MAX];
    pl_axis_make(PL_AXIS_BYTES, 3.0 * 1073741824, 8.0 * 1073741824, true, &a);
    assert_true(a.min <= 0 && !a.by_powers);
    assert_string_equal(pl_axis_text(&a, 6.0 * 1073741824, text), "6 GiB");
    pl_axis_make(PL_AXIS_TOKENS, 2048, 131072, false, &a);
    assert_true(a.by_powers);
    assert_int_equal(a.n_tick, 7);
    assert_string_equal(pl_axis_text(&a, a.tick[6], text), "131072");
}

static struct pl_result *add(struct pl_results *r, const char *model, const char *flags,
                             uint64_t n_ctx, uint64_t mib, uint64_t measured_mib)
{
    struct pl_result *one = pl_results_add(r, NULL, NULL);
    assert_non_null(one);
    (void)PL_FMT(one->model, "%s", model);
    (void)PL_FMT(one->flags, "%s", flags);
    one->n_ctx = n_ctx;
    one->host_predicted =
        pl_between((mib - 10) << 20, mib << 20, (mib + 10) << 20, PL_SOURCE_DERIVED, NULL);
    if (measured_mib > 0)
        one->host_measured = pl_exact(measured_mib << 20, PL_SOURCE_MEASURED, NULL);
    else
        one->status = PL_RUN_REFUSED;
    return one;
}

static void series_are_what_differs_in_context_alone(void **state)
{
    (void)state;
    struct pl_results r = {0};
    struct pl_plots_one p;
    add(&r, "a", "-c 8192 -ctk q8_0", 8192, 300, 305);
    add(&r, "a", "-c 2048 -ctk q8_0", 2048, 200, 150);
    add(&r, "a", "-c 2048", 2048, 210, 210);
    add(&r, "a", "-c 65536 -ctk q8_0", 65536, 900, 0);
    assert_int_equal(pl_plots_make(&r, PL_PLOTS_MEMORY, &p, NULL), 0);
    assert_int_equal(p.plot.n_series, 2);
    assert_string_equal(p.plot.series[0].name, "a  -ctk q8_0");
    assert_int_equal(p.plot.series[0].n, 3);
    assert_true(p.plot.series[0].point[0].x < p.plot.series[0].point[1].x);
    assert_true(p.plot.series[0].point[2].measured <= 0); /* not started: predicted alone */
    assert_true(p.plot.series[0].point[2].predicted > 0);
    pl_plots_done(&p);
    assert_int_equal(pl_plots_make(&r, PL_PLOTS_MEMORY_AGREE, &p, NULL), 0);
    assert_int_equal(p.plot.n_series, 1);
    assert_int_equal(p.plot.series[0].n, 3);
    pl_plots_done(&p);
    assert_int_equal(pl_plots_make(&r, PL_PLOTS_DECODE, &p, NULL), 0);
    assert_int_equal(p.plot.n_series, 0);
    pl_plots_done(&p);
    struct pl_results_error e;
    assert_int_equal(pl_results_error(&r, PL_RESULTS_MEMORY, NULL, &e, NULL), 0);
    assert_int_equal(e.n, 3);
    assert_int_equal(e.inside, 2);
    assert_true(fabs(e.median - 5.0 / 305) < 1e-12);
    assert_true(fabs(e.worst - 50.0 / 150) < 1e-12);
    pl_results_done(&r);
}

static void disturbed_speeds_are_compared_with_nothing(void **state)
{
    (void)state;
    struct pl_results r = {0};
    struct pl_results_error e;
    for (int i = 0; i < 3; i++) {
        struct pl_result *one = add(&r, "a", "-c 2048", 2048, 200, 200);
        one->decode_predicted = (struct pl_rate){9, 10, 11, PL_SOURCE_DERIVED, 0, NULL};
        one->decode = i == 0 ? 1 : 10;
        one->disturbed = i == 0;
    }
    assert_int_equal(pl_results_error(&r, PL_RESULTS_DECODE, NULL, &e, NULL), 0);
    assert_int_equal(e.n, 2);
    assert_true(e.worst < 1e-12);
    assert_int_equal(pl_results_error(&r, PL_RESULTS_MEMORY, NULL, &e, NULL), 0);
    assert_int_equal(e.n, 3);
    pl_results_done(&r);
}

static void many_series_are_left_to_the_table(void **state)
{
    (void)state;
    struct pl_results r = {0};
    struct pl_plots_one p;
    char name[16];
    for (unsigned i = 0; i < 30; i++) {
        (void)PL_FMT(name, "m%u", i);
        add(&r, name, "-c 2048", 2048, 200, 200);
    }
    assert_int_equal(pl_plots_make(&r, PL_PLOTS_MEMORY, &p, NULL), 0);
    assert_int_equal(p.plot.n_series, PL_PLOT_SERIES_MAX);
    assert_int_equal(p.left_out, 22);
    pl_plots_done(&p);
    assert_int_equal(pl_plots_make(&r, PL_PLOTS_MEMORY_AGREE, &p, NULL), 0);
    assert_int_equal(p.plot.n_series, PL_PLOT_SERIES_MAX);
    assert_string_equal(p.plot.series[PL_PLOT_SERIES_MAX - 1].name, "23 other models");
    assert_int_equal(p.plot.series[PL_PLOT_SERIES_MAX - 1].n, 23);
    pl_plots_done(&p);
    pl_results_done(&r);
}

/* The largest page there can be, of the longest texts: below its limit, and still whole. */
static void a_page_has_an_end(void **state)
{
    (void)state;
    struct pl_results r = {0};
    struct pl_str s;
    char text[PL_RUN_TEXT_MAX];
    memset(text, '"', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (uint32_t i = 0; i < PL_RESULTS_MAX; i++) {
        struct pl_result *one = add(&r, text, text, 1024 + i, 200 + i, 200 + i);
        (void)PL_FMT(one->error, "%s", text);
    }
    struct pl_err err = {0};
    assert_null(pl_results_add(&r, NULL, &err));
    assert_int_equal(err.code, -E2BIG);
    pl_str_init(&s, 16u * 1024u * 1024u);
    pl_results_html(&r, "title", "about", &s);
    assert_false(s.failed);
    assert_in_range(s.len, 100000, PL_RESULTS_HTML_MAX);
    assert_true(pl_ends(pl_str_get(&s), "</html>\n"));
    assert_non_null(strstr(pl_str_get(&s), "more runs are left out of this table"));
    pl_str_done(&s);
    pl_results_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_fields),
        cmocka_unit_test(xml_texts),
        cmocka_unit_test(axes_hold_what_they_show),
        cmocka_unit_test(axis_texts),
        cmocka_unit_test(series_are_what_differs_in_context_alone),
        cmocka_unit_test(disturbed_speeds_are_compared_with_nothing),
        cmocka_unit_test(many_series_are_left_to_the_table),
        cmocka_unit_test(a_page_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
