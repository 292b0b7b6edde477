/* The key section: every key with its type; values of scalars and strings, small integer arrays,
 * and of all other arrays only how much there is. */
#include "base/checked.h"
#include "base/str.h"
#include "model/gguf_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PL_GGUF_KEY_BYTES_MIN 14u /* length 8, one character, type 4, value 1 */

/* Bytes of one value, by pl_kv_type; 0 where it varies. */
static const uint8_t pl_kv_sizes[PL_KV_TYPES] = {
    [PL_KV_U8] = 1,  [PL_KV_I8] = 1,  [PL_KV_U16] = 2, [PL_KV_I16] = 2,
    [PL_KV_U32] = 4, [PL_KV_I32] = 4, [PL_KV_F32] = 4, [PL_KV_BOOL] = 1,
    [PL_KV_U64] = 8, [PL_KV_I64] = 8, [PL_KV_F64] = 8,
};

static uint64_t pl_kv_extend(uint64_t u, enum pl_kv_type type)
{
    if (type == PL_KV_I8)
        return (uint64_t)(int64_t)(int8_t)(uint8_t)u;
    if (type == PL_KV_I16)
        return (uint64_t)(int64_t)(int16_t)(uint16_t)u;
    if (type == PL_KV_I32)
        return (uint64_t)(int64_t)(int32_t)(uint32_t)u;
    if (type == PL_KV_BOOL)
        return u != 0;
    return u;
}

static int pl_kv_scalar(struct pl_gguf_in *in, struct pl_kv *kv, struct pl_err *err)
{
    size_t size = pl_kv_sizes[kv->type];
    int rc = pl_gguf_need(in, size, err);
    if (rc < 0)
        return rc;
    uint64_t u = pl_gguf_load(in->window + in->pos, size, in->swap);
    in->pos += size;
    kv->count = 1;
    if (kv->type == PL_KV_F32) {
        uint32_t bits = (uint32_t)u;
        float f = 0;
        memcpy(&f, &bits, sizeof(f));
        kv->f = (double)f;
    } else if (kv->type == PL_KV_F64) {
        memcpy(&kv->f, &u, sizeof(kv->f));
    } else {
        kv->u = pl_kv_extend(u, kv->type);
    }
    return 0;
}

static int pl_kv_string(struct pl_gguf_in *in, struct pl_arena *a, struct pl_kv *kv,
                        struct pl_err *err)
{
    uint64_t n = 0;
    int rc = pl_gguf_u64(in, &n, err);
    if (rc < 0)
        return rc;
    if (n > pl_gguf_left(in))
        return pl_gguf_skip(in, n, err); /* fails, with the right words */
    size_t keep = n < PL_KV_STR_MAX ? (size_t)n : PL_KV_STR_MAX;
    char *s = pl_arena_alloc(a, keep + 1, 1);
    if (s == NULL)
        return pl_gguf_no_memory(a, keep + 1, 1, err);
    rc = pl_gguf_copy(in, s, keep, err);
    if (rc < 0)
        return rc;
    kv->str = s;
    kv->count = n;
    return pl_gguf_skip(in, n - keep, err);
}

/* Walks the strings of an array (tokens, merges: hundreds of thousands) without keeping them. The
 * inner loop stays in the window; strings that reach beyond it take the slow way. */
static int pl_kv_strings(struct pl_gguf_in *in, struct pl_kv *kv, struct pl_err *err)
{
    uint64_t left = kv->count;
    uint64_t total = 0;
    while (left > 0) {
        const uint8_t *w = in->window;
        size_t pos = in->pos, len = in->len;
        bool swap = in->swap;
        for (; left > 0 && len - pos >= sizeof(uint64_t); left--) {
            uint64_t n = pl_gguf_load(w + pos, sizeof(n), swap);
            if (n > len - pos - sizeof(n))
                break;
            pos += sizeof(n) + (size_t)n;
            total += n;
        }
        in->pos = pos;
        if (left == 0)
            break;
        uint64_t n = 0;
        int rc = pl_gguf_u64(in, &n, err);
        if (rc == 0)
            rc = pl_gguf_skip(in, n, err);
        if (rc < 0)
            return rc;
        total += n;
        left--;
    }
    kv->text_bytes = total; /* below the length of the file: every string lay in it */
    return 0;
}

static int pl_kv_ints(struct pl_gguf_in *in, struct pl_arena *a, struct pl_kv *kv,
                      struct pl_err *err)
{
    size_t size = pl_kv_sizes[kv->element], n = (size_t)kv->count;
    int64_t *ints = pl_arena_alloc(a, n, sizeof(*ints));
    if (ints == NULL)
        return pl_gguf_no_memory(a, n, sizeof(*ints), err);
    int rc = pl_gguf_need(in, n * size, err); /* at most 32 KiB: see the caller */
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        uint64_t u = pl_gguf_load(in->window + in->pos, size, in->swap);
        in->pos += size;
        ints[i] = (int64_t)pl_kv_extend(u, kv->element);
    }
    kv->ints = ints;
    return 0;
}

_Static_assert(PL_KV_INTS_MAX * 8 <= PL_GGUF_WINDOW, "a kept array fits the window");

static int pl_kv_array(struct pl_gguf_in *in, struct pl_arena *a, struct pl_kv *kv,
                       struct pl_err *err)
{
    uint32_t type = 0;
    uint64_t bytes = 0;
    int rc = pl_gguf_u32(in, &type, err);
    if (rc == 0)
        rc = pl_gguf_u64(in, &kv->count, err);
    if (rc < 0)
        return rc;
    if (type == PL_KV_ARRAY)
        return pl_gguf_bad(err, "key '%.80s': an array of arrays, which no engine reads", kv->key);
    if (type >= PL_KV_TYPES)
        return pl_gguf_bad(err, "key '%.80s': unknown element type %" PRIu32, kv->key, type);
    kv->element = (enum pl_kv_type)type;
    size_t size = kv->element == PL_KV_STR ? sizeof(uint64_t) : pl_kv_sizes[kv->element];
    if (kv->count > PL_GGUF_ARRAY_MAX || !pl_mul_u64(kv->count, size, &bytes) ||
        bytes > pl_gguf_left(in)) {
        (void)pl_gguf_bad(err,
                          "key '%.80s': an array of %" PRIu64
                          " elements does not fit in the %" PRIu64 " bytes left (limit %u)",
                          kv->key, kv->count, pl_gguf_left(in), PL_GGUF_ARRAY_MAX);
        return pl_gguf_cut(kv->count, PL_GGUF_ARRAY_MAX, err);
    }
    if (kv->element == PL_KV_STR)
        return pl_kv_strings(in, kv, err);
    bool real = kv->element == PL_KV_F32 || kv->element == PL_KV_F64;
    if (!real && kv->count <= PL_KV_INTS_MAX)
        return pl_kv_ints(in, a, kv, err);
    return pl_gguf_skip(in, bytes, err);
}

static int pl_gguf_key(struct pl_gguf_in *in, struct pl_arena *a, struct pl_kv *kv,
                       struct pl_err *err)
{
    uint32_t type = 0;
    int rc = pl_gguf_name(in, a, PL_GGUF_KEY_MAX, &kv->key, err);
    if (rc < 0)
        return rc;
    in->where.name = kv->key;
    rc = pl_gguf_u32(in, &type, err);
    if (rc < 0)
        return rc;
    if (type >= PL_KV_TYPES)
        return pl_gguf_bad(err, "key '%.80s': unknown value type %" PRIu32, kv->key, type);
    kv->type = (enum pl_kv_type)type;
    if (kv->type == PL_KV_STR)
        return pl_kv_string(in, a, kv, err);
    if (kv->type == PL_KV_ARRAY)
        return pl_kv_array(in, a, kv, err);
    return pl_kv_scalar(in, kv, err);
}

static int pl_kv_by_name(const void *a, const void *b)
{
    const struct pl_kv *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static int pl_kv_check_names(const struct pl_kv *kv, uint64_t n, struct pl_err *err)
{
    int rc = 0;
    if (n < 2)
        return 0;
    const struct pl_kv **by = calloc((size_t)n, sizeof(*by));
    if (by == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    for (uint64_t i = 0; i < n; i++)
        by[i] = &kv[i];
    qsort(by, (size_t)n, sizeof(*by), pl_kv_by_name);
    for (uint64_t i = 1; i < n && rc == 0; i++) {
        if (pl_streq(by[i - 1]->key, by[i]->key))
            rc = pl_gguf_bad(err, "key '%.80s' is there twice", by[i]->key);
    }
    free(by);
    return rc;
}

int pl_gguf_read_keys(struct pl_gguf_in *in, struct pl_arena *a, struct pl_gguf_part *part,
                      struct pl_err *err)
{
    if (part->n_kv > PL_GGUF_KEYS_MAX || part->n_kv > pl_gguf_left(in) / PL_GGUF_KEY_BYTES_MIN) {
        (void)pl_gguf_bad(
            err, "header: %" PRIu64 " keys do not fit in the %" PRIu64 " bytes left (limit %u)",
            part->n_kv, pl_gguf_left(in), PL_GGUF_KEYS_MAX);
        return pl_gguf_cut(part->n_kv, PL_GGUF_KEYS_MAX, err);
    }
    part->kv = pl_arena_alloc(a, (size_t)part->n_kv, sizeof(*part->kv));
    if (part->kv == NULL)
        return pl_gguf_no_memory(a, part->n_kv, sizeof(*part->kv), err);
    for (uint64_t i = 0; i < part->n_kv; i++) {
        in->where = (struct pl_gguf_where){.what = "key", .index = i};
        int rc = pl_gguf_key(in, a, &part->kv[i], err);
        if (rc < 0)
            return rc;
    }
    return pl_kv_check_names(part->kv, part->n_kv, err);
}
