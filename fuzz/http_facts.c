/* Header lines of an HTTP answer, and URLs: any bytes give facts that keep their promises. */
#include "sys/http_facts.h"
#include "sys/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_text(const char *s, size_t size)
{
    pl_fuzz_check(strnlen(s, size) < size);
    for (; *s != '\0'; s++)
        pl_fuzz_check(*s >= ' ' && *s <= '~');
}

static void pl_fuzz_facts(const struct pl_http_facts *f)
{
    pl_fuzz_text(f->etag, sizeof(f->etag));
    pl_fuzz_text(f->modified, sizeof(f->modified));
    pl_fuzz_text(f->linked_etag, sizeof(f->linked_etag));
    pl_fuzz_text(f->error_code, sizeof(f->error_code));
    pl_fuzz_check(!f->has_range || f->first <= f->last);
    pl_fuzz_check(!f->has_range || !f->has_total || f->last < f->total);
    pl_fuzz_check(!f->bad_range || (!f->has_range && !f->has_total));
}

static void pl_fuzz_url(const char *url)
{
    char shown[PL_URL_MAX], with[PL_URL_MAX];
    if (!pl_url_ok(url))
        return;
    (void)pl_url_shown(url, shown);
    pl_fuzz_check(pl_url_ok(shown) && strpbrk(shown, "?#") == NULL);
    pl_fuzz_check(pl_url_same_origin(url, shown) == pl_url_same_origin(shown, url));
    pl_fuzz_check(pl_url_loopback(url) == pl_url_loopback(shown));
    pl_fuzz_check(!pl_url_with(url, shown, with) || strcmp(with, url) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_http_facts f = {0};
    const char *text = (const char *)data;
    for (size_t at = 0; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t len = end != NULL ? (size_t)(end - text) - at + 1 : n - at;
        pl_http_facts_line(&f, text + at, len);
        pl_fuzz_facts(&f);
        at += len;
    }
    char *url = calloc(n + 1, 1);
    if (url == NULL)
        return 0;
    if (n > 0)
        memcpy(url, data, n);
    pl_fuzz_url(url);
    free(url);
    return 0;
}
