#include "model/gguf_write.h"

#include "base/checked.h"
#include "base/str.h"
#include "sys/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_GGUF_VERSION 3u

int pl_gguf_out_init(struct pl_gguf_out *o, int fd, struct pl_err *err)
{
    *o = (struct pl_gguf_out){.fd = fd, .buffer = malloc(PL_GGUF_BUFFER)};
    return o->buffer != NULL ? 0 : pl_fail(err, -ENOMEM, "no memory for a write buffer");
}

void pl_gguf_out_done(struct pl_gguf_out *o)
{
    free(o->buffer);
    o->buffer = NULL;
}

int pl_gguf_out_flush(struct pl_gguf_out *o)
{
    if (o->failed == 0)
        o->failed = pl_write_all(o->fd, o->buffer, o->used);
    o->used = 0;
    return o->failed;
}

void pl_gguf_put(struct pl_gguf_out *o, const void *data, size_t n)
{
    const uint8_t *p = data;
    o->at = pl_add_sat(o->at, n);
    while (n > 0 && o->failed == 0) {
        size_t room = PL_GGUF_BUFFER - o->used;
        size_t part = n < room ? n : room;
        memcpy(o->buffer + o->used, p, part);
        o->used += part;
        p += part;
        n -= part;
        if (o->used == PL_GGUF_BUFFER)
            (void)pl_gguf_out_flush(o);
    }
}

static void pl_gguf_put_le(struct pl_gguf_out *o, uint64_t v, size_t bytes)
{
    uint8_t b[8];
    for (size_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    pl_gguf_put(o, b, bytes);
}

void pl_gguf_put_u32(struct pl_gguf_out *o, uint32_t v)
{
    pl_gguf_put_le(o, v, 4);
}

void pl_gguf_put_u64(struct pl_gguf_out *o, uint64_t v)
{
    pl_gguf_put_le(o, v, 8);
}

void pl_gguf_put_str(struct pl_gguf_out *o, const char *s, uint64_t n)
{
    pl_gguf_put_u64(o, n);
    pl_gguf_put(o, s, n);
}

void pl_gguf_put_zeros(struct pl_gguf_out *o, uint64_t n)
{
    static const uint8_t zero[64];
    while (n > 0) {
        uint64_t part = n < sizeof(zero) ? n : sizeof(zero);
        pl_gguf_put(o, zero, part);
        n -= part;
    }
}

void pl_gguf_put_head(struct pl_gguf_out *o, uint64_t n_tensor, uint64_t n_kv)
{
    pl_gguf_put(o, "GGUF", 4);
    pl_gguf_put_u32(o, PL_GGUF_VERSION);
    pl_gguf_put_u64(o, n_tensor);
    pl_gguf_put_u64(o, n_kv);
}

/* Bytes of a scalar; 0 for strings and arrays. */
static uint64_t pl_kv_width(enum pl_kv_type type)
{
    static const uint8_t width[PL_KV_TYPES] = {
        [PL_KV_U8] = 1,  [PL_KV_I8] = 1,  [PL_KV_U16] = 2, [PL_KV_I16] = 2,
        [PL_KV_U32] = 4, [PL_KV_I32] = 4, [PL_KV_F32] = 4, [PL_KV_BOOL] = 1,
        [PL_KV_U64] = 8, [PL_KV_I64] = 8, [PL_KV_F64] = 8,
    };
    return (unsigned)type < PL_KV_TYPES ? width[type] : 0;
}

static void pl_gguf_put_scalar(struct pl_gguf_out *o, const struct pl_kv *kv)
{
    uint64_t bits = kv->u;
    if (kv->type == PL_KV_F32) {
        float f = (float)kv->f;
        uint32_t word;
        memcpy(&word, &f, sizeof(word));
        bits = word;
    } else if (kv->type == PL_KV_F64) {
        memcpy(&bits, &kv->f, sizeof(bits));
    }
    pl_gguf_put_le(o, bits, pl_kv_width(kv->type));
}

int pl_gguf_put_kv(struct pl_gguf_out *o, const struct pl_kv *kv, struct pl_err *err)
{
    bool array = kv->type == PL_KV_ARRAY;
    if ((array && (kv->ints == NULL || pl_kv_width(kv->element) == 0)) ||
        (!array && kv->type != PL_KV_STR && pl_kv_width(kv->type) == 0))
        return pl_fail(err, -EINVAL, "cannot write the key %.80s: its content is not kept",
                       kv->key);
    pl_gguf_put_str(o, kv->key, strlen(kv->key));
    pl_gguf_put_u32(o, kv->type);
    if (kv->type == PL_KV_STR) {
        pl_gguf_put_str(o, kv->str, strlen(kv->str));
    } else if (array) {
        pl_gguf_put_u32(o, kv->element);
        pl_gguf_put_u64(o, kv->count);
        for (uint64_t i = 0; i < kv->count; i++)
            pl_gguf_put_le(o, (uint64_t)kv->ints[i], pl_kv_width(kv->element));
    } else {
        pl_gguf_put_scalar(o, kv);
    }
    return 0;
}

void pl_gguf_put_info(struct pl_gguf_out *o, const struct pl_tensor *t)
{
    pl_gguf_put_str(o, t->name, strlen(t->name));
    pl_gguf_put_u32(o, t->n_dims);
    for (uint32_t d = 0; d < t->n_dims; d++)
        pl_gguf_put_u64(o, t->ne[d]);
    pl_gguf_put_u32(o, t->type);
    pl_gguf_put_u64(o, t->offset);
}

uint64_t pl_gguf_kv_bytes(const struct pl_kv *kv)
{
    uint64_t n = 8 + strlen(kv->key) + 4;
    if (kv->type == PL_KV_STR)
        return pl_add_sat(n + 8, kv->count);
    if (kv->type != PL_KV_ARRAY)
        return n + pl_kv_width(kv->type);
    n += 4 + 8;
    if (kv->element == PL_KV_STR)
        return pl_add_sat(pl_add_sat(n, pl_mul_sat(8, kv->count)), kv->text_bytes);
    return pl_add_sat(n, pl_mul_sat(pl_kv_width(kv->element), kv->count));
}

uint64_t pl_gguf_info_bytes(const struct pl_tensor *t)
{
    return 8 + strlen(t->name) + 4 + 8ull * t->n_dims + 4 + 8;
}

int pl_gguf_lay_out(struct pl_tensor *tensor, uint64_t n, uint64_t alignment, uint64_t *ret,
                    struct pl_err *err)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        tensor[i].offset = at;
        tensor[i].split = 0;
        if (!pl_add_u64(at, tensor[i].bytes, &at) || !pl_pad_u64(at, alignment, &at))
            return pl_fail(err, -ERANGE, "%s: the file's length overflows", tensor[i].name);
    }
    *ret = at;
    return 0;
}
