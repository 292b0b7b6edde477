/* Plain ustar archives (POSIX.1-1988), the part of them a capture needs: files and folders out;
 * files, folders and symbolic links in. Every archive is hostile input.
 *
 * An archive is blocks of 512 bytes: for each member a header (name, size in octal, type, checksum,
 * a prefix to the name), then its data padded to a block; two blocks of zeroes end it. */
#ifndef PL_SYS_USTAR_H
#define PL_SYS_USTAR_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_USTAR_NAME_MAX 257 /* prefix of 155, "/", name of 100, NUL */
#define PL_USTAR_MEMBERS_MAX 200000
#define PL_USTAR_BYTES_MAX (256u * 1024 * 1024) /* of an archive */

struct pl_ustar_member {
    char name[PL_USTAR_NAME_MAX]; /* relative, no ".", no "..", no "/" at its end */
    char type;                    /* 'f' file, 'd' folder, 'l' symbolic link */
    char target[101];             /* of a link: relative, does not lead out of the archive */
    const char *data;             /* of a file; borrowed from the archive */
    size_t len;
};

struct pl_ustar {
    const char *data; /* borrowed */
    size_t len, at;
    uint32_t members;
};

/* 1 with the next member, 0 at the end, or a negative errno: -EBADMSG (no archive, cut short, a
 * wrong checksum), -EINVAL with what is refused (a path that is absolute or has "..", devices, hard
 * links, extended headers, a compressed archive), -E2BIG. */
int pl_ustar_next(struct pl_ustar *in, struct pl_ustar_member *ret, struct pl_err *err);

/* Unpacks the archive file into a new folder below $TMPDIR that nobody else may enter, and writes
 * its name to ret_dir (owned by the caller: free it). Left folders of processes that died are
 * removed first. Remove it with pl_ustar_remove. */
int pl_ustar_unpack(const char *path, char **ret_dir, struct pl_err *err);
void pl_ustar_remove(const char *dir);

/* Appends one member to an archive in memory. -ENAMETOOLONG when a name does not fit. */
int pl_ustar_add_file(struct pl_str *out, const char *name, const void *data, size_t len,
                      int64_t mtime);
int pl_ustar_add_dir(struct pl_str *out, const char *name, int64_t mtime);
void pl_ustar_end(struct pl_str *out);

#endif
