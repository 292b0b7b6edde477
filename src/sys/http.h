/* HTTP to engines on this machine. libcurl is loaded at the first request, so the program starts
 * without it. No proxy, no redirect, no other protocol than http. */
#ifndef PL_SYS_HTTP_H
#define PL_SYS_HTTP_H

#include "base/err.h"
#include "base/str.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct pl_http; /* one connection's worth of state; not to be shared between threads */

struct pl_http_request {
    const char *url;
    const char *json; /* body: makes it a POST; NULL = GET */
    const char *type; /* of a body that is no JSON ("multipart/..."); or NULL */
    const void *body; /* that body, instead of json; body_len bytes */
    size_t body_len;
    uint64_t connect_timeout_ns;       /* 0 = 2 s */
    uint64_t timeout_ns;               /* of the whole request; 0 = no limit */
    uint64_t idle_timeout_ns;          /* without a byte, in whole seconds; 0 = no limit */
    size_t cap_bytes;                  /* most bytes of answer taken; 0 = 1 MiB */
    const volatile sig_atomic_t *stop; /* not 0: give up with -EINTR; or NULL */
    /* Gets the answer piece by piece instead of pl_http_response.body; not 0 (a negative errno)
     * ends the request with that error. May be NULL. */
    int (*on_data)(void *ctx, const char *data, size_t len);
    void *ctx;
};

struct pl_http_response {
    long status;        /* HTTP status; a status is never an error here */
    struct pl_str body; /* empty when on_data took it */
};

/* -ENOSYS with exit status 4 when libcurl is not installed. Free with pl_http_free (accepts and
 * returns NULL). */
int pl_http_new(struct pl_http **ret, struct pl_err *err);
struct pl_http *pl_http_free(struct pl_http *h);

/* One request. -ECONNREFUSED nobody listens, -ETIMEDOUT, -ECONNRESET the answer broke off, -EINTR
 * stop was set, -EFBIG over the cap, -EPROTO anything else. ret->body is the caller's, to end with
 * pl_str_done, on failure too. */
int pl_http_do(struct pl_http *h, const struct pl_http_request *q, struct pl_http_response *ret,
               struct pl_err *err);

#endif
