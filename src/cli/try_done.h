/* What of a list of trials is done already: a small file that a kill at any moment leaves usable.
 *
 *     plimsoll trials 1
 *     <64 hexadecimal digits: which combination> <number of its run in the ledger>
 *
 * A line is on the disk before the next trial begins; one that was not finished is dropped. */
#ifndef PL_CLI_TRY_DONE_H
#define PL_CLI_TRY_DONE_H

#include "base/err.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_DONE_MAX 8192 /* lines of a file */
#define PL_DONE_PATH_MAX 1024

struct pl_done {
    int fd; /* -1: nothing is kept */
    char path[PL_DONE_PATH_MAX];
    struct pl_done_line {
        char key[PL_SHA256_TEXT_MAX];
        int64_t run;
    } * line;
    uint32_t n, room;
};

/* The place of the list whose identity is id (hexadecimal), where none was named:
 * $XDG_STATE_HOME/plimsoll/trials/ID, else ~/.local/state/... False without a home. */
bool pl_done_path(const char *id, char out[PL_DONE_PATH_MAX]);

/* Opens or makes the file and its folders, and reads it; fresh forgets what it held. -EBUSY (exit
 * 4) while another plimsoll works on it, -EBADMSG (exit 2) when it is something else. */
int pl_done_open(const char *path, bool fresh, struct pl_done *ret, struct pl_err *err);
/* The run of a combination; false when it is not done. */
bool pl_done_find(const struct pl_done *d, const char *key, int64_t *ret_run);
/* Adds a line and waits until it is on the disk. */
int pl_done_add(struct pl_done *d, const char *key, int64_t run, struct pl_err *err);
/* remove: the list is complete, and the file was not the user's. */
void pl_done_close(struct pl_done *d, bool remove);

#endif
