#include "machine/compute.h"

#include "base/clock.h"
#include "machine/team.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define PL_COMPUTE_ROW 2048u /* bytes; all rows together fit the smallest first cache */
#define PL_COMPUTE_SUMS 8    /* two rows times four */
#define PL_COMPUTE_BYTES (4 * PL_COMPUTE_ROW)
#define PL_COMPUTE_OPS (2.0 * PL_COMPUTE_SUMS * PL_COMPUTE_ROW) /* of products of bytes */
#define PL_COMPUTE_NS (40 * PL_MS_NS)
#define PL_COMPUTE_PASSES 4
#define PL_COMPUTE_ROUNDS 256 /* products between two looks at the clock */

static const char *const pl_compute_whys[2][PL_COMPUTE_KINDS] = {
    {"8-bit dot products, plain code, all threads",       "8-bit dot products, AVX2, all threads",
     "8-bit dot products, AVX-VNNI, all threads",                                                                                                          "8-bit dot products, AVX-512 VNNI, all threads"},
    {"16-bit floats multiplied, plain code, all threads",
     "16-bit floats multiplied, AVX2 and F16C, all threads",                                       "16-bit floats multiplied, AVX2 and F16C, all threads",
     "16-bit floats multiplied, AVX-512, all threads"                                                                                                                                                     },
};

const char *pl_compute_why(bool fma, uint32_t kind)
{
    return pl_compute_whys[fma ? 1 : 0][kind < PL_COMPUTE_KINDS ? kind : 0];
}

/* Two rows times four: eight sums at once, as the engine's kernels keep their operands in
 * registers. What it gives does not matter, only that it must be computed. */
typedef int64_t (*pl_compute_product)(const void *a, const void *b);

static int64_t pl_int8_plain(const void *a, const void *b)
{
    const int8_t *x = a, *y = b;
    int32_t sum = 0;
    for (size_t k = 0; k < PL_COMPUTE_SUMS; k++) {
        const int8_t *row = x + k / 4 * PL_COMPUTE_ROW, *column = y + k % 4 * PL_COMPUTE_ROW;
        for (size_t i = 0; i < PL_COMPUTE_ROW; i++)
            sum += (int32_t)row[i] * column[i];
    }
    return sum;
}

static int64_t pl_fma_plain(const void *a, const void *b)
{
    const float *x = a, *y = b;
    float sum[16] = {0}, all = 0;
    const size_t n = PL_COMPUTE_ROW / sizeof(float);
    for (size_t k = 0; k < PL_COMPUTE_SUMS; k++) {
        const float *row = x + k / 4 * n, *column = y + k % 4 * n;
        for (size_t i = 0; i < n; i++)
            sum[i % 16] += row[i] * column[i];
    }
    for (size_t i = 0; i < 16; i++)
        all += sum[i];
    return (int64_t)all;
}

#if defined(__x86_64__)
#define PL_X86 1

__attribute__((target("avx2"))) static int64_t pl_sum256(__m256i v)
{
    return _mm256_extract_epi64(v, 0) + _mm256_extract_epi64(v, 2);
}

/* As ggml's kernels without VNNI: bytes to pairs of 16 bits, pairs to 32 bits. */
__attribute__((target("avx2"))) static inline __m256i pl_dot_avx2(__m256i sum, __m256i x, __m256i y)
{
    __m256i pairs = _mm256_madd_epi16(_mm256_maddubs_epi16(x, y), _mm256_set1_epi16(1));
    return _mm256_add_epi32(sum, pairs);
}

__attribute__((target("avx2"))) static int64_t pl_int8_avx2(const void *a, const void *b)
{
    const uint8_t *x = a, *y = b;
    __m256i p = _mm256_setzero_si256(), q = p, r = p, s = p, t = p, u = p, v = p, w = p;
    for (size_t i = 0; i < PL_COMPUTE_ROW; i += 32) {
        __m256i x0 = _mm256_loadu_si256((const void *)(x + i)),
                x1 = _mm256_loadu_si256((const void *)(x + PL_COMPUTE_ROW + i));
        __m256i y0 = _mm256_loadu_si256((const void *)(y + i)),
                y1 = _mm256_loadu_si256((const void *)(y + PL_COMPUTE_ROW + i));
        __m256i y2 = _mm256_loadu_si256((const void *)(y + 2 * PL_COMPUTE_ROW + i));
        __m256i y3 = _mm256_loadu_si256((const void *)(y + 3 * PL_COMPUTE_ROW + i));
        p = pl_dot_avx2(p, x0, y0);
        q = pl_dot_avx2(q, x0, y1);
        r = pl_dot_avx2(r, x0, y2);
        s = pl_dot_avx2(s, x0, y3);
        t = pl_dot_avx2(t, x1, y0);
        u = pl_dot_avx2(u, x1, y1);
        v = pl_dot_avx2(v, x1, y2);
        w = pl_dot_avx2(w, x1, y3);
    }
    return pl_sum256(
        _mm256_add_epi32(_mm256_add_epi32(_mm256_add_epi32(p, q), _mm256_add_epi32(r, s)),
                         _mm256_add_epi32(_mm256_add_epi32(t, u), _mm256_add_epi32(v, w))));
}

__attribute__((target("avx2,avxvnni"))) static int64_t pl_int8_avx_vnni(const void *a,
                                                                        const void *b)
{
    const uint8_t *x = a, *y = b;
    __m256i p = _mm256_setzero_si256(), q = p, r = p, s = p, t = p, u = p, v = p, w = p;
    for (size_t i = 0; i < PL_COMPUTE_ROW; i += 32) {
        __m256i x0 = _mm256_loadu_si256((const void *)(x + i)),
                x1 = _mm256_loadu_si256((const void *)(x + PL_COMPUTE_ROW + i));
        __m256i y0 = _mm256_loadu_si256((const void *)(y + i)),
                y1 = _mm256_loadu_si256((const void *)(y + PL_COMPUTE_ROW + i));
        __m256i y2 = _mm256_loadu_si256((const void *)(y + 2 * PL_COMPUTE_ROW + i));
        __m256i y3 = _mm256_loadu_si256((const void *)(y + 3 * PL_COMPUTE_ROW + i));
        p = _mm256_dpbusd_avx_epi32(p, x0, y0);
        q = _mm256_dpbusd_avx_epi32(q, x0, y1);
        r = _mm256_dpbusd_avx_epi32(r, x0, y2);
        s = _mm256_dpbusd_avx_epi32(s, x0, y3);
        t = _mm256_dpbusd_avx_epi32(t, x1, y0);
        u = _mm256_dpbusd_avx_epi32(u, x1, y1);
        v = _mm256_dpbusd_avx_epi32(v, x1, y2);
        w = _mm256_dpbusd_avx_epi32(w, x1, y3);
    }
    return pl_sum256(
        _mm256_add_epi32(_mm256_add_epi32(_mm256_add_epi32(p, q), _mm256_add_epi32(r, s)),
                         _mm256_add_epi32(_mm256_add_epi32(t, u), _mm256_add_epi32(v, w))));
}

__attribute__((target("avx512f,avx512vnni"))) static int64_t pl_int8_avx512(const void *a,
                                                                            const void *b)
{
    const uint8_t *x = a, *y = b;
    __m512i p = _mm512_setzero_si512(), q = p, r = p, s = p, t = p, u = p, v = p, w = p;
    for (size_t i = 0; i < PL_COMPUTE_ROW; i += 64) {
        __m512i x0 = _mm512_loadu_si512(x + i), x1 = _mm512_loadu_si512(x + PL_COMPUTE_ROW + i);
        __m512i y0 = _mm512_loadu_si512(y + i), y1 = _mm512_loadu_si512(y + PL_COMPUTE_ROW + i);
        __m512i y2 = _mm512_loadu_si512(y + 2 * PL_COMPUTE_ROW + i);
        __m512i y3 = _mm512_loadu_si512(y + 3 * PL_COMPUTE_ROW + i);
        p = _mm512_dpbusd_epi32(p, x0, y0);
        q = _mm512_dpbusd_epi32(q, x0, y1);
        r = _mm512_dpbusd_epi32(r, x0, y2);
        s = _mm512_dpbusd_epi32(s, x0, y3);
        t = _mm512_dpbusd_epi32(t, x1, y0);
        u = _mm512_dpbusd_epi32(u, x1, y1);
        v = _mm512_dpbusd_epi32(v, x1, y2);
        w = _mm512_dpbusd_epi32(w, x1, y3);
    }
    return _mm512_reduce_add_epi32(
        _mm512_add_epi32(_mm512_add_epi32(_mm512_add_epi32(p, q), _mm512_add_epi32(r, s)),
                         _mm512_add_epi32(_mm512_add_epi32(t, u), _mm512_add_epi32(v, w))));
}

__attribute__((target("avx2,fma,f16c"))) static int64_t pl_fma_avx2(const void *a, const void *b)
{
    const uint8_t *x = a, *y = b;
    __m256 p = _mm256_setzero_ps(), q = p, r = p, s = p, t = p, u = p, v = p, w = p;
    for (size_t i = 0; i < PL_COMPUTE_ROW; i += 16) {
        __m256 x0 = _mm256_cvtph_ps(_mm_loadu_si128((const void *)(x + i))),
               x1 = _mm256_cvtph_ps(_mm_loadu_si128((const void *)(x + PL_COMPUTE_ROW + i)));
        __m256 y0 = _mm256_cvtph_ps(_mm_loadu_si128((const void *)(y + i))),
               y1 = _mm256_cvtph_ps(_mm_loadu_si128((const void *)(y + PL_COMPUTE_ROW + i)));
        __m256 y2 = _mm256_cvtph_ps(_mm_loadu_si128((const void *)(y + 2 * PL_COMPUTE_ROW + i)));
        __m256 y3 = _mm256_cvtph_ps(_mm_loadu_si128((const void *)(y + 3 * PL_COMPUTE_ROW + i)));
        p = _mm256_fmadd_ps(x0, y0, p);
        q = _mm256_fmadd_ps(x0, y1, q);
        r = _mm256_fmadd_ps(x0, y2, r);
        s = _mm256_fmadd_ps(x0, y3, s);
        t = _mm256_fmadd_ps(x1, y0, t);
        u = _mm256_fmadd_ps(x1, y1, u);
        v = _mm256_fmadd_ps(x1, y2, v);
        w = _mm256_fmadd_ps(x1, y3, w);
    }
    return (int64_t)_mm256_cvtss_f32(
        _mm256_add_ps(_mm256_add_ps(_mm256_add_ps(p, q), _mm256_add_ps(r, s)),
                      _mm256_add_ps(_mm256_add_ps(t, u), _mm256_add_ps(v, w))));
}

__attribute__((target("avx512f"))) static int64_t pl_fma_avx512(const void *a, const void *b)
{
    const uint8_t *x = a, *y = b;
    __m512 p = _mm512_setzero_ps(), q = p, r = p, s = p, t = p, u = p, v = p, w = p;
    for (size_t i = 0; i < PL_COMPUTE_ROW; i += 32) {
        __m512 x0 = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(x + i))),
               x1 = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(x + PL_COMPUTE_ROW + i)));
        __m512 y0 = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(y + i))),
               y1 = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(y + PL_COMPUTE_ROW + i)));
        __m512 y2 = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(y + 2 * PL_COMPUTE_ROW + i)));
        __m512 y3 = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(y + 3 * PL_COMPUTE_ROW + i)));
        p = _mm512_fmadd_ps(x0, y0, p);
        q = _mm512_fmadd_ps(x0, y1, q);
        r = _mm512_fmadd_ps(x0, y2, r);
        s = _mm512_fmadd_ps(x0, y3, s);
        t = _mm512_fmadd_ps(x1, y0, t);
        u = _mm512_fmadd_ps(x1, y1, u);
        v = _mm512_fmadd_ps(x1, y2, v);
        w = _mm512_fmadd_ps(x1, y3, w);
    }
    return (int64_t)_mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(_mm512_add_ps(p, q), _mm512_add_ps(r, s)),
                      _mm512_add_ps(_mm512_add_ps(t, u), _mm512_add_ps(v, w))));
}
#endif

struct pl_compute_way {
    pl_compute_product product;
    double ops; /* of one product */
    uint32_t kind;
};

static struct pl_compute_way pl_compute_int8(const struct pl_cpu *cpu)
{
    struct pl_compute_way w = {pl_int8_plain, PL_COMPUTE_OPS, PL_COMPUTE_PLAIN};
#ifdef PL_X86
    if (pl_cpu_has(cpu, "avx512_vnni") && pl_cpu_has(cpu, "avx512f"))
        w.product = pl_int8_avx512, w.kind = PL_COMPUTE_AVX512_VNNI;
    else if (pl_cpu_has(cpu, "avx_vnni"))
        w.product = pl_int8_avx_vnni, w.kind = PL_COMPUTE_AVX_VNNI;
    else if (pl_cpu_has(cpu, "avx2"))
        w.product = pl_int8_avx2, w.kind = PL_COMPUTE_AVX2;
#else
    (void)cpu;
#endif
    return w;
}

static struct pl_compute_way pl_compute_fma(const struct pl_cpu *cpu)
{
    struct pl_compute_way w = {pl_fma_plain, PL_COMPUTE_OPS / 4, PL_COMPUTE_PLAIN};
#ifdef PL_X86
    if (pl_cpu_has(cpu, "avx512f"))
        w = (struct pl_compute_way){pl_fma_avx512, PL_COMPUTE_OPS / 2, PL_COMPUTE_AVX512_VNNI};
    else if (pl_cpu_has(cpu, "avx2") && pl_cpu_has(cpu, "fma") && pl_cpu_has(cpu, "f16c"))
        w = (struct pl_compute_way){pl_fma_avx2, PL_COMPUTE_OPS / 2, PL_COMPUTE_AVX2};
#else
    (void)cpu;
#endif
    return w;
}

struct pl_compute_worker {
    pthread_t thread;
    uint32_t cpu;
    struct pl_compute_way way;
    double low, high; /* operations per second of CPU time: slowest and fastest pass */
    int64_t sum;      /* so that the products cannot be left out */
};

static uint64_t pl_thread_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * PL_S_NS + (uint64_t)t.tv_nsec;
}

static void *pl_compute_thread(void *arg)
{
    struct pl_compute_worker *w = arg;
    uint8_t a[PL_COMPUTE_BYTES] __attribute__((aligned(64)));
    uint8_t b[PL_COMPUTE_BYTES] __attribute__((aligned(64)));
    for (size_t i = 0; i < sizeof(a); i++) { /* small numbers, as floats of 16 and 32 bits too */
        a[i] = (uint8_t)(i % 7);
        b[i] = (uint8_t)(i % 5);
    }
    pl_team_pin(w->cpu);
    for (int pass = 0; pass < PL_COMPUTE_PASSES; pass++) {
        uint64_t start = pl_thread_ns(), spent = 0;
        double done = 0;
        while (spent < PL_COMPUTE_NS) {
            for (int i = 0; i < PL_COMPUTE_ROUNDS; i++) {
                w->sum += w->way.product(a, b);
                __asm__ volatile("" : : "r"(a), "r"(b) : "memory");
            }
            done += PL_COMPUTE_ROUNDS * w->way.ops;
            spent = pl_thread_ns() - start;
        }
        double rate = done * (double)PL_S_NS / (double)(spent > 0 ? spent : 1);
        w->low = pass == 0 || rate < w->low ? rate : w->low;
        w->high = rate > w->high ? rate : w->high;
    }
    return NULL;
}

static int pl_compute_run(const uint32_t *cpu, uint32_t n, struct pl_compute_way way, bool fma,
                          struct pl_rate *ret)
{
    struct pl_compute_worker *w = calloc(n, sizeof(*w));
    uint32_t started = 0;
    int rc = w != NULL ? 0 : -ENOMEM;
    for (; rc == 0 && started < n; started += rc == 0 ? 1 : 0) {
        w[started].cpu = cpu[started];
        w[started].way = way;
        rc = -pthread_create(&w[started].thread, NULL, pl_compute_thread, &w[started]);
    }
    *ret = (struct pl_rate){.source = PL_SOURCE_MEASURED, .why = pl_compute_why(fma, way.kind)};
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(w[i].thread, NULL);
        ret->low += w[i].low;
        ret->high += w[i].high;
    }
    ret->likely = ret->high;
    free(w);
    return rc;
}

int pl_compute_measure(const struct pl_machine *m, struct pl_rate *ret_int8,
                       struct pl_rate *ret_fma, struct pl_err *err)
{
    uint32_t *cpu = calloc(PL_TEAM_MAX, sizeof(*cpu));
    uint32_t n = cpu != NULL ? pl_team_cpus(&m->cpu, cpu, PL_TEAM_MAX) : 0;
    int rc = n > 0 ? 0 : -ENOTSUP;
    if (rc == 0)
        rc = pl_compute_run(cpu, n, pl_compute_int8(&m->cpu), false, ret_int8);
    if (rc == 0)
        rc = pl_compute_run(cpu, n, pl_compute_fma(&m->cpu), true, ret_fma);
    free(cpu);
    return rc < 0 ? pl_fail(err, rc, "cannot measure arithmetic: %s", strerror(-rc)) : 0;
}
