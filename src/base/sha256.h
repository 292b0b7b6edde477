/* SHA-256 (FIPS 180-4): for identities that cannot be turned back, and for checking downloads. */
#ifndef PL_BASE_SHA256_H
#define PL_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define PL_SHA256_BYTES 32
#define PL_SHA256_TEXT_MAX 65 /* hexadecimal and NUL */

struct pl_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
};

void pl_sha256_start(struct pl_sha256 *s);
void pl_sha256_add(struct pl_sha256 *s, const void *data, size_t len);
void pl_sha256_end(struct pl_sha256 *s, uint8_t out[PL_SHA256_BYTES]);

/* In lower-case hexadecimal. Returns out. */
const char *pl_sha256_hex(const uint8_t sum[PL_SHA256_BYTES], char out[PL_SHA256_TEXT_MAX]);

/* Of one text, in lower-case hexadecimal. Returns out. */
const char *pl_sha256_text(const void *data, size_t len, char out[PL_SHA256_TEXT_MAX]);

#endif
