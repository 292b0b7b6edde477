#include "sys/url.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* [scheme://][user@][host:port][path][?query#fragment] by their lengths */
struct pl_url_parts {
    size_t scheme, user, host, path;
};

static struct pl_url_parts pl_url_parts(const char *url)
{
    struct pl_url_parts p = {0};
    p.scheme = strncasecmp(url, "https://", 8) == 0  ? 8
               : strncasecmp(url, "http://", 7) == 0 ? 7
                                                     : 0;
    const char *host = url + p.scheme;
    size_t authority = strcspn(host, "/?#");
    for (size_t i = 0; i < authority; i++) {
        if (host[i] == '@')
            p.user = i + 1;
    }
    p.host = authority - p.user;
    p.path = strcspn(host + authority, "?#");
    return p;
}

bool pl_url_ok(const char *url)
{
    const struct pl_url_parts p = pl_url_parts(url);
    size_t n = strnlen(url, PL_URL_MAX);
    for (size_t i = 0; i < n; i++) {
        if (url[i] <= ' ' || url[i] == 0x7f)
            return false;
    }
    return p.scheme > 0 && p.host > 0 && n < PL_URL_MAX;
}

const char *pl_url_shown(const char *url, char out[PL_URL_MAX])
{
    const struct pl_url_parts p = pl_url_parts(url);
    (void)pl_fmt(out, PL_URL_MAX, "%.*s%.*s", (int)p.scheme, url, (int)(p.host + p.path),
                 url + p.scheme + p.user);
    return out;
}

bool pl_url_https(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

/* host[:port] with the scheme's own port left out */
static size_t pl_url_host(const char *url, const struct pl_url_parts *p)
{
    const char *host = url + p->scheme + p->user, *own = pl_url_https(url) ? ":443" : ":80";
    size_t n = strlen(own);
    return p->host > n && strncmp(host + p->host - n, own, n) == 0 ? p->host - n : p->host;
}

bool pl_url_same_origin(const char *a, const char *b)
{
    const struct pl_url_parts p = pl_url_parts(a), q = pl_url_parts(b);
    size_t n = pl_url_host(a, &p);
    return p.scheme > 0 && p.scheme == q.scheme && n > 0 && n == pl_url_host(b, &q) &&
           strncasecmp(a + p.scheme + p.user, b + q.scheme + q.user, n) == 0;
}

bool pl_url_loopback(const char *url)
{
    const struct pl_url_parts p = pl_url_parts(url);
    const char *host = url + p.scheme + p.user;
    size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (n > p.host)
        return false;
    if (n == 9 && strncasecmp(host, "localhost", 9) == 0)
        return true;
    return (n == 5 && strncmp(host, "[::1]", 5) == 0) ||
           (n > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n);
}

bool pl_url_with(const char *url, const char *shown, char out[PL_URL_MAX])
{
    const struct pl_url_parts p = pl_url_parts(url), q = pl_url_parts(shown);
    return pl_fmt(out, PL_URL_MAX, "%.*s%s%s", (int)(p.scheme + p.user), url, shown + q.scheme,
                  url + p.scheme + p.user + p.host + p.path);
}
