#include "test.h"

#include "model/shape_expr.h"

#include <errno.h>
#include <string.h>

static bool value(void *ctx, const char *name, uint64_t n, int64_t *ret)
{
    (void)ctx;
    *ret = n == 1 ? name[0] - 'a' + 1 : 0; /* a = 1, b = 2 ... */
    return n == 1;
}

static void values(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"1",                      1},
        {"a + b*c",                7},
        {"(a+b)*c",                9},
        {"j/c%b",                  1},
        {"e - b - a",              2},
        {"!a || b > c && 1",       0},
        {"a==1 && b!=1 && !(c<c)", 1},
        {"a<=1 && b>=3",           0},
        {"((((((7))))))",          7},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t v = -1;
        assert_int_equal(pl_shape_eval(cases[i].text, true, value, NULL, &v, NULL, NULL), 0);
        assert_true(v == cases[i].want);
    }
}

static void lists(void **state)
{
    const char *at = "a*4 b";
    int64_t v = 0;
    (void)state;
    assert_int_equal(pl_shape_eval(at, false, value, NULL, &v, &at, NULL), 0);
    assert_true(v == 4 && strcmp(at, " b") == 0);
}

static void what_cannot_be_computed(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"",                              -EINVAL },
        {"a b",                           -EINVAL },
        {"a +",                           -EINVAL },
        {"+ a",                           -EINVAL },
        {"(a",                            -EINVAL },
        {"a)",                            -EINVAL },
        {"a $ b",                         -EINVAL },
        {"12x",                           -EINVAL },
        {"99999999999999999999",          -EINVAL },
        {"((((((((((((((((((((((((((((a", -EINVAL },
        {"name",                          -ENODATA},
        {"a/0",                           -ERANGE },
        {"a%(b-b)",                       -ERANGE },
        {"9000000000000000000*9",         -ERANGE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t v = -1;
        struct pl_err err = {0};
        int rc = pl_shape_eval(cases[i].text, true, value, NULL, &v, NULL, &err);
        if (rc != cases[i].rc)
            fail_msg("'%s': %d, want %d", cases[i].text, rc, cases[i].rc);
        assert_true(err.what[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(lists),
        cmocka_unit_test(what_cannot_be_computed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
