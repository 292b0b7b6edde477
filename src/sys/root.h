/* One root for every /proc and /sys read, so that the dump of another machine can be read exactly
 * like this one. Paths are relative ("proc/meminfo"), without "..": a dump is hostile input, and
 * neither a path nor a symbolic link in it leads out of its folder.
 *
 * A root that is not this system says so; nothing may act on what was read there. */
#ifndef PL_SYS_ROOT_H
#define PL_SYS_ROOT_H

#include "base/err.h"
#include "domain/machine.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_tape;

struct pl_root {
    int fd; /* of the folder, O_PATH; -1 = closed */
    bool this_system;
    char path[PL_PATH_TEXT_MAX]; /* as given, for messages; "" = this system */
    struct pl_tape *tape;   /* everything read is recorded here; borrowed; NULL = nobody records */
    struct pl_tape *replay; /* of a capture: what failed, links, calls; owned; NULL = no capture */
    char *unpacked;         /* folder an archive was unpacked into, removed at the end; owned */
};

/* dir "", "/" or NULL is this system; anything else is a replayed dump: a folder, or a capture (an
 * archive that `plimsoll assess --capture` wrote, or the folder it was unpacked into). -ENOENT and
 * -EACCES name the folder; -EBADMSG: a damaged capture, or no archive. End with pl_root_done.
 *
 * Of a capture everything answers as it did when it was taken, with the same errno; what was not
 * read then is -ENODATA. While root->tape is set one reading of a file is all there is: opened
 * again it has the content it had first. Probes must not depend on the order of a folder's entries.
 */
int pl_root_open(const char *dir, struct pl_root *ret, struct pl_err *err);
void pl_root_done(struct pl_root *root); /* accepts a zeroed or closed root */
bool pl_root_is_this_system(const struct pl_root *root);
/* What is not there is not on the machine either: this system, or a capture of one. Of another dump
 * it may only have been left out. */
bool pl_root_is_whole(const struct pl_root *root);

/* Opens a file for reading; the descriptor is the caller's. Only regular files are opened (as /proc
 * and /sys call theirs), and never one that would block. -ENOENT, -EACCES, -EXDEV (leads out of the
 * root), -EINVAL (bad path or not a regular file). */
int pl_root_open_file(const struct pl_root *root, const char *path, int *ret_fd,
                      struct pl_err *err);

/* Opens a folder; end with closedir. */
int pl_root_open_dir(const struct pl_root *root, const char *path, DIR **ret, struct pl_err *err);

/* Where a symbolic link points, as it is written there ("../../devices/pci0000:00/..."). -EINVAL:
 * not a link; -E2BIG: buf is too small. Never followed. */
int pl_root_read_link(const struct pl_root *root, const char *path, char *buf, size_t size,
                      struct pl_err *err);

/* Adds a file to what is recorded that was not read as one: the raw answers of a vendor's library,
 * under a path "plimsoll/NAME". A replay reads it like any other file. Does nothing when nobody
 * records. */
void pl_root_keep(const struct pl_root *root, const char *path, const void *data, size_t len);

/* Reads a whole file into buf and ends it with NUL. *ret_len (may be NULL) excludes the NUL. -E2BIG
 * when it does not fit: a text cut short is never returned. */
int pl_read_text(const struct pl_root *root, const char *path, char *buf, size_t size,
                 size_t *ret_len, struct pl_err *err);

/* One unsigned decimal number, white space around it allowed. -EBADMSG for anything else ("max",
 * "-1"). */
int pl_read_u64(const struct pl_root *root, const char *path, uint64_t *ret, struct pl_err *err);

/* The first line without outer blanks, cleaned (pl_text_clean), cut to size. */
int pl_read_line(const struct pl_root *root, const char *path, char *buf, size_t size,
                 struct pl_err *err);

/* Line by line, for files without a known length. Of a line of PL_LINE_MAX or
 * more only the first half of that is kept. */
#define PL_LINE_MAX 8192
#define PL_LINES_BYTES_MAX (256ull * 1024 * 1024) /* smaps of 65530 mappings is 70 MB */

struct pl_lines {
    int fd;
    int error;      /* negative errno of a failed read, else 0 */
    size_t at, len; /* the unread part of buf */
    uint64_t taken; /* bytes read so far */
    bool eof;
    char buf[PL_LINE_MAX];
};

int pl_lines_open(const struct pl_root *root, const char *path, struct pl_lines *ret,
                  struct pl_err *err);
/* The next line, NUL-ended, without its newline, borrowed until the next call (it may be written
 * to); NULL at the end or after a failed read. */
char *pl_lines_next(struct pl_lines *lines);
/* Closes, and returns 0 or the negative errno of the read that failed. */
int pl_lines_close(struct pl_lines *lines);

#endif
