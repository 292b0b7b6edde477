/* What the header lines of an HTTP answer say, as far as anybody here asks. Pure text in, facts
 * out: the lines come from foreign servers. */
#ifndef PL_SYS_HTTP_FACTS_H
#define PL_SYS_HTTP_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_HTTP_TAG_MAX 160 /* an entity tag with its quotes; longer ones count as absent */

struct pl_http_facts {
    bool has_range; /* Content-Range: bytes FIRST-LAST/... */
    uint64_t first, last;
    bool has_total; /* its length after the slash */
    uint64_t total;
    bool bad_range;  /* a Content-Range that makes no sense */
    bool has_length; /* Content-Length */
    uint64_t length;
    bool encoded;         /* a Content-Encoding other than identity */
    bool has_retry_after; /* Retry-After in seconds; a date counts as absent */
    uint64_t retry_after_s;
    char etag[PL_HTTP_TAG_MAX];
    char modified[64]; /* Last-Modified */
    /* of the Hugging Face hub: length and SHA-256 of the file behind a redirect; why it refused */
    bool has_linked_size;
    uint64_t linked_size;
    char linked_etag[PL_HTTP_TAG_MAX];
    char error_code[64]; /* X-Error-Code */
    char content_type[64];
};

/* Takes one header line of n bytes, with or without its line end. A status line ("HTTP/...") begins
 * a new answer: everything is forgotten. */
void pl_http_facts_line(struct pl_http_facts *f, const char *line, size_t n);

/* "bytes 0-99/1234": the value of Content-Range. Sets has_range, has_total or bad_range. */
void pl_http_facts_range(struct pl_http_facts *f, const char *value);

#endif
