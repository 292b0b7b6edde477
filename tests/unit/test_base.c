#include "test.h"

#include "base/arena.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/sha256_hw.h"
#include "base/str.h"
#include "base/table.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

static void texts_are_cut_and_joined(void **state)
{
    (void)state;
    char out[8], digits[PL_DIGITS_MAX];
    assert_true(pl_slice(out, sizeof(out), "abcdefghij", 7));
    assert_string_equal(out, "abcdefg");
    assert_true(pl_slice(out, sizeof(out), "abc", 0));
    assert_string_equal(out, "");
    assert_false(pl_slice(out, sizeof(out), "abcdefghij", 8));
    assert_string_equal(out, "");
    assert_false(pl_slice(out, sizeof(out), "abcdefghij", SIZE_MAX));
    assert_true(pl_join(out, sizeof(out), "ab", "", "cde", "fg", "", NULL));
    assert_string_equal(out, "abcdefg");
    assert_false(pl_join(out, sizeof(out), "ab", "cdefg", "h", NULL));
    assert_string_equal(out, "abcdefg");
    assert_false(pl_join(out, sizeof(out), "abcdefgh", NULL));
    assert_string_equal(out, "abcdefg");
    assert_true(pl_join(out, sizeof(out), "", NULL));
    assert_string_equal(out, "");
    assert_string_equal(pl_digits(0, digits), "0");
    assert_string_equal(pl_digits(1048576, digits), "1048576");
    assert_string_equal(pl_digits(UINT64_MAX, digits), "18446744073709551615");
}

static void seconds_do_not_wrap(void **state)
{
    (void)state;
    assert_true(pl_seconds_ns(0) == 0);
    assert_true(pl_seconds_ns(90) == 90 * PL_S_NS);
    /* this many wrapped to 0.3 s */
    uint64_t far = pl_seconds_ns(18446744074ull), now = pl_now_ns(pl_clock_real());
    assert_true(far > 1000000000ull * PL_S_NS && now + far > now);
    assert_true(pl_seconds_ns(UINT64_MAX) == far);
}

static void sizes_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"4096",                 4096         },
        {"18446744073709551615", UINT64_MAX   },
        {"512MiB",               512 * PL_MIB },
        {"5.5GB",                5500000000ull},
        {"5.5 GiB",              5905580032ull},
        {"1kib",                 1024         },
        {"0.5KiB",               512          },
        {"100B",                 100          },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t v = 0;
        struct pl_err err = {0};
        assert_int_equal(pl_size_parse(good[i].text, &v, &err), 0);
        assert_true(v == good[i].bytes);
    }
    static const char *const bad[] = {
        "",        "G",    "-1",  "5G",   "5.5", "1e3", "5 5", "1XB", "99999999999GiB",
        "1.2.3GB", "0x10", "nan", "infGB"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t v = 77;
        struct pl_err err = {0};
        assert_true(pl_size_parse(bad[i], &v, &err) < 0);
        assert_true(v == 77);
        assert_true(err.what[0] != '\0');
    }
    struct pl_err err = {0};
    uint64_t v = 0;
    assert_int_equal(pl_size_parse("5G", &v, &err), -EINVAL);
    assert_non_null(strstr(err.hint, "GiB"));
}

static void sizes_round_trip_in_text(void **state)
{
    (void)state;
    char out[PL_SIZE_TEXT_MAX];
    assert_string_equal(pl_size_text(0, out), "0 B");
    assert_string_equal(pl_size_text(1536 * PL_MIB, out), "1.50 GiB");
    assert_string_equal(pl_size_text(3 * PL_MIB, out), "3.0 MiB");
    assert_string_equal(pl_gb_text(5027783488ull, out), "5.03 GB");
}

static void arithmetic_refuses_overflow(void **state)
{
    (void)state;
    uint64_t r = 5;
    assert_false(pl_mul_u64(UINT64_MAX, 2, &r));
    assert_false(pl_add_u64(UINT64_MAX, 1, &r));
    assert_false(pl_pad_u64(UINT64_MAX, 256, &r));
    assert_true(r == 5);
    assert_true(pl_pad_u64(257, 256, &r));
    assert_true(r == 512);
}

static void arena_keeps_its_cap(void **state)
{
    (void)state;
    struct pl_arena a;
    pl_arena_init(&a, 64 * 1024);
    assert_non_null(pl_arena_alloc(&a, 10, 100));
    assert_null(pl_arena_alloc(&a, 1, 128 * 1024));
    assert_null(pl_arena_alloc(&a, SIZE_MAX, 16));
    int n = 0;
    while (pl_arena_alloc(&a, 1, 1000) != NULL)
        n++;
    assert_true(n > 20 && n < 64);
    pl_arena_done(&a);
}

static void text_stops_at_its_cap(void **state)
{
    (void)state;
    struct pl_str s;
    pl_str_init(&s, 16);
    pl_str_add(&s, "0123456789");
    assert_false(s.failed);
    pl_str_add(&s, "0123456789");
    assert_true(s.failed);
    assert_string_equal(pl_str_get(&s), "0123456789");
    pl_str_done(&s);
}

static void nearest_word_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"estimate", "inspect", "--ctx-size", 0};
    assert_string_equal(pl_nearest("estimat", names), "estimate");
    assert_string_equal(pl_nearest("--ctxsize", names), "--ctx-size");
    assert_null(pl_nearest("zzzzzz", names));
}

static void json_is_escaped_and_balanced(void **state)
{
    (void)state;
    struct pl_str s;
    struct pl_json j;
    pl_str_init(&s, 4096);
    pl_json_start(&j, &s, false);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "a\"b", "line\nand \x01 and \xff");
    pl_json_array(&j, "list");
    pl_json_u64(&j, NULL, UINT64_MAX);
    pl_json_null(&j, NULL);
    pl_json_end(&j);
    pl_json_end(&j);
    struct pl_jdoc *doc = NULL;
    struct pl_err err = {0};
    assert_false(s.failed);
    assert_string_equal(
        pl_str_get(&s),
        "{\"a\\\"b\":\"line\\nand \\u0001 and ?\",\"list\":[18446744073709551615,null]}\n");
    pl_str_done(&s);
    assert_int_equal(pl_jdoc_parse("{\"x\": [1, 2,]}", 14, "f.json", &doc, &err), -EINVAL);
    assert_string_equal(err.file, "f.json");
    assert_true(err.line == 1 && err.col > 1);
    assert_int_equal(pl_jdoc_parse("{\"x\": [1, 2]}", 13, "f.json", &doc, &err), 0);
    uint64_t v = 0;
    assert_true(pl_ju64(pl_jat(pl_jget(pl_jdoc_root(doc), "x"), 1), &v));
    assert_true(v == 2);
    assert_null(pl_jget(pl_jget(NULL, "a"), "b"));
    pl_jdoc_free(doc);
}

/* Where a table is wider than the terminal, the last column goes on below itself. */
static void tables_stay_within(void **state)
{
    (void)state;
    static const char *const titles[] = {"name", ">MiB", "why", 0};
    struct pl_str s;
    pl_str_init(&s, 4096);
    struct pl_table *t = pl_table_new(titles);
    pl_table_row(t);
    pl_table_cell(t, "weights");
    pl_table_cell(t, "4789.0");
    pl_table_cell(t, "they are read again fér every token, a_word_that_is_too_long_to_fit");
    pl_table_within(38);
    pl_table_print(t, &s, false);
    assert_string_equal(pl_str_get(&s), "name        MiB  why\n"
                                        "weights  4789.0  they are read again\n"
                                        "                 fér every token,\n"
                                        "                 a_word_that_is_too_lo\n"
                                        "                 ng_to_fit\n");
    pl_str_clear(&s);
    pl_table_within(0);
    pl_table_print(t, &s, false);
    assert_non_null(strstr(pl_str_get(&s), "every token, a_word_that_is_too_long_to_fit\n"));
    (void)pl_table_free(t);
    pl_str_done(&s);
}

static void tables_align(void **state)
{
    (void)state;
    static const char *const titles[] = {"part", ">MiB", 0};
    struct pl_str s;
    pl_str_init(&s, 4096);
    struct pl_table *t = pl_table_new(titles);
    pl_table_row(t);
    pl_table_cell(t, "weights");
    pl_table_cell(t, "4789.0");
    pl_table_rule(t);
    pl_table_row(t);
    pl_table_cell(t, "é");
    pl_table_cell(t, "1");
    pl_table_print(t, &s, false);
    assert_string_equal(pl_str_get(&s), "part        MiB\n"
                                        "weights  4789.0\n"
                                        "---------------\n"
                                        "é             1\n");
    pl_table_free(t);
    pl_str_clear(&s);
    pl_bar(&s, 10, 20, 30, 90, 100);
    assert_string_equal(pl_str_get(&s), "[##===....|]");
    pl_str_done(&s);
}

static void foreign_text_is_cleaned(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa2",
         "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa2"             },
        {"\033[2J\a\n\x7f",                              "?[2J"
                            "?"
                            "?"
                            "?"          },
        {"\xc2\x9b"
         "1m",                                  "?"
         "?"
         "1m"                                }, /* C1 */
        {"\xe2\x80\xaex",                                "?"
                          "?"
                          "?"
                          "x"              }, /* turns the direction */
        {"\xff\xfe"
         "a",                                   "?"
         "?"
         "a"                                  }, /* never in UTF-8 */
        {"\xc0\xaf\xe0\x80\xaf",                         "?"
                                 "?"
                                 "?"
                                 "?"
                                 "?"}, /* overlong */
        {"\xed\xa0\x80",                                 "?"
                         "?"
                         "?"                }, /* a surrogate */
        {"\xf4\x90\x80\x80",                             "?"
                             "?"
                             "?"
                             "?"        }, /* above U+10FFFF */
        {"cut \xe2\x82",                                 "cut ?"
                         "?"                },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        assert_true(PL_FMT(text, "%s", cases[i].in));
        pl_text_clean(text);
        assert_string_equal(text, cases[i].out);
    }
    char out[8];
    assert_string_equal(pl_text_cut(out, sizeof(out), "1234567"), "1234567");
    assert_string_equal(pl_text_cut(out, sizeof(out), "12345678"), "1234...");
    assert_string_equal(pl_text_cut(out, sizeof(out),
                                    "123\xc3\xa9"
                                    "678"),
                        "123...");
    assert_string_equal(pl_text_cut(out, sizeof(out), ""), "");
}

/* FIPS 180-4 examples, and a million times "a" in pieces that straddle the blocks. */
/* both ways of working a block give the same, in one go or one by one */
static void sha256_two_ways(void **state)
{
    uint8_t data[64 * 33];
    uint32_t a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, b[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t seed = 12345;
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (uint8_t)(seed >> 24);
    }
    if (!pl_sha256_hw(a, data, 33, pl_sha_k))
        skip(); /* no such instructions here */
    for (size_t i = 0; i < 33; i++)
        pl_sha256_plain(b, data + 64 * i, 1);
    assert_memory_equal(a, b, sizeof(a));
}

static void sha256_of_known_texts(void **state)
{
    (void)state;
    char out[PL_SHA256_TEXT_MAX];
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_string_equal(pl_sha256_text("", 0, out),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(pl_sha256_text("abc", 3, out),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(pl_sha256_text(two, strlen(two), out),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char many[1000];
    struct pl_sha256 s;
    uint8_t sum[PL_SHA256_BYTES];
    static const uint8_t want[4] = {0xcd, 0xc7, 0x6e, 0x5c};
    memset(many, 'a', sizeof(many));
    pl_sha256_start(&s);
    for (int i = 0; i < 1000; i++) {
        pl_sha256_add(&s, many, 333);
        pl_sha256_add(&s, many, 667);
    }
    pl_sha256_end(&s, sum);
    assert_memory_equal(sum, want, sizeof(want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_text_is_cleaned),
        cmocka_unit_test(texts_are_cut_and_joined),
        cmocka_unit_test(seconds_do_not_wrap),
        cmocka_unit_test(sizes_are_parsed),
        cmocka_unit_test(sizes_round_trip_in_text),
        cmocka_unit_test(arithmetic_refuses_overflow),
        cmocka_unit_test(arena_keeps_its_cap),
        cmocka_unit_test(text_stops_at_its_cap),
        cmocka_unit_test(nearest_word_is_found),
        cmocka_unit_test(json_is_escaped_and_balanced),
        cmocka_unit_test(tables_align),
        cmocka_unit_test(tables_stay_within),
        cmocka_unit_test(sha256_of_known_texts),
        cmocka_unit_test(sha256_two_ways),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
