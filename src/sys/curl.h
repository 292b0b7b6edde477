/* libcurl, loaded at the first request, so that the program starts without it. The only header that
 * knows its functions; sys/http.c (engines) and sys/http_get.c (the network) use it. */
#ifndef PL_SYS_CURL_H
#define PL_SYS_CURL_H

#include "base/err.h"

#include <curl/curl.h>
#include <stdint.h>

/* The type-checking macros of its headers call functions by name, so options are set through this
 * table alone. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

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

/* Loaded once and kept: libcurl does not like to be unloaded. NULL with err (-ENOSYS, exit status
 * 4) when it is missing. */
const struct pl_curl *pl_curl_load(struct pl_err *err);

/* A negative errno for what libcurl says; 0 for success. */
int pl_curl_code(CURLcode r);

/* Milliseconds, rounded up, at most a day. */
long pl_curl_ms(uint64_t ns);

#endif
