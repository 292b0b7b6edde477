#include "sys/curl.h"

#include "base/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

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

const struct pl_curl *pl_curl_load(struct pl_err *err)
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

int pl_curl_code(CURLcode r)
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

long pl_curl_ms(uint64_t ns)
{
    uint64_t ms = ns / PL_MS_NS + (ns % PL_MS_NS != 0 ? 1 : 0);
    return ms > 86400000u ? 86400000L : (long)ms;
}
