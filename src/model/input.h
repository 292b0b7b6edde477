/* An input: bytes that can be read at any offset. A file, a piece of memory, or (elsewhere) a range
 * of a remote file. Readers of model files see only this. */
#ifndef PL_MODEL_INPUT_H
#define PL_MODEL_INPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_input {
    uint64_t bytes;      /* length */
    uint64_t disk_bytes; /* blocks really allocated; equals bytes where there are none */
    bool holes;          /* the end of the file is known to be a hole */

    /* Reads exactly n bytes at offset `at`; the caller stays within `bytes`. -EBADMSG when the
     * input turns out shorter, or the error of the transport. */
    int (*read)(struct pl_input *in, uint64_t at, void *buf, size_t n, struct pl_err *err);
    void (*close)(struct pl_input *in); /* may be NULL */

    int fd;              /* of a file; otherwise unused */
    const uint8_t *data; /* of memory; otherwise unused; borrowed */
    void *ctx;           /* of another transport; owned by its close */
};

/* Opens a regular file. Never waits: a FIFO, a device, a socket or a directory is refused. On
 * failure err names the path. Close with pl_input_close. */
int pl_input_open(const char *path, struct pl_input *ret, struct pl_err *err);

/* Memory as an input; data is borrowed and must outlive it. */
void pl_input_memory(const void *data, size_t bytes, struct pl_input *ret);

void pl_input_close(struct pl_input *in); /* accepts a zeroed or closed input */

/* How a reader finds further files (the parts of a split model) by their paths. */
struct pl_opener {
    int (*open)(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err);
    void *ctx;
};

/* Opens local files with pl_input_open. */
extern const struct pl_opener pl_opener_files;

#endif
