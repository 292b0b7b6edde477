/* Whole files that a user names. */
#ifndef PL_SYS_FILE_H
#define PL_SYS_FILE_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* Appends the whole file (a pipe too; "-" is standard input) to *out, at most out->cap bytes.
 * Errors name the file: -ENOENT, -EACCES, -EISDIR, -E2BIG, -ENOMEM. */
int pl_file_text(const char *path, struct pl_str *out, struct pl_err *err);

/* Makes the folders above the last component of path that are missing, with that mode. What exists
 * stays as it is. The error names the folder; exit status 4. */
int pl_make_parents(const char *path, mode_t mode, struct pl_err *err);

#endif
