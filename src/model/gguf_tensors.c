/* The tensor section: names, shapes, types and offsets, each against the format and the file. */
#include "base/checked.h"
#include "base/str.h"
#include "domain/tensor_type.h"
#include "model/gguf_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PL_GGUF_TENSOR_BYTES_MIN 25u /* length 8, one character, n_dims 4, type 4, offset 8 */

static int pl_gguf_shape(struct pl_gguf_in *in, struct pl_tensor *t, struct pl_err *err)
{
    uint64_t elements = 1;
    int rc = pl_gguf_u32(in, &t->n_dims, err);
    if (rc < 0)
        return rc;
    if (t->n_dims > PL_TENSOR_DIMS_MAX)
        return pl_gguf_bad(err, "tensor '%.80s': %" PRIu32 " dimensions (at most %d)", t->name,
                           t->n_dims, PL_TENSOR_DIMS_MAX);
    for (uint32_t d = 0; d < PL_TENSOR_DIMS_MAX; d++) {
        t->ne[d] = 1;
        if (d < t->n_dims)
            rc = pl_gguf_u64(in, &t->ne[d], err);
        if (rc < 0)
            return rc;
        /* ggml counts in int64_t */
        if (t->ne[d] == 0 || !pl_mul_u64(elements, t->ne[d], &elements) || elements > INT64_MAX)
            return pl_gguf_bad(err, "tensor '%.80s': dimension %" PRIu32 " of %" PRIu64 "%s",
                               t->name, d, t->ne[d],
                               t->ne[d] == 0 ? " elements" : " elements is too large");
    }
    return 0;
}

static int pl_gguf_type(struct pl_gguf_in *in, struct pl_tensor *t, struct pl_err *err)
{
    int rc = pl_gguf_u32(in, &t->type, err);
    if (rc < 0)
        return rc;
    const struct pl_tensor_type *type = t->type < PL_TYPE_FOREIGN ? pl_tensor_type(t->type) : NULL;
    if (type == NULL) {
        (void)pl_gguf_bad(err, "tensor '%.80s': unknown type %" PRIu32, t->name, t->type);
        (void)pl_hint(err, "it may be newer than this program");
        return -EBADMSG;
    }
    if (type->removed) {
        (void)pl_gguf_bad(err, "tensor '%.80s': type %s was removed from the format", t->name,
                          type->name);
        (void)pl_hint(err, "quantise the model again, or get a newer file of it");
        return -EBADMSG;
    }
    if (t->ne[0] % type->block_elements != 0)
        return pl_gguf_bad(err,
                           "tensor '%.80s': rows of %" PRIu64
                           " elements are no whole number of %s blocks (%" PRIu32 ")",
                           t->name, t->ne[0], type->name, type->block_elements);
    /* the product of the dimensions was checked */
    uint64_t rows = t->ne[1] * t->ne[2] * t->ne[3];
    if (!pl_tensor_type_bytes(type, t->ne[0], rows, &t->bytes))
        return pl_gguf_bad(err, "tensor '%.80s': its size in bytes overflows", t->name);
    return 0;
}

int pl_gguf_read_tensors(struct pl_gguf_in *in, struct pl_arena *a, struct pl_gguf_part *part,
                         struct pl_err *err)
{
    if (part->n_tensor > PL_GGUF_TENSORS_MAX ||
        part->n_tensor > pl_gguf_left(in) / PL_GGUF_TENSOR_BYTES_MIN) {
        (void)pl_gguf_bad(
            err, "header: %" PRIu64 " tensors do not fit in the %" PRIu64 " bytes left (limit %u)",
            part->n_tensor, pl_gguf_left(in), PL_GGUF_TENSORS_MAX);
        return pl_gguf_cut(part->n_tensor, PL_GGUF_TENSORS_MAX, err);
    }
    part->tensor = pl_arena_alloc(a, (size_t)part->n_tensor, sizeof(*part->tensor));
    if (part->tensor == NULL)
        return pl_gguf_no_memory(a, part->n_tensor, sizeof(*part->tensor), err);
    for (uint64_t i = 0; i < part->n_tensor; i++) {
        struct pl_tensor *t = &part->tensor[i];
        in->where = (struct pl_gguf_where){.what = "tensor", .index = i};
        int rc = pl_gguf_name(in, a, PL_GGUF_NAME_MAX, &t->name, err);
        in->where.name = t->name;
        if (rc == 0)
            rc = pl_gguf_shape(in, t, err);
        if (rc == 0)
            rc = pl_gguf_type(in, t, err);
        if (rc == 0)
            rc = pl_gguf_u64(in, &t->offset, err);
        if (rc < 0)
            return rc;
        if (t->offset % part->alignment != 0)
            return pl_gguf_bad(
                err, "tensor '%.80s': offset %" PRIu64 " is no multiple of the alignment %" PRIu64,
                t->name, t->offset, part->alignment);
    }
    return 0;
}

static int pl_tensor_by_offset(const void *a, const void *b)
{
    const struct pl_tensor *x = *(const struct pl_tensor *const *)a;
    const struct pl_tensor *y = *(const struct pl_tensor *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static int pl_tensor_by_name(const void *a, const void *b)
{
    const struct pl_tensor *x = *(const struct pl_tensor *const *)a;
    const struct pl_tensor *y = *(const struct pl_tensor *const *)b;
    return strcmp(x->name, y->name);
}

/* Pointers to the tensors in the wanted order; NULL without memory. Free with free(). */
static const struct pl_tensor **pl_tensors_sorted(const struct pl_tensor *t, uint64_t n,
                                                  int (*order)(const void *, const void *))
{
    const struct pl_tensor **by = calloc((size_t)n, sizeof(*by));
    if (by == NULL)
        return NULL;
    for (uint64_t i = 0; i < n; i++)
        by[i] = &t[i];
    qsort(by, (size_t)n, sizeof(*by), order);
    return by;
}

int pl_gguf_check_names(const struct pl_tensor *tensor, uint64_t n, struct pl_err *err)
{
    int rc = 0;
    if (n < 2)
        return 0;
    const struct pl_tensor **by = pl_tensors_sorted(tensor, n, pl_tensor_by_name);
    if (by == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    for (uint64_t i = 1; i < n && rc == 0; i++) {
        if (pl_streq(by[i - 1]->name, by[i]->name))
            rc = pl_gguf_bad(err, "tensor '%.80s' is there twice", by[i]->name);
    }
    free(by);
    return rc;
}

static int pl_gguf_check_end(const struct pl_gguf_part *part, const struct pl_tensor *last,
                             uint64_t end, struct pl_err *err)
{
    uint64_t need = 0;
    if (!pl_add_u64(part->data_offset, end, &need))
        return pl_gguf_bad(err, "tensor '%.80s': offset %" PRIu64 " overflows", last->name,
                           last->offset);
    if (need <= part->bytes)
        return 0;
    (void)pl_gguf_bad(err,
                      "truncated: %" PRIu64
                      " bytes are missing: tensor '%.80s' ends at byte %" PRIu64
                      ", the file has %" PRIu64,
                      need - part->bytes, last->name, need, part->bytes);
    (void)pl_hint(err, "the download may be unfinished");
    return -EBADMSG;
}

int pl_gguf_check_layout(const struct pl_gguf_part *part, struct pl_err *err)
{
    int rc = 0;
    if (part->n_tensor == 0)
        return 0;
    const struct pl_tensor **by =
        pl_tensors_sorted(part->tensor, part->n_tensor, pl_tensor_by_offset);
    if (by == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    const struct pl_tensor *last = by[0];
    uint64_t end = 0;
    for (uint64_t i = 0; i < part->n_tensor && rc == 0; i++) {
        const struct pl_tensor *t = by[i];
        if (t->offset < end)
            rc = pl_gguf_bad(err, "tensors '%.60s' and '%.60s' overlap", last->name, t->name);
        else if (!pl_add_u64(t->offset, t->bytes, &end))
            rc = pl_gguf_bad(err, "tensor '%.80s': offset %" PRIu64 " overflows", t->name,
                             t->offset);
        last = t;
    }
    if (rc == 0)
        rc = pl_gguf_check_end(part, last, end, err);
    free(by);
    return rc;
}
