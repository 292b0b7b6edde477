#include "model/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int pl_input_fail(struct pl_err *err, const char *path, int code)
{
    (void)pl_fail(err, code, "cannot open: %s", strerror(-code));
    if (code == -EACCES || code == -EPERM)
        (void)pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    else if (code == -ENOENT || code == -ENOTDIR || code == -ELOOP || code == -ENAMETOOLONG)
        (void)pl_exit_as(err, code, PL_EXIT_USAGE);
    pl_err_at(err, path, 0, 0);
    return code;
}

static int pl_input_kind(const char *path, mode_t mode, struct pl_err *err)
{
    int code = -EINVAL;
    if (S_ISREG(mode))
        return 0;
    if (S_ISDIR(mode))
        (void)pl_fail(err, code = -EISDIR, "is a directory, not a model file");
    else
        (void)pl_fail(err, code, "is %s, not a regular file",
                      S_ISFIFO(mode)   ? "a pipe"
                      : S_ISSOCK(mode) ? "a socket"
                                       : "a device");
    (void)pl_exit_as(err, code, PL_EXIT_USAGE);
    pl_err_at(err, path, 0, 0);
    return code;
}

static int pl_input_file_read(struct pl_input *in, uint64_t at, void *buf, size_t n,
                              struct pl_err *err)
{
    size_t got = 0;
    while (got < n) {
        ssize_t k = pread(in->fd, (char *)buf + got, n - got, (off_t)(at + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            int code = -errno;
            return pl_fail(err, code, "cannot read at byte %llu: %s",
                           (unsigned long long)(at + got), strerror(-code));
        }
        if (k == 0)
            return pl_fail(err, -EBADMSG, "became shorter while it was read: ends at byte %llu",
                           (unsigned long long)(at + got));
        got += (size_t)k;
    }
    return 0;
}

static void pl_input_file_close(struct pl_input *in)
{
    (void)close(in->fd);
}

/* True when the last stretch of the file is a hole. File systems that cannot tell say that there is
 * none, so a compressing file system is not taken for a ghost. */
static bool pl_input_ends_in_hole(int fd, uint64_t bytes)
{
    return bytes > 0 && lseek(fd, (off_t)(bytes - 1), SEEK_DATA) < 0 && errno == ENXIO;
}

int pl_input_open(const char *path, struct pl_input *ret, struct pl_err *err)
{
    struct stat st;
    memset(ret, 0, sizeof(*ret));
    if (stat(path, &st) < 0) /* before open: opening a device or a FIFO has effects */
        return pl_input_fail(err, path, -errno);
    int rc = pl_input_kind(path, st.st_mode, err);
    if (rc < 0)
        return rc;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pl_input_fail(err, path, -errno);
    if (fstat(fd, &st) < 0) {
        rc = pl_input_fail(err, path, -errno);
        (void)close(fd);
        return rc;
    }
    rc = pl_input_kind(path, st.st_mode, err);
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    ret->fd = fd;
    ret->bytes = (uint64_t)st.st_size;
    ret->disk_bytes = (uint64_t)st.st_blocks * 512;
    ret->holes = pl_input_ends_in_hole(fd, ret->bytes);
    ret->read = pl_input_file_read;
    ret->close = pl_input_file_close;
    return 0;
}

static int pl_input_memory_read(struct pl_input *in, uint64_t at, void *buf, size_t n,
                                struct pl_err *err)
{
    if (at > in->bytes || n > in->bytes - at)
        return pl_fail(err, -EBADMSG, "ends at byte %llu", (unsigned long long)in->bytes);
    memcpy(buf, in->data + at, n);
    return 0;
}

void pl_input_memory(const void *data, size_t bytes, struct pl_input *ret)
{
    *ret = (struct pl_input){
        .bytes = bytes, .disk_bytes = bytes, .read = pl_input_memory_read, .data = data};
}

void pl_input_close(struct pl_input *in)
{
    if (in->close != NULL)
        in->close(in);
    memset(in, 0, sizeof(*in));
}

static int pl_opener_file(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    (void)ctx;
    return pl_input_open(path, ret, err);
}

const struct pl_opener pl_opener_files = {.open = pl_opener_file};
