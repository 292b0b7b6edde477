/* One file from the network to the disk: in pieces over several connections, resumed after any kind
 * of end, and given its name only when its length and its hash are right. */
#ifndef PL_MODEL_DOWNLOAD_H
#define PL_MODEL_DOWNLOAD_H

#include "base/err.h"
#include "base/sha256.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define PL_DOWNLOAD_CONNECTIONS 4u
#define PL_DOWNLOAD_CONNECTIONS_MAX 16u
#define PL_DOWNLOAD_RETRIES 6u  /* in a row, without progress: a minute of pauses */
#define PL_DOWNLOAD_WAIT_S 300u /* longest Retry-After that is waited for */

enum pl_download_phase {
    PL_DOWNLOAD_CHECK = 0, /* reading again what an earlier one left */
    PL_DOWNLOAD_FETCH,
    PL_DOWNLOAD_HASH, /* all is here; the rest of it is hashed */
};

struct pl_download_progress {
    enum pl_download_phase phase;
    uint64_t bytes; /* of the file */
    uint64_t done;  /* of them here (FETCH), read again (CHECK) or hashed (HASH) */
    uint64_t
        fetched; /* that came over the network in this run, also those of pieces not whole yet */
};

struct pl_download_options {
    const char *url;
    const char *token; /* for the origin of url; NULL: none */
    const char *path; /* of the file; ".part" and ".part.state" stand beside it until it is whole */
    uint64_t bytes;   /* as listed; 0: not known */
    const char
        *sha256; /* as published, 64 hexadecimal digits; NULL: what the server says, if it does */
    uint32_t connections; /* 0: PL_DOWNLOAD_CONNECTIONS */
    uint32_t retries;
    const volatile sig_atomic_t *stop; /* or NULL */
    /* Several times a second, from the calling thread. May be NULL. */
    void (*progress)(void *ctx, const struct pl_download_progress *p);
    /* One line of news: resumed, begun anew, a retry. From any thread, one at a time. May be NULL.
     */
    void (*say)(void *ctx, const char *what);
    void *ctx;
};

struct pl_download_result {
    uint64_t bytes;
    uint64_t resumed;                /* bytes that were on the disk before */
    uint64_t fetched;                /* bytes that came over the network */
    uint32_t requests, retries;      /* of this run */
    bool verified;                   /* against a published hash; else the length only */
    char sha256[PL_SHA256_TEXT_MAX]; /* of the file as it is */
};

/* Fetches the file. -EBUSY another process is fetching it; -EEXIST path is there; -EINTR stopped,
 * -ENOSPC the disk is full, -ECONNRESET and the like after all retries: what is there is kept and
 * the next call goes on from it; -EBADMSG the server's bytes do not have the published hash or
 * length (nothing is kept); and those of pl_remote_refused. */
int pl_download(const struct pl_download_options *o, struct pl_download_result *ret,
                struct pl_err *err);

/* Lower-case SHA-256 of the file at path. 0, -EINTR, or the errno of reading it. */
int pl_file_sha256(const char *path, const volatile sig_atomic_t *stop,
                   char out[PL_SHA256_TEXT_MAX]);

#endif
