/* Makes one allocation fail, for tests that try every one in turn. A test links allocfail_dep,
 * which wraps malloc, calloc and realloc of everything in that executable (not of shared
 * libraries). */
#ifndef PL_TESTS_UNIT_ALLOCFAIL_H
#define PL_TESTS_UNIT_ALLOCFAIL_H

#include <stdbool.h>
#include <stdint.h>

/* The n-th allocation from now on (0 = the next) fails, once. */
void pl_allocfail_arm(uint64_t n);
/* Back to normal; true when the armed failure happened. */
bool pl_allocfail_disarm(void);

#endif
