/* The header of one safetensors file (model/safetensors.h). */
#include "base/checked.h"
#include "base/json.h"
#include "base/str.h"
#include "domain/tensor_type.h"
#include "model/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int pl_st_bad(struct pl_err *err, const char *name, const char *what)
{
    char clean[80];
    (void)pl_fail(err, -EBADMSG, "tensor '%s': %s", pl_text_cut(clean, sizeof(clean), name), what);
    return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
}

/* Lengths fastest first; those beyond the fourth go into it. A scalar is one element. */
static bool pl_st_shape(pl_jval shape, struct pl_tensor *t)
{
    size_t n = pl_jlen(shape);
    if (!pl_jis_array(shape) || n > PL_SAFETENSORS_DIMS_MAX)
        return false;
    for (uint32_t i = 0; i < PL_TENSOR_DIMS_MAX; i++)
        t->ne[i] = 1;
    t->n_dims = n == 0 ? 1 : n > PL_TENSOR_DIMS_MAX ? PL_TENSOR_DIMS_MAX : (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = 0;
        size_t at = i < PL_TENSOR_DIMS_MAX ? i : PL_TENSOR_DIMS_MAX - 1;
        if (!pl_ju64(pl_jat(shape, n - 1 - i), &v) || !pl_mul_u64(t->ne[at], v, &t->ne[at]))
            return false;
    }
    return true;
}

/* Bytes of the tensor by its type and lengths; sub-byte types need whole bytes in all. */
static bool pl_st_bytes(const struct pl_tensor *t, uint64_t *ret)
{
    const struct pl_tensor_type *type = pl_tensor_type(t->type);
    uint64_t n = 1;
    for (uint32_t i = 0; i < PL_TENSOR_DIMS_MAX; i++) {
        if (!pl_mul_u64(n, t->ne[i], &n))
            return false;
    }
    return type != NULL && n % type->block_elements == 0 &&
           pl_mul_u64(n / type->block_elements, type->block_bytes, ret);
}

static int pl_st_tensor(struct pl_arena *a, const char *name, pl_jval v, struct pl_tensor *t,
                        struct pl_err *err)
{
    pl_jval offsets = pl_jget(v, "data_offsets");
    uint64_t begin = 0, end = 0, bytes = 0;
    if (!pl_jis_object(v) || name[0] == '\0' || strlen(name) > PL_SAFETENSORS_NAME_MAX)
        return pl_st_bad(err, name, "not a name and its description");
    const struct pl_tensor_type *type = pl_tensor_type_stored(pl_jstr(pl_jget(v, "dtype"), ""));
    if (type == NULL)
        return pl_st_bad(err, name, "unknown dtype");
    t->type = type->id;
    if (!pl_st_shape(pl_jget(v, "shape"), t))
        return pl_st_bad(err, name, "shape is no list of lengths");
    if (pl_jlen(offsets) != 2 || !pl_ju64(pl_jat(offsets, 0), &begin) ||
        !pl_ju64(pl_jat(offsets, 1), &end) || end < begin)
        return pl_st_bad(err, name, "data_offsets are no begin and end");
    if (!pl_st_bytes(t, &bytes))
        return pl_st_bad(err, name, "its size overflows, or is no whole number of bytes");
    if (bytes != end - begin)
        return pl_st_bad(err, name, "data_offsets and shape disagree");
    t->offset = begin;
    t->bytes = bytes;
    t->name = pl_arena_strdup(a, name);
    return t->name != NULL ? 0 : pl_fail(err, -ENOMEM, "no memory for the header");
}

static int pl_st_by_offset(const void *a, const void *b)
{
    const struct pl_tensor *s = *(const struct pl_tensor *const *)a;
    const struct pl_tensor *t = *(const struct pl_tensor *const *)b;
    if (s->offset != t->offset)
        return s->offset < t->offset ? -1 : 1;
    return s->bytes < t->bytes ? -1 : s->bytes > t->bytes;
}

/* Each begins where the one before it ends; the last ends with the file. */
static int pl_st_layout(const struct pl_safetensors_part *part, struct pl_err *err)
{
    uint64_t at = 0, n = part->n_tensor;
    if (n == 0)
        return 0;
    const struct pl_tensor **by = calloc(n, sizeof(*by));
    if (by == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    for (uint64_t i = 0; i < n; i++)
        by[i] = &part->tensor[i];
    qsort(by, n, sizeof(*by), pl_st_by_offset);
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        if (by[i]->offset < at)
            rc = pl_st_bad(err, by[i]->name, "overlaps the one before it");
        else if (by[i]->offset > at)
            rc = pl_st_bad(err, by[i]->name, "leaves a gap after the one before it");
        at = by[i]->offset + by[i]->bytes; /* no overflow: it is data_offsets[1] */
    }
    free(by);
    if (rc == 0 && at > part->bytes - part->data_offset) {
        (void)pl_fail(err, -EBADMSG, "is cut off: its tensors need %llu bytes, %llu are there",
                      (unsigned long long)at,
                      (unsigned long long)(part->bytes - part->data_offset));
        (void)pl_hint(err, "fetch it again");
        rc = pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
    }
    return rc;
}

static uint64_t pl_st_count(pl_jval root)
{
    uint64_t n = 0;
    for (const char *key = pl_jnext(root, NULL); key != NULL; key = pl_jnext(root, key))
        n += !pl_streq(key, "__metadata__");
    return n;
}

int pl_safetensors_header(struct pl_arena *a, const char *text, size_t len,
                          struct pl_safetensors_part *part, struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    int rc = pl_jdoc_parse(text, len, part->path, &doc, err);
    if (rc < 0)
        return pl_exit_as(err, rc == -EINVAL ? -EBADMSG : rc, PL_EXIT_USAGE);
    pl_jval root = pl_jdoc_root(doc);
    uint64_t n = pl_jis_object(root) ? pl_st_count(root) : 0;
    if (!pl_jis_object(root) || n > PL_SAFETENSORS_TENSORS_MAX) {
        (void)pl_fail(err, -EBADMSG, "header: not an object of at most %u tensors",
                      PL_SAFETENSORS_TENSORS_MAX);
        rc = pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
    }
    if (rc == 0 && n > 0) {
        part->tensor = pl_arena_alloc(a, (size_t)n, sizeof(*part->tensor));
        if (part->tensor == NULL)
            rc = pl_fail(err, -ENOMEM, "no memory for the header");
    }
    for (const char *key = pl_jnext(root, NULL); rc == 0 && key != NULL;
         key = pl_jnext(root, key)) {
        if (!pl_streq(key, "__metadata__"))
            rc = pl_st_tensor(a, key, pl_jget(root, key), &part->tensor[part->n_tensor++], err);
    }
    if (rc == 0)
        rc = pl_st_layout(part, err);
    (void)pl_jdoc_free(doc);
    return rc;
}
