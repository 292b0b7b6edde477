/* Unpacking an archive into a folder of our own. */
#include "sys/file.h"
#include "sys/ustar.h"
#include "sys/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_UNPACK_PREFIX "plimsoll-replay-"

static const char *pl_unpack_tmp(void)
{
    const char *tmp = getenv("TMPDIR");
    return tmp != NULL && tmp[0] == '/' ? tmp : "/tmp";
}

static int pl_unpack_unlink(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    (void)remove(path);
    return 0;
}

void pl_ustar_remove(const char *dir)
{
    (void)nftw(dir, pl_unpack_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* Folders of ours whose process is gone: it was killed before it could remove them. */
static void pl_unpack_sweep(const char *tmp)
{
    DIR *dir = opendir(tmp);
    if (dir == NULL)
        return;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[PATH_MAX], number[16];
        struct stat st;
        uint64_t pid = 0;
        if (!pl_starts(e->d_name, PL_UNPACK_PREFIX))
            continue;
        const char *text = e->d_name + sizeof(PL_UNPACK_PREFIX) - 1;
        (void)PL_FMT(number, "%.*s", (int)strcspn(text, "."), text);
        if (!pl_parse_u64(number, &pid) || pid == 0 || pid > INT_MAX ||
            !PL_FMT(path, "%s/%s", tmp, e->d_name))
            continue;
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() &&
            kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            pl_ustar_remove(path);
    }
    (void)closedir(dir);
}

/* Opens (and makes) the folder that holds name; *ret_last is its last component. Links are not
 * followed: no member is written through one. A descriptor or negative errno. */
static int pl_unpack_parent(int root, const char *name, const char **ret_last)
{
    int at = root;
    for (;;) {
        char part[256];
        size_t n = strcspn(name, "/");
        if (name[n] == '\0')
            break;
        if (!PL_FMT(part, "%.*s", (int)n, name)) {
            if (at != root)
                (void)close(at);
            return -ENAMETOOLONG;
        }
        (void)mkdirat(at, part, 0700);
        int fd = openat(at, part, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int code = fd < 0 ? -errno : 0;
        if (at != root)
            (void)close(at);
        if (fd < 0)
            return code;
        at = fd;
        name += n + 1;
    }
    *ret_last = name;
    return at == root ? fcntl(root, F_DUPFD_CLOEXEC, 0) : at;
}

static int pl_unpack_file(int at, const char *name, const struct pl_ustar_member *m)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int code = fd < 0 ? -errno : pl_write_all(fd, m->data, m->len);
    if (fd >= 0 && close(fd) < 0 && code == 0)
        code = -errno;
    return code;
}

static int pl_unpack_member(int root, const struct pl_ustar_member *m, struct pl_err *err)
{
    const char *last = NULL;
    if (m->name[0] == '\0')
        return 0;
    int at = pl_unpack_parent(root, m->name, &last);
    int rc = at < 0 ? at : 0;
    struct stat st;
    if (rc == 0 && m->type == 'f')
        rc = pl_unpack_file(at, last, m);
    else if (rc == 0 && m->type == 'l')
        rc = symlinkat(m->target, at, last) < 0 ? -errno : 0;
    else if (rc == 0 && mkdirat(at, last, 0700) < 0 &&
             (fstatat(at, last, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)))
        rc = -EEXIST;
    if (at >= 0)
        (void)close(at);
    if (rc == -EEXIST || rc == -ELOOP || rc == -ENOTDIR)
        return pl_fail(err, -EINVAL, "'%.100s' is there twice, or inside what is no folder",
                       m->name);
    if (rc < 0) {
        (void)pl_fail(err, rc, "cannot unpack '%.100s': %s", m->name, strerror(-rc));
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    return 0;
}

static int pl_unpack_all(struct pl_ustar *in, const char *dir, struct pl_err *err)
{
    struct pl_ustar_member m;
    int root = open(dir, O_DIRECTORY | O_CLOEXEC);
    int rc = root < 0 ? pl_fail(err, -errno, "%.120s: %s", dir, strerror(errno)) : 1;
    while (rc > 0) {
        rc = pl_ustar_next(in, &m, err);
        if (rc > 0) {
            int bad = pl_unpack_member(root, &m, err);
            rc = bad < 0 ? bad : rc;
        }
    }
    if (root >= 0)
        (void)close(root);
    return rc;
}

int pl_ustar_unpack(const char *path, char **ret_dir, struct pl_err *err)
{
    struct pl_str text;
    char *dir = NULL;
    pl_str_init(&text, PL_USTAR_BYTES_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0) {
        struct pl_ustar in = {.data = pl_str_get(&text), .len = text.len};
        struct pl_ustar_member first;
        rc = pl_ustar_next(&in, &first, err); /* before a folder is made for it */
        rc = rc > 0 ? 0 : rc;
    }
    pl_unpack_sweep(pl_unpack_tmp());
    if (rc == 0 &&
        (asprintf(&dir, "%s/" PL_UNPACK_PREFIX "%ld.XXXXXX", pl_unpack_tmp(), (long)getpid()) < 0 ||
         mkdtemp(dir) == NULL)) {
        rc = pl_fail(err, -errno, "cannot make a folder in %.120s: %s", pl_unpack_tmp(),
                     strerror(errno));
        free(dir);
        dir = NULL;
    }
    if (rc == 0) {
        struct pl_ustar in = {.data = pl_str_get(&text), .len = text.len};
        rc = pl_unpack_all(&in, dir, err);
    }
    pl_str_done(&text);
    if (rc < 0) {
        if (dir != NULL)
            pl_ustar_remove(dir);
        free(dir);
        pl_err_at(err, path, 0, 0);
        return rc;
    }
    *ret_dir = dir;
    return 0;
}
