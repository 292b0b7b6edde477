/* Where a user's files go: the XDG base directories (specifications.freedesktop.org/basedir-spec),
 * which tell to ignore a variable that holds no whole path. */
#ifndef PL_SYS_XDG_H
#define PL_SYS_XDG_H

#include <stdbool.h>
#include <stddef.h>

enum pl_xdg {
    PL_XDG_CACHE,  /* $XDG_CACHE_HOME, else ~/.cache */
    PL_XDG_CONFIG, /* $XDG_CONFIG_HOME, else ~/.config */
    PL_XDG_DATA,   /* $XDG_DATA_HOME, else ~/.local/share */
    PL_XDG_STATE,  /* $XDG_STATE_HOME, else ~/.local/state */
};

/* Writes that folder, a slash and the text of fmt ("plimsoll/ledger.db"). 0, -ENOENT when neither
 * the variable nor HOME holds a whole path, -ENAMETOOLONG; out is "" then. */
int pl_xdg_path(char *out, size_t size, enum pl_xdg kind, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
