/* Archives: what is written reads back, here and with tar; what is hostile is refused. */
#include "test.h"

#include "base/str.h"
#include "sys/ustar.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void checksum(char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)block[i];
    (void)snprintf(block + 148, 8, "%06o", sum);
}

static void round_trip(void **state)
{
    (void)state;
    struct pl_str out;
    struct pl_ustar_member m;
    char deep[240] = "sys/";
    char data[600];
    memset(data, 'x', sizeof(data));
    while (strlen(deep) < 190)
        (void)strcat(deep, "0123456789/");
    (void)strcat(deep, "file");
    pl_str_init(&out, 1 << 20);
    assert_int_equal(pl_ustar_add_dir(&out, "proc", 5), 0);
    assert_int_equal(pl_ustar_add_file(&out, "proc/empty", "", 0, 5), 0);
    assert_int_equal(pl_ustar_add_file(&out, deep, data, sizeof(data), 5), 0);
    memset(data, 'n', 150);
    data[150] = '\0';
    assert_int_equal(pl_ustar_add_file(&out, data, "", 0, 5), -ENAMETOOLONG);
    pl_ustar_end(&out);
    struct pl_ustar in = {.data = out.data, .len = out.len};
    assert_int_equal(pl_ustar_next(&in, &m, NULL), 1);
    assert_string_equal(m.name, "proc");
    assert_int_equal(m.type, 'd');
    assert_int_equal(pl_ustar_next(&in, &m, NULL), 1);
    assert_int_equal(m.len, 0);
    assert_int_equal(pl_ustar_next(&in, &m, NULL), 1);
    assert_string_equal(m.name, deep);
    assert_int_equal(m.len, 600);
    assert_int_equal(m.data[599], 'x');
    assert_int_equal(pl_ustar_next(&in, &m, NULL), 0);
    /* cut anywhere: never read past the end */
    for (size_t n = 0; n < out.len; n += 37) {
        char *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, out.data, n);
        struct pl_ustar cut = {.data = copy, .len = n};
        int rc = 1;
        while (rc > 0)
            rc = pl_ustar_next(&cut, &m, NULL);
        free(copy);
    }
    pl_str_done(&out);
}

/* One member of that name, type and link target. */
static int hostile(const char *name, char type, const char *target, struct pl_err *err)
{
    struct pl_str out;
    struct pl_ustar_member m;
    pl_str_init(&out, 1 << 16);
    (void)pl_ustar_add_file(&out, "placeholder", "data", 4, 0);
    pl_ustar_end(&out);
    memset(out.data, 0, 100);
    (void)snprintf(out.data, 100, "%s", name);
    out.data[156] = type;
    (void)snprintf(out.data + 157, 100, "%s", target);
    checksum(out.data);
    struct pl_ustar in = {.data = out.data, .len = out.len};
    int rc = pl_ustar_next(&in, &m, err);
    pl_str_done(&out);
    return rc;
}

static void refused(void **state)
{
    (void)state;
    struct pl_err err = {0};
    static const char *const out[] = {"/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/./b"};
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        assert_int_equal(hostile(out[i], '0', "", &err), -EINVAL);
    static const char *const in[] = {"./a", "a/", "a/.b", "a/..b", "."};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        assert_int_equal(hostile(in[i], '0', "", &err), 1);
    for (const char *type = "1346xgLK"; *type != '\0'; type++)
        assert_int_equal(hostile("a", *type, "", &err), -EINVAL);
    assert_int_equal(hostile("a/b/c", '2', "../../d", &err), 1);
    assert_int_equal(hostile("a/b/c", '2', "../../../d", &err), -EINVAL);
    assert_int_equal(hostile("a/b/c", '2', "/etc", &err), -EINVAL);
    assert_int_equal(hostile("a", '2', "b/../../etc", &err), -EINVAL);
    struct pl_ustar packed = {.data = "\x1f\x8b\x08", .len = 3};
    struct pl_ustar_member m;
    assert_int_equal(pl_ustar_next(&packed, &m, &err), -EINVAL);
    assert_non_null(strstr(err.what, "gzip"));
    struct pl_ustar none = {.data = "", .len = 0};
    assert_int_equal(pl_ustar_next(&none, &m, &err), -EBADMSG);
}

static void write_file(const char *path, const struct pl_str *s)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(s->data, 1, s->len, f), s->len);
    assert_int_equal(fclose(f), 0);
}

/* Through a link inside the archive nothing is written, and nothing stays of what failed. */
static void unpacks(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_str out;
    struct pl_err err = {0};
    struct stat st;
    char path[128], check[256], *dir = NULL;
    pl_tree_open(&t);
    assert_int_equal(setenv("TMPDIR", t.dir, 1), 0);
    (void)PL_FMT(path, "%s/x.tar", t.dir);
    pl_str_init(&out, 1 << 16);
    (void)pl_ustar_add_file(&out, "proc/sub/meminfo", "MemTotal: 1 kB\n", 15, 0);
    pl_ustar_end(&out);
    write_file(path, &out);
    assert_int_equal(pl_ustar_unpack(path, &dir, &err), 0);
    (void)PL_FMT(check, "%s/proc/sub/meminfo", dir);
    assert_int_equal(stat(check, &st), 0);
    assert_int_equal(st.st_size, 15);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    pl_ustar_remove(dir);
    assert_int_equal(stat(dir, &st), -1);
    free(dir);

    pl_str_clear(&out);
    (void)pl_ustar_add_file(&out, "proc", "", 0, 0);
    out.data[156] = '2';
    (void)snprintf(out.data + 157, 100, "sys");
    checksum(out.data);
    (void)pl_ustar_add_file(&out, "proc/meminfo", "x", 1, 0);
    pl_ustar_end(&out);
    write_file(path, &out);
    assert_int_equal(pl_ustar_unpack(path, &dir, &err), -EINVAL);
    pl_str_done(&out);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(t.dir), 0); /* empty: no folder was left */
    assert_int_equal(mkdir(t.dir, 0700), 0);
    pl_tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refused),
        cmocka_unit_test(unpacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
