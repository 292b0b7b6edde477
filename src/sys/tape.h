/* What one reading of a machine read: files, folders, links and the answers of calls, each with its
 * content or its errno. A tape records it at a root (sys/root.h), is kept as an archive
 * (machine/capture.h), and answers for it when the capture is replayed, so that a replay sees the
 * same machine down to what was not there and what was not allowed.
 *
 * Kept in a folder DIR it is DIR/proc, DIR/sys, DIR/etc ... and
 *     DIR/plimsoll/errors.tsv     KIND path ERRNO   KIND is file, dir, link or live
 *     DIR/plimsoll/links.tsv      path target
 *     DIR/plimsoll/live.tsv       name text         (sys/live.h)
 * columns parted by a tab; in a value backslash, tab and newline are written \\ \t \n.
 *
 * Not for use by several threads at once. */
#ifndef PL_SYS_TAPE_H
#define PL_SYS_TAPE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_TAPE_ENTRIES_MAX 200000
#define PL_TAPE_FILE_BYTES_MAX (32u * 1024 * 1024)
#define PL_TAPE_BYTES_MAX (192u * 1024 * 1024) /* all together */

enum pl_tape_kind { PL_TAPE_FILE = 0, PL_TAPE_DIR, PL_TAPE_LINK, PL_TAPE_LIVE };

struct pl_tape_entry {
    enum pl_tape_kind kind;
    int error;  /* negative errno it failed with; 0 = data is there */
    char *path; /* relative to the root, or a name; owned */
    char *data; /* NUL-ended; a folder's entries as lines "d NAME" or "f NAME"; owned */
    size_t len;
};

struct pl_tape {
    struct pl_tape_entry *entry;
    size_t n, size;
    uint64_t bytes;
    int failed; /* negative errno: something could not be kept, so the tape is not whole */
    bool sorted;
};

struct pl_tape *pl_tape_new(void);                  /* NULL: no memory */
struct pl_tape *pl_tape_free(struct pl_tape *tape); /* accepts NULL; returns NULL */

/* The entry, or NULL; borrowed until the next pl_tape_put. */
const struct pl_tape_entry *pl_tape_find(struct pl_tape *tape, enum pl_tape_kind kind,
                                         const char *path);

/* Keeps a copy (data is ignored when error is not 0). What is there already stays: the first
 * reading counts. A failure is remembered in tape->failed. */
void pl_tape_put(struct pl_tape *tape, enum pl_tape_kind kind, const char *path, int error,
                 const void *data, size_t len);

/* "file", "dir", "link", "live". */
const char *pl_tape_kind_name(enum pl_tape_kind kind);

/* The three tables in text. Files and folders that could be read are in none. */
void pl_tape_errors_text(struct pl_tape *tape, struct pl_str *out);
void pl_tape_pairs_text(struct pl_tape *tape, enum pl_tape_kind kind, struct pl_str *out);

/* Reads such a table into the tape: pairs of a kind, or errors. A damaged line is -EBADMSG, with
 * its number. */
int pl_tape_pairs_parse(struct pl_tape *tape, enum pl_tape_kind kind, char *text,
                        struct pl_err *err);
int pl_tape_errors_parse(struct pl_tape *tape, char *text, struct pl_err *err);

#endif
