#include "sys/xdg.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *variable, *below_home;
} pl_xdg_places[] = {
    [PL_XDG_CACHE] = {"XDG_CACHE_HOME",  ".cache"      },
    [PL_XDG_CONFIG] = {"XDG_CONFIG_HOME", ".config"     },
    [PL_XDG_DATA] = {"XDG_DATA_HOME",   ".local/share"},
    [PL_XDG_STATE] = {"XDG_STATE_HOME",  ".local/state"},
};

int pl_xdg_path(char *out, size_t size, enum pl_xdg kind, const char *fmt, ...)
{
    const char *base = getenv(pl_xdg_places[kind].variable), *home = getenv("HOME");
    bool whole = false;
    out[0] = '\0';
    if (base != NULL && base[0] == '/')
        whole = pl_fmt(out, size, "%s/", base);
    else if (home != NULL && home[0] == '/')
        whole = pl_fmt(out, size, "%s/%s/", home, pl_xdg_places[kind].below_home);
    else
        return -ENOENT;
    size_t n = whole ? strlen(out) : 0;
    va_list ap;
    va_start(ap, fmt);
    int more = whole ? vsnprintf(out + n, size - n, fmt, ap) : -1;
    va_end(ap);
    if (more >= 0 && (size_t)more < size - n)
        return 0;
    out[0] = '\0';
    return -ENAMETOOLONG;
}
