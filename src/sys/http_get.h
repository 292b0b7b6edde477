/* GET from servers on the network: http and https, ranges, redirects followed by hand so that each
 * hop is looked at. Proxies come from the environment (https_proxy, no_proxy ...), certificates
 * from the system or CURL_CA_BUNDLE or SSL_CERT_FILE. A compressed answer is refused: lengths and
 * ranges would count other bytes than the file's. */
#ifndef PL_SYS_HTTP_GET_H
#define PL_SYS_HTTP_GET_H

#include "base/err.h"
#include "base/str.h"
#include "sys/http_facts.h"
#include "sys/url.h"

#include <signal.h>

#define PL_GET_REDIRECTS_MAX 6u
#define PL_GET_CONNECT_S 10u /* seconds to reach a server */
#define PL_GET_STALL_S 20u   /* seconds without a byte */

struct pl_get; /* one connection's worth of state; not to be shared between threads */

struct pl_get_request {
    const char *url;
    /* "Authorization: Bearer": sent to the origin of the first URL only, and only over https or to
     * this machine. Never in an error text. NULL: none. */
    const char *token;
    const char *accept; /* NULL: anything */
    bool ranged; /* bytes at .. at + n - 1; otherwise the whole, of which n bytes are enough */
    uint64_t at, n;
    const char *if_none_match, *if_modified, *if_range; /* NULL or "": none */
    /* A redirect that names a file of this identity (X-Linked-Etag) is not followed: the answer is
     * then status 304. NULL or "": none. */
    const char *known_linked;
    bool large;                        /* megabytes are expected: they come in larger pieces */
    uint32_t connect_s, stall_s;       /* 0: the constants above */
    const volatile sig_atomic_t *stop; /* not 0: give up with -EINTR; or NULL */
    /* Gets the body of a 200 or 206 piece by piece; facts are complete by then. 0: go on; 1:
     * enough, the request ends well; a negative errno ends it so. NULL: pl_get_answer.body. */
    int (*on_data)(void *ctx, long status, const struct pl_http_facts *facts, const char *data,
                   size_t len);
    void *ctx;
    size_t cap_bytes; /* most bytes of body taken (without on_data); 0 = 1 MiB */
};

struct pl_get_answer {
    long status; /* of the last hop; a status is never an error here */
    struct pl_http_facts facts;
    struct pl_str body;   /* of errors at most 64 KiB */
    bool cut;             /* not read to its end: there was enough */
    uint32_t hops;        /* requests made: 1 and redirects */
    char url[PL_URL_MAX]; /* where the answer came from; may carry a signature: never shown */
    /* what the first redirect said of the file behind it */
    bool has_linked_size;
    uint64_t linked_size;
    char linked_etag[PL_HTTP_TAG_MAX];
};

/* -ENOSYS with exit status 4 when libcurl is not installed. */
int pl_get_new(struct pl_get **ret, struct pl_err *err);
struct pl_get *pl_get_free(struct pl_get *g); /* accepts and returns NULL */

/* One request with its redirects. Errors (exit status 4, err->file is the shown URL): -ECONNREFUSED
 * not reached, -ETIMEDOUT, -ECONNRESET broken off, -EINTR, -EFBIG over the cap, -ELOOP too many
 * redirects, -EPROTO anything else. End ret->body with pl_str_done, on failure too. */
int pl_get_do(struct pl_get *g, const struct pl_get_request *q, struct pl_get_answer *ret,
              struct pl_err *err);

#endif
