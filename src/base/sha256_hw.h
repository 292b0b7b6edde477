/* Inside base/sha256: its two ways, by the processor's own instructions where it has them. */
#ifndef PL_BASE_SHA256_HW_H
#define PL_BASE_SHA256_HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Works n blocks of 64 bytes into h; false, with h untouched, when this processor cannot. k: the 64
 * constants of the standard. */
bool pl_sha256_hw(uint32_t h[8], const uint8_t *p, size_t n, const uint32_t k[64]);

/* The same on any processor. */
void pl_sha256_plain(uint32_t h[8], const uint8_t *p, size_t n);

extern const uint32_t pl_sha_k[64];

#endif
