/* Capped arena: one per parsed model, plan or request. Everything taken from it is freed at once.
 * The cap bounds what hostile input can make us allocate. */
#ifndef PL_BASE_ARENA_H
#define PL_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct pl_arena_block;

struct pl_arena {
    struct pl_arena_block *head;
    uint64_t taken; /* bytes taken from the system */
    uint64_t cap;   /* most bytes that may be taken */
};

/* Prepares an empty arena. Never fails; nothing is allocated yet. */
void pl_arena_init(struct pl_arena *a, uint64_t cap_bytes);

/* Frees everything. Accepts a zeroed arena. */
void pl_arena_done(struct pl_arena *a);

/* Returns zeroed memory aligned for any type, owned by the arena, or NULL when the cap is reached,
 * when n * size overflows, or when the system has no memory. */
void *pl_arena_alloc(struct pl_arena *a, size_t n, size_t size);

/* Copies len bytes and ends them with NUL. NULL as above. */
char *pl_arena_strndup(struct pl_arena *a, const char *s, size_t len);
char *pl_arena_strdup(struct pl_arena *a, const char *s);

#endif
