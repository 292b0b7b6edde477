/* Readers of model files, in one table. Adding one: its file, a row in reader.c, a test. */
#ifndef PL_MODEL_READER_H
#define PL_MODEL_READER_H

#include "domain/model.h"

#include <stddef.h>
#include <stdint.h>

#define PL_READER_HEAD 64u /* bytes of a file that tell its format */

struct pl_reader {
    const char *name;
    /* True when a file that begins with these n (at most PL_READER_HEAD) bytes is its format. */
    bool (*match)(const uint8_t *head, size_t n);
    /* *ret on success only, free with pl_model_free. */
    int (*read)(const char *path, struct pl_model **ret, struct pl_err *err);
};

/* NULL-ended. */
extern const struct pl_reader *const pl_readers[];

/* Reads a local file with the reader that knows its first bytes. Errors as pl_gguf_read. */
int pl_model_read(const char *path, struct pl_model **ret, struct pl_err *err);

#endif
