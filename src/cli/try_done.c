#include "cli/try_done.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/xdg.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_DONE_HEAD "plimsoll trials 1\n"
#define PL_DONE_KEY (PL_SHA256_TEXT_MAX - 1)
#define PL_DONE_LINE_MAX (PL_DONE_KEY + 24)
#define PL_DONE_BYTES_MAX (PL_DONE_MAX * PL_DONE_LINE_MAX)

bool pl_done_path(const char *id, char out[PL_DONE_PATH_MAX])
{
    return pl_xdg_path(out, PL_DONE_PATH_MAX, PL_XDG_STATE, "plimsoll/trials/%.32s", id) == 0;
}

static int pl_done_fail(const struct pl_done *d, const char *what, int code, struct pl_err *err)
{
    (void)pl_fail(err, code, "%s: %s", what, strerror(-code));
    pl_err_at(err, d->path, 0, 0);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

static int pl_done_keep(struct pl_done *d, const char *key, int64_t run, struct pl_err *err)
{
    if (d->n == d->room) {
        uint32_t room = d->room > 0 ? d->room * 2 : 64;
        struct pl_done_line *more =
            room <= 2 * PL_DONE_MAX ? realloc(d->line, room * sizeof(*more)) : NULL;
        if (more == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the list of what is done");
        d->line = more;
        d->room = room;
    }
    (void)PL_FMT(d->line[d->n].key, "%.64s", key);
    d->line[d->n++].run = run;
    return 0;
}

/* One whole line, without its end. */
static bool pl_done_line(const char *line, size_t n, char key[PL_SHA256_TEXT_MAX], uint64_t *run)
{
    char number[24];
    if (n <= PL_DONE_KEY + 1 || line[PL_DONE_KEY] != ' ' || n - PL_DONE_KEY > sizeof(number) ||
        strspn(line, "0123456789abcdef") != PL_DONE_KEY)
        return false;
    (void)pl_fmt(key, PL_SHA256_TEXT_MAX, "%.64s", line);
    (void)PL_FMT(number, "%.*s", (int)(n - PL_DONE_KEY - 1), line + PL_DONE_KEY + 1);
    return pl_parse_u64(number, run) && *run > 0 && *run <= INT64_MAX;
}

/* *ret_good: bytes up to the end of the last whole line. */
static int pl_done_parse(struct pl_done *d, const char *text, size_t n, size_t *ret_good,
                         struct pl_err *err)
{
    size_t head = strlen(PL_DONE_HEAD);
    *ret_good = 0;
    if (n < head && strncmp(text, PL_DONE_HEAD, n) == 0)
        return 0; /* new, or killed while it was made */
    bool good = n >= head && strncmp(text, PL_DONE_HEAD, head) == 0;
    uint32_t line = 2;
    for (*ret_good = head; good && *ret_good < n; line++) {
        char key[PL_SHA256_TEXT_MAX];
        uint64_t run = 0;
        const char *at = text + *ret_good, *end = memchr(at, '\n', n - *ret_good);
        if (end == NULL)
            return 0; /* the last, unfinished */
        good = pl_done_line(at, (size_t)(end - at), key, &run);
        *ret_good += (size_t)(end - at) + 1;
        int rc = good ? pl_done_keep(d, key, (int64_t)run, err) : 0;
        if (rc < 0)
            return rc;
    }
    if (good)
        return 0;
    (void)pl_fail(err, -EBADMSG, "not a list of trials that are done");
    pl_err_at(err, d->path, n < head ? 1 : line - 1, 1);
    (void)pl_hint(err, "--resume names a file of plimsoll's own; it makes one that is not there");
    return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
}

static int pl_done_read(struct pl_done *d, struct pl_err *err)
{
    char *text = malloc(PL_DONE_BYTES_MAX + 1);
    size_t n = 0, good = 0;
    if (text == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list of what is done");
    ssize_t got = 1;
    while (got > 0 && n <= PL_DONE_BYTES_MAX) {
        got = pread(d->fd, text + n, PL_DONE_BYTES_MAX + 1 - n, (off_t)n);
        n += got > 0 ? (size_t)got : 0;
    }
    int rc = got < 0 ? pl_done_fail(d, "cannot be read", -errno, err) : 0;
    if (rc == 0 && n > PL_DONE_BYTES_MAX)
        rc = pl_done_fail(d, "too long for a list of trials", -E2BIG, err);
    if (rc == 0)
        rc = pl_done_parse(d, text, n, &good, err);
    free(text);
    /* what is behind the last whole line would spoil the next one */
    if (rc == 0 && good < n && ftruncate(d->fd, (off_t)good) < 0)
        rc = pl_done_fail(d, "cannot be mended", -errno, err);
    return rc;
}

static int pl_done_write(struct pl_done *d, const char *text, struct pl_err *err)
{
    size_t n = strlen(text);
    ssize_t put = write(d->fd, text, n);
    if (put >= 0 && (size_t)put < n)
        return pl_done_fail(d, "cannot be written", -ENOSPC, err);
    return put < 0 || fdatasync(d->fd) < 0 ? pl_done_fail(d, "cannot be written", -errno, err) : 0;
}

int pl_done_open(const char *path, bool fresh, struct pl_done *ret, struct pl_err *err)
{
    *ret = (struct pl_done){.fd = -1};
    if (!PL_FMT(ret->path, "%s", path))
        return pl_done_fail(ret, "cannot be opened", -ENAMETOOLONG, err);
    int rc = pl_make_parents(path, 0700, err);
    if (rc < 0)
        return rc;
    ret->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (ret->fd < 0)
        return pl_done_fail(ret, "cannot be opened", -errno, err);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(ret->fd, F_OFD_SETLK, &all) < 0)
        rc = pl_done_fail(
            ret, errno == EAGAIN ? "another plimsoll works on this list" : "cannot be locked",
            errno == EAGAIN ? -EBUSY : -errno, err);
    if (rc == 0)
        rc = pl_done_read(ret, err); /* even when fresh: a file of another kind stays as it is */
    if (rc == 0 && fresh) {
        ret->n = 0;
        if (ftruncate(ret->fd, 0) < 0)
            rc = pl_done_fail(ret, "cannot be emptied", -errno, err);
    }
    if (rc == 0 && lseek(ret->fd, 0, SEEK_END) == 0)
        rc = pl_done_write(ret, PL_DONE_HEAD, err);
    if (rc < 0)
        pl_done_close(ret, false);
    return rc;
}

bool pl_done_find(const struct pl_done *d, const char *key, int64_t *ret_run)
{
    for (uint32_t i = d->n; i-- > 0;) {
        if (pl_streq(d->line[i].key, key)) {
            *ret_run = d->line[i].run;
            return true;
        }
    }
    return false;
}

int pl_done_add(struct pl_done *d, const char *key, int64_t run, struct pl_err *err)
{
    char line[PL_DONE_LINE_MAX + 1];
    if (d->fd < 0)
        return 0;
    if (d->n >= PL_DONE_MAX)
        return pl_done_fail(d, "too long for a list of trials", -E2BIG, err);
    (void)PL_FMT(line, "%s %" PRId64 "\n", key, run);
    int rc = pl_done_write(d, line, err);
    return rc == 0 ? pl_done_keep(d, key, run, err) : rc;
}

void pl_done_close(struct pl_done *d, bool remove)
{
    if (d->fd >= 0) {
        if (remove)
            (void)unlink(d->path);
        (void)close(d->fd);
    }
    free(d->line);
    *d = (struct pl_done){.fd = -1};
}
