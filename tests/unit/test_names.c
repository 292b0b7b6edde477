#include "test.h"

#include "base/str.h"
#include "model/names.h"
#include "model/quants.h"

#include <errno.h>
#include <string.h>

static void as_people_write(void **state)
{
    static const struct {
        const char *spec, *id, *quant;
    } cases[] = {
        {"qwen3:8b",                               "qwen3-8b",        ""      },
        {"Qwen3 8B q4",                            "qwen3-8b",        "q4_k_m"},
        {"Qwen/Qwen3-8B-GGUF",                     "qwen3-8b",        ""      },
        {"Qwen/Qwen3-8B",                          "qwen3-8b",        ""      },
        {"qwen3:8b-q8_0",                          "qwen3-8b",        "Q8_0"  },
        {"Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama-3.1-8b",    "Q4_K_M"},
        {"llama3.1:8b",                            "llama-3.1-8b",    ""      },
        {"qwen3-235b-a22b",                        "qwen3-235b-a22b", ""      },
        {"Qwen3-235B-A22B-IQ4_XS",                 "qwen3-235b-a22b", "IQ4_XS"},
        {"gpt-oss:20b",                            "gpt-oss-20b",     ""      },
        {"gemma3 4b it",                           "gemma-3-4b",      ""      },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pl_catalogue_row *row = NULL;
        char quant[PL_NAME_QUANT_MAX];
        struct pl_err err = {0};
        int rc = pl_name_resolve(cases[i].spec, &row, quant, &err);
        if (rc != 0 || !pl_streq(row->id, cases[i].id) || !pl_streq(quant, cases[i].quant))
            fail_msg("%s: %d %s %s %s", cases[i].spec, rc, rc == 0 ? row->id : "", quant, err.hint);
    }
}

static void several(void **state)
{
    const struct pl_catalogue_row *row = NULL;
    char quant[PL_NAME_QUANT_MAX];
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(pl_name_resolve("qwen3 30b", &row, quant, &err), -EINVAL);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    assert_non_null(strstr(err.hint, "qwen3-30b-a3b"));
    assert_int_equal(pl_name_resolve("llama", &row, quant, &err), -EINVAL);
}

static void none(void **state)
{
    static const char *const cases[] = {
        "",       ":", "qwen3-9b",          "/nonexistent/qwen3-8b.gguf",
        "x.gguf", "x", "sub/qwen3-8b.gguf", "./qwen3-8b.gguf",
        "gguf",   "-"};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pl_catalogue_row *row = NULL;
        char quant[PL_NAME_QUANT_MAX];
        assert_int_equal(pl_name_resolve(cases[i], &row, quant, NULL), -ENOENT);
    }
}

/* Every id and every repository finds a row of its own words. */
static void every_row(void **state)
{
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n), *found = NULL;
    char quant[PL_NAME_QUANT_MAX];
    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pl_name_resolve(row[i].id, &found, quant, NULL), 0);
        assert_string_equal(found->id, row[i].id);
        assert_string_equal(quant, "");
    }
}

static void sizes_in_names(void **state)
{
    static const struct {
        const char *name;
        double total, active;
    } cases[] = {
        {"Qwen3-235B-A22B",                   235e9, 22e9},
        {"Qwen/Qwen3-30B-A3B-GGUF",           30e9,  3e9 },
        {"qwen2.5-7b",                        7e9,   0   },
        {"gemma-3-270m",                      270e6, 0   },
        {"Qwen3 0.6B",                        0.6e9, 0   },
        {"llama-3.1-8b-instruct-q4_k_m.gguf", 8e9,   0   },
        {"mixtral-8x7b",                      0,     0   },
        {"a3b",                               0,     0   },
        {"gpt-oss",                           0,     0   },
        {"",                                  0,     0   },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl_name_size s = pl_name_size(cases[i].name);
        if (s.total < cases[i].total || s.total > cases[i].total || s.active < cases[i].active ||
            s.active > cases[i].active)
            fail_msg("%s: %g, %g", cases[i].name, s.total, s.active);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_people_write), cmocka_unit_test(several),        cmocka_unit_test(none),
        cmocka_unit_test(every_row),       cmocka_unit_test(sizes_in_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
