#include "model/reader.h"

#include "model/gguf.h"
#include "model/input.h"
#include "model/safetensors.h"
#include "model/whisper.h"

static const struct pl_reader pl_reader_gguf = {
    .name = "gguf",
    .match = pl_gguf_match,
    .read = pl_gguf_read,
};

static const struct pl_reader pl_reader_safetensors = {
    .name = "safetensors",
    .match = pl_safetensors_match,
    .read = pl_safetensors_read,
};

static const struct pl_reader pl_reader_whisper = {
    .name = "whisper.cpp",
    .match = pl_whisper_match,
    .read = pl_whisper_read,
};

const struct pl_reader *const pl_readers[] = {
    &pl_reader_gguf, /* the first: its errors say what else a file may be */
    &pl_reader_safetensors,
    &pl_reader_whisper,
    NULL,
};

int pl_model_read(const char *path, struct pl_model **ret, struct pl_err *err)
{
    uint8_t head[PL_READER_HEAD] = {0};
    struct pl_input in;
    int rc = pl_input_open(path, &in, err);
    if (rc < 0)
        return rc;
    size_t n = in.bytes < sizeof(head) ? (size_t)in.bytes : sizeof(head);
    rc = in.read(&in, 0, head, n, err);
    pl_input_close(&in);
    if (rc < 0) {
        pl_err_at(err, path, 0, 0);
        return rc;
    }
    for (size_t i = 0; pl_readers[i] != NULL; i++) {
        if (pl_readers[i]->match(head, n))
            return pl_readers[i]->read(path, ret, err);
    }
    return pl_readers[0]->read(path, ret, err);
}
