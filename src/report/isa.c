/* Instruction set extensions for people: the large families grouped, and said when they are
 * missing. */
#include "report/hardware.h"

#include <stdlib.h>
#include <string.h>

#define PL_ISA_WORDS_MAX 96

static int pl_isa_order(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* "avx512_bf16" is "bf16" of the family "avx512"; NULL for a word of another family. */
static const char *pl_isa_member(const char *word, const char *family)
{
    if (!pl_starts(word, family))
        return NULL;
    word += strlen(family);
    return *word == '_' ? word + 1 : word;
}

static void pl_isa_family(const char *title, const char *family, const char *const *word, size_t n,
                          struct pl_str *out)
{
    const char *member[PL_ISA_WORDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = pl_isa_member(word[i], family);
        if (name != NULL)
            member[count++] = name;
    }
    qsort(member, count, sizeof(member[0]), pl_isa_order);
    pl_str_addf(out, "; %s:", title);
    for (size_t i = 0; i < count; i++)
        pl_str_addf(out, " %s", member[i]);
    pl_str_add(out, count == 0 ? " not supported" : "");
}

void pl_isa_text(const struct pl_cpu *c, struct pl_str *out)
{
    char text[PL_ISA_TEXT_MAX];
    const char *word[PL_ISA_WORDS_MAX];
    char *save = NULL;
    size_t n = 0, shown = 0;
    (void)PL_FMT(text, "%s", c->isa);
    for (const char *w = strtok_r(text, " ", &save); w != NULL && n < PL_ISA_WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        word[n++] = w;
    for (size_t i = 0; i < n; i++) {
        if (!pl_starts(word[i], "avx512") && !pl_starts(word[i], "amx"))
            pl_str_addf(out, "%s%s", shown++ > 0 ? " " : "", word[i]);
    }
    if (n == 0)
        pl_str_add(out, "unknown");
    if (pl_cpu_has(c, "sse2")) {
        pl_isa_family("AVX-512", "avx512", word, n, out);
        pl_isa_family("AMX", "amx", word, n, out);
    }
    pl_str_add(out, "\n");
}
