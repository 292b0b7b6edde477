#include "ledger/path.h"

#include "base/str.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *pl_environment(const char *name)
{
    const char *s = getenv(name);
    return s != NULL && s[0] != '\0' ? s : NULL;
}

int pl_ledger_default_path(char out[PL_LEDGER_PATH_MAX], struct pl_err *err)
{
    const char *own = pl_environment("PLIMSOLL_LEDGER");
    const char *data = pl_environment("XDG_DATA_HOME");
    const char *home = pl_environment("HOME");
    bool whole;
    if (own != NULL)
        whole = pl_fmt(out, PL_LEDGER_PATH_MAX, "%s", own);
    else if (data != NULL && data[0] == '/') /* the XDG rules tell to ignore relative ones */
        whole = pl_fmt(out, PL_LEDGER_PATH_MAX, "%s/plimsoll/ledger.db", data);
    else if (home != NULL && home[0] == '/')
        whole = pl_fmt(out, PL_LEDGER_PATH_MAX, "%s/.local/share/plimsoll/ledger.db", home);
    else {
        (void)pl_fail(err, -ENOENT, "no place for the ledger is known: HOME is not %s",
                      home == NULL ? "set" : "a whole path");
        (void)pl_hint(err, "set PLIMSOLL_LEDGER to a file");
        return pl_exit_as(err, -ENOENT, PL_EXIT_ENVIRONMENT);
    }
    if (!whole) {
        out[0] = '\0';
        return pl_fail(err, -ENAMETOOLONG, "the path of the ledger is too long");
    }
    return 0;
}

static int pl_ledger_denied(const char *path, int code, struct pl_err *err)
{
    (void)pl_fail(err, code, "cannot make the ledger: %s", strerror(-code));
    pl_err_at(err, path, 0, 0);
    (void)pl_hint(err, "PLIMSOLL_LEDGER names another place");
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

int pl_ledger_make_file(const char *path, struct pl_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return 0;
    int status = pl_make_parents(path, 0700, err);
    if (status < 0) {
        (void)pl_hint(err, "PLIMSOLL_LEDGER names another place");
        return status;
    }
    /* Made here and not by SQLite, so that it is private from its first moment. */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : pl_ledger_denied(path, -errno, err);
    (void)close(fd);
    return 0;
}
