#include "sys/http_get.h"

#include "base/clock.h"
#include "sys/curl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_GET_CAP (1024u * 1024u)
#define PL_GET_ERROR_CAP (64u * 1024u)
#define PL_GET_HEADERS_MAX (256u * 1024u) /* bytes of header lines of one answer */
#define PL_GET_LARGE (512L * 1024L)       /* bytes that are handed on at once, at most */
#define PL_GET_ENOUGH 1                   /* a callback ended the request, content */

struct pl_get {
    const struct pl_curl *curl;
    CURL *easy;
    const struct pl_get_request *q; /* during a request */
    struct pl_get_answer *answer;
    struct curl_slist *headers;
    const char *url; /* of this hop */
    size_t header_bytes, taken;
    int ended; /* PL_GET_ENOUGH, or why a callback ended the request */
};

int pl_get_new(struct pl_get **ret, struct pl_err *err)
{
    const struct pl_curl *curl = pl_curl_load(err);
    if (curl == NULL)
        return -ENOSYS;
    struct pl_get *g = calloc(1, sizeof(*g));
    if (g != NULL) {
        g->curl = curl;
        g->easy = curl->easy_init();
    }
    if (g == NULL || g->easy == NULL) {
        (void)pl_get_free(g);
        return pl_fail(err, -ENOMEM, "out of memory");
    }
    *ret = g;
    return 0;
}

struct pl_get *pl_get_free(struct pl_get *g)
{
    if (g == NULL)
        return NULL;
    if (g->easy != NULL)
        g->curl->easy_cleanup(g->easy);
    free(g);
    return NULL;
}

static long pl_get_status(const struct pl_get *g)
{
    long status = 0;
    (void)g->curl->easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t pl_get_on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct pl_get *g = ctx;
    size_t len = size * n;
    g->header_bytes += len;
    if (g->header_bytes > PL_GET_HEADERS_MAX) {
        g->ended = -EFBIG;
        return 0;
    }
    pl_http_facts_line(&g->answer->facts, data, len);
    return len;
}

/* Bodies of errors are for their words only: what is too long is cut. */
static size_t pl_get_keep(struct pl_get *g, const char *data, size_t len, bool good)
{
    size_t cap = !good ? PL_GET_ERROR_CAP : g->q->cap_bytes != 0 ? g->q->cap_bytes : PL_GET_CAP;
    size_t left = cap - g->taken, take = len < left ? len : left;
    pl_str_addn(&g->answer->body, data, take);
    g->taken += take;
    if (g->answer->body.failed)
        g->ended = -ENOMEM;
    else if (take < len)
        g->ended = good ? -EFBIG : PL_GET_ENOUGH;
    return g->ended != 0 ? 0 : len;
}

static size_t pl_get_on_data(char *data, size_t size, size_t n, void *ctx)
{
    struct pl_get *g = ctx;
    size_t len = size * n;
    long status = pl_get_status(g);
    bool good = status == 200 || status == 206;
    if (status >= 300 && status < 400)
        return len; /* the words beside a redirect */
    if (good && g->answer->facts.encoded) {
        g->ended = -EPROTONOSUPPORT;
        return 0;
    }
    if (!good || g->q->on_data == NULL)
        return pl_get_keep(g, data, len, good);
    g->ended = g->q->on_data(g->q->ctx, status, &g->answer->facts, data, len);
    return g->ended != 0 ? 0 : len;
}

static int pl_get_on_progress(void *ctx, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
    (void)dt, (void)dn, (void)ut, (void)un;
    struct pl_get *g = ctx;
    if (g->q->stop != NULL && *g->q->stop != 0)
        g->ended = -EINTR;
    return g->ended != 0 ? 1 : 0;
}

static bool pl_get_header(struct pl_get *g, const char *name, const char *value)
{
    char line[PL_URL_MAX];
    if (value == NULL || value[0] == '\0')
        return true;
    if (strpbrk(value, "\r\n") != NULL || !PL_FMT(line, "%s: %s", name, value))
        return false;
    struct curl_slist *more = g->curl->slist_append(g->headers, line);
    explicit_bzero(line, sizeof(line)); /* it may have been a token */
    if (more == NULL)
        return false;
    g->headers = more;
    return true;
}

static bool pl_get_headers(struct pl_get *g)
{
    const struct pl_get_request *q = g->q;
    char range[64] = "", bearer[PL_URL_MAX] = "";
    if (q->ranged && q->n > 0)
        (void)PL_FMT(range, "bytes=%llu-%llu", (unsigned long long)q->at,
                     (unsigned long long)(q->at + q->n - 1));
    /* the token for whom it was meant, and not in the clear */
    bool own = q->token != NULL && pl_url_same_origin(q->url, g->url) &&
               (pl_url_https(g->url) || pl_url_loopback(g->url));
    bool ok = !own || PL_FMT(bearer, "Bearer %s", q->token);
    ok = ok && pl_get_header(g, "Accept-Encoding", "identity") &&
         pl_get_header(g, "User-Agent", "plimsoll/" PL_VERSION) &&
         pl_get_header(g, "Accept", q->accept) && pl_get_header(g, "Range", range) &&
         pl_get_header(g, "If-None-Match", q->if_none_match) &&
         pl_get_header(g, "If-Modified-Since", q->if_modified) &&
         pl_get_header(g, "If-Range", q->if_range) && pl_get_header(g, "Authorization", bearer);
    explicit_bzero(bearer, sizeof(bearer));
    return ok;
}

static const char *pl_get_certificates(void)
{
    static const char *const names[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *path = getenv(names[i]);
        if (path != NULL && path[0] != '\0')
            return path;
    }
    return NULL;
}

/* Every option is set anew: nothing of an earlier request stays. */
static CURLcode pl_get_options(struct pl_get *g)
{
    const struct pl_curl *c = g->curl;
    const struct pl_get_request *q = g->q;
    const char *certificates = pl_get_certificates();
    c->easy_reset(g->easy);
    CURLcode r = c->easy_setopt(g->easy, CURLOPT_URL, g->url);
#define PL_SET(option, value)                                                                      \
    do {                                                                                           \
        if (r == CURLE_OK)                                                                         \
            r = c->easy_setopt(g->easy, (option), (value));                                        \
    } while (0)
    PL_SET(CURLOPT_NOSIGNAL, 1L);
    PL_SET(CURLOPT_FOLLOWLOCATION, 0L);
    PL_SET(CURLOPT_HTTPHEADER, g->headers);
    PL_SET(CURLOPT_CONNECTTIMEOUT, (long)(q->connect_s != 0 ? q->connect_s : PL_GET_CONNECT_S));
    PL_SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    PL_SET(CURLOPT_LOW_SPEED_TIME, (long)(q->stall_s != 0 ? q->stall_s : PL_GET_STALL_S));
    PL_SET(CURLOPT_HEADERFUNCTION, pl_get_on_header);
    PL_SET(CURLOPT_HEADERDATA, g);
    PL_SET(CURLOPT_WRITEFUNCTION, pl_get_on_data);
    PL_SET(CURLOPT_WRITEDATA, g);
    PL_SET(CURLOPT_NOPROGRESS, 0L);
    PL_SET(CURLOPT_XFERINFOFUNCTION, pl_get_on_progress);
    PL_SET(CURLOPT_XFERINFODATA, g);
    if (q->large)
        PL_SET(CURLOPT_BUFFERSIZE, PL_GET_LARGE);
    if (pl_url_loopback(g->url))
        PL_SET(CURLOPT_PROXY, "");
    if (certificates != NULL)
        PL_SET(CURLOPT_CAINFO, certificates);
#undef PL_SET
    return r;
}

static int pl_get_error(const struct pl_get *g, CURLcode r, struct pl_err *err)
{
    char shown[PL_URL_MAX];
    int code = g->ended < 0 ? g->ended : pl_curl_code(r);
    if (code == -EPROTONOSUPPORT) {
        (void)pl_fail(err, code = -EPROTO,
                      "the server compresses the answer although asked not to");
    } else if (code == -EFBIG) {
        (void)pl_fail(err, code, "the answer is larger than is allowed");
    } else if (code == -EINTR) {
        (void)pl_fail(err, code, "interrupted");
    } else if (code == -ETIMEDOUT) {
        (void)pl_fail(err, code, "the server does not answer, or stopped sending");
    } else if (code == -ECONNRESET) {
        (void)pl_fail(err, code, "the answer broke off");
    } else if (g->ended < 0) {
        (void)pl_fail(err, code, "%s", strerror(-code));
    } else {
        (void)pl_fail(err, code, "cannot be reached: %s", g->curl->easy_strerror(r));
    }
    pl_err_at(err, pl_url_shown(g->url, shown), 0, 0);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

/* One request, no redirect. */
static int pl_get_hop(struct pl_get *g, struct pl_err *err)
{
    g->header_bytes = g->taken = 0;
    g->ended = 0;
    memset(&g->answer->facts, 0, sizeof(g->answer->facts));
    pl_str_clear(&g->answer->body);
    g->headers = NULL;
    CURLcode r = pl_get_headers(g) ? pl_get_options(g) : CURLE_OUT_OF_MEMORY;
    if (r == CURLE_OK)
        r = g->curl->easy_perform(g->easy);
    if (g->headers != NULL)
        g->curl->slist_free_all(g->headers);
    g->headers = NULL;
    g->answer->cut = g->ended == PL_GET_ENOUGH;
    if (r != CURLE_OK && g->ended != PL_GET_ENOUGH)
        return pl_get_error(g, r, err);
    g->answer->status = pl_get_status(g);
    return 0;
}

static int pl_get_refuse(const struct pl_get *g, int code, const char *why, struct pl_err *err)
{
    char shown[PL_URL_MAX];
    (void)pl_fail(err, code, "%s", why);
    pl_err_at(err, pl_url_shown(g->url, shown), 0, 0);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

/* 1: go on with answer->url; 0: this was the answer. */
static int pl_get_redirect(struct pl_get *g, struct pl_err *err)
{
    struct pl_get_answer *a = g->answer;
    long s = a->status;
    char *to = NULL;
    if (s != 301 && s != 302 && s != 303 && s != 307 && s != 308)
        return 0;
    if (a->hops == 1) {
        a->has_linked_size = a->facts.has_linked_size;
        a->linked_size = a->facts.linked_size;
        (void)PL_FMT(a->linked_etag, "%s", a->facts.linked_etag);
        if (g->q->known_linked != NULL && a->linked_etag[0] != '\0' &&
            pl_streq(g->q->known_linked, a->linked_etag)) {
            a->status = 304;
            return 0;
        }
    }
    (void)g->curl->easy_getinfo(g->easy, CURLINFO_REDIRECT_URL, &to);
    if (to == NULL)
        return pl_get_refuse(g, -EPROTO, "a redirect to nowhere", err);
    if (a->hops > PL_GET_REDIRECTS_MAX)
        return pl_get_refuse(g, -ELOOP, "too many redirects", err);
    if (!pl_url_ok(to))
        return pl_get_refuse(g, -EPROTO, "a redirect to something that is not http or https", err);
    if (pl_url_https(a->url) && !pl_url_https(to))
        return pl_get_refuse(g, -EPROTO, "a redirect from https to http, which is not safe", err);
    (void)PL_FMT(a->url, "%s", to);
    return 1;
}

int pl_get_do(struct pl_get *g, const struct pl_get_request *q, struct pl_get_answer *ret,
              struct pl_err *err)
{
    size_t cap = q->cap_bytes > PL_GET_ERROR_CAP ? q->cap_bytes : PL_GET_CAP;
    memset(ret, 0, sizeof(*ret));
    pl_str_init(&ret->body, cap + 1);
    g->url = ret->url;
    g->q = q;
    g->answer = ret;
    int rc = PL_FMT(ret->url, "%s", q->url) && pl_url_ok(q->url) ? 1 : -EINVAL;
    if (rc < 0) {
        rc = pl_get_refuse(g, rc, "is not an http:// or https:// address", err);
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    }
    while (rc == 1) {
        ret->hops++;
        rc = pl_get_hop(g, err);
        if (rc == 0)
            rc = pl_get_redirect(g, err);
    }
    g->q = NULL;
    g->answer = NULL;
    g->url = NULL;
    return rc;
}
