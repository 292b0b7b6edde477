/* Inside the GGUF reader: a cursor over an input through one fixed window, and the parts that the
 * reader's files share. */
#ifndef PL_MODEL_GGUF_IN_H
#define PL_MODEL_GGUF_IN_H

#include "model/gguf.h"

#include <string.h>

/* What is being read, for errors. */
struct pl_gguf_where {
    const char *what; /* "header", "key", "tensor" */
    uint64_t index;
    const char *name; /* NULL until known; borrowed from the arena */
};

struct pl_gguf_in {
    struct pl_input *input; /* borrowed */
    uint8_t *window;        /* PL_GGUF_WINDOW bytes; borrowed */
    uint64_t window_at;     /* offset of the window in the input */
    size_t len, pos;        /* bytes in the window; the cursor in it, at most len */
    bool swap;              /* the file has the other byte order */
    struct pl_gguf_where where;
};

/* The header of one file. Everything lies in the model's arena. */
struct pl_gguf_part {
    const char *path;
    uint64_t bytes, disk_bytes, data_offset, alignment;
    uint32_t version;
    bool big_endian, holes;
    struct pl_kv *kv;
    uint64_t n_kv;
    struct pl_tensor *tensor;
    uint64_t n_tensor;
    uint64_t split_no, split_count; /* count 0 or 1: not split */
    uint64_t split_tensors;         /* of all parts; 0 = the file does not say */
};

void pl_gguf_in_start(struct pl_gguf_in *in, struct pl_input *input, uint8_t *window);

static inline uint64_t pl_gguf_at(const struct pl_gguf_in *in)
{
    return in->window_at + in->pos;
}

static inline uint64_t pl_gguf_left(const struct pl_gguf_in *in)
{
    return in->input->bytes - pl_gguf_at(in);
}

/* "key 3 'general.name'": what `in->where` says, for errors. Returns out. */
#define PL_GGUF_WHERE_MAX 120
const char *pl_gguf_where_text(const struct pl_gguf_in *in, char out[PL_GGUF_WHERE_MAX]);

/* Makes n (at most PL_GGUF_WINDOW) bytes ready at window + pos. -EBADMSG at the end of the input.
 */
int pl_gguf_need(struct pl_gguf_in *in, size_t n, struct pl_err *err);
int pl_gguf_skip(struct pl_gguf_in *in, uint64_t n, struct pl_err *err);
int pl_gguf_copy(struct pl_gguf_in *in, void *buf, size_t n, struct pl_err *err);
int pl_gguf_u32(struct pl_gguf_in *in, uint32_t *ret, struct pl_err *err);
int pl_gguf_u64(struct pl_gguf_in *in, uint64_t *ret, struct pl_err *err);
/* A name: 1 to max bytes without NUL, copied into the arena. */
int pl_gguf_name(struct pl_gguf_in *in, struct pl_arena *a, uint64_t max, const char **ret,
                 struct pl_err *err);

/* A little-endian value at p, or a big-endian one when swap is set (on a little-endian host; the
 * other way round on a big-endian one). Inline: it is called for each of some 300,000 tokens and
 * merges of a header, which is most of the time an estimate takes. */
static inline uint64_t pl_gguf_load(const uint8_t *p, size_t size, bool swap)
{
    uint16_t h = 0;
    uint32_t w = 0;
    uint64_t d = 0;
    switch (size) {
    case 1:
        return p[0];
    case 2:
        memcpy(&h, p, sizeof(h));
        return swap ? __builtin_bswap16(h) : h;
    case 4:
        memcpy(&w, p, sizeof(w));
        return swap ? __builtin_bswap32(w) : w;
    default:
        memcpy(&d, p, sizeof(d));
        return swap ? __builtin_bswap64(d) : d;
    }
}

/* Error texts of the reader: -EBADMSG, bad input. */
int pl_gguf_bad(struct pl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An arena refused n elements of that size: because of its cap (bad input), or the system. */
int pl_gguf_no_memory(const struct pl_arena *a, uint64_t n, size_t size, struct pl_err *err);

/* One section each; the cursor stands at its begin and is left at its end. */
int pl_gguf_read_keys(struct pl_gguf_in *in, struct pl_arena *a, struct pl_gguf_part *part,
                      struct pl_err *err);
int pl_gguf_read_tensors(struct pl_gguf_in *in, struct pl_arena *a, struct pl_gguf_part *part,
                         struct pl_err *err);
/* Offsets against each other and against the length of the file; needs data_offset. */
int pl_gguf_check_layout(const struct pl_gguf_part *part, struct pl_err *err);
/* No name twice among all parts. */
int pl_gguf_check_names(const struct pl_tensor *tensor, uint64_t n, struct pl_err *err);

/* One file's header, from its first byte to the checks of its layout. */
int pl_gguf_read_part(const struct pl_opener *opener, const char *path, uint8_t *window,
                      struct pl_arena *a, struct pl_gguf_part *part, struct pl_err *err);

/* Finds the other parts of a split model: fills all[split_count], of which `given` is one. */
int pl_gguf_read_others(const struct pl_opener *opener, const struct pl_gguf_part *given,
                        uint8_t *window, struct pl_arena *a, struct pl_gguf_part *all,
                        struct pl_err *err);

/* After pl_gguf_bad of a count that does not fit into what is left: a count within the limit may be
 * right, and the file cut off. -EBADMSG. */
int pl_gguf_cut(uint64_t count, uint64_t limit, struct pl_err *err);

#endif
