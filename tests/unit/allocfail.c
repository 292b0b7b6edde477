#include "allocfail.h"

#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool pl_armed, pl_happened;
static uint64_t pl_left;

void pl_allocfail_arm(uint64_t n)
{
    pl_left = n;
    pl_happened = false;
    pl_armed = true;
}

bool pl_allocfail_disarm(void)
{
    pl_armed = false;
    return pl_happened;
}

static bool pl_allocfail_now(void)
{
    if (!pl_armed)
        return false;
    if (pl_left > 0) {
        pl_left--;
        return false;
    }
    pl_armed = false;
    pl_happened = true;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return pl_allocfail_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return pl_allocfail_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return pl_allocfail_now() ? NULL : __real_realloc(p, n);
}
