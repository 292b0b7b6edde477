/* Makes GGUF files in memory, right and wrong ones: for tests and for the fuzzer's corpus. Nothing
 * is checked: a test says what it wants to see refused. */
#ifndef PL_TESTS_UNIT_GGUF_MAKE_H
#define PL_TESTS_UNIT_GGUF_MAKE_H

#include "domain/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_MAKE_MAX (4u << 20)

struct pl_make {
    uint8_t *data; /* PL_MAKE_MAX bytes; owned */
    size_t n;
    bool big; /* big-endian */
};

void pl_make_start(struct pl_make *g, bool big);
void pl_make_done(struct pl_make *g);
void pl_make_raw(struct pl_make *g, const void *bytes, size_t n);
void pl_make_int(struct pl_make *g, size_t size, uint64_t value);
void pl_make_str(struct pl_make *g, const char *s);
void pl_make_zeros(struct pl_make *g, size_t n);
void pl_make_pad(struct pl_make *g, size_t unit);

/* Magic, version, counts. */
void pl_make_head(struct pl_make *g, uint32_t version, uint64_t tensors, uint64_t keys);
void pl_make_key(struct pl_make *g, const char *key, enum pl_kv_type type); /* its value follows */
void pl_make_key_str(struct pl_make *g, const char *key, const char *value);
void pl_make_key_int(struct pl_make *g, const char *key, enum pl_kv_type type, uint64_t value);
/* The head of an array; its elements follow. */
void pl_make_key_array(struct pl_make *g, const char *key, enum pl_kv_type element, uint64_t n);
/* A matrix; ne1 = 0 makes it one-dimensional. */
void pl_make_tensor(struct pl_make *g, const char *name, uint64_t ne0, uint64_t ne1, uint32_t type,
                    uint64_t offset);

/* A whole small model: one block, eight tokens, 13 keys, 4 tensors of F32, 1 KiB of data. Also the
 * offsets of its sections, for tests that cut or change it. */
struct pl_make_marks {
    size_t keys, tensors, data, end;
};
void pl_make_tiny(struct pl_make *g, uint32_t version, bool big, struct pl_make_marks *ret);

/* The same as part `no` (0-based) of `count`: keys in the first only, one tensor in each. */
void pl_make_part(struct pl_make *g, uint64_t no, uint64_t count);

/* Writes it to a file; false when that failed. */
bool pl_make_save(const struct pl_make *g, const char *path);

#endif
