#include "base/str.h"
#include "machine/cpu.h"
#include "machine/cpu_cpuid.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Registers an operating system must save for the extension to be usable: bits of XCR0. */
enum { PL_X_NONE = 0, PL_X_AVX = 0x6, PL_X_AVX512 = 0xe6, PL_X_AMX = 0x60000 };

/* Sorted by word, so that the text is. Leaves and bits: Intel SDM volume 2A, CPUID; AMD APM volume
 * 3, appendix E. flag is the kernel's spelling where it differs. */
struct pl_isa_word {
    const char *word, *flag;
    uint32_t leaf, sub;
    enum pl_cpuid_reg reg;
    unsigned bit;
    uint64_t xcr0;
};

static const struct pl_isa_word pl_x86_words[] = {
    {"amx_bf16",            NULL,  7, 0, PL_EDX, 22, PL_X_AMX   },
    {"amx_complex",         NULL,  7, 1, PL_EDX, 8,  PL_X_AMX   },
    {"amx_fp16",            NULL,  7, 1, PL_EAX, 21, PL_X_AMX   },
    {"amx_int8",            NULL,  7, 0, PL_EDX, 25, PL_X_AMX   },
    {"amx_tile",            NULL,  7, 0, PL_EDX, 24, PL_X_AMX   },
    {"avx",                 NULL,  1, 0, PL_ECX, 28, PL_X_AVX   },
    {"avx2",                NULL,  7, 0, PL_EBX, 5,  PL_X_AVX   },
    {"avx512_bf16",         NULL,  7, 1, PL_EAX, 5,  PL_X_AVX512},
    {"avx512_bitalg",       NULL,  7, 0, PL_ECX, 12, PL_X_AVX512},
    {"avx512_fp16",         NULL,  7, 0, PL_EDX, 23, PL_X_AVX512},
    {"avx512_vbmi2",        NULL,  7, 0, PL_ECX, 6,  PL_X_AVX512},
    {"avx512_vnni",         NULL,  7, 0, PL_ECX, 11, PL_X_AVX512},
    {"avx512_vp2intersect", NULL,  7, 0, PL_EDX, 8,  PL_X_AVX512},
    {"avx512_vpopcntdq",    NULL,  7, 0, PL_ECX, 14, PL_X_AVX512},
    {"avx512bw",            NULL,  7, 0, PL_EBX, 30, PL_X_AVX512},
    {"avx512cd",            NULL,  7, 0, PL_EBX, 28, PL_X_AVX512},
    {"avx512dq",            NULL,  7, 0, PL_EBX, 17, PL_X_AVX512},
    {"avx512f",             NULL,  7, 0, PL_EBX, 16, PL_X_AVX512},
    {"avx512ifma",          NULL,  7, 0, PL_EBX, 21, PL_X_AVX512},
    {"avx512vbmi",          NULL,  7, 0, PL_ECX, 1,  PL_X_AVX512},
    {"avx512vl",            NULL,  7, 0, PL_EBX, 31, PL_X_AVX512},
    {"avx_ifma",            NULL,  7, 1, PL_EAX, 23, PL_X_AVX   },
    {"avx_vnni",            NULL,  7, 1, PL_EAX, 4,  PL_X_AVX   },
    {"avx_vnni_int16",      NULL,  7, 1, PL_EDX, 10, PL_X_AVX   },
    {"avx_vnni_int8",       NULL,  7, 1, PL_EDX, 4,  PL_X_AVX   },
    {"bmi1",                NULL,  7, 0, PL_EBX, 3,  PL_X_NONE  },
    {"bmi2",                NULL,  7, 0, PL_EBX, 8,  PL_X_NONE  },
    {"f16c",                NULL,  1, 0, PL_ECX, 29, PL_X_AVX   },
    {"fma",                 NULL,  1, 0, PL_ECX, 12, PL_X_AVX   },
    {"sse2",                NULL,  1, 0, PL_EDX, 26, PL_X_NONE  },
    {"sse3",                "pni", 1, 0, PL_ECX, 0,  PL_X_NONE  },
    {"sse4_1",              NULL,  1, 0, PL_ECX, 19, PL_X_NONE  },
    {"sse4_2",              NULL,  1, 0, PL_ECX, 20, PL_X_NONE  },
    {"ssse3",               NULL,  1, 0, PL_ECX, 9,  PL_X_NONE  },
};

/* Sorted by word; flags are the kernel's (Documentation/arch/arm64/elf_hwcaps.rst), which it prints
 * from the same HWCAP bits a program gets. Only Arm's names appear: none is also an x86 flag. */
static const struct pl_isa_word pl_arm_words[] = {
    {.word = "bf16",    .flag = "bf16"    },
    {.word = "dotprod", .flag = "asimddp" },
    {.word = "fhm",     .flag = "asimdfhm"},
    {.word = "fp16",    .flag = "asimdhp" },
    {.word = "i8mm",    .flag = "i8mm"    },
    {.word = "neon",    .flag = "asimd"   },
    {.word = "neon",    .flag = "neon"    },
    {.word = "sme",     .flag = "sme"     },
    {.word = "sme2",    .flag = "sme2"    },
    {.word = "sve",     .flag = "sve"     },
    {.word = "sve2",    .flag = "sve2"    },
    {.word = "svebf16", .flag = "svebf16" },
    {.word = "svei8mm", .flag = "svei8mm" },
    {.word = "vfpv4",   .flag = "vfpv4"   },
};

#define PL_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PL_ISA_LEAVES 4 /* of the table of x86, and one to spare */

static void pl_isa_add(char *out, size_t size, const char *word)
{
    size_t n = strlen(out);
    (void)pl_fmt(out + n, size - n, "%s%s", n > 0 ? " " : "", word);
}

static bool pl_isa_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = list; (s = strstr(s, word)) != NULL; s += n) {
        if ((s == list || s[-1] == ' ') && (s[n] == ' ' || s[n] == '\0'))
            return true;
    }
    return false;
}

static void pl_isa_match(const struct pl_isa_word *word, size_t n, const char *features, char *out,
                         size_t size)
{
    for (size_t i = 0; i < n; i++) {
        const char *flag = word[i].flag != NULL ? word[i].flag : word[i].word;
        if (pl_isa_has(features, flag) && !pl_isa_has(out, word[i].word))
            pl_isa_add(out, size, word[i].word);
    }
}

void pl_cpu_isa_flags(const char *features, char *out, size_t size)
{
    out[0] = '\0';
    pl_isa_match(pl_x86_words, PL_COUNT(pl_x86_words), features, out, size);
    if (out[0] == '\0')
        pl_isa_match(pl_arm_words, PL_COUNT(pl_arm_words), features, out, size);
}

/* Tiles must be asked for, and a system may refuse (Linux: arch/x86/kernel/fpu/xstate.c,
 * "permission"). Asking which may be had is no request. */
static uint64_t pl_isa_permitted(const struct pl_cpuid *c, uint64_t xcr0)
{
#if defined(__x86_64__) && defined(SYS_arch_prctl)
    enum { PL_ARCH_GET_XCOMP_SUPP = 0x1021 }; /* asm/prctl.h, since Linux 5.16 */
    uint64_t may = 0;
    if (c->live && (xcr0 & PL_X_AMX) != 0 &&
        (syscall(SYS_arch_prctl, PL_ARCH_GET_XCOMP_SUPP, &may) < 0 || (may & PL_X_AMX) != PL_X_AMX))
        xcr0 &= ~(uint64_t)PL_X_AMX;
#else
    (void)c;
#endif
    return xcr0;
}

void pl_cpu_isa_cpuid(const struct pl_cpuid *c, char *out, size_t size)
{
    uint64_t xcr0 = pl_isa_permitted(c, pl_cpuid_xcr0(c));
    out[0] = '\0';
    /* a hypervisor traps each CPUID, so each of the leaves is asked for once */
    struct {
        uint32_t leaf, sub, r[4];
        bool there;
    } asked[PL_ISA_LEAVES];
    size_t n = 0;
    for (size_t i = 0; i < PL_COUNT(pl_x86_words); i++) {
        const struct pl_isa_word *w = &pl_x86_words[i];
        size_t k = 0;
        while (k < n && (asked[k].leaf != w->leaf || asked[k].sub != w->sub))
            k++;
        if (k == n && n < PL_ISA_LEAVES) {
            asked[n].leaf = w->leaf;
            asked[n].sub = w->sub;
            asked[n].there = pl_cpuid_ask(c, w->leaf, w->sub, asked[n].r);
            n++;
        }
        if (k < n && asked[k].there && (asked[k].r[w->reg] >> w->bit & 1) != 0 &&
            (xcr0 & w->xcr0) == w->xcr0)
            pl_isa_add(out, size, w->word);
    }
}
