/* The dispatch to engines by their own flags: setting tables, claims, places. */
#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "domain/claim.h"
#include "domain/places.h"
#include "domain/setting_table.h"
#include "engine/engine.h"

#include <errno.h>
#include <string.h>

static const struct pl_setting_row table[] = {
    {.names = {"--type", "--data-type", "-t"},
     .key = "type",
     .takes = PL_TAKES_WORD,
     .words = "one|two|three",
     .absent = "two"},
    {.names = {"--count"},                   .key = "count", .takes = PL_TAKES_COUNT, .min = 1, .max = 10},
    {.names = {"--share"},                          .key = "share", .takes = PL_TAKES_NUMBER, .max = 1, .absent = "0.5"},
    {.names = {"--yes"},                     .key = "yes", .takes = PL_TAKES_NOTHING},
    {.names = {"--quiet"},                 .takes = PL_TAKES_PASS},
    {.names = {"--title"},                               .takes = PL_TAKES_PASS_VALUE},
    {.names = {"--odd"},                     .takes = PL_TAKES_CANNOT, .words = "leave it out"},
    {.names = {NULL}               },
};

static int take(struct pl_setting_values *v, const char *a, const char *b, struct pl_err *err)
{
    char one[64], two[64];
    char *argv[] = {one, two};
    (void)PL_FMT(one, "%s", a);
    (void)PL_FMT(two, "%s", b != NULL ? b : "");
    return pl_settings_take(v, b != NULL ? 2 : 1, argv, err);
}

static void setting_values_are_taken(void **state)
{
    struct pl_setting_values v;
    struct pl_err err = {0};
    char *argv[] = {(char[]){"--data_type=three"}, (char[]){"--count"}, (char[]){"7"}};
    (void)state;
    pl_settings_start(&v, table);
    assert_true(pl_setting_is(&v, "type", "two"));
    assert_false(pl_setting(&v, "type")->given);
    assert_int_equal(pl_settings_take(&v, 3, argv, &err), 1); /* "_" is "-" */
    assert_int_equal(pl_settings_take(&v, 2, argv + 1, &err), 2);
    assert_true(pl_setting_is(&v, "type", "three"));
    assert_int_equal(pl_setting_u(&v, "type"), 2);
    assert_int_equal(pl_setting_u(&v, "count"), 7);
    assert_int_equal(take(&v, "--yes", NULL, &err), 1);
    assert_int_equal(take(&v, "--quiet", NULL, &err), 1);
    assert_int_equal(pl_setting_u(&v, "yes"), 1);
    struct pl_str text;
    pl_str_init(&text, 200);
    pl_settings_text(&v, &text);
    assert_string_equal(pl_str_get(&text), "--type three --count 7 --yes --quiet");
    pl_str_done(&text);
}

static void wrong_settings_are_refused(void **state)
{
    static const struct {
        const char *flag, *value;
        int rc, exit_code;
    } wrong[] = {
        {"--type",    "four",    -EINVAL,  2},
        {"--type",    "",        -EINVAL,  2},
        {"--type",    "one|two", -EINVAL,  2},
        {"--count",   "0",       -EINVAL,  2},
        {"--count",   "11",      -EINVAL,  2},
        {"--count",   "-1",      -EINVAL,  2},
        {"--count",   NULL,      -EINVAL,  2},
        {"--share",   "1.5",     -EINVAL,  2},
        {"--share",   "nan",     -EINVAL,  2},
        {"--yes=no",  NULL,      -EINVAL,  2},
        {"--odd",     NULL,      -ENOTSUP, 3},
        {"--nothing", "1",       0,        0},
        {"--typ",     "one",     0,        0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct pl_setting_values v;
        struct pl_err err = {0};
        pl_settings_start(&v, table);
        assert_int_equal(take(&v, wrong[i].flag, wrong[i].value, &err), wrong[i].rc);
        assert_int_equal(err.exit_code, wrong[i].exit_code);
        assert_true(pl_setting_is(&v, "type", "two")); /* nothing lost */
    }
}

static void a_part_is_the_sum_of_its_terms(void **state)
{
    static struct pl_claim a;
    static struct pl_machine m;
    struct pl_judgement j;
    (void)state;
    pl_claim_start(&a, "test 1");
    struct pl_pool_footprint *p = pl_claim_pool(&a, "gpu0", PL_POOL_DEDICATED);
    pl_claim_add(&a, p, PL_PART_WEIGHTS, pl_exact(100, PL_SOURCE_DERIVED, "a"), "x", "%d", 1);
    pl_claim_add(&a, p, PL_PART_WEIGHTS, pl_between(5, 10, 20, PL_SOURCE_ASSUMED, "b"), "x", "%d",
                 2);
    struct pl_quantity load = pl_exact(115, PL_SOURCE_DERIVED, "loading");
    pl_claim_total(p, &load);
    assert_int_equal(p->part[PL_PART_WEIGHTS].low, 105);
    assert_int_equal(p->part[PL_PART_WEIGHTS].likely, 110);
    assert_int_equal(p->part[PL_PART_WEIGHTS].high, 120);
    assert_int_equal(p->part[PL_PART_WEIGHTS].source, PL_SOURCE_ASSUMED);
    assert_int_equal(a.terms.n, 2);
    assert_int_equal(p->steady.likely, 110);
    assert_int_equal(p->load_peak.likely, 115);
    assert_int_equal(p->load_peak.high, 120);
    /* on a machine that has room, what the engine itself refuses counts all the same */
    struct pl_pool *pool = pl_machine_add_pool(&m, "gpu0", PL_POOL_DEDICATED);
    pool->capacity = pool->available = pl_exact(1000, PL_SOURCE_MEASURED, NULL);
    pl_claim_judge(&a, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_SAFE);
    pl_claim_say(&a, PL_VERDICT_DOES_NOT_FIT, "no room for a block");
    pl_claim_say(&a, PL_VERDICT_SAFE, "a remark");
    pl_claim_judge(&a, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_DOES_NOT_FIT);
    assert_string_equal(j.reason[0], "no room for a block");
    assert_int_equal(j.n_reason, 2);
}

static void limits_are_kept(void **state)
{
    static struct pl_claim a;
    (void)state;
    pl_claim_start(&a, "test 1");
    for (int i = 0; i < PL_FOOTPRINT_POOLS_MAX; i++)
        assert_non_null(pl_claim_pool(&a, "p", PL_POOL_DEDICATED));
    assert_null(pl_claim_pool(&a, "p", PL_POOL_DEDICATED));
    for (int i = 0; i < PL_TERMS_MAX + 2; i++)
        pl_claim_add(&a, &a.footprint.pool[0], PL_PART_KV, pl_exact(1, PL_SOURCE_DERIVED, "x"), "x",
                     "t");
    assert_int_equal(a.terms.n, PL_TERMS_MAX);
    assert_int_equal(a.footprint.pool[0].part[PL_PART_KV].likely, PL_TERMS_MAX + 2);
    for (int i = 0; i < PL_FACTS_MAX + 2; i++)
        pl_claim_number(&a, "k", "l", i, "%d", i);
    assert_int_equal(a.n_fact, PL_FACTS_MAX);
    for (int i = 0; i < PL_REASONS_MAX + 2; i++)
        pl_claim_say(&a, PL_VERDICT_SAFE, "r");
    assert_int_equal(a.said.n_reason, PL_REASONS_MAX);
}

static void compute_capabilities_are_read(void **state)
{
    static const struct {
        const char *text;
        uint32_t sm;
    } known[] = {
        {"8.9",     890 },
        {"7.5",     750 },
        {"sm_75",   750 },
        {"sm_120",  1200},
        {"12.0",    1200},
        {"gfx1151", 0   },
        {"",        0   },
        {"8",       0   },
        {"8.",      0   },
        {"sm_9",    0   }
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct pl_device d = {0};
        (void)PL_FMT(d.compute_capability, "%s", known[i].text);
        assert_int_equal(pl_device_sm(&d), known[i].sm);
    }
    assert_int_equal(pl_device_sm(NULL), 0);
}

static void every_engine_has_a_sound_table(void **state)
{
    (void)state;
    assert_non_null(pl_engine_named("transformers"));
    assert_null(pl_engine_named("nothing"));
    for (size_t i = 0; pl_engines[i] != NULL; i++) {
        const struct pl_engine *e = pl_engines[i];
        static struct pl_setting_values v;
        assert_true((e->settings == NULL) == (e->footprint == NULL));
        if (e->settings == NULL)
            continue;
        pl_settings_start(&v, e->settings);
        for (int r = 0; e->settings[r].names[0] != NULL; r++) {
            const struct pl_setting_row *row = &e->settings[r];
            assert_true(row->absent == NULL || v.value[r].set); /* the default is a right value */
            assert_true(row->takes != PL_TAKES_WORD || row->words != NULL);
            assert_true((row->key == NULL) == (row->takes >= PL_TAKES_PASS));
            for (int q = 0; q < r && row->key != NULL; q++)
                assert_false(e->settings[q].key != NULL &&
                             strcmp(e->settings[q].key, row->key) == 0);
            for (int k = 0; k < PL_SETTING_NAMES_MAX && row->names[k] != NULL; k++)
                assert_int_equal(row->names[k][0], '-');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_values_are_taken),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(a_part_is_the_sum_of_its_terms),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(compute_capabilities_are_read),
        cmocka_unit_test(every_engine_has_a_sound_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
