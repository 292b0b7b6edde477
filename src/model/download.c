#include "model/download.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "model/download_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PL_TICK_NS (200 * PL_MS_NS)
#define PL_SYNC_NS                                                                                 \
    (2 * PL_S_NS)        /* what a kill costs at most, beside the pieces that are not whole */
#define PL_ROUNDS_MAX 2u /* the second for pieces that were damaged on the disk */
#define PL_OPEN_TRIES 8u

static int pl_download_wrong(const char *path, int code, enum pl_exit as, struct pl_err *err,
                             const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static int pl_download_wrong(const char *path, int code, enum pl_exit as, struct pl_err *err,
                             const char *fmt, ...)
{
    char text[PL_ERR_WHAT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)pl_fail(err, code, "%s", text);
    pl_err_at(err, path, 0, 0);
    return pl_exit_as(err, code, as);
}

void pl_download_fail(struct pl_download *d, int rc, const struct pl_err *err)
{
    (void)pthread_mutex_lock(&d->lock);
    if (d->rc == 0) {
        d->rc = rc;
        d->err = *err;
    }
    d->halt = 1;
    (void)pthread_cond_broadcast(&d->moved);
    (void)pthread_mutex_unlock(&d->lock);
}

void pl_download_say(struct pl_download *d, const char *fmt, ...)
{
    char text[PL_ERR_WHAT_MAX + 64];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&d->lock);
    if (d->o->say != NULL)
        d->o->say(d->o->ctx, text);
    (void)pthread_mutex_unlock(&d->lock);
}

/* Opens FILE.part and locks it. Another process may have given it its name in between: what is
 * locked must be what is there. */
static int pl_download_lock(struct pl_download *d, struct pl_err *err)
{
    for (uint32_t i = 0; i < PL_OPEN_TRIES; i++) {
        struct stat is, there;
        d->fd = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        int code = d->fd < 0 ? -errno : 0;
        if (code == 0 && (fstat(d->fd, &is) < 0 || !S_ISREG(is.st_mode)))
            code = -EINVAL;
        if (code < 0)
            return pl_download_wrong(d->part, code, PL_EXIT_ENVIRONMENT, err, "cannot write it: %s",
                                     code == -EINVAL ? "not a plain file" : strerror(-code));
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(d->fd, F_OFD_SETLK, &whole) < 0) { /* ends with the descriptor, however we end */
            (void)pl_download_wrong(d->o->path, -EBUSY, PL_EXIT_ENVIRONMENT, err,
                                    "another process is fetching it now");
            return pl_hint(err, "wait for that one; the next pull finds the file");
        }
        if (stat(d->part, &there) == 0 && there.st_dev == is.st_dev && there.st_ino == is.st_ino)
            return 0;
        (void)close(d->fd);
        d->fd = -1;
    }
    return pl_download_wrong(d->part, -EBUSY, PL_EXIT_ENVIRONMENT, err, "cannot be locked");
}

/* Writes the state: first the bytes it will speak of, then itself. */
static int pl_download_sync(struct pl_download *d, struct pl_err *err)
{
    struct pl_journal copy = d->j;
    copy.sum = malloc(copy.n_piece * sizeof(*copy.sum));
    if (copy.sum == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    (void)pthread_mutex_lock(&d->lock);
    memcpy(copy.sum, d->j.sum, copy.n_piece * sizeof(*copy.sum));
    (void)pthread_mutex_unlock(&d->lock);
    int rc = fdatasync(d->fd) < 0 && errno != EINVAL ? -errno : 0;
    if (rc < 0)
        (void)pl_download_wrong(d->part, rc, PL_EXIT_ENVIRONMENT, err, "cannot write it: %s",
                                strerror(-rc));
    else
        rc = pl_journal_store(d->state, &copy, err);
    free(copy.sum);
    return rc;
}

static void pl_download_show(const struct pl_download *d, enum pl_download_phase phase,
                             uint64_t done)
{
    const struct pl_download_progress p = {
        .phase = phase, .bytes = d->j.bytes, .done = done, .fetched = atomic_load(&d->fetched)};
    if (d->o->progress != NULL)
        d->o->progress(d->o->ctx, &p);
}

static bool pl_download_stopped(const struct pl_download *d)
{
    return d->o->stop != NULL && *d->o->stop != 0;
}

/* Reads again the pieces that should be there; what differs from its sum is missing. Returns how
 * many were damaged. */
static uint32_t pl_download_check(struct pl_download *d)
{
    uint32_t bad = 0;
    uint64_t seen = 0, shown = 0;
    d->there = 0;
    for (uint32_t i = 0; i < d->j.n_piece && !pl_download_stopped(d); i++) {
        d->piece[i] = PL_PIECE_MISSING;
        if (d->j.sum[i] == 0)
            continue;
        if (pl_download_piece_sum(d, i) == d->j.sum[i]) {
            d->piece[i] = PL_PIECE_THERE;
            d->there += pl_piece_bytes(&d->j, i);
        } else {
            d->j.sum[i] = 0;
            bad++;
        }
        seen += pl_piece_bytes(&d->j, i);
        if (seen - shown >= (64u << 20))
            pl_download_show(d, PL_DOWNLOAD_CHECK, shown = seen);
    }
    return bad;
}

/* From the first byte: what is there goes before its state does, so no state ever speaks of bytes
 * of another file. */
static int pl_download_anew(struct pl_download *d, struct pl_err *err)
{
    memset(d->j.sum, 0, d->j.n_piece * sizeof(*d->j.sum));
    memset(d->piece, PL_PIECE_MISSING, d->j.n_piece);
    d->there = 0;
    int rc = ftruncate(d->fd, 0) < 0 ? -errno : 0;
    if (rc < 0)
        return pl_download_wrong(d->part, rc, PL_EXIT_ENVIRONMENT, err, "cannot write it: %s",
                                 strerror(-rc));
    return pl_download_sync(d, err);
}

/* Takes over what an earlier run left. */
static int pl_download_resume(struct pl_download *d, struct pl_err *err)
{
    char size[PL_SIZE_TEXT_MAX];
    struct pl_journal old = {0}, now = d->j;
    struct stat st;
    int has = pl_journal_load(d->state, &old, NULL);
    if (pl_journal_start(now.bytes, &d->j) < 0 || (d->piece = calloc(d->j.n_piece, 1)) == NULL) {
        pl_journal_done(&old);
        return pl_fail(err, -ENOMEM, "out of memory");
    }
    (void)PL_FMT(d->j.sha256, "%s", now.sha256);
    (void)PL_FMT(d->j.etag, "%s", now.etag);
    (void)PL_FMT(d->j.modified, "%s", now.modified);
    bool empty = fstat(d->fd, &st) == 0 && st.st_size == 0;
    if (has == -ENOENT && !empty) {
        (void)pl_download_wrong(d->part, -EEXIST, PL_EXIT_USAGE, err,
                                "is there, and was not written by plimsoll");
        return pl_hint(err, "remove it, or name another place");
    }
    bool same = has == 0 && pl_journal_same(&old, &d->j);
    if (same)
        memcpy(d->j.sum, old.sum, d->j.n_piece * sizeof(*d->j.sum));
    pl_journal_done(&old);
    if (!same) {
        if (!empty)
            pl_download_say(d, "%s: begun anew",
                            has < 0 ? "the state of the earlier download is damaged"
                                    : "the server has another file now, or does not say which");
        return pl_download_anew(d, err);
    }
    uint32_t bad = pl_download_check(d);
    if (bad > 0)
        pl_download_say(d, "%u pieces on the disk are damaged and are fetched again", bad);
    if (d->there > 0)
        pl_download_say(d, "resumed: %s are here%s", pl_size_text(d->there, size),
                        d->ranges ? "" : ", but the server sends no ranges: all comes again");
    return 0;
}

/* Waits until workers and hasher are through, with a look around several times a second. */
static void pl_download_wait(struct pl_download *d)
{
    uint64_t synced = pl_now_ns(pl_clock_real()), kept = d->there;
    bool busy = true;
    while (busy) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t ns = (uint64_t)until.tv_nsec + PL_TICK_NS;
        until.tv_sec += (time_t)(ns / PL_S_NS);
        until.tv_nsec = (long)(ns % PL_S_NS);
        (void)pthread_mutex_lock(&d->lock);
        bool working = d->workers > 0;
        if (working || (d->hashing && d->halt == 0))
            (void)pthread_cond_clockwait(&d->moved, &d->lock, CLOCK_MONOTONIC, &until);
        working = d->workers > 0;
        busy = working || d->hashing;
        uint64_t there = d->there;
        (void)pthread_mutex_unlock(&d->lock);
        if (pl_download_stopped(d)) {
            struct pl_err err = {0};
            pl_download_fail(d, -EINTR, (pl_fail(&err, -EINTR, "interrupted"), &err));
        }
        bool late = pl_now_ns(pl_clock_real()) - synced >= PL_SYNC_NS;
        if (late && working && there > kept && d->halt == 0) {
            struct pl_err err = {0};
            int rc = pl_download_sync(d, &err);
            if (rc < 0)
                pl_download_fail(d, rc, &err);
            synced = pl_now_ns(pl_clock_real());
            kept = there;
        }
        uint64_t here = pl_add_sat(there, atomic_load(&d->partial));
        bool whole = there == d->j.bytes;
        pl_download_show(d, whole ? PL_DOWNLOAD_HASH : PL_DOWNLOAD_FETCH,
                         whole               ? atomic_load(&d->hashed)
                         : here < d->j.bytes ? here
                                             : d->j.bytes);
    }
}

/* One round of workers and the hasher. */
static int pl_download_round(struct pl_download *d)
{
    pthread_t thread[PL_DOWNLOAD_CONNECTIONS_MAX], hasher;
    uint32_t want = d->o->connections != 0 ? d->o->connections : PL_DOWNLOAD_CONNECTIONS, n = 0;
    uint32_t missing = 0;
    for (uint32_t i = 0; i < d->j.n_piece; i++)
        missing += d->piece[i] != PL_PIECE_THERE ? 1 : 0;
    want = want < PL_DOWNLOAD_CONNECTIONS_MAX ? want : PL_DOWNLOAD_CONNECTIONS_MAX;
    want = !d->ranges ? 1 : want < missing ? want : missing;
    want = missing == 0 ? 0 : want;
    d->hashing = true;
    d->workers = want;
    bool hashes = pthread_create(&hasher, NULL, pl_download_hash, d) == 0;
    for (; hashes && n < want && pthread_create(&thread[n], NULL, pl_download_work, d) == 0; n++)
        ;
    if (!hashes || n < want) {
        struct pl_err err = {0};
        (void)pthread_mutex_lock(&d->lock);
        d->workers -= want - n;
        d->hashing = hashes && d->hashing;
        (void)pthread_mutex_unlock(&d->lock);
        if (!hashes || n == 0)
            pl_download_fail(d, -EAGAIN, (pl_fail(&err, -EAGAIN, "cannot start a thread"), &err));
    }
    pl_download_wait(d);
    for (uint32_t i = 0; i < n; i++)
        (void)pthread_join(thread[i], NULL);
    if (hashes)
        (void)pthread_join(hasher, NULL);
    return d->rc;
}

/* The bytes of pieces that are not whole count for nothing: on a full disk their room is needed for
 * the state. */
static void pl_download_punch(const struct pl_download *d)
{
    for (uint32_t i = 0; i < d->j.n_piece; i++) {
        if (d->piece[i] != PL_PIECE_THERE)
            (void)fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)pl_piece_at(&d->j, i), (off_t)pl_piece_bytes(&d->j, i));
    }
}

/* Ended before it was whole: keeps what is there, and says so. */
static int pl_download_end(struct pl_download *d, struct pl_err *err)
{
    char have[PL_SIZE_TEXT_MAX], all[PL_SIZE_TEXT_MAX], left[PL_SIZE_TEXT_MAX];
    int rc = d->rc;
    bool full = rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG;
    if (full)
        pl_download_punch(d);
    bool kept = rc != -ESTALE && rc != -EBADMSG && pl_download_sync(d, NULL) == 0;
    (void)pl_size_text(d->there, have);
    (void)pl_size_text(d->j.bytes, all);
    (void)pl_size_text(d->j.bytes - d->there, left);
    if (err != NULL)
        *err = d->err;
    if (full)
        (void)pl_download_wrong(d->part, rc, PL_EXIT_ENVIRONMENT, err, "%s: %s of %s are here",
                                rc == -ENOSPC  ? "the disk is full"
                                : rc == -EFBIG ? "larger than files may be here"
                                               : "the quota is used up",
                                have, all);
    else if (err != NULL && err->what[0] == '\0')
        (void)pl_download_wrong(d->part, rc, PL_EXIT_ENVIRONMENT, err, "cannot write it: %s",
                                strerror(-rc));
    if (full)
        (void)pl_hint(err, "free %s; the same command goes on from there", left);
    else if (kept && err != NULL && err->hint[0] == '\0')
        (void)pl_hint(err, "%s of %s are here: the same command goes on from there", have, all);
    return rc;
}

/* The part is whole and right: it gets its name. */
static int pl_download_name(const struct pl_download *d, struct pl_err *err)
{
    const char *path = d->o->path, *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int rc = fsync(d->fd) < 0 && errno != EINVAL ? -errno : 0;
    if (rc == 0 && renameat2(AT_FDCWD, d->part, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
        rc = -errno;
    if (rc == -EINVAL || rc == -ENOSYS) /* the file system does not know that form */
        rc = access(path, F_OK) == 0 ? -EEXIST : rename(d->part, path) < 0 ? -errno : 0;
    if (rc < 0)
        return pl_download_wrong(path, rc, PL_EXIT_ENVIRONMENT, err, "cannot write it: %s",
                                 strerror(-rc));
    (void)PL_FMT(folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                 slash == NULL ? "." : path);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        (void)fsync(dir);
        (void)close(dir);
    }
    (void)unlink(d->state);
    return 0;
}

/* All pieces are here and hashed: 1 it is the file; 0 once more; or why it is not. */
static int pl_download_verdict(struct pl_download *d, bool last, struct pl_download_result *ret,
                               struct pl_err *err)
{
    uint8_t sum[PL_SHA256_BYTES];
    pl_sha256_end(&d->sha, sum);
    (void)pl_sha256_hex(sum, ret->sha256);
    ret->verified = d->j.sha256[0] != '\0';
    if (!ret->verified || pl_streq(ret->sha256, d->j.sha256))
        return 1;
    uint32_t bad = last ? 0 : pl_download_check(d);
    if (bad > 0) {
        pl_download_say(d, "%u pieces were damaged on the disk and are fetched again", bad);
        return 0;
    }
    (void)unlink(d->state);
    (void)unlink(d->part);
    (void)pl_download_wrong(d->o->path, -EBADMSG, PL_EXIT_ENVIRONMENT, err,
                            "what came does not have the published SHA-256 (%.16s..., not "
                            "%.16s...): removed",
                            ret->sha256, d->j.sha256);
    return pl_hint(err, "the server, or a proxy in between, sends something else: try again later");
}

static int pl_download_do(struct pl_download *d, struct pl_download_result *ret, struct pl_err *err)
{
    int rc = pl_download_resume(d, err);
    if (rc == 0 && pl_download_stopped(d))
        rc = pl_download_wrong(d->part, -EINTR, PL_EXIT_ENVIRONMENT, err, "interrupted");
    if (rc == 0 && ftruncate(d->fd, (off_t)d->j.bytes) < 0) {
        d->rc = -errno;
        rc = pl_download_end(d, err);
    }
    ret->bytes = d->j.bytes;
    ret->resumed = d->there;
    for (uint32_t round = 1; rc == 0; round++) {
        if (pl_download_round(d) < 0)
            return pl_download_end(d, err);
        rc = pl_download_verdict(d, round >= PL_ROUNDS_MAX, ret, err);
    }
    return rc < 0 ? rc : pl_download_name(d, err);
}

/* One try; -ESTALE: the file changed meanwhile. */
static int pl_download_once(const struct pl_download_options *o, struct pl_download_result *ret,
                            struct pl_err *err)
{
    struct pl_download *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    d->o = o;
    d->fd = -1;
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_cond_init(&d->moved, NULL);
    int rc = 0;
    if (!PL_FMT(d->part, "%s.part", o->path) || !PL_FMT(d->state, "%s.part.state", o->path))
        rc = pl_download_wrong(o->path, -ENAMETOOLONG, PL_EXIT_USAGE, err, "the path is too long");
    if (rc == 0)
        rc = pl_download_lock(d, err);
    if (rc == 0 && access(o->path, F_OK) == 0)
        rc = pl_download_wrong(o->path, -EEXIST, PL_EXIT_USAGE, err, "it is there already");
    if (rc == 0)
        rc = pl_download_probe(d, err);
    if (rc == 0)
        rc = pl_download_do(d, ret, err);
    struct stat st;
    if (rc < 0 && d->fd >= 0 && d->j.sum == NULL && fstat(d->fd, &st) == 0 && st.st_size == 0)
        (void)unlink(d->part); /* nothing came of it */
    ret->requests += d->requests;
    ret->retries += d->retries;
    ret->fetched += atomic_load(&d->fetched);
    pl_journal_done(&d->j);
    free(d->piece);
    if (d->fd >= 0)
        (void)close(d->fd);
    (void)pthread_cond_destroy(&d->moved);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
    return rc;
}

int pl_download(const struct pl_download_options *o, struct pl_download_result *ret,
                struct pl_err *err)
{
    *ret = (struct pl_download_result){0};
    int rc = pl_download_once(o, ret, err);
    /* replaced on the server, or ranges refused from now on: once more, as it is now */
    if (rc == -ESTALE || rc == -EOPNOTSUPP)
        rc = pl_download_once(o, ret, err);
    return rc;
}
