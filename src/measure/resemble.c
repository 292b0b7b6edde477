#include "measure/resemble.h"

#include "base/str.h"
#include "base/units.h"
#include "model/catalogue.h"
#include "why/object.h"

#include <stdio.h>
#include <string.h>

#define PL_RESEMBLE_SHAPES 32
#define PL_RESEMBLE_NAMES 3
#define PL_RESEMBLE_LEAST (8 * PL_MIB) /* smaller requests resemble too much */

struct pl_resemblance {
    uint64_t big, small;
    uint32_t bits, n;
    const char *name[PL_RESEMBLE_NAMES];
};

struct pl_resemblances {
    struct pl_resemblance one[PL_RESEMBLE_SHAPES];
    uint32_t n;
};

static void pl_resemble_add(struct pl_resemblances *r, uint64_t a, uint64_t b, uint32_t bits,
                            const char *name)
{
    uint64_t big = a > b ? a : b, small = a > b ? b : a;
    uint32_t i = 0;
    while (i < r->n && (r->one[i].big != big || r->one[i].small != small || r->one[i].bits != bits))
        i++;
    if (i == PL_RESEMBLE_SHAPES)
        return;
    if (i == r->n)
        r->one[r->n++] = (struct pl_resemblance){.big = big, .small = small, .bits = bits};
    struct pl_resemblance *x = &r->one[i];
    if (x->n > 0 && x->name[x->n < PL_RESEMBLE_NAMES ? x->n - 1 : PL_RESEMBLE_NAMES - 1] == name)
        return;
    if (x->n < PL_RESEMBLE_NAMES)
        x->name[x->n] = name;
    x->n++;
}

static void pl_resemble_shape(const struct pl_oom *o, uint64_t a, uint64_t b, const char *name,
                              struct pl_resemblances *r)
{
    if (a == 0 || b == 0 || a >= PL_CATALOGUE_UNKNOWN / 8 || b >= PL_CATALOGUE_UNKNOWN / 8 ||
        a > UINT64_MAX / 4 / b)
        return;
    if (pl_oom_asks_for(o, a * b * 2))
        pl_resemble_add(r, a, b, 16, name);
    if (pl_oom_asks_for(o, a * b * 4))
        pl_resemble_add(r, a, b, 32, name);
}

const char *pl_oom_resembles(const struct pl_oom *o, char *out, size_t size)
{
    struct pl_resemblances r = {.n = 0};
    size_t n_row, len;
    const struct pl_catalogue_row *row = pl_catalogue(&n_row);
    struct pl_quantity asked = o->n[PL_OOM_REQUESTED];
    out[0] = '\0';
    if (!pl_known(asked) || asked.likely < PL_RESEMBLE_LEAST)
        return out;
    for (size_t i = 0; i < n_row; i++) {
        pl_resemble_shape(o, row[i].n_ff, row[i].n_embd, row[i].id, &r);
        pl_resemble_shape(o, row[i].moe_n_ff, row[i].n_embd, row[i].id, &r);
        pl_resemble_shape(o, row[i].n_vocab, row[i].n_embd, row[i].id, &r);
    }
    const struct pl_resemblance *best = NULL;
    for (uint32_t i = 0; i < r.n; i++)
        if (best == NULL || r.one[i].bits < best->bits ||
            (r.one[i].bits == best->bits && r.one[i].n > best->n))
            best = &r.one[i];
    if (best == NULL)
        return out;
    (void)pl_fmt(out, size, "the size of one %llu x %llu %u-bit matrix, as in %s",
                 (unsigned long long)best->big, (unsigned long long)best->small, best->bits,
                 best->name[0]);
    for (uint32_t i = 1; i < best->n && i < PL_RESEMBLE_NAMES; i++) {
        len = strlen(out);
        (void)pl_fmt(out + len, size - len, ", %s", best->name[i]);
    }
    len = strlen(out);
    if (best->n > PL_RESEMBLE_NAMES)
        (void)pl_fmt(out + len, size - len, " and %u more of the catalogue",
                     best->n - PL_RESEMBLE_NAMES);
    return out;
}
