/* What a forecast says of an engine that its formulas were not proved against. */
#include "test.h"

#include "base/str.h"
#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"
#include "model/catalogue.h"
#include "report/forecast.h"

#include <string.h>

/* The forecast of one model beside one version of the engine; text: as it is shown. */
static void ask(const char *version, struct pl_forecast *f, struct pl_str *text)
{
    static struct pl_machine machine;
    struct pl_model *m = NULL;
    struct pl_settings s;
    struct pl_err err = {0};
    (void)PL_FMT(machine.cpu.isa, "avx avx2 f16c fma");
    pl_llamacpp_defaults(&s);
    s.n_ctx = 8192;
    s.n_parallel = 1;
    assert_int_equal(pl_catalogue_model(pl_catalogue_find("qwen3-8b"), "q4_k_m", &m, &err), 0);
    assert_int_equal(pl_forecast_make(m, &s, &machine, NULL, version, NULL, f, &err), 0);
    pl_str_init(text, 65536);
    pl_report_forecast_text(f, true, false, text);
    f->model = NULL;
    (void)pl_model_free(m);
}

static void test_version(void **state)
{
    static struct pl_forecast proved, newer, unsaid;
    struct pl_str text;
    (void)state;
    ask(PL_LLAMACPP_PROVED, &proved, &text);
    assert_non_null(strstr(pl_str_get(&text), "engine   llama.cpp " PL_LLAMACPP_PROVED));
    assert_null(strstr(pl_str_get(&text), "more room"));
    pl_str_done(&text);
    ask("99.1.0 build 999999", &newer, &text);
    assert_non_null(
        strstr(pl_str_get(&text),
               "engine   llama.cpp 99.1.0 build 999999; formulas proved against " PL_LLAMACPP_PROVED
               ": compute buffers are given an eighth more room"));
    assert_non_null(strstr(pl_str_get(&text), "other versions differ a little"));
    pl_str_done(&text);
    ask(NULL, &unsaid, &text);
    assert_non_null(strstr(pl_str_get(&text), "(version not known)"));
    pl_str_done(&text);
    const struct pl_quantity *was = &proved.footprint.pool[0].part[PL_PART_COMPUTE];
    const struct pl_forecast *others[] = {&newer, &unsaid};
    assert_true(was->low == was->likely && was->likely == was->high);
    for (size_t i = 0; i < 2; i++) {
        const struct pl_pool_footprint *p = &others[i]->footprint.pool[0];
        const struct pl_quantity *q = &p->part[PL_PART_COMPUTE];
        assert_true(q->likely == was->likely); /* the best that is known, whatever the version */
        assert_true(q->low == was->low - was->low / 8);
        assert_true(q->high == was->high + was->high / 8);
        assert_true(p->steady.low < proved.footprint.pool[0].steady.low);
        assert_true(p->steady.high > proved.footprint.pool[0].steady.high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
