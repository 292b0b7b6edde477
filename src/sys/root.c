#include "sys/root.h"

#include "base/str.h"
#include "sys/root_tape.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int pl_root_open(const char *dir, struct pl_root *ret, struct pl_err *err)
{
    const char *path = dir != NULL && dir[0] != '\0' ? dir : "/";
    *ret = (struct pl_root){.fd = -1};
    int unpacked = pl_root_unpack(ret, path, err);
    if (unpacked < 0)
        return unpacked;
    if (ret->unpacked != NULL)
        path = ret->unpacked;
    if (strlen(path) >= sizeof(ret->path)) {
        pl_root_done(ret);
        return pl_fail(err, -ENAMETOOLONG, "the path of the root folder is too long");
    }
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat st, here;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int code = -errno;
        if (fd >= 0)
            (void)close(fd);
        pl_root_done(ret);
        return pl_fail(err, code, "cannot open the root folder '%.160s': %s", path,
                       strerror(-code));
    }
    ret->fd = fd;
    ret->this_system =
        stat("/", &here) == 0 && st.st_dev == here.st_dev && st.st_ino == here.st_ino;
    if (!ret->this_system)
        (void)PL_FMT(ret->path, "%s", ret->unpacked != NULL ? dir : path);
    int rc = ret->this_system ? 0 : pl_root_replay_open(ret, err);
    if (rc < 0)
        pl_root_done(ret);
    return rc;
}

void pl_root_done(struct pl_root *root)
{
    if (root->fd > 0)
        (void)close(root->fd);
    root->fd = -1;
    pl_root_replay_done(root);
}

bool pl_root_is_this_system(const struct pl_root *root)
{
    return root->this_system;
}

bool pl_root_is_whole(const struct pl_root *root)
{
    return root->this_system || root->replay != NULL;
}

/* Relative, not empty, no ".." component. */
static bool pl_root_path_ok(const char *path)
{
    if (path[0] == '\0' || path[0] == '/')
        return false;
    for (const char *s = path; s != NULL; s = strchr(s, '/'), s = s != NULL ? s + 1 : NULL) {
        if (s[0] == '.' && s[1] == '.' && (s[2] == '/' || s[2] == '\0'))
            return false;
    }
    return true;
}

/* For kernels before 5.6 and filters that forbid openat2: one component at a time, no links. */
static int pl_root_walk(int root_fd, const char *path, int flags)
{
    int at = root_fd;
    while (true) {
        char name[256];
        size_t n = strcspn(path, "/");
        bool last = path[n] == '\0';
        if (n >= sizeof(name)) {
            if (at != root_fd)
                (void)close(at);
            return -ENAMETOOLONG;
        }
        memcpy(name, path, n);
        name[n] = '\0';
        int how = last ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        int fd = openat(at, n > 0 ? name : ".", how);
        int code = fd < 0 ? -errno : fd;
        if (at != root_fd)
            (void)close(at);
        if (fd < 0 || last)
            return code == -ELOOP ? -EXDEV : code;
        at = fd;
        path += n + 1;
    }
}

/* A descriptor or negative errno. On this system links are followed: /sys is made of them. */
static int pl_root_openat(const struct pl_root *root, const char *path, int flags)
{
    if (!pl_root_path_ok(path))
        return -EINVAL;
    flags |= O_CLOEXEC; /* openat2 refuses the others beside O_PATH */
    flags |= (flags & O_PATH) != 0 ? 0 : O_RDONLY | O_NOCTTY | O_NONBLOCK;
    if (root->this_system) {
        int fd = openat(root->fd, path, flags);
        return fd < 0 ? -errno : fd;
    }
    struct open_how how = {
        .flags = (unsigned)flags,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
    if (fd >= 0)
        return (int)fd;
    if (errno == ENOSYS || errno == EPERM)
        return pl_root_walk(root->fd, path, flags);
    return -errno;
}

int pl_root_open_file(const struct pl_root *root, const char *path, int *ret_fd, struct pl_err *err)
{
    int fd = -1;
    if (!pl_root_taped(root, PL_TAPE_FILE, path, &fd)) {
        fd = pl_root_replay_code(root, pl_root_openat(root, path, 0));
        fd = pl_root_record_file(root, path, fd);
    }
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        (void)close(fd);
        return pl_fail(err, -EINVAL, "%s/%.160s: not a regular file", root->path, path);
    }
    if (fd < 0)
        return pl_fail(err, fd, "%s/%.160s: %s", root->path, path, strerror(-fd));
    *ret_fd = fd;
    return 0;
}

int pl_root_open_dir(const struct pl_root *root, const char *path, DIR **ret, struct pl_err *err)
{
    int fd = -1;
    if (root->replay == NULL || !pl_root_taped(root, PL_TAPE_DIR, path, &fd))
        fd = pl_root_replay_code(root, pl_root_openat(root, path, O_DIRECTORY));
    if (fd < 0) {
        pl_root_record(root, PL_TAPE_DIR, path, fd, NULL, 0);
        return pl_fail(err, fd, "%s/%.160s: %s", root->path, path, strerror(-fd));
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int code = -errno;
        (void)close(fd);
        return pl_fail(err, code, "%s/%.160s: %s", root->path, path, strerror(-code));
    }
    pl_root_record_dir(root, path, dir);
    *ret = dir;
    return 0;
}

/* The length, or negative errno. */
static ssize_t pl_root_link_at(const struct pl_root *root, const char *path, char *buf, size_t size)
{
    int fd = pl_root_openat(root, path, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return fd;
    ssize_t n = readlinkat(fd, "", buf, size);
    int code = -errno;
    (void)close(fd);
    return n < 0 ? (code == -ENOENT ? -EINVAL : code) : n; /* ENOENT: fd is no link */
}

int pl_root_read_link(const struct pl_root *root, const char *path, char *buf, size_t size,
                      struct pl_err *err)
{
    const struct pl_tape_entry *e = pl_root_taped_text(root, PL_TAPE_LINK, path);
    ssize_t n = 0;
    if (e != NULL) {
        n = e->error < 0 ? e->error : (ssize_t)e->len;
        if (n >= 0)
            (void)pl_fmt(buf, size, "%s", e->data);
    } else {
        n = root->replay != NULL ? -ENODATA : pl_root_link_at(root, path, buf, size);
        bool whole = n >= 0 && (size_t)n < size;
        if (whole)
            buf[n] = '\0';
        if (whole || n < 0)
            pl_root_record(root, PL_TAPE_LINK, path, n < 0 ? (int)n : 0, buf,
                           n < 0 ? 0 : (size_t)n);
    }
    if (n >= 0 && (size_t)n >= size)
        n = -E2BIG;
    if (n < 0)
        return pl_fail(err, (int)n, "%s/%.160s: %s", root->path, path, strerror((int)-n));
    return 0;
}

void pl_root_keep(const struct pl_root *root, const char *path, const void *data, size_t len)
{
    pl_root_record(root, PL_TAPE_FILE, path, 0, data, len);
}

int pl_read_text(const struct pl_root *root, const char *path, char *buf, size_t size,
                 size_t *ret_len, struct pl_err *err)
{
    int fd = -1;
    int rc = pl_root_open_file(root, path, &fd, err);
    if (rc < 0)
        return rc;
    size_t len = 0;
    ssize_t n = 0;
    /* One byte is kept for the NUL: filling the buffer to its end means there was more. */
    while (len < size) {
        n = read(fd, buf + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    int code = n < 0 ? -errno : 0;
    (void)close(fd);
    if (code < 0)
        return pl_fail(err, code, "%s/%.160s: %s", root->path, path, strerror(-code));
    if (len >= size)
        return pl_fail(err, -E2BIG, "%s/%.160s: larger than %zu bytes", root->path, path, size);
    buf[len] = '\0';
    if (ret_len != NULL)
        *ret_len = len;
    return 0;
}

/* Cuts outer white space in place; returns the first character kept. */
static char *pl_trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    return s;
}

int pl_read_u64(const struct pl_root *root, const char *path, uint64_t *ret, struct pl_err *err)
{
    char buf[64];
    int rc = pl_read_text(root, path, buf, sizeof(buf), NULL, err);
    if (rc == -E2BIG)
        return pl_fail(err, -EBADMSG, "%s/%.160s: not a number", root->path, path);
    if (rc < 0)
        return rc;
    if (!pl_parse_u64(pl_trim(buf), ret))
        return pl_fail(err, -EBADMSG, "%s/%.160s: not a number", root->path, path);
    return 0;
}

int pl_read_line(const struct pl_root *root, const char *path, char *buf, size_t size,
                 struct pl_err *err)
{
    struct pl_lines lines;
    int rc = pl_lines_open(root, path, &lines, err);
    if (rc < 0)
        return rc;
    char *line = pl_lines_next(&lines);
    char *text = line != NULL ? pl_trim(line) : NULL;
    (void)pl_fmt(buf, size, "%s", text != NULL ? text : "");
    pl_text_clean(buf);
    rc = pl_lines_close(&lines);
    if (rc < 0)
        return pl_fail(err, rc, "%s/%.160s: %s", root->path, path, strerror(-rc));
    return 0;
}

int pl_lines_open(const struct pl_root *root, const char *path, struct pl_lines *ret,
                  struct pl_err *err)
{
    ret->fd = -1;
    ret->error = 0;
    ret->at = ret->len = 0;
    ret->taken = 0;
    ret->eof = false;
    return pl_root_open_file(root, path, &ret->fd, err);
}

/* Moves what is unread to the front and fills up; false when nothing more can come. */
static bool pl_lines_fill(struct pl_lines *l)
{
    if (l->at > 0) {
        memmove(l->buf, l->buf + l->at, l->len - l->at);
        l->len -= l->at;
        l->at = 0;
    }
    while (!l->eof && l->len < PL_LINE_MAX - 1) {
        ssize_t n = read(l->fd, l->buf + l->len, PL_LINE_MAX - 1 - l->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            l->error = -errno;
        else if (n > 0 && l->taken > PL_LINES_BYTES_MAX)
            l->error = -E2BIG;
        if (n <= 0 || l->error < 0) {
            l->eof = true;
            return false;
        }
        l->len += (size_t)n;
        l->taken += (uint64_t)n;
        return true;
    }
    return false;
}

/* The line fills the buffer: keeps its first half, drops what follows up to the newline. */
static char *pl_lines_cut(struct pl_lines *l)
{
    char *upper = l->buf + PL_LINE_MAX / 2;
    const char *nl = NULL;
    while (nl == NULL && !l->eof) {
        l->len = PL_LINE_MAX / 2;
        l->at = l->len; /* nothing unread, so that filling appends from here */
        ssize_t n = read(l->fd, upper, PL_LINE_MAX / 2);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            l->error = -errno;
        if (n > 0 && l->taken > PL_LINES_BYTES_MAX)
            l->error = -E2BIG;
        l->eof = n <= 0 || l->error < 0;
        if (l->eof)
            break;
        l->taken += (uint64_t)n;
        l->len += (size_t)n;
        nl = memchr(upper, '\n', (size_t)n);
        if (nl != NULL)
            l->at = (size_t)(nl - l->buf) + 1;
    }
    upper[-1] = '\0';
    return l->error < 0 ? NULL : l->buf;
}

char *pl_lines_next(struct pl_lines *l)
{
    size_t seen = 0;
    while (true) {
        char *start = l->buf + l->at;
        char *nl = memchr(start + seen, '\n', l->len - l->at - seen);
        if (nl != NULL) {
            *nl = '\0';
            l->at = (size_t)(nl - l->buf) + 1;
            return start;
        }
        seen = l->len - l->at;
        if (!pl_lines_fill(l))
            break;
    }
    if (l->error < 0)
        return NULL;
    if (!l->eof)
        return pl_lines_cut(l);
    if (l->at == l->len)
        return NULL;
    char *last = l->buf + l->at; /* a last line without newline */
    l->buf[l->len] = '\0';
    l->at = l->len;
    return last;
}

int pl_lines_close(struct pl_lines *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
    return l->error;
}
