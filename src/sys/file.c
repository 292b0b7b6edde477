#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pl_file_text(const char *path, struct pl_str *out, struct pl_err *err)
{
    bool in = pl_streq(path, "-");
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int code = fd < 0 ? -errno : 0;
    while (code == 0 && !out->failed) {
        char buf[16384];
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            code = -errno;
        if (n <= 0)
            break;
        pl_str_addn(out, buf, (size_t)n);
    }
    if (fd >= 0 && !in)
        (void)close(fd);
    if (code == 0 && out->failed)
        (void)pl_fail(err, code = -E2BIG, "larger than %zu bytes", out->cap);
    else if (code < 0)
        (void)pl_fail(err, code, "cannot read it: %s", strerror(-code));
    if (code < 0)
        pl_err_at(err, in ? "standard input" : path, 0, 0);
    return code;
}

int pl_make_parents(const char *path, mode_t mode, struct pl_err *err)
{
    char part[PATH_MAX];
    if (!PL_FMT(part, "%s", path))
        return pl_fail(err, -ENAMETOOLONG, "the path %.60s... is too long", path);
    for (char *p = part + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        int code = mkdir(part, mode) < 0 ? -errno : 0;
        struct stat st;
        /* on a read-only system mkdir says EROFS even of folders that are there */
        if (code < 0 && code != -EEXIST && stat(part, &st) < 0) {
            (void)pl_fail(err, code, "cannot make the folder: %s", strerror(-code));
            pl_err_at(err, part, 0, 0);
            return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
        }
        *p = '/';
    }
    return 0;
}
