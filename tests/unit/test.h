/* What cmocka needs before it, once. */
#ifndef PL_TESTS_UNIT_TEST_H
#define PL_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
