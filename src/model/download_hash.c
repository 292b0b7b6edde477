/* Reading a download again: the hasher, which follows the pieces as they come, and the sums of what
 * an earlier run left. */
#include "base/str.h"
#include "model/download_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PL_HASH_BLOCK (256u << 10)

static ssize_t pl_hash_read(int fd, uint8_t *buf, uint64_t at, uint64_t left)
{
    ssize_t n;
    do {
        n = pread(fd, buf, left < PL_HASH_BLOCK ? (size_t)left : PL_HASH_BLOCK, (off_t)at);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Waits for piece i. False when the download ends before it. */
static bool pl_hash_wait(struct pl_download *d, uint32_t i)
{
    (void)pthread_mutex_lock(&d->lock);
    while (d->piece[i] != PL_PIECE_THERE && d->halt == 0)
        (void)pthread_cond_wait(&d->moved, &d->lock);
    bool there = d->piece[i] == PL_PIECE_THERE && d->halt == 0;
    (void)pthread_mutex_unlock(&d->lock);
    return there;
}

static bool pl_hash_piece(struct pl_download *d, uint32_t i, uint8_t *buf)
{
    uint64_t at = pl_piece_at(&d->j, i), end = at + pl_piece_bytes(&d->j, i);
    while (at < end && d->halt == 0) {
        ssize_t n = pl_hash_read(d->fd, buf, at, end - at);
        if (n <= 0) {
            struct pl_err err = {0};
            (void)pl_fail(&err, -EIO, "cannot read it again");
            pl_err_at(&err, d->part, 0, 0);
            (void)pl_exit_as(&err, -EIO, PL_EXIT_ENVIRONMENT);
            pl_download_fail(d, -EIO, &err);
            return false;
        }
        pl_sha256_add(&d->sha, buf, (size_t)n);
        at += (uint64_t)n;
        (void)atomic_fetch_add(&d->hashed, (uint64_t)n);
    }
    return at == end;
}

void *pl_download_hash(void *ctx)
{
    struct pl_download *d = ctx;
    struct pl_err err = {0};
    uint8_t *buf = malloc(PL_HASH_BLOCK);
    pl_sha256_start(&d->sha);
    atomic_store(&d->hashed, 0);
    if (buf == NULL)
        pl_download_fail(d, -ENOMEM, (pl_fail(&err, -ENOMEM, "out of memory"), &err));
    for (uint32_t i = 0; buf != NULL && i < d->j.n_piece; i++) {
        if (!pl_hash_wait(d, i) || !pl_hash_piece(d, i, buf))
            break;
    }
    free(buf);
    (void)pthread_mutex_lock(&d->lock);
    d->hashing = false;
    (void)pthread_cond_broadcast(&d->moved);
    (void)pthread_mutex_unlock(&d->lock);
    return NULL;
}

uint64_t pl_download_piece_sum(const struct pl_download *d, uint32_t i)
{
    uint64_t at = pl_piece_at(&d->j, i), end = at + pl_piece_bytes(&d->j, i);
    struct pl_sum sum = {0};
    uint8_t *buf = malloc(PL_HASH_BLOCK);
    ssize_t n = buf != NULL ? 1 : 0;
    while (at < end && n > 0) {
        n = pl_hash_read(d->fd, buf, at, end - at);
        if (n > 0) {
            pl_sum_add(&sum, buf, (size_t)n);
            at += (uint64_t)n;
        }
    }
    free(buf);
    return at == end ? pl_sum_end(sum) : 0;
}

int pl_file_sha256(const char *path, const volatile sig_atomic_t *stop,
                   char out[PL_SHA256_TEXT_MAX])
{
    struct pl_sha256 sha;
    uint8_t sum[PL_SHA256_BYTES];
    uint64_t at = 0;
    uint8_t *buf = malloc(PL_HASH_BLOCK);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc = buf == NULL ? -ENOMEM : fd < 0 ? -errno : 0;
    ssize_t n = 1;
    pl_sha256_start(&sha);
    while (rc == 0 && n > 0) {
        n = pl_hash_read(fd, buf, at, PL_HASH_BLOCK);
        if (n < 0)
            rc = -errno;
        else if (stop != NULL && *stop != 0)
            rc = -EINTR;
        else
            pl_sha256_add(&sha, buf, (size_t)n);
        at += n > 0 ? (uint64_t)n : 0;
    }
    if (fd >= 0)
        (void)close(fd);
    free(buf);
    pl_sha256_end(&sha, sum);
    (void)pl_sha256_hex(sum, out);
    return rc;
}
