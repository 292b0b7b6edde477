#include "engine/llamacpp/arch.h"

#include "base/str.h"

#include <string.h>

/* Generated from data/llamacpp_archs.tsv; see tools/gen-data. */
static const struct pl_arch pl_archs[] = {
#include "llamacpp_archs.inc"
};
#define PL_ARCHS (sizeof(pl_archs) / sizeof(pl_archs[0]))
#define PL_ARCH_NAME_MAX 32 /* longer names are near to none */

const struct pl_arch *pl_arch(const char *name)
{
    for (size_t i = 0; i < PL_ARCHS; i++) {
        if (pl_streq(pl_archs[i].name, name))
            return &pl_archs[i];
    }
    return NULL;
}

uint32_t pl_arch_count(void)
{
    return (uint32_t)PL_ARCHS;
}

const struct pl_arch *pl_arch_at(uint32_t i)
{
    return &pl_archs[i];
}

/* Letters to insert, drop or replace to come from a to b (Levenshtein). */
static size_t pl_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[PL_ARCH_NAME_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t least = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            least = row[j] + 1 < least ? row[j] + 1 : least;
            row[j] = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
        }
    }
    return row[m];
}

const char *pl_arch_nearest(const char *name)
{
    size_t n = strlen(name), best = n / 2 + 1;
    const char *near = NULL;
    if (n > PL_ARCH_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < PL_ARCHS; i++) {
        size_t d = strlen(pl_archs[i].name) > PL_ARCH_NAME_MAX
                       ? best
                       : pl_distance(name, pl_archs[i].name);
        if (d < best) {
            best = d;
            near = pl_archs[i].name;
        }
    }
    return near;
}
