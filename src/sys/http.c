#include "sys/http.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The few functions used of libcurl. The type-checking macros of its headers call functions by
 * name, so options are set through this table alone. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define PL_HTTP_CAP (1024u * 1024u)
#define PL_HTTP_CONNECT_NS (2 * PL_S_NS)

struct pl_curl {
    void *lib;
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *h, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *h);
    CURLcode (*easy_getinfo)(CURL *h, CURLINFO info, ...);
    void (*easy_reset)(CURL *h);
    void (*easy_cleanup)(CURL *h);
    const char *(*easy_strerror)(CURLcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
};

struct pl_http {
    const struct pl_curl *curl;
    CURL *easy;
    struct curl_slist *json_headers;
    const struct pl_http_request *q; /* during a request */
    struct pl_str *body;
    size_t taken, cap;
    int failed; /* why a callback ended the request */
};

/* A symbol into a function pointer: POSIX guarantees the representation, ISO C no cast. */
static bool pl_curl_symbol(void *lib, const char *name, void *ret_function)
{
    void *p = dlsym(lib, name);
    memcpy(ret_function, &p, sizeof(p));
    return p != NULL;
}

static bool pl_curl_symbols(struct pl_curl *c)
{
    return pl_curl_symbol(c->lib, "curl_global_init", &c->global_init) &&
           pl_curl_symbol(c->lib, "curl_easy_init", &c->easy_init) &&
           pl_curl_symbol(c->lib, "curl_easy_setopt", &c->easy_setopt) &&
           pl_curl_symbol(c->lib, "curl_easy_perform", &c->easy_perform) &&
           pl_curl_symbol(c->lib, "curl_easy_getinfo", &c->easy_getinfo) &&
           pl_curl_symbol(c->lib, "curl_easy_reset", &c->easy_reset) &&
           pl_curl_symbol(c->lib, "curl_easy_cleanup", &c->easy_cleanup) &&
           pl_curl_symbol(c->lib, "curl_easy_strerror", &c->easy_strerror) &&
           pl_curl_symbol(c->lib, "curl_slist_append", &c->slist_append) &&
           pl_curl_symbol(c->lib, "curl_slist_free_all", &c->slist_free_all);
}

/* Loaded once and kept: libcurl does not like to be unloaded. NULL with err when it is missing. */
static const struct pl_curl *pl_curl_load(struct pl_err *err)
{
    static struct pl_curl curl;
    if (curl.lib != NULL)
        return &curl;
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    struct pl_curl c = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && c.lib == NULL; i++)
        c.lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (c.lib == NULL || !pl_curl_symbols(&c) || c.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        if (c.lib != NULL)
            (void)dlclose(c.lib);
        (void)pl_fail(err, -ENOSYS, "libcurl: %s",
                      c.lib != NULL ? "too old or broken" : "not installed");
        (void)pl_hint(err, "on Debian and Ubuntu: apt install libcurl4");
        (void)pl_exit_as(err, -ENOSYS, PL_EXIT_ENVIRONMENT);
        return NULL;
    }
    curl = c;
    return &curl;
}

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

static long pl_http_ms(uint64_t ns)
{
    uint64_t ms = ns / PL_MS_NS + (ns % PL_MS_NS != 0 ? 1 : 0);
    return ms > 86400000u ? 86400000L : (long)ms;
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
    PL_SET(CURLOPT_CONNECTTIMEOUT_MS, pl_http_ms(connect));
    PL_SET(CURLOPT_TIMEOUT_MS, q->timeout_ns == 0 ? 0L : pl_http_ms(q->timeout_ns));
    if (q->idle_timeout_ns != 0) {
        PL_SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
        PL_SET(CURLOPT_LOW_SPEED_TIME, pl_http_ms(q->idle_timeout_ns) / 1000 + 1);
    }
    PL_SET(CURLOPT_WRITEFUNCTION, pl_http_on_data);
    PL_SET(CURLOPT_WRITEDATA, h);
    PL_SET(CURLOPT_NOPROGRESS, 0L);
    PL_SET(CURLOPT_XFERINFOFUNCTION, pl_http_on_progress);
    PL_SET(CURLOPT_XFERINFODATA, h);
    PL_SET(CURLOPT_TCP_NODELAY, 1L);
    if (q->json != NULL) {
        PL_SET(CURLOPT_POSTFIELDS, q->json);
        PL_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(q->json));
        PL_SET(CURLOPT_HTTPHEADER, h->json_headers);
    }
#undef PL_SET
    return r;
}

static int pl_http_code(CURLcode r)
{
    /* if, not switch: the enumeration has a hundred values and grows */
    if (r == CURLE_OK)
        return 0;
    if (r == CURLE_COULDNT_CONNECT || r == CURLE_COULDNT_RESOLVE_HOST)
        return -ECONNREFUSED;
    if (r == CURLE_OPERATION_TIMEDOUT)
        return -ETIMEDOUT;
    if (r == CURLE_GOT_NOTHING || r == CURLE_RECV_ERROR || r == CURLE_SEND_ERROR ||
        r == CURLE_PARTIAL_FILE)
        return -ECONNRESET;
    if (r == CURLE_OUT_OF_MEMORY)
        return -ENOMEM;
    return -EPROTO;
}

static int pl_http_error(struct pl_http *h, CURLcode r, struct pl_err *err)
{
    int code = h->failed != 0 ? h->failed : pl_http_code(r);
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
    CURLcode r = pl_http_options(h, q);
    if (r == CURLE_OK)
        r = h->curl->easy_perform(h->easy);
    int code = r == CURLE_OK ? 0 : pl_http_error(h, r, err);
    if (code == 0)
        (void)h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &ret->status);
    h->q = NULL;
    h->body = NULL;
    return code;
}
