/* Whether the memory that an engine held is available again once it is gone. */
#ifndef PL_MEASURE_RETURNED_H
#define PL_MEASURE_RETURNED_H

#include "sys/root.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes that are available before it starts; 0 = not known. */
uint64_t pl_returned_before(const struct pl_root *root);

/* Waits, at most 10 s, until about as much is available as before. False when it was not seen, or
 * when `before` is not known: then nothing is claimed. */
bool pl_returned_wait(const struct pl_root *root, uint64_t before);

#endif
