#include "model/download_journal.h"

#include "base/checked.h"
#include "base/json.h"
#include "sys/file.h"
#include "sys/newfile.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PL_JOURNAL_SCHEMA "plimsoll.part/1"
#define PL_SUM_DIGITS 16u
#define PL_FNV_PRIME 1099511628211ull /* FNV-1a, 64 bits */

int pl_journal_start(uint64_t bytes, struct pl_journal *ret)
{
    struct pl_journal j = {.bytes = bytes};
    uint64_t piece = bytes / PL_PIECES_MAX + 1;
    if (bytes == 0 || !pl_pad_u64(piece, PL_PIECE_BYTES_MIN, &j.piece_bytes))
        return -EINVAL;
    j.n_piece = (uint32_t)((bytes - 1) / j.piece_bytes + 1);
    j.sum = calloc(j.n_piece, sizeof(*j.sum));
    if (j.sum == NULL)
        return -ENOMEM;
    *ret = j;
    return 0;
}

void pl_journal_done(struct pl_journal *j)
{
    free(j->sum);
    *j = (struct pl_journal){0};
}

/* FNV-1a on words, and the high bits brought down, or they would only ever go up. */
PL_WRAPS static uint64_t pl_sum_word(uint64_t h, uint64_t word)
{
    h = (h ^ word) * PL_FNV_PRIME;
    return h ^ h >> 32;
}

void pl_sum_add(struct pl_sum *s, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t word;
    for (; len > 0 && s->n > 0; len--) {
        s->word |= (uint64_t)*p++ << (8 * s->n);
        s->n = (s->n + 1) % 8;
        if (s->n == 0) {
            s->h = pl_sum_word(s->h, s->word);
            s->word = 0;
        }
    }
    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        s->h = pl_sum_word(s->h, le64toh(word));
    }
    for (; len > 0; len--)
        s->word |= (uint64_t)*p++ << (8 * s->n++);
}

uint64_t pl_sum_end(struct pl_sum s)
{
    uint64_t h = pl_sum_word(pl_sum_word(s.h, s.word), s.n);
    return h != 0 ? h : 1;
}

static int pl_journal_bad(const char *why, struct pl_err *err)
{
    return pl_fail(err, -EBADMSG, "is no state of a download: %s", why);
}

static bool pl_journal_hex(const char *s, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        const char *digits = "0123456789abcdef", *at = s[i] != '\0' ? strchr(digits, s[i]) : NULL;
        if (at == NULL)
            return false;
        v = v << 4 | (uint64_t)(at - digits);
    }
    *ret = v;
    return true;
}

static int pl_journal_fill(pl_jval root, struct pl_journal *j, struct pl_err *err)
{
    const char *sums = pl_jstr(pl_jget(root, "pieces"), "");
    const char *sha256 = pl_jstr(pl_jget(root, "sha256"), "");
    uint64_t piece_bytes = 0;
    if (!pl_ju64(pl_jget(root, "piece_bytes"), &piece_bytes) || piece_bytes != j->piece_bytes)
        return pl_journal_bad("pieces of another length", err);
    if (strlen(sums) != (size_t)j->n_piece * PL_SUM_DIGITS)
        return pl_journal_bad("another number of pieces", err);
    for (uint32_t i = 0; i < j->n_piece; i++) {
        if (!pl_journal_hex(sums + (size_t)i * PL_SUM_DIGITS, PL_SUM_DIGITS, &j->sum[i]))
            return pl_journal_bad("a sum that is none", err);
    }
    if (!PL_FMT(j->sha256, "%s", sha256) ||
        !PL_FMT(j->etag, "%s", pl_jstr(pl_jget(root, "etag"), "")) ||
        !PL_FMT(j->modified, "%s", pl_jstr(pl_jget(root, "last_modified"), "")))
        return pl_journal_bad("a text that is too long", err);
    if (sha256[0] != '\0' && (strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64))
        return pl_journal_bad("a hash that is none", err);
    return 0;
}

int pl_journal_parse(const char *text, size_t len, struct pl_journal *ret, struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    struct pl_journal j = {0};
    uint64_t bytes = 0;
    if (pl_jdoc_parse(text, len, "the state", &doc, err) < 0)
        return pl_journal_bad("no JSON", err);
    pl_jval root = pl_jdoc_root(doc);
    int rc = 0;
    if (!pl_streq(pl_jstr(pl_jget(root, "schema"), ""), PL_JOURNAL_SCHEMA))
        rc = pl_journal_bad("another schema", err);
    else if (!pl_ju64(pl_jget(root, "bytes"), &bytes))
        rc = pl_journal_bad("no length", err);
    else if (pl_journal_start(bytes, &j) < 0)
        rc = pl_journal_bad("a length that cannot be", err);
    if (rc == 0)
        rc = pl_journal_fill(root, &j, err);
    (void)pl_jdoc_free(doc);
    if (rc == 0)
        *ret = j;
    else
        pl_journal_done(&j);
    return rc;
}

int pl_journal_load(const char *path, struct pl_journal *ret, struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_JOURNAL_TEXT_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_journal_parse(pl_str_get(&text), text.len, ret, err);
    pl_str_done(&text);
    return rc;
}

bool pl_journal_text(const struct pl_journal *j, struct pl_str *out)
{
    size_t size = (size_t)j->n_piece * PL_SUM_DIGITS;
    char *sums = malloc(size + 1);
    struct pl_json json;
    if (sums == NULL)
        return false;
    for (uint32_t i = 0; i < j->n_piece; i++)
        (void)snprintf(sums + (size_t)i * PL_SUM_DIGITS, PL_SUM_DIGITS + 1, "%016llx",
                       (unsigned long long)j->sum[i]);
    pl_json_start(&json, out, true);
    pl_json_object(&json, NULL);
    pl_json_str(&json, "schema", PL_JOURNAL_SCHEMA);
    pl_json_u64(&json, "bytes", j->bytes);
    pl_json_u64(&json, "piece_bytes", j->piece_bytes);
    pl_json_str(&json, "sha256", j->sha256);
    pl_json_str(&json, "etag", j->etag);
    pl_json_str(&json, "last_modified", j->modified);
    pl_json_str(&json, "pieces", sums);
    pl_json_end(&json);
    pl_str_add(out, "\n");
    free(sums);
    return !out->failed;
}

int pl_journal_store(const char *path, const struct pl_journal *j, struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_JOURNAL_TEXT_MAX);
    int rc = pl_journal_text(j, &text)
                 ? pl_newfile_write(path, pl_str_get(&text), text.len, 0644, true, err)
                 : pl_fail(err, -ENOMEM, "out of memory");
    pl_str_done(&text);
    return rc;
}

bool pl_journal_same(const struct pl_journal *a, const struct pl_journal *b)
{
    if (a->bytes != b->bytes)
        return false;
    if (a->sha256[0] != '\0' || b->sha256[0] != '\0')
        return pl_streq(a->sha256, b->sha256);
    if (a->etag[0] != '\0' || b->etag[0] != '\0')
        return pl_streq(a->etag, b->etag);
    return a->modified[0] != '\0' && pl_streq(a->modified, b->modified);
}
