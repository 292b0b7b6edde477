/* Sizes as logs write them. Decimal prefixes are binary: every allocator whose messages we read
 * divides by 1024 whatever it calls the result. */
#ifndef PL_WHY_SIZE_H
#define PL_WHY_SIZE_H

#include "why/rule.h"

/* The bytes of a captured number, with the interval its rounding leaves; measured. A number of at
 * least 2^64 saturates. Unknown when it is none. */
struct pl_quantity pl_why_size(const struct pl_capture *c);

/* No machine has so much (64 PiB): a size above is a sentinel or a fault. */
#define PL_WHY_IMPOSSIBLE (1ull << 56)

/* The first size with a unit in text[0..len): its place and length; 0 when there is none. */
size_t pl_why_find_size(const char *text, size_t len, size_t *ret_at, struct pl_quantity *ret);

#endif
