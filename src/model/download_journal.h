/* What is known of a download that is not finished: FILE.part holds the bytes, FILE.part.state says
 * which of them count. The file is cut into pieces; a piece counts when its sum is in the state,
 * and the state is written only after the bytes it speaks of are on the disk. */
#ifndef PL_MODEL_DOWNLOAD_JOURNAL_H
#define PL_MODEL_DOWNLOAD_JOURNAL_H

#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "sys/http_facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_PIECES_MAX 4096u           /* of one file: the state stays below 70 KB */
#define PL_PIECE_BYTES_MIN (4u << 20) /* what a kill costs at most, per connection */
#define PL_JOURNAL_TEXT_MAX (128u * 1024u)

struct pl_journal {
    uint64_t bytes, piece_bytes;
    uint32_t n_piece;
    char sha256[PL_SHA256_TEXT_MAX]; /* as published; "" = none is */
    char etag[PL_HTTP_TAG_MAX], modified[64];
    uint64_t *sum; /* of each piece that counts, 0 for one that does not; owned */
};

/* Lays out a file of so many bytes (> 0), with no piece. -ENOMEM. */
int pl_journal_start(uint64_t bytes, struct pl_journal *ret);
void pl_journal_done(struct pl_journal *j); /* accepts a zeroed one */

/* Where piece i begins, and how long it is. */
static inline uint64_t pl_piece_at(const struct pl_journal *j, uint32_t i)
{
    return (uint64_t)i * j->piece_bytes;
}
static inline uint64_t pl_piece_bytes(const struct pl_journal *j, uint32_t i)
{
    uint64_t left = j->bytes - pl_piece_at(j, i);
    return left < j->piece_bytes ? left : j->piece_bytes;
}

/* The sum of a piece, in steps of any length: 64 bits over eight bytes at a time, against damage
 * and not against malice. Zeroed it is the beginning. */
struct pl_sum {
    uint64_t h, word; /* word: the last bytes, fewer than eight */
    uint32_t n;       /* of them */
};
void pl_sum_add(struct pl_sum *s, const void *data, size_t len);
uint64_t pl_sum_end(struct pl_sum s); /* never 0 */

/* Text of a state; *ret on success only, end it with pl_journal_done. -EBADMSG when it is none. */
int pl_journal_parse(const char *text, size_t len, struct pl_journal *ret, struct pl_err *err);

/* Its text, appended to out. false when there is no memory for it. */
bool pl_journal_text(const struct pl_journal *j, struct pl_str *out);

/* Reads the state at path. -ENOENT, -EBADMSG ... */
int pl_journal_load(const char *path, struct pl_journal *ret, struct pl_err *err);

/* Replaces the state at path, whole or not at all; it is on the disk when this returns. For the one
 * process that holds the lock of the download. */
int pl_journal_store(const char *path, const struct pl_journal *j, struct pl_err *err);

/* Is what they speak of the same file: the length, and the published hash, else the tag, else the
 * date. Without any of these it cannot be told: false. */
bool pl_journal_same(const struct pl_journal *a, const struct pl_journal *b);

#endif
