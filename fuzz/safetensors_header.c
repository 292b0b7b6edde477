/* One safetensors file, all of it hostile, by itself: without index and config.json. */
#include "base/str.h"
#include "domain/checkpoint.h"
#include "domain/tensor_type.h"
#include "model/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

struct pl_fuzz_file {
    const uint8_t *data;
    size_t n;
};

static int pl_fuzz_open(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    const struct pl_fuzz_file *f = ctx;
    if (!pl_streq(path, "d/model.safetensors"))
        return pl_fail(err, -ENOENT, "not there");
    pl_input_memory(f->data, f->n, ret);
    return 0;
}

/* Read without us: the length, and whether the tensors cover the data in some order. */
static void pl_fuzz_covers(const struct pl_model *m, const struct pl_fuzz_file *f)
{
    uint64_t len = 0, sum = 0;
    for (int i = 7; i >= 0; i--)
        len = len << 8 | f->data[i];
    pl_fuzz_check(m->n_file == 1 && m->file[0].data_offset == 8 + len && 8 + len <= f->n);
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        const struct pl_tensor_type *type = pl_tensor_type(t->type);
        pl_fuzz_check(t->name[0] != '\0' && type != NULL);
        pl_fuzz_check(t->n_dims >= 1 && t->n_dims <= PL_TENSOR_DIMS_MAX);
        pl_fuzz_check(t->offset <= f->n - 8 - len && t->bytes <= f->n - 8 - len - t->offset);
        pl_fuzz_check(pl_tensor_elements(t) / type->block_elements * type->block_bytes == t->bytes);
        sum += t->bytes;
    }
    pl_fuzz_check(sum <= f->n - 8 - len); /* no overlap, and no gap between */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_fuzz_file f = {.data = data, .n = n};
    const struct pl_opener opener = {.open = pl_fuzz_open, .ctx = &f};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    if (pl_safetensors_read_with(&opener, "d/model.safetensors", &m, &err) == 0) {
        pl_fuzz_check(pl_safetensors_match(data, n));
        pl_fuzz_covers(m, &f);
    } else {
        pl_fuzz_check(m == NULL && err.code < 0 && err.what[0] != '\0');
    }
    (void)pl_model_free(m);
    return 0;
}
