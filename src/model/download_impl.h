/* Inside model/download*: one download while it runs. */
#ifndef PL_MODEL_DOWNLOAD_IMPL_H
#define PL_MODEL_DOWNLOAD_IMPL_H

#include "model/download.h"
#include "model/download_journal.h"
#include "sys/http_get.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

enum pl_piece_state { PL_PIECE_MISSING = 0, PL_PIECE_TAKEN, PL_PIECE_THERE };

struct pl_download {
    const struct pl_download_options *o;
    char part[PATH_MAX], state[PATH_MAX];
    int fd;            /* of the part, locked; -1 = none */
    bool ranges;       /* the server knows them */
    uint32_t requests; /* of the probe; then under the lock */

    pthread_mutex_t lock;
    pthread_cond_t moved;       /* a piece came, a worker ended */
    struct pl_journal j;        /* sums: under the lock */
    uint8_t *piece;             /* enum pl_piece_state; under the lock */
    uint64_t there;             /* bytes of pieces that are there; under the lock */
    uint32_t workers, retries;  /* under the lock */
    bool hashing;               /* the hasher runs; under the lock */
    int rc;                     /* why it ended, first cause; under the lock */
    struct pl_err err;          /* of rc; under the lock */
    char where[PL_URL_MAX];     /* where the redirect led to, or ""; under the lock */
    volatile sig_atomic_t halt; /* everybody ends */
    _Atomic uint64_t fetched;   /* bytes that came */
    _Atomic uint64_t partial;   /* of them, those of pieces that are not whole yet */
    _Atomic uint64_t hashed;    /* bytes the hasher read */
    struct pl_sha256 sha;       /* of the hasher */
};

/* Asks for the first byte: fills j (without pieces: sum NULL), ranges and where. */
int pl_download_probe(struct pl_download *d, struct pl_err *err);

/* A worker: takes pieces until none is missing. Its ctx is the download. */
void *pl_download_work(void *ctx);

/* Follows the pieces from the first to the last. Its ctx is the download. */
void *pl_download_hash(void *ctx);

/* Sum of a piece as it is on the disk; 0 when it cannot be read whole. */
uint64_t pl_download_piece_sum(const struct pl_download *d, uint32_t i);

/* Ends the download with the first cause that comes. */
void pl_download_fail(struct pl_download *d, int rc, const struct pl_err *err);

/* News, one at a time. */
void pl_download_say(struct pl_download *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
