#include "machine/consumer_advice.h"

#include "base/str.h"
#include "base/units.h"

#include <string.h>

/* Below this, a program that the table does not know is not worth a word. */
#define PL_ADVICE_OTHER_MIN (256 * PL_MIB)
#define PL_ADVICE_PART_MIN PL_MIB

static void pl_advice_add(char *out, size_t size, const char *text)
{
    size_t n = strlen(out);
    (void)pl_fmt(out + n, size - n, "%s", text);
}

/* "frees 1.20 GiB of ram, 300 MiB of gpu0"; "" when there is nothing to free. */
static void pl_advice_frees(const struct pl_consumer *c, char *out, size_t size)
{
    char part[64], amount[PL_SIZE_TEXT_MAX];
    out[0] = '\0';
    for (uint32_t i = 0; i <= c->n_device; i++) {
        struct pl_quantity q = i == 0 ? c->host : c->device[i - 1].held;
        if (!pl_known(q) || q.likely < PL_ADVICE_PART_MIN)
            continue;
        (void)PL_FMT(part, "%s%s of %s", out[0] == '\0' ? "frees " : ", ",
                     pl_size_text(q.likely, amount), i == 0 ? "ram" : c->device[i - 1].pool);
        pl_advice_add(out, size, part);
    }
}

void pl_consumer_advise(const struct pl_program *program, struct pl_consumer *c)
{
    char frees[sizeof(c->advice)];
    bool large = c->n_device > 0 || (pl_known(c->host) && c->host.likely >= PL_ADVICE_OTHER_MIN);
    pl_advice_frees(c, frees, sizeof(frees));
    c->advice[0] = '\0';
    switch (c->kind) {
    case PL_CONSUMER_DESKTOP:
    case PL_CONSUMER_SYSTEM:
        (void)PL_FMT(c->advice, "%s", program != NULL ? program->advice : "leave it");
        break;
    case PL_CONSUMER_BROWSER:
    case PL_CONSUMER_ENGINE:
        if (frees[0] != '\0')
            (void)PL_FMT(c->advice, "%s: %.60s", program != NULL ? program->advice : "stop it",
                         frees);
        break;
    case PL_CONSUMER_OTHER:
        if (large && frees[0] != '\0')
            (void)PL_FMT(c->advice, "if it is not needed: stopping it %.60s", frees);
        break;
    }
}
