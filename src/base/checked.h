/* Checked 64-bit arithmetic. Every product or sum of numbers that come from outside goes through
 * these; static analysers do not find such overflows, so the helpers are compulsory in parsers. */
#ifndef PL_BASE_CHECKED_H
#define PL_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* A function whose sums and products are meant to be cut to their type, such as a hash: clang's
 * fuzzing build takes every other overflow for a mistake. */
#ifdef __clang__
#define PL_WRAPS __attribute__((no_sanitize("unsigned-integer-overflow")))
#else
#define PL_WRAPS
#endif

/* Each returns false and leaves *ret untouched when the result does not fit. */
static inline bool pl_add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
    uint64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *ret = r;
    return true;
}

static inline bool pl_mul_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
    uint64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *ret = r;
    return true;
}

/* Rounds n up to a multiple of unit (> 0). */
static inline bool pl_pad_u64(uint64_t n, uint64_t unit, uint64_t *ret)
{
    uint64_t rest = n % unit;
    if (rest == 0) {
        *ret = n;
        return true;
    }
    return pl_add_u64(n, unit - rest, ret);
}

/* a - b, or 0 when b is larger: for amounts where "less than nothing" means nothing. */
static inline uint64_t pl_sub_floor(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* Saturating forms, for totals of already bounded parts. */
static inline uint64_t pl_add_sat(uint64_t a, uint64_t b)
{
    uint64_t r;
    return __builtin_add_overflow(a, b, &r) ? UINT64_MAX : r;
}

static inline uint64_t pl_mul_sat(uint64_t a, uint64_t b)
{
    uint64_t r;
    return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

#endif
