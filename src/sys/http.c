#include "sys/http.h"

#include "base/clock.h"
#include "sys/curl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_HTTP_CAP (1024u * 1024u)
#define PL_HTTP_CONNECT_NS (2 * PL_S_NS)

struct pl_http {
    const struct pl_curl *curl;
    CURL *easy;
    struct curl_slist *json_headers, *type_headers; /* type_headers: of this request */
    const struct pl_http_request *q;                /* during a request */
    struct pl_str *body;
    size_t taken, cap;
    int failed; /* why a callback ended the request */
};

int pl_http_new(struct pl_http **ret, struct pl_err *err)
{
    const struct pl_curl *curl = pl_curl_load(err);
    if (curl == NULL)
        return -ENOSYS;
    struct pl_http *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    h->curl = curl;
    h->easy = curl->easy_init();
    h->json_headers = curl->slist_append(NULL, "Content-Type: application/json");
    if (h->easy == NULL || h->json_headers == NULL) {
        (void)pl_http_free(h);
        return pl_fail(err, -ENOMEM, "out of memory");
    }
    *ret = h;
    return 0;
}

struct pl_http *pl_http_free(struct pl_http *h)
{
    if (h == NULL)
        return NULL;
    if (h->easy != NULL)
        h->curl->easy_cleanup(h->easy);
    if (h->json_headers != NULL)
        h->curl->slist_free_all(h->json_headers);
    free(h);
    return NULL;
}

static size_t pl_http_on_data(char *data, size_t size, size_t n, void *ctx)
{
    struct pl_http *h = ctx;
    size_t len = size * n; /* size is always 1 */
    if (len > h->cap - h->taken) {
        h->failed = -EFBIG;
        return 0;
    }
    h->taken += len;
    if (h->q->on_data != NULL) {
        int code = h->q->on_data(h->q->ctx, data, len);
        if (code != 0) {
            h->failed = code;
            return 0;
        }
        return len;
    }
    pl_str_addn(h->body, data, len);
    if (h->body->failed) {
        h->failed = -ENOMEM;
        return 0;
    }
    return len;
}

static int pl_http_on_progress(void *ctx, curl_off_t dt, curl_off_t dn, curl_off_t ut,
                               curl_off_t un)
{
    (void)dt, (void)dn, (void)ut, (void)un;
    struct pl_http *h = ctx;
    if (h->q->stop != NULL && *h->q->stop != 0) {
        h->failed = -EINTR;
        return 1;
    }
    return 0;
}

/* The header of a body that is no JSON. "Expect:" empty: the server is asked for no go-ahead, which
 * small ones never give, and a second would pass. */
static bool pl_http_type(struct pl_http *h, const struct pl_http_request *q)
{
    char line[256];
    h->type_headers = NULL;
    if (q->body == NULL)
        return true;
    if (q->type == NULL || strpbrk(q->type, "\r\n") != NULL ||
        !PL_FMT(line, "Content-Type: %s", q->type))
        return false;
    h->type_headers = h->curl->slist_append(NULL, line);
    struct curl_slist *more =
        h->type_headers != NULL ? h->curl->slist_append(h->type_headers, "Expect:") : NULL;
    return more != NULL;
}

/* Every option is set anew: nothing of an earlier request stays. */
static CURLcode pl_http_options(struct pl_http *h, const struct pl_http_request *q)
{
    const struct pl_curl *c = h->curl;
    c->easy_reset(h->easy);
    uint64_t connect = q->connect_timeout_ns != 0 ? q->connect_timeout_ns : PL_HTTP_CONNECT_NS;
    CURLcode r = c->easy_setopt(h->easy, CURLOPT_URL, q->url);
#define PL_SET(option, value)                                                                      \
    do {                                                                                           \
        if (r == CURLE_OK)                                                                         \
            r = c->easy_setopt(h->easy, (option), (value));                                        \
    } while (0)
    PL_SET(CURLOPT_NOSIGNAL, 1L);
    PL_SET(CURLOPT_PROXY, "");
    PL_SET(CURLOPT_FOLLOWLOCATION, 0L);
    PL_SET(CURLOPT_CONNECTTIMEOUT_MS, pl_curl_ms(connect));
    PL_SET(CURLOPT_TIMEOUT_MS, q->timeout_ns == 0 ? 0L : pl_curl_ms(q->timeout_ns));
    if (q->idle_timeout_ns != 0) {
        PL_SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
        PL_SET(CURLOPT_LOW_SPEED_TIME, pl_curl_ms(q->idle_timeout_ns) / 1000 + 1);
    }
    PL_SET(CURLOPT_WRITEFUNCTION, pl_http_on_data);
    PL_SET(CURLOPT_WRITEDATA, h);
    PL_SET(CURLOPT_NOPROGRESS, 0L);
    PL_SET(CURLOPT_XFERINFOFUNCTION, pl_http_on_progress);
    PL_SET(CURLOPT_XFERINFODATA, h);
    PL_SET(CURLOPT_TCP_NODELAY, 1L);
    if (q->json != NULL || q->body != NULL) {
        PL_SET(CURLOPT_POSTFIELDSIZE_LARGE,
               (curl_off_t)(q->json != NULL ? strlen(q->json) : q->body_len));
        PL_SET(CURLOPT_POSTFIELDS, q->json != NULL ? (const void *)q->json : q->body);
        PL_SET(CURLOPT_HTTPHEADER, q->json != NULL ? h->json_headers : h->type_headers);
    }
#undef PL_SET
    return r;
}

static int pl_http_error(struct pl_http *h, CURLcode r, struct pl_err *err)
{
    int code = h->failed != 0 ? h->failed : pl_curl_code(r);
    if (code == -EFBIG)
        (void)pl_fail(err, code, "%s: the answer is larger than %zu bytes", h->q->url, h->cap);
    else if (code == -EINTR)
        (void)pl_fail(err, code, "%s: interrupted", h->q->url);
    else if (h->failed != 0)
        (void)pl_fail(err, code, "%s: %s", h->q->url, strerror(-code));
    else
        (void)pl_fail(err, code, "%s: %s", h->q->url, h->curl->easy_strerror(r));
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

int pl_http_do(struct pl_http *h, const struct pl_http_request *q, struct pl_http_response *ret,
               struct pl_err *err)
{
    h->cap = q->cap_bytes != 0 ? q->cap_bytes : PL_HTTP_CAP;
    ret->status = 0;
    pl_str_init(&ret->body, h->cap + 1);
    if (strncmp(q->url, "http://", 7) != 0)
        return pl_fail(err, -EINVAL, "%s: only http:// is spoken to engines", q->url);
    h->q = q;
    h->body = &ret->body;
    h->taken = 0;
    h->failed = 0;
    CURLcode r = pl_http_type(h, q) ? pl_http_options(h, q) : CURLE_OUT_OF_MEMORY;
    if (r == CURLE_OK)
        r = h->curl->easy_perform(h->easy);
    if (h->type_headers != NULL)
        h->curl->slist_free_all(h->type_headers);
    h->type_headers = NULL;
    int code = r == CURLE_OK ? 0 : pl_http_error(h, r, err);
    if (code == 0)
        (void)h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &ret->status);
    h->q = NULL;
    h->body = NULL;
    return code;
}
