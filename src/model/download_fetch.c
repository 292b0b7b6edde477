/* The workers of a download: each has a connection, takes a run of missing pieces and asks for it
 * as one range; what breaks off is asked for again from where it broke. */
#include "base/checked.h"
#include "base/str.h"
#include "model/download_impl.h"
#include "model/remote_status.h"
#include "sys/url.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PL_RUN_PIECES_MAX 16u         /* of one request */
#define PL_PROGRESS_BYTES (64u << 10) /* less than this between two failures is none */
#define PL_PAUSE_MAX_S 30u
#define PL_PROBE_RETRIES_MAX 2u /* who cannot be reached at all is told so soon */
#define PL_AGAIN 1              /* of a try: another may help */

struct pl_fetch {
    struct pl_download *d;
    struct pl_get *get;
    bool probe;        /* one byte, for what the answer says */
    uint64_t at, end;  /* next byte wanted, and behind the last */
    struct pl_sum sum; /* of the piece at `at`, so far */
    uint64_t mark;     /* `at` of the last failure */
    uint32_t tries;    /* failures since there was progress */
    uint64_t pause_s;  /* wanted by the server before the next try; 0 = it does not say */
    bool begun;        /* the first bytes of this answer were looked at */
    bool busy;         /* the server is asked too often */
    bool direct;       /* asked where the redirect had led to */
    bool left;         /* is not counted among the workers any more */
    int rc;            /* why a piece of data was refused */
    struct pl_err err;
    struct pl_http_facts facts; /* of the probe */
    long status;
};

static int pl_fetch_refuse(struct pl_fetch *f, int code, const char *why)
{
    char shown[PL_URL_MAX];
    f->rc = pl_fail(&f->err, code, "%s", why);
    pl_err_at(&f->err, pl_url_shown(f->d->o->url, shown), 0, 0);
    (void)pl_exit_as(&f->err, code, PL_EXIT_ENVIRONMENT);
    return code;
}

/* What an answer must say before its bytes count. */
static int pl_fetch_begin(struct pl_fetch *f, long status, const struct pl_http_facts *facts)
{
    const struct pl_download *d = f->d;
    bool other = d->j.sha256[0] == '\0' && d->j.etag[0] != '\0' && facts->etag[0] != '\0' &&
                 !pl_streq(d->j.etag, facts->etag);
    f->begun = true;
    if (f->probe) {
        f->facts = *facts;
        f->status = status;
        return status == 206 ? 0 : 1;
    }
    if (status == 206 && (!facts->has_range || !facts->has_total || facts->first != f->at)) {
        return pl_fetch_refuse(f, -EBADMSG, "the server answers another range than was asked for");
    }
    uint64_t total = status == 206 ? facts->total : facts->has_length ? facts->length : d->j.bytes;
    if (other || total != d->j.bytes)
        return pl_fetch_refuse(f, -ESTALE, "the file was replaced while it was fetched");
    if (status == 200 && d->ranges)
        return pl_fetch_refuse(f, -EOPNOTSUPP, "the server does not answer ranges any more");
    return 0;
}

/* Bytes of the piece at `at` that came: what is lost when this worker does not go on there. */
static uint64_t pl_fetch_partial(const struct pl_fetch *f)
{
    return f->at == f->d->j.bytes ? 0 : f->at % f->d->j.piece_bytes;
}

/* A piece is whole: it counts from now on. */
static int pl_fetch_piece(struct pl_fetch *f, uint32_t i)
{
    struct pl_download *d = f->d;
    uint64_t sum = pl_sum_end(f->sum);
    f->sum = (struct pl_sum){0};
    (void)atomic_fetch_sub(&d->partial, pl_piece_bytes(&d->j, i));
    (void)pthread_mutex_lock(&d->lock);
    bool other = d->piece[i] == PL_PIECE_THERE && d->j.sum[i] != sum;
    if (d->piece[i] != PL_PIECE_THERE)
        d->there += pl_piece_bytes(&d->j, i);
    d->piece[i] = PL_PIECE_THERE;
    d->j.sum[i] = sum;
    (void)pthread_cond_broadcast(&d->moved);
    (void)pthread_mutex_unlock(&d->lock);
    return other ? pl_fetch_refuse(f, -ESTALE, "the file was replaced while it was fetched") : 0;
}

static int pl_fetch_write(struct pl_fetch *f, const char *data, size_t len)
{
    uint64_t at = f->at;
    while (len > 0) {
        ssize_t n = pwrite(f->d->fd, data, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return f->rc = -errno; /* the words: pl_download_end */
        data += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

static int pl_fetch_on_data(void *ctx, long status, const struct pl_http_facts *facts,
                            const char *data, size_t len)
{
    struct pl_fetch *f = ctx;
    const struct pl_journal *j = &f->d->j;
    int rc = f->begun ? 0 : pl_fetch_begin(f, status, facts);
    if (rc != 0 || f->probe)
        return rc;
    uint64_t wanted = f->end - f->at;
    bool more = len > wanted;
    size_t left = more ? (size_t)wanted : len;
    (void)atomic_fetch_add(&f->d->fetched, left);
    while (rc == 0 && left > 0) {
        uint32_t i = (uint32_t)(f->at / j->piece_bytes);
        uint64_t room = pl_piece_at(j, i) + pl_piece_bytes(j, i) - f->at;
        size_t n = left < room ? left : (size_t)room;
        rc = pl_fetch_write(f, data, n);
        if (rc < 0)
            break;
        pl_sum_add(&f->sum, data, n);
        (void)atomic_fetch_add(&f->d->partial, n);
        f->at += n;
        data += n;
        left -= n;
        if (n == room)
            rc = pl_fetch_piece(f, i);
    }
    return rc < 0 ? rc : more ? 1 : 0;
}

/* Where to ask, and remembers whether it is where the redirect led. */
static const char *pl_fetch_url(struct pl_fetch *f, char out[PL_URL_MAX])
{
    struct pl_download *d = f->d;
    (void)pthread_mutex_lock(&d->lock);
    f->direct = d->where[0] != '\0';
    (void)pl_fmt(out, PL_URL_MAX, "%s", f->direct ? d->where : d->o->url);
    d->requests++;
    (void)pthread_mutex_unlock(&d->lock);
    return out;
}

static void pl_fetch_where(struct pl_fetch *f, const char *url)
{
    struct pl_download *d = f->d;
    (void)pthread_mutex_lock(&d->lock);
    (void)PL_FMT(d->where, "%s", url);
    (void)pthread_mutex_unlock(&d->lock);
}

/* What came instead of bytes: PL_AGAIN, or why it is no use. */
static int pl_fetch_status(struct pl_fetch *f, const struct pl_get_answer *a)
{
    long s = a->status;
    if (f->direct && s >= 400 && s < 500 && s != 429 && s != 408) {
        /* a signature runs out: ask again where it came from */
        pl_fetch_where(f, "");
        (void)pl_fetch_refuse(f, -EACCES, "the link ran out");
        f->rc = 0;
        return PL_AGAIN;
    }
    int rc = pl_remote_refused(f->d->o->url, a, f->d->o->token != NULL, &f->err);
    f->busy = s == 429 || s == 503;
    f->pause_s = a->facts.has_retry_after ? a->facts.retry_after_s : 0;
    if (s == 416 && !f->probe)
        return pl_fetch_refuse(f, -ESTALE, "the file was replaced while it was fetched");
    if (s == 429 || s == 408 || s >= 500 || (a->hops > 1 && s >= 400))
        return f->pause_s > PL_DOWNLOAD_WAIT_S ? rc : PL_AGAIN;
    return rc;
}

/* One request. 0 all is here, PL_AGAIN, or a negative errno; f->err says why. */
static int pl_fetch_once(struct pl_fetch *f)
{
    const struct pl_download *d = f->d;
    char url[PL_URL_MAX];
    struct pl_get_answer a;
    f->begun = f->busy = false;
    f->rc = 0;
    f->pause_s = 0;
    bool ranged = f->probe || d->ranges;
    struct pl_get_request q = {
        .url = pl_fetch_url(f, url),
        /* a mirror may redirect within itself, and want it there too */
        .token = pl_url_same_origin(url, d->o->url) ? d->o->token : NULL,
        .ranged = ranged,
        .at = f->at,
        .n = f->end - f->at,
        /* RFC 9110, 13.1.5: If-Range takes no weak tag */
        .if_range = f->probe || d->j.sha256[0] != '\0' || !ranged ? NULL
                    : d->j.etag[0] == '"'                         ? d->j.etag
                                                                  : d->j.modified,
        .stop = &d->halt,
        .large = true,
        .on_data = pl_fetch_on_data,
        .ctx = f,
    };
    int rc = pl_get_do(f->get, &q, &a, &f->err);
    bool good = rc == 0 && (a.status == 200 || a.status == 206);
    if (f->rc < 0)
        rc = f->rc;
    else if (rc == -ECONNRESET || rc == -ETIMEDOUT || rc == -ECONNREFUSED || rc == -EPROTO)
        f->tries += rc == -EPROTO ? PL_PROBE_RETRIES_MAX : 0, rc = PL_AGAIN;
    else if (rc == 0 && !good)
        rc = pl_fetch_status(f, &a);
    else if (rc == 0 && !f->begun)
        (void)pl_fetch_refuse(f, -ECONNRESET, "the server sent nothing"), f->rc = 0, rc = PL_AGAIN;
    else if (rc == 0 && !f->probe && f->at < f->end)
        (void)pl_fetch_refuse(f, -ECONNRESET, "the server sends less than was asked for"),
            f->rc = 0, rc = PL_AGAIN;
    if (good && rc == 0 && !f->direct && a.hops > 1)
        pl_fetch_where(f, a.url);
    if (good && rc == 0 && f->probe && a.hops > 1)
        (void)PL_FMT(f->facts.linked_etag, "%s", a.linked_etag);
    pl_str_done(&a.body);
    return rc;
}

static void pl_fetch_pause(const struct pl_download *d, uint64_t seconds)
{
    for (uint64_t i = 0; i < seconds * 10 && d->halt == 0; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

/* This connection is one too many: it ends when others go on. */
static bool pl_fetch_leave(struct pl_fetch *f)
{
    struct pl_download *d = f->d;
    if (f->probe)
        return false;
    (void)pthread_mutex_lock(&d->lock);
    f->left = d->workers > 1;
    d->workers -= f->left ? 1 : 0;
    (void)pthread_mutex_unlock(&d->lock);
    return f->left;
}

/* Until the bytes are here. PL_AGAIN: given up, others go on. */
static int pl_fetch_all(struct pl_fetch *f, uint32_t retries)
{
    struct pl_download *d = f->d;
    f->mark = f->at;
    f->tries = 0;
    for (;;) {
        if (!f->probe && !d->ranges) { /* the whole, from its first byte */
            (void)atomic_fetch_sub(&d->partial, pl_fetch_partial(f));
            f->at = f->mark = 0;
            f->sum = (struct pl_sum){0};
        }
        int rc = pl_fetch_once(f);
        if (rc != PL_AGAIN || d->halt != 0)
            return rc == PL_AGAIN ? -EINTR : rc;
        if (f->at - f->mark >= PL_PROGRESS_BYTES)
            f->tries = 0;
        f->mark = f->at;
        bool enough = f->tries++ >= retries;
        if ((enough || f->busy) && pl_fetch_leave(f))
            return PL_AGAIN;
        if (enough)
            return f->err.code;
        uint64_t pause = f->pause_s > 0           ? f->pause_s
                         : f->tries > 5           ? PL_PAUSE_MAX_S
                         : f->err.code == -EACCES ? 0
                                                  : 1ull << (f->tries - 1);
        (void)pthread_mutex_lock(&d->lock);
        d->retries++;
        (void)pthread_mutex_unlock(&d->lock);
        if (pause > 0)
            pl_download_say(d, "%s; again in %llu s", f->err.what, (unsigned long long)pause);
        pl_fetch_pause(d, pause);
    }
}

/* Takes the first run of missing pieces, waiting for what others may give back. False when there is
 * nothing to do any more. */
static bool pl_work_take(struct pl_download *d, uint32_t *ret_first, uint32_t *ret_n)
{
    uint32_t n = d->j.n_piece, missing = 0, taken = 0, first = 0, k = 0;
    (void)pthread_mutex_lock(&d->lock);
    for (;;) {
        missing = taken = 0;
        first = n;
        for (uint32_t i = 0; i < n; i++) {
            missing += d->piece[i] == PL_PIECE_MISSING ? 1 : 0;
            taken += d->piece[i] == PL_PIECE_TAKEN ? 1 : 0;
            if (first == n && d->piece[i] == PL_PIECE_MISSING)
                first = i;
        }
        if (missing > 0 || taken == 0 || d->halt != 0)
            break;
        (void)pthread_cond_wait(&d->moved, &d->lock);
    }
    /* runs get shorter towards the end, so that all connections end together */
    uint32_t most = missing / (4 * (d->workers > 0 ? d->workers : 1)) + 1;
    most = most < PL_RUN_PIECES_MAX ? most : PL_RUN_PIECES_MAX;
    if (!d->ranges && missing > 0) {
        first = 0;
        most = n;
    }
    for (k = 0; first + k < n && k < most; k++) {
        if (d->ranges && d->piece[first + k] != PL_PIECE_MISSING)
            break;
        if (d->piece[first + k] == PL_PIECE_MISSING)
            d->piece[first + k] = PL_PIECE_TAKEN;
    }
    (void)pthread_mutex_unlock(&d->lock);
    *ret_first = first;
    *ret_n = k;
    return missing > 0 && d->halt == 0;
}

static void pl_work_give_back(struct pl_download *d, uint32_t first, uint32_t n)
{
    (void)pthread_mutex_lock(&d->lock);
    for (uint32_t i = first; i < first + n; i++) {
        if (d->piece[i] == PL_PIECE_TAKEN)
            d->piece[i] = PL_PIECE_MISSING;
    }
    (void)pthread_cond_broadcast(&d->moved);
    (void)pthread_mutex_unlock(&d->lock);
}

void *pl_download_work(void *ctx)
{
    struct pl_download *d = ctx;
    struct pl_fetch f = {.d = d};
    uint32_t first = 0, n = 0;
    int rc = pl_get_new(&f.get, &f.err);
    while (rc == 0 && pl_work_take(d, &first, &n)) {
        f.at = pl_piece_at(&d->j, first);
        f.end = pl_piece_at(&d->j, first + n - 1) + pl_piece_bytes(&d->j, first + n - 1);
        f.sum = (struct pl_sum){0};
        rc = pl_fetch_all(&f, d->o->retries);
        (void)atomic_fetch_sub(&d->partial, pl_fetch_partial(&f));
        pl_work_give_back(d, first, n);
    }
    (void)pl_get_free(f.get);
    if (rc < 0)
        pl_download_fail(d, rc, &f.err);
    (void)pthread_mutex_lock(&d->lock);
    d->workers -= f.left ? 0 : 1;
    (void)pthread_cond_broadcast(&d->moved);
    (void)pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* "\"64 hexadecimal digits\"" of a hub's X-Linked-Etag. */
static bool pl_probe_sha256(const char *tag, char out[PL_SHA256_TEXT_MAX])
{
    return strlen(tag) == 66 && tag[0] == '"' && tag[65] == '"' &&
           strspn(tag + 1, "0123456789abcdef") == 64 &&
           pl_fmt(out, PL_SHA256_TEXT_MAX, "%.64s", tag + 1);
}

static int pl_probe_length(struct pl_fetch *f, uint64_t *ret)
{
    uint64_t listed = f->d->o->bytes;
    if (f->status == 206 && f->facts.has_range && f->facts.has_total && f->facts.first == 0)
        *ret = f->facts.total;
    else if (f->status == 206)
        return pl_fetch_refuse(f, -EBADMSG, "the server answers another range than was asked for");
    else if (f->facts.has_length)
        *ret = f->facts.length;
    else if (listed > 0)
        *ret = listed;
    else
        return pl_fetch_refuse(f, -EBADMSG, "the server does not say how long the file is");
    if (listed > 0 && *ret != listed)
        return pl_fetch_refuse(f, -EBADMSG,
                               "the server sends a file of another length than was announced");
    return *ret > 0 ? 0 : pl_fetch_refuse(f, -EBADMSG, "the file is empty");
}

int pl_download_probe(struct pl_download *d, struct pl_err *err)
{
    struct pl_fetch f = {.d = d, .probe = true, .end = 1};
    const char *known = d->o->sha256;
    char linked[PL_SHA256_TEXT_MAX] = "";
    uint64_t bytes = 0;
    uint32_t retries = d->o->retries < PL_PROBE_RETRIES_MAX ? d->o->retries : PL_PROBE_RETRIES_MAX;
    int rc = pl_get_new(&f.get, &f.err);
    if (rc == 0)
        rc = pl_fetch_all(&f, retries);
    if (rc == 0)
        rc = pl_probe_length(&f, &bytes);
    (void)pl_get_free(f.get);
    if (rc == 0 && pl_probe_sha256(f.facts.linked_etag, linked) && known != NULL &&
        !pl_streq(known, linked))
        rc = pl_fetch_refuse(&f, -ESTALE, "the server has another file than its list says");
    if (rc < 0) {
        if (err != NULL)
            *err = f.err;
        return rc;
    }
    d->ranges = f.status == 206;
    d->j = (struct pl_journal){.bytes = bytes};
    (void)PL_FMT(d->j.sha256, "%s", known != NULL ? known : linked);
    (void)PL_FMT(d->j.etag, "%s", f.facts.etag);
    (void)PL_FMT(d->j.modified, "%s", f.facts.modified);
    return 0;
}
