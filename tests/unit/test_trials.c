/* Lists of trials: combinations of flags, and the file of what is done. */
#include "test.h"
#include "tree.h"

#include "base/str.h"
#include "cli/combos.h"
#include "cli/try_done.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void combinations_in_order(void **state)
{
    (void)state;
    static struct pl_combos c;
    struct pl_err err = {0};
    uint32_t n = 0;
    memset(&c, 0, sizeof(c));
    assert_int_equal(pl_combos_count(&c, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(pl_combos_add(&c, "ctx=2048,8192,32768", &err), 0);
    assert_int_equal(pl_combos_add(&c, "--parallel=1,4", &err), 0);
    assert_int_equal(pl_combos_add(&c, "prompt=64", &err), 0);
    assert_int_equal(pl_combos_count(&c, &n, &err), 0);
    assert_int_equal(n, 6);
    for (uint32_t i = 0; i < n; i++) {
        struct pl_settings s;
        struct pl_combos_request q = {1, 2};
        pl_llamacpp_defaults(&s);
        assert_int_equal(pl_combos_apply(&c, i, &s, &q, &err), 0);
        assert_int_equal(s.n_ctx, 2048u << 2 * (i / 2));
        assert_int_equal(s.n_parallel, i % 2 == 0 ? 1 : 4);
        assert_int_equal(q.prompt, 64);
        assert_int_equal(q.predict, 2);
    }
}

static void words_that_are_axes(void **state)
{
    (void)state;
    assert_true(pl_combos_is("ctk=f16,q8_0"));
    assert_true(pl_combos_is("c=1"));
    assert_true(pl_combos_is("ub=64"));
    assert_true(pl_combos_is("ngl=0,99"));
    assert_true(pl_combos_is("np=1"));
    assert_false(pl_combos_is("ctk"));
    assert_false(pl_combos_is("model.gguf"));
    assert_false(pl_combos_is("=1"));
    assert_false(pl_combos_is("dir/a=b.gguf"));
}

static void wrong_words(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "ctx",   "=",           "ctx=",         "ctx=1,",  "ctx=,1",     "ctx=1,1", "ctx=x",
        "nix=1", "ctk=f16,q99", "no-repack=on", "model=a", "prompt=0,1", "host=a",  "predict=-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        static struct pl_combos c;
        struct pl_err err = {0};
        memset(&c, 0, sizeof(c));
        bool refused = pl_combos_add(&c, bad[i], &err) < 0;
        if (pl_streq(bad[i], "host=a")) /* no setting of the model, but a flag with a value */
            continue;
        assert_true(refused);
        assert_true(err.what[0] != '\0' && c.n_axis == 0);
    }
    static struct pl_combos c;
    struct pl_err err = {0};
    memset(&c, 0, sizeof(c));
    assert_int_equal(pl_combos_add(&c, "ctx=1", &err), 0);
    assert_true(pl_combos_add(&c, "ctx-size=2", &err) < 0); /* the same flag */
}

static void too_many(void **state)
{
    (void)state;
    static struct pl_combos c;
    struct pl_err err = {0};
    uint32_t n = 0;
    memset(&c, 0, sizeof(c));
    char word[600] = "ctx=1";
    for (int i = 2; i <= PL_COMBOS_VALUES_MAX; i++) {
        char one[8];
        (void)PL_FMT(one, ",%d", i);
        (void)strcat(word, one);
    }
    assert_int_equal(pl_combos_add(&c, word, &err), 0);
    assert_int_equal(pl_combos_add(&c, "ub=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", &err), 0);
    assert_int_equal(pl_combos_count(&c, &n, &err), 0);
    assert_int_equal(n, 1024);
    assert_int_equal(pl_combos_add(&c, "np=1,2", &err), 0);
    assert_true(pl_combos_count(&c, &n, &err) < 0);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    (void)strcat(word, ",65");
    memset(&c, 0, sizeof(c));
    assert_true(pl_combos_add(&c, word, &err) < 0);
}

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEAD "plimsoll trials 1\n"

/* A kill at any byte loses at most the line that was being written. */
static void cut_anywhere(void **state)
{
    (void)state;
    static const char whole[] = HEAD KEY_A " 7\n" KEY_B " 8\n";
    struct pl_tree t;
    pl_tree_open(&t);
    for (size_t cut = 0; cut <= strlen(whole); cut++) {
        char text[sizeof(whole)], path[128];
        struct pl_done d;
        struct pl_err err = {0};
        int64_t run = 0;
        memcpy(text, whole, cut);
        text[cut] = '\0';
        pl_tree_put(&t, "done", text);
        (void)PL_FMT(path, "%s/done", t.dir);
        assert_int_equal(pl_done_open(path, false, &d, &err), 0);
        assert_int_equal(pl_done_find(&d, KEY_A, &run), cut >= strlen(HEAD KEY_A " 7\n"));
        assert_int_equal(pl_done_find(&d, KEY_B, &run), cut == strlen(whole));
        assert_int_equal(pl_done_add(&d, KEY_B, 9, &err), 0);
        pl_done_close(&d, false);
        assert_int_equal(pl_done_open(path, false, &d, &err), 0);
        assert_true(pl_done_find(&d, KEY_B, &run) && run == 9);
        pl_done_close(&d, false);
    }
    pl_tree_done(&t);
}

static void other_files_stay_as_they_are(void **state)
{
    (void)state;
    static const char *const bad[] = {"#!/bin/sh\n",
                                      "plimsoll trials 2\n",
                                      HEAD "\n",
                                      HEAD KEY_A "\n",
                                      HEAD KEY_A " 0\n",
                                      HEAD KEY_A " -1\n",
                                      HEAD KEY_A "  1\n",
                                      HEAD KEY_A "a 1\n",
                                      HEAD "A" KEY_A " 1\n",
                                      HEAD KEY_A " 99999999999999999999\n"};
    struct pl_tree t;
    pl_tree_open(&t);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char path[128];
        struct pl_done d;
        struct pl_err err = {0};
        struct pl_str text;
        pl_tree_put(&t, "done", bad[i]);
        (void)PL_FMT(path, "%s/done", t.dir);
        assert_int_equal(pl_done_open(path, true, &d, &err), -EBADMSG);
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
        pl_str_init(&text, 4096);
        assert_int_equal(pl_file_text(path, &text, &err), 0);
        assert_string_equal(pl_str_get(&text), bad[i]);
        pl_str_done(&text);
    }
    pl_tree_done(&t);
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_done a, b;
    struct pl_err err = {0};
    int64_t run = 0;
    char path[128];
    pl_tree_open(&t);
    (void)PL_FMT(path, "%s/new/folder/done", t.dir);
    assert_int_equal(pl_done_open(path, false, &a, &err), 0);
    assert_int_equal(pl_done_add(&a, KEY_A, 3, &err), 0);
    assert_int_equal(pl_done_open(path, false, &b, &err), -EBUSY);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    pl_done_close(&a, false);
    assert_int_equal(pl_done_open(path, true, &b, &err), 0);
    assert_false(pl_done_find(&b, KEY_A, &run)); /* fresh */
    pl_done_close(&b, true);
    assert_int_equal(access(path, F_OK), -1);
    pl_tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(combinations_in_order), cmocka_unit_test(words_that_are_axes),
        cmocka_unit_test(wrong_words),           cmocka_unit_test(too_many),
        cmocka_unit_test(cut_anywhere),          cmocka_unit_test(other_files_stay_as_they_are),
        cmocka_unit_test(one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
