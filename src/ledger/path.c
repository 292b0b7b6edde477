#include "ledger/path.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/xdg.h"

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
    int rc = 0;
    if (own == NULL)
        rc = pl_xdg_path(out, PL_LEDGER_PATH_MAX, PL_XDG_DATA, "plimsoll/ledger.db");
    else if (!pl_fmt(out, PL_LEDGER_PATH_MAX, "%s", own))
        rc = -ENAMETOOLONG;
    if (rc == -ENOENT) {
        (void)pl_fail(err, rc, "no place for the ledger is known: HOME is not %s",
                      pl_environment("HOME") == NULL ? "set" : "a whole path");
        (void)pl_hint(err, "set PLIMSOLL_LEDGER to a file");
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    if (rc < 0) {
        out[0] = '\0';
        return pl_fail(err, rc, "the path of the ledger is too long");
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
