#include "base/arena.h"

#include "base/checked.h"

#include <stdlib.h>
#include <string.h>

#define PL_ARENA_BLOCK_BYTES (16u * 1024u) /* small enough for a one-model run of a few pages */

struct pl_arena_block {
    struct pl_arena_block *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char data[];
};

void pl_arena_init(struct pl_arena *a, uint64_t cap_bytes)
{
    *a = (struct pl_arena){.cap = cap_bytes};
}

void pl_arena_done(struct pl_arena *a)
{
    struct pl_arena_block *b = a->head;
    while (b != NULL) {
        struct pl_arena_block *next = b->next;
        free(b);
        b = next;
    }
    a->head = NULL;
    a->taken = 0;
}

static struct pl_arena_block *pl_arena_grow(struct pl_arena *a, size_t want)
{
    size_t size = want > PL_ARENA_BLOCK_BYTES ? want : PL_ARENA_BLOCK_BYTES;
    uint64_t total = 0, after = 0;
    if (!pl_add_u64(size, sizeof(struct pl_arena_block), &total) ||
        !pl_add_u64(a->taken, total, &after) || after > a->cap || total > SIZE_MAX)
        return NULL;
    struct pl_arena_block *b = calloc(1, (size_t)total);
    if (b == NULL)
        return NULL;
    b->size = size;
    b->next = a->head;
    a->head = b;
    a->taken = after;
    return b;
}

void *pl_arena_alloc(struct pl_arena *a, size_t n, size_t size)
{
    uint64_t bytes = 0;
    if (!pl_mul_u64(n, size, &bytes) || !pl_pad_u64(bytes, _Alignof(max_align_t), &bytes) ||
        bytes > SIZE_MAX)
        return NULL;
    if (bytes == 0)
        bytes = _Alignof(max_align_t);
    struct pl_arena_block *b = a->head;
    if (b == NULL || b->size - b->used < bytes) {
        b = pl_arena_grow(a, (size_t)bytes);
        if (b == NULL)
            return NULL;
    }
    void *p = b->data + b->used;
    b->used += (size_t)bytes;
    return p;
}

char *pl_arena_strndup(struct pl_arena *a, const char *s, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *p = pl_arena_alloc(a, len + 1, 1);
    if (p != NULL) {
        memcpy(p, s, len);
        p[len] = '\0';
    }
    return p;
}

char *pl_arena_strdup(struct pl_arena *a, const char *s)
{
    return pl_arena_strndup(a, s, strlen(s));
}
