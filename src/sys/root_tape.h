/* The part of sys/root.c that records, and that answers for a capture. */
#ifndef PL_SYS_ROOT_TAPE_H
#define PL_SYS_ROOT_TAPE_H

#include "sys/root.h"
#include "sys/tape.h"

/* Unpacks path when it is a file: root->unpacked is the folder to read then. */
int pl_root_unpack(struct pl_root *root, const char *path, struct pl_err *err);
/* Loads the tables of a capture, when the folder is one. */
int pl_root_replay_open(struct pl_root *root, struct pl_err *err);
/* Frees them, and removes the unpacked folder. */
void pl_root_replay_done(struct pl_root *root);

/* What a capture or an earlier reading says of the path: true with a descriptor or a negative errno
 * in *ret_fd. */
bool pl_root_taped(const struct pl_root *root, enum pl_tape_kind kind, const char *path,
                   int *ret_fd);
const struct pl_tape_entry *pl_root_taped_text(const struct pl_root *root, enum pl_tape_kind kind,
                                               const char *path);

/* What a failure to open is for a capture: what it does not hold was never read (-ENODATA). */
int pl_root_replay_code(const struct pl_root *root, int fd);

/* Records the file behind fd (or the negative errno) and gives back a descriptor of exactly what
 * was recorded, or a negative errno; takes fd over. Without a recorder, fd itself. */
int pl_root_record_file(const struct pl_root *root, const char *path, int fd);
void pl_root_record_dir(const struct pl_root *root, const char *path, DIR *dir);
void pl_root_record(const struct pl_root *root, enum pl_tape_kind kind, const char *path, int error,
                    const void *data, size_t len);

#endif
