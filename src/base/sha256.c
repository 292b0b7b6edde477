#include "base/sha256.h"

#include "base/checked.h"
#include "base/sha256_hw.h"

#include <string.h>

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64
 * primes. */
const uint32_t pl_sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t pl_rotr(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

PL_WRAPS static void pl_sha256_block(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = pl_rotr(w[i - 15], 7) ^ pl_rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
        uint32_t s1 = pl_rotr(w[i - 2], 17) ^ pl_rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, h, sizeof(v));
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = pl_rotr(v[4], 6) ^ pl_rotr(v[4], 11) ^ pl_rotr(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + pl_sha_k[i] + w[i];
        uint32_t s0 = pl_rotr(v[0], 2) ^ pl_rotr(v[0], 13) ^ pl_rotr(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

#define PL_SHA_FEW 16

void pl_sha256_plain(uint32_t h[8], const uint8_t *p, size_t n)
{
    for (; n > 0; n--, p += 64)
        pl_sha256_block(h, p);
}

static void pl_sha256_blocks(uint32_t h[8], const uint8_t *p, size_t n)
{
    /* whether the processor has the instructions is not asked for a few blocks: in a virtual
     * machine the question takes longer than they do */
    if (n > 0 && (n < PL_SHA_FEW || !pl_sha256_hw(h, p, n, pl_sha_k)))
        pl_sha256_plain(h, p, n);
}

void pl_sha256_start(struct pl_sha256 *s)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, first, sizeof(first));
    s->bytes = 0;
}

void pl_sha256_add(struct pl_sha256 *s, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t at = s->bytes % sizeof(s->block);
    s->bytes += len;
    if (at > 0) {
        size_t n = sizeof(s->block) - at < len ? sizeof(s->block) - at : len;
        memcpy(s->block + at, p, n);
        p += n;
        len -= n;
        if (at + n < sizeof(s->block))
            return;
        pl_sha256_blocks(s->h, s->block, 1);
    }
    size_t whole = len / sizeof(s->block);
    pl_sha256_blocks(s->h, p, whole);
    if (len % sizeof(s->block) > 0)
        memcpy(s->block, p + whole * sizeof(s->block), len % sizeof(s->block));
}

void pl_sha256_end(struct pl_sha256 *s, uint8_t out[PL_SHA256_BYTES])
{
    static const uint8_t pad[64] = {0x80};
    uint64_t bits = s->bytes * 8;
    size_t at = s->bytes % 64;
    pl_sha256_add(s, pad, at < 56 ? 56 - at : 120 - at);
    uint8_t tail[8];
    for (int i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    pl_sha256_add(s, tail, sizeof(tail));
    for (int i = 0; i < PL_SHA256_BYTES; i++)
        out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

const char *pl_sha256_hex(const uint8_t sum[PL_SHA256_BYTES], char out[PL_SHA256_TEXT_MAX])
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < PL_SHA256_BYTES; i++) {
        out[2 * i] = hex[sum[i] >> 4];
        out[2 * i + 1] = hex[sum[i] & 15];
    }
    out[PL_SHA256_TEXT_MAX - 1] = '\0';
    return out;
}

const char *pl_sha256_text(const void *data, size_t len, char out[PL_SHA256_TEXT_MAX])
{
    struct pl_sha256 s;
    uint8_t sum[PL_SHA256_BYTES];
    pl_sha256_start(&s);
    pl_sha256_add(&s, data, len);
    pl_sha256_end(&s, sum);
    return pl_sha256_hex(sum, out);
}
