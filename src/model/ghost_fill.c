#include "model/ghost_fill.h"

#include "base/str.h"
#include "domain/tensor_type.h"

#include <string.h>

/* Where a block keeps its scales, and what goes there instead of random bits: two bytes at `at`
 * become (random & keep) | set, little-endian. Layouts: llama.cpp, ggml/src/ggml-common.h, the
 * structs block_*; everything else in a block is a quant, a grid index or a small scale, and every
 * bit pattern of those is valid. The scales (IEEE half floats) give weights a deviation near 0.02,
 * as trained ones have; types with a minimum get one that cancels the mean. */
struct pl_fill_patch {
    uint8_t at;
    uint16_t keep, set;
};
#define PL_PATCHES_MAX 4

struct pl_fill_layout {
    uint32_t type; /* ggml_type */
    struct pl_fill_patch patch[PL_PATCHES_MAX];
    uint32_t n_patch;
};

static const struct pl_fill_layout pl_fill_layouts[] = {
    {2,  {{0, 0, 0x1C19}},                                                                     1}, /* Q4_0: d = 0.004 */
    {3,  {{0, 0, 0x1C19}, {2, 0, 0xA7AE}},                                                     2}, /* Q4_1: d, m = -7.5 d */
    {6,  {{0, 0, 0x1819}},                                                                     1}, /* Q5_0: d = 0.002 */
    {7,  {{0, 0, 0x1819}, {2, 0, 0xA7F0}},                                                     2}, /* Q5_1: d, m = -15.5 d */
    {8,  {{0, 0, 0x0C6C}},                                                                     1}, /* Q8_0: d = 0.00027 */
    {10, {{80, 0, 0x16F7}, {82, 0, 0x1939}},                                                   2}, /* Q2_K: scales 16, qs 64, then d, dmin = 1.5 d */
    {11, {{108, 0, 0x1019}},                                                                   1}, /* Q3_K: hmask 32, qs 64, scales 12, then d */
    {12, {{0, 0, 0x068E}, {2, 0, 0x1225}},                                                     2}, /* Q4_K: d = 0.0001, dmin = 7.5 d */
    {13, {{0, 0, 0x0347}, {2, 0, 0x1259}},                                                     2}, /* Q5_K: d = 0.00005, dmin = 15.5 d */
    {14, {{208, 0, 0x00FC}},                                                                   1}, /* Q6_K: ql 128, qh 64, scales 16, then d */
    {16, {{0, 0, 0x1019}},                                                                     1}, /* IQ2_XXS: d = 0.0005 */
    {17, {{0, 0, 0x1019}},                                                                     1}, /* IQ2_XS */
    {18, {{0, 0, 0x0A8E}},                                                                     1}, /* IQ3_XXS: d = 0.0002 */
    {19, {{0, 0, 0x1A25}},                                                                     1}, /* IQ1_S: d = 0.003 */
    {20, {{0, 0, 0x0CEA}},                                                                     1}, /* IQ4_NL: d = 0.0003 */
    {21, {{0, 0, 0x08EA}},                                                                     1}, /* IQ3_S: d = 0.00015 */
    {22, {{0, 0, 0x1019}},                                                                     1}, /* IQ2_S */
    {23, {{0, 0, 0x00FC}},                                                                     1}, /* IQ4_XS: d = 0.000015 */
  /* IQ1_M: no d; its four nibbles, lowest first, top the four 16-bit words of scales at 48 */
    {29,
     {{48, 0x0FFF, 0x5000}, {50, 0x0FFF, 0x2000}, {52, 0x0FFF, 0xA000}, {54, 0x0FFF, 0x1000}},
     4                                                                                          },
    {34, {{52, 0, 0x251F}},                                                                    1}, /* TQ1_0: qs 48, qh 4, then d = 0.02 */
    {35, {{64, 0, 0x251F}},                                                                    1}, /* TQ2_0: qs 64, then d */
    {39, {{0, 0xFF00, 0x0078}},                                                                1}, /* MXFP4: one byte, a power of two: 2^-7 / 2 */
    {40, {{0, 0, 0x0808}, {2, 0, 0x0808}},                                                     2}, /* NVFP4: four bytes UE4M3: 2^-6 / 2 */
    {41, {{0, 0, 0x251F}},                                                                     1}, /* Q1_0: d = 0.02 */
    {42, {{0, 0, 0x251F}},                                                                     1}, /* Q2_0 */
};

/* Plain numbers: of every 8 bytes (random & keep) | set. Sign and fraction are random, the exponent
 * is fixed at -6: 0.016 to 0.031 on either side. Integers stay 0: they may be indices. */
static const struct {
    uint32_t type;
    uint64_t keep, set;
} pl_fill_plain[] = {
    {0,  0x807FFFFF807FFFFFull, 0x3C8000003C800000ull}, /* F32 */
    {1,  0x83FF83FF83FF83FFull, 0x2400240024002400ull}, /* F16 */
    {30, 0x807F807F807F807Full, 0x3C803C803C803C80ull}, /* BF16 */
    {28, 0x800FFFFFFFFFFFFFull, 0x3F90000000000000ull}, /* F64 */
    {24, 0,                     0                    }, /* I8, I16, I32, I64 */
    {25, 0,                     0                    },
    {26, 0,                     0                    },
    {27, 0,                     0                    },
};

#define PL_ONES 0x3F8000003F800000ull       /* two F32 of 1 */
#define PL_MINUS_ONES 0xBF800000BF800000ull /* two F32 of -1 */

static bool pl_is_rope_factors(const char *name)
{
    return strstr(name, "rope_freqs") != NULL || strstr(name, "rope_factors") != NULL;
}

bool pl_ghost_fill_always(const struct pl_tensor *t)
{
    return t->type == 0 && pl_is_rope_factors(t->name);
}

/* splitmix64 (Steele, Lea, Flood 2014): full period, any seed, a nanosecond per 8 bytes. */
static uint64_t pl_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

bool pl_ghost_fill_start(struct pl_ghost_fill *f, const struct pl_tensor *t, uint64_t index,
                         uint64_t seed)
{
    uint64_t mixed = seed ^ (index * 0xD1342543DE82EF95ull);
    const struct pl_tensor_type *type = pl_tensor_type(t->type);
    if (type == NULL || type->removed)
        return false;
    *f = (struct pl_ghost_fill){
        .state = pl_random(&mixed), .keep = UINT64_MAX, .block_bytes = type->block_bytes};
    if (t->type == 0 && (pl_is_rope_factors(t->name) || strstr(t->name, "norm.weight") != NULL)) {
        f->keep = 0; /* ones, so that activations keep their size */
        f->set = PL_ONES;
        return true;
    }
    if (t->type == 0 && pl_ends(t->name, "ssm_a")) {
        f->keep = 0; /* a decay: the state of a recurrent layer grows without bound otherwise */
        f->set = PL_MINUS_ONES;
        return true;
    }
    for (size_t i = 0; i < sizeof(pl_fill_plain) / sizeof(pl_fill_plain[0]); i++) {
        if (pl_fill_plain[i].type == t->type) {
            f->keep = pl_fill_plain[i].keep;
            f->set = pl_fill_plain[i].set;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(pl_fill_layouts) / sizeof(pl_fill_layouts[0]); i++) {
        if (pl_fill_layouts[i].type == t->type)
            f->layout = &pl_fill_layouts[i];
    }
    return f->layout != NULL;
}

size_t pl_ghost_fill_chunk(const struct pl_ghost_fill *f, size_t most)
{
    size_t unit = (size_t)f->block_bytes * 8;
    return most / unit * unit;
}

void pl_ghost_fill_next(struct pl_ghost_fill *f, uint8_t *out, size_t n)
{
    const struct pl_fill_layout *l = f->layout;
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        uint64_t word = (pl_random(&f->state) & f->keep) | f->set;
        memcpy(out + i, &word, sizeof(word));
    }
    for (uint32_t p = 0; l != NULL && p < l->n_patch; p++) {
        const struct pl_fill_patch *patch = &l->patch[p];
        for (size_t at = patch->at; at + 2 <= n; at += f->block_bytes) {
            uint32_t had = (uint32_t)(out[at] | (out[at + 1] << 8));
            uint32_t now = (had & patch->keep) | patch->set;
            out[at] = (uint8_t)now;
            out[at + 1] = (uint8_t)(now >> 8);
        }
    }
}
