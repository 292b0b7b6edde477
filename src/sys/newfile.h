/* A file that is there whole or not at all: written without a name (or, where the file system has
 * no such files, beside the target), and named when everything is in it. */
#ifndef PL_SYS_NEWFILE_H
#define PL_SYS_NEWFILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Writes data to path with that mode. Without force an existing file is -EEXIST, exit status 2.
 * -ENOSPC and the like: nothing is left behind, exit status 4. Errors name the file. */
int pl_newfile_write(const char *path, const void *data, size_t len, mode_t mode, bool force,
                     struct pl_err *err);

#endif
