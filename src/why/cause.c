#include "why/cause.h"

#include "base/str.h"

#include <string.h>

static const struct pl_cause_row pl_cause_rows[] = {
#include "oom_causes.inc"
};

/* +weight when it says the same, 0 when it says nothing, -1000 when it says something else. */
static int pl_fits(const char *said, const char *is, int weight)
{
    return said == NULL ? 0 : pl_streq(said, is) ? weight : -1000;
}

const struct pl_cause_row *pl_oom_cause(const struct pl_oom *o)
{
    const struct pl_cause_row *best = NULL;
    int best_score = -1;
    for (size_t i = 0; i < sizeof(pl_cause_rows) / sizeof(pl_cause_rows[0]); i++) {
        const struct pl_cause_row *r = &pl_cause_rows[i];
        if (!pl_streq(r->class, pl_oom_class_name(o->class)))
            continue;
        int score = pl_fits(r->engine, o->engine, 4) + pl_fits(r->platform, o->platform, 3) +
                    pl_fits(r->phase, pl_oom_phase_name(o->phase), 2) +
                    pl_fits(r->backend, o->backend, 1);
        if (score > best_score) {
            best_score = score;
            best = r;
        }
    }
    return best;
}

bool pl_cause_remedy(const char **at, char *out, size_t size)
{
    const char *end = *at != NULL ? strstr(*at, " ;; ") : NULL;
    if (*at == NULL || **at == '\0')
        return false;
    size_t n = end != NULL ? (size_t)(end - *at) : strlen(*at);
    n = n < size ? n : size - 1;
    memcpy(out, *at, n);
    out[n] = '\0';
    *at = end != NULL ? end + 4 : NULL;
    return true;
}
