#include "sys/newfile.h"

#include "base/str.h"
#include "sys/write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int pl_newfile_fill(int fd, const char *data, size_t len)
{
    int code = pl_write_all(fd, data, len);
    if (code < 0)
        return code;
    return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* path with ".plimsoll-PID.part" at its end. */
static bool pl_newfile_part(const char *path, char out[PATH_MAX])
{
    return pl_fmt(out, PATH_MAX, "%s.plimsoll-%ld.part", path, (long)getpid());
}

/* A file without a name in the folder of path; *ret_part is "" then, else its name. */
static int pl_newfile_open(const char *path, mode_t mode, char part[PATH_MAX])
{
    char dir[PATH_MAX];
    if (!pl_newfile_part(path, part))
        return -ENAMETOOLONG;
    const char *slash = strrchr(path, '/');
    (void)PL_FMT(dir, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                 slash == NULL ? "." : path);
    int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    if (fd >= 0) {
        part[0] = '\0';
        return fd;
    }
    if (errno == ENOENT || errno == EACCES || errno == ENOTDIR || errno == EROFS)
        return -errno;
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST &&
        unlink(part) == 0) /* of one with our number, that was killed */
        fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd < 0 ? -errno : fd;
}

/* Gives the file its name. link(2) never replaces a file, rename(2) always does. */
static int pl_newfile_name(int fd, const char *part, const char *path, bool force)
{
    char from[64], beside[PATH_MAX];
    (void)PL_FMT(from, "/proc/self/fd/%d", fd);
    const char *source = part[0] != '\0' ? part : from;
    if (linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return part[0] != '\0' && unlink(part) < 0 ? -errno : 0;
    if (errno != EEXIST || !force)
        return -errno;
    if (part[0] != '\0')
        return rename(part, path) < 0 ? -errno : 0;
    if (!pl_newfile_part(path, beside))
        return -ENAMETOOLONG;
    if (linkat(AT_FDCWD, from, AT_FDCWD, beside, AT_SYMLINK_FOLLOW) < 0 &&
        (errno != EEXIST || unlink(beside) < 0 ||
         linkat(AT_FDCWD, from, AT_FDCWD, beside, AT_SYMLINK_FOLLOW) < 0))
        return -errno;
    int code = rename(beside, path) < 0 ? -errno : 0;
    if (code < 0)
        (void)unlink(beside);
    return code;
}

int pl_newfile_write(const char *path, const void *data, size_t len, mode_t mode, bool force,
                     struct pl_err *err)
{
    char part[PATH_MAX];
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (there && (!force || !S_ISREG(st.st_mode))) {
        (void)pl_fail(err, -EEXIST, "it is there already");
        (void)pl_hint(err, S_ISREG(st.st_mode) ? "--force replaces it, or name another file"
                                               : "name another file");
        pl_err_at(err, path, 0, 0);
        return pl_exit_as(err, -EEXIST, PL_EXIT_USAGE);
    }
    int fd = pl_newfile_open(path, mode, part);
    int code = fd < 0 ? fd : pl_newfile_fill(fd, data, len);
    if (code == 0)
        code = pl_newfile_name(fd, part, path, force);
    if (fd >= 0)
        (void)close(fd);
    if (code == 0)
        return 0;
    if (fd >= 0 && part[0] != '\0')
        (void)unlink(part);
    (void)pl_fail(err, code, "cannot write it: %s", strerror(-code));
    pl_err_at(err, path, 0, 0);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}
