/* Edits of a header: any text leaves a model whose tensors have names, types and sizes, or an error
 * in words. */
#include "model/edit.h"
#include "base/str.h"
#include "domain/tensor_type.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

/* A header of two layers, in an arena that the edits may fill. */
static struct pl_model *pl_fuzz_model(void)
{
    static struct pl_kv key[] = {
        {.key = "x.block_count", .type = PL_KV_U32,   .u = 2,               .count = 1},
        {.key = "x.scale",       .type = PL_KV_F32,   .f = 1.0,             .count = 1},
        {.key = "x.name",        .type = PL_KV_STR,   .str = "n",           .count = 1},
        {.key = "x.words",       .type = PL_KV_ARRAY, .element = PL_KV_STR, .count = 2},
    };
    static struct pl_tensor tensor[] = {
        {.name = "blk.0.a.weight", .n_dims = 2, .ne = {64, 4, 1, 1}, .bytes = 1024},
        {.name = "blk.1.a.weight", .n_dims = 2, .ne = {64, 4, 1, 1}, .bytes = 1024},
        {.name = "out",            .n_dims = 1, .ne = {64, 1, 1, 1}, .bytes = 256 },
    };
    static struct pl_kv key_now[4];
    static struct pl_tensor tensor_now[3];
    struct pl_model *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    for (size_t i = 0; i < 4; i++)
        key_now[i] = key[i];
    for (size_t i = 0; i < 3; i++)
        tensor_now[i] = tensor[i];
    pl_arena_init(&m->arena, 4u << 20);
    m->path = m->name = m->arch = "x";
    m->kv = key_now;
    m->n_kv = 4;
    m->tensor = tensor_now;
    m->n_tensor = 3;
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_err err = {0};
    struct pl_model *m = pl_fuzz_model();
    if (m == NULL)
        return 0;
    int rc = pl_model_edit(m, (const char *)data, n, "fuzz", &err);
    pl_fuzz_check(rc == 0 || (err.what[0] != '\0' && (err.line > 0 || rc == -ENOMEM)));
    for (uint64_t i = 0; i < m->n_tensor && rc == 0; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        uint64_t bytes = 0, rows = t->ne[1] * t->ne[2] * t->ne[3];
        pl_fuzz_check(t->name != NULL && t->n_dims >= 1 && t->n_dims <= PL_TENSOR_DIMS_MAX);
        pl_fuzz_check(pl_tensor_type_bytes(pl_tensor_type(t->type), t->ne[0], rows, &bytes));
        pl_fuzz_check(bytes == t->bytes);
    }
    pl_arena_done(&m->arena);
    free(m);
    return 0;
}
