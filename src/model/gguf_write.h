/* Writing a GGUF header: a buffered file and the format's primitives.
 *
 *   file   := magic "GGUF", u32 version, u64 tensors, u64 keys, key*, info*, padding, data
 *   key    := string, u32 type, value;   string := u64 length, bytes
 *   info   := string, u32 dimensions, u64 length*, u32 type, u64 offset from the start of the data
 *
 * (ggml/include/gguf.h.) Everything is little-endian. */
#ifndef PL_MODEL_GGUF_WRITE_H
#define PL_MODEL_GGUF_WRITE_H

#include "base/err.h"
#include "domain/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_GGUF_BUFFER (1u << 20)

struct pl_gguf_out {
    int fd;      /* borrowed */
    uint64_t at; /* bytes put so far */
    int failed;  /* negative errno of the first failed write; later puts do nothing */
    size_t used;
    uint8_t *buffer; /* PL_GGUF_BUFFER bytes; owned */
};

int pl_gguf_out_init(struct pl_gguf_out *o, int fd, struct pl_err *err); /* -ENOMEM */
void pl_gguf_out_done(struct pl_gguf_out *o);
int pl_gguf_out_flush(struct pl_gguf_out *o); /* 0 or the first error */

void pl_gguf_put(struct pl_gguf_out *o, const void *data, size_t n);
void pl_gguf_put_u32(struct pl_gguf_out *o, uint32_t v);
void pl_gguf_put_u64(struct pl_gguf_out *o, uint64_t v);
void pl_gguf_put_str(struct pl_gguf_out *o, const char *s, uint64_t n);
void pl_gguf_put_zeros(struct pl_gguf_out *o, uint64_t n);

/* Magic and counts. */
void pl_gguf_put_head(struct pl_gguf_out *o, uint64_t n_tensor, uint64_t n_kv);
/* Key, type and value. Scalars, strings and integer arrays that the model keeps; others -EINVAL. */
int pl_gguf_put_kv(struct pl_gguf_out *o, const struct pl_kv *kv, struct pl_err *err);
void pl_gguf_put_info(struct pl_gguf_out *o, const struct pl_tensor *t);

/* Bytes that the key and the info take in the file. */
uint64_t pl_gguf_kv_bytes(const struct pl_kv *kv);
uint64_t pl_gguf_info_bytes(const struct pl_tensor *t);

/* Lays the n tensors one after the other in one file, each at a multiple of alignment: sets offset
 * and split, returns the length of the data section through *ret. -ERANGE on overflow. */
int pl_gguf_lay_out(struct pl_tensor *tensor, uint64_t n, uint64_t alignment, uint64_t *ret,
                    struct pl_err *err);

#endif
