/* What is recorded at a root is what a replay answers, errors included. */
#include "test.h"

#include "base/str.h"
#include "sys/live.h"
#include "sys/root.h"
#include "sys/tape.h"
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tape_finds(void **state)
{
    (void)state;
    struct pl_tape *t = pl_tape_new();
    assert_non_null(t);
    for (int i = 0; i < 500; i++) {
        char path[32], data[32];
        (void)PL_FMT(path, "proc/%d", (i * 7919) % 500);
        (void)PL_FMT(data, "%d", i);
        pl_tape_put(t, PL_TAPE_FILE, path, 0, data, strlen(data));
    }
    assert_int_equal(t->n, 500);
    pl_tape_put(t, PL_TAPE_FILE, "proc/0", 0, "later", 5);
    assert_string_equal(pl_tape_find(t, PL_TAPE_FILE, "proc/0")->data, "0");
    assert_null(pl_tape_find(t, PL_TAPE_DIR, "proc/0"));
    assert_null(pl_tape_find(t, PL_TAPE_FILE, "proc/500"));
    t = pl_tape_free(t);
}

static void tables_round(void **state)
{
    (void)state;
    struct pl_tape *a = pl_tape_new(), *b = pl_tape_new();
    struct pl_str errors, live;
    pl_tape_put(a, PL_TAPE_FILE, "proc/odd\tname\n", -EACCES, NULL, 0);
    pl_tape_put(a, PL_TAPE_DIR, "sys/class", -ENOENT, NULL, 0);
    pl_tape_put(a, PL_TAPE_LIVE, "uname.machine", 0, "a\\b\tc\n", 6);
    pl_str_init(&errors, 4096);
    pl_str_init(&live, 4096);
    pl_tape_errors_text(a, &errors);
    pl_tape_pairs_text(a, PL_TAPE_LIVE, &live);
    assert_string_equal(pl_str_get(&errors),
                        "file\tproc/odd\\tname\\n\tEACCES\ndir\tsys/class\tENOENT\n");
    assert_int_equal(pl_tape_errors_parse(b, errors.data, NULL), 0);
    assert_int_equal(pl_tape_pairs_parse(b, PL_TAPE_LIVE, live.data, NULL), 0);
    assert_int_equal(pl_tape_find(b, PL_TAPE_FILE, "proc/odd\tname\n")->error, -EACCES);
    assert_string_equal(pl_tape_find(b, PL_TAPE_LIVE, "uname.machine")->data, "a\\b\tc\n");
    pl_str_done(&errors);
    pl_str_done(&live);
    a = pl_tape_free(a);
    b = pl_tape_free(b);
}

static void tables_damaged(void **state)
{
    (void)state;
    static const char *const bad[] = {"file\tx\n", "door\tx\tENOENT\n", "file\tx\tENOTHING\n",
                                      "file\tx\tENOENT\tmore\n", "\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pl_tape *t = pl_tape_new();
        struct pl_err err = {0};
        char text[64];
        (void)PL_FMT(text, "%s", bad[i]);
        assert_int_equal(pl_tape_errors_parse(t, text, &err), -EBADMSG);
        assert_non_null(strstr(err.what, "line 1"));
        t = pl_tape_free(t);
    }
}

static int asked;

static int ask_count(const void *ctx, char *out, size_t size)
{
    asked++;
    return pl_fmt(out, size, "%d", *(const int *)ctx) ? 0 : -E2BIG;
}

static int ask_refused(const void *ctx, char *out, size_t size)
{
    (void)ctx;
    (void)out;
    (void)size;
    return -EPERM;
}

/* This system, recorded: the second reading of a file is the first. */
static void records(void **state)
{
    (void)state;
    struct pl_root root;
    char text[4096], again[4096], link[256];
    DIR *dir = NULL;
    uint64_t n = 0;
    int seven = 7, eight = 8;
    assert_int_equal(pl_root_open(NULL, &root, NULL), 0);
    root.tape = pl_tape_new();
    assert_int_equal(pl_read_text(&root, "proc/uptime", text, sizeof(text), NULL, NULL), 0);
    (void)usleep(30000);
    assert_int_equal(pl_read_text(&root, "proc/uptime", again, sizeof(again), NULL, NULL), 0);
    assert_string_equal(text, again);
    assert_int_equal(pl_read_text(&root, "proc/none", text, sizeof(text), NULL, NULL), -ENOENT);
    assert_int_equal(pl_tape_find(root.tape, PL_TAPE_FILE, "proc/none")->error, -ENOENT);
    /* a read, not an open, that fails: the offset 0 of a process' memory is never mapped */
    assert_int_equal(pl_read_text(&root, "proc/self/mem", text, sizeof(text), NULL, NULL), -EIO);
    assert_int_equal(pl_tape_find(root.tape, PL_TAPE_FILE, "proc/self/mem")->error, -EIO);
    assert_int_equal(pl_root_open_dir(&root, "proc/self", &dir, NULL), 0);
    bool seen = false;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        seen = seen || pl_streq(e->d_name, "status");
    (void)closedir(dir);
    assert_true(seen);
    const char *list = pl_tape_find(root.tape, PL_TAPE_DIR, "proc/self")->data;
    assert_non_null(strstr(list, "f status\n"));
    assert_non_null(strstr(list, "d fd\n"));
    assert_int_equal(pl_root_read_link(&root, "proc/self/exe", link, sizeof(link), NULL), 0);
    assert_non_null(strstr(link, "test_tape"));
    assert_int_equal(pl_root_read_link(&root, "proc/self/exe", link, 4, NULL), -E2BIG);
    assert_int_equal(pl_root_read_link(&root, "proc/self/status", link, sizeof(link), NULL),
                     -EINVAL);
    assert_int_equal(pl_live_u64(&root, "test.count", ask_count, &seven, &n), 0);
    assert_int_equal(pl_live_u64(&root, "test.count", ask_count, &eight, &n), 0);
    assert_int_equal(n, 7);
    assert_int_equal(asked, 1);
    assert_int_equal(pl_live(&root, "test.no", ask_refused, NULL, text, sizeof(text)), -EPERM);
    assert_int_equal(root.tape->failed, 0);
    root.tape = pl_tape_free(root.tape);
    pl_root_done(&root);
}

static void replays(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root root;
    char text[256];
    DIR *dir = NULL;
    uint64_t n = 0;
    int seven = 7;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/meminfo", "MemTotal: 1024 kB\n");
    pl_tree_put(&t, "proc/kcore", "");
    pl_tree_put(&t, "plimsoll/errors.tsv",
                "file\tproc/kcore\tENODATA\nfile\tproc/gone\tENOENT\nlive\ttest.no\tEPERM\n"
                "dir\tsys/class/drm\tEACCES\n");
    pl_tree_put(&t, "plimsoll/links.tsv", "sys/block/sda\t../devices/x/block/sda\n");
    pl_tree_put(&t, "plimsoll/live.tsv", "test.count\t12\n");
    assert_int_equal(pl_root_open(t.dir, &root, NULL), 0);
    assert_int_equal(pl_read_text(&root, "proc/meminfo", text, sizeof(text), NULL, NULL), 0);
    assert_int_equal(pl_read_text(&root, "proc/kcore", text, sizeof(text), NULL, NULL), -ENODATA);
    assert_int_equal(pl_read_text(&root, "proc/gone", text, sizeof(text), NULL, NULL), -ENOENT);
    assert_int_equal(pl_read_text(&root, "proc/other", text, sizeof(text), NULL, NULL), -ENODATA);
    assert_int_equal(pl_root_open_dir(&root, "sys/class/drm", &dir, NULL), -EACCES);
    assert_int_equal(pl_root_read_link(&root, "sys/block/sda", text, sizeof(text), NULL), 0);
    assert_string_equal(text, "../devices/x/block/sda");
    assert_int_equal(pl_root_read_link(&root, "sys/block/sdb", text, sizeof(text), NULL), -ENODATA);
    asked = 0;
    assert_int_equal(pl_live_u64(&root, "test.count", ask_count, &seven, &n), 0);
    assert_int_equal(n, 12);
    assert_int_equal(pl_live_u64(&root, "test.other", ask_count, &seven, &n), -ENODATA);
    assert_int_equal(pl_live(&root, "test.no", ask_count, &seven, text, sizeof(text)), -EPERM);
    assert_int_equal(asked, 0);
    pl_root_done(&root);
    pl_tree_put(&t, "plimsoll/errors.tsv", "nonsense\n");
    assert_int_equal(pl_root_open(t.dir, &root, NULL), -EBADMSG);
    pl_tree_done(&t);
}

/* Any other folder: what is not there is not there, and calls have no answer. */
static void plain_dump(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root root;
    char text[256];
    uint64_t n = 0;
    int seven = 7;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/meminfo", "MemTotal: 1024 kB\n");
    pl_tree_link(&t, "sys/block/sda", "../devices/x");
    pl_tree_link(&t, "sys/out", "/etc/passwd");
    assert_int_equal(pl_root_open(t.dir, &root, NULL), 0);
    assert_int_equal(pl_read_text(&root, "proc/other", text, sizeof(text), NULL, NULL), -ENOENT);
    assert_int_equal(pl_root_read_link(&root, "sys/block/sda", text, sizeof(text), NULL), 0);
    assert_string_equal(text, "../devices/x");
    assert_int_equal(pl_root_read_link(&root, "proc/meminfo", text, sizeof(text), NULL), -EINVAL);
    assert_int_equal(pl_live_u64(&root, "test.count", ask_count, &seven, &n), -ENODATA);
    pl_root_done(&root);
    pl_tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tape_finds),     cmocka_unit_test(tables_round),
        cmocka_unit_test(tables_damaged), cmocka_unit_test(records),
        cmocka_unit_test(replays),        cmocka_unit_test(plain_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
