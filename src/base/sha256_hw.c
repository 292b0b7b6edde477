#include "base/sha256_hw.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

/* Intel, "Intel SHA Extensions" (2013): bit 29 of EBX in leaf 7; SSSE3 and SSE4.1 in leaf 1. */
static bool pl_sha_has(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

static inline __m128i pl_sha_load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* The instructions keep the eight words as (a b e f) and (c d g h), and do two rounds each; a group
 * is four rounds, whose four words of the schedule follow from the four groups before. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
pl_sha_blocks(uint32_t h[8], const uint8_t *p, size_t n, const uint32_t k[64])
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abcd = _mm_shuffle_epi32(pl_sha_load(h), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(pl_sha_load(h + 4), 0x1b);
    __m128i abef = _mm_alignr_epi8(abcd, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, abcd, 0xf0);
    for (; n > 0; n--, p += 64) {
        const __m128i abef_was = abef, cdgh_was = cdgh;
        __m128i w[4];
#pragma GCC unroll 16
        for (int g = 0; g < 16; g++) {
            if (g < 4)
                w[g] = _mm_shuffle_epi8(pl_sha_load(p + 16 * g), swap);
            else
                w[g & 3] = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(w[g & 3], w[(g + 1) & 3]),
                                  _mm_alignr_epi8(w[(g + 3) & 3], w[(g + 2) & 3], 4)),
                    w[(g + 3) & 3]);
            __m128i wk = _mm_add_epi32(w[g & 3], pl_sha_load(k + 4 * g));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_was);
        cdgh = _mm_add_epi32(cdgh, cdgh_was);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)h, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

bool pl_sha256_hw(uint32_t h[8], const uint8_t *p, size_t n, const uint32_t k[64])
{
    static int has; /* 0 not asked yet, 1 yes, -1 no: every thread finds the same */
    int is = __atomic_load_n(&has, __ATOMIC_RELAXED);
    if (is == 0) {
        is = pl_sha_has() ? 1 : -1;
        __atomic_store_n(&has, is, __ATOMIC_RELAXED);
    }
    if (is > 0)
        pl_sha_blocks(h, p, n, k);
    return is > 0;
}
#else
bool pl_sha256_hw(uint32_t h[8], const uint8_t *p, size_t n, const uint32_t k[64])
{
    (void)h, (void)p, (void)n, (void)k;
    return false;
}
#endif
