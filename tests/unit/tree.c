#include "tree.h"

#include "base/str.h"
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void pl_tree_open(struct pl_tree *t)
{
    (void)PL_FMT(t->dir, "/tmp/plimsoll-tree-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
}

static void pl_tree_path(const struct pl_tree *t, const char *path, char *out, size_t size)
{
    assert_true(pl_fmt(out, size, "%s/%s", t->dir, path));
    for (char *s = out + strlen(t->dir) + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        (void)mkdir(out, 0700);
        *s = '/';
    }
}

void pl_tree_put(struct pl_tree *t, const char *path, const char *text)
{
    char full[1024];
    pl_tree_path(t, path, full, sizeof(full));
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

void pl_tree_link(struct pl_tree *t, const char *path, const char *target)
{
    char full[1024];
    pl_tree_path(t, path, full, sizeof(full));
    assert_int_equal(symlink(target, full), 0);
}

static int pl_tree_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void pl_tree_done(struct pl_tree *t)
{
    (void)nftw(t->dir, pl_tree_remove, 16, FTW_DEPTH | FTW_PHYS);
}
