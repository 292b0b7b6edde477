/* common/speculative.cpp: common_speculative_type_from_name, common_speculative_n_max;
 * common/common.h: need_n_rs_seq. */
#include "engine/llamacpp/speculate.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

#define PL_CACHE_DRAFTS 8u /* common_speculative_n_max, COMMON_SPECULATIVE_TYPE_NGRAM_CACHE */

static void pl_at_least(uint64_t *n, uint64_t want)
{
    *n = want > *n ? want : *n;
}

static bool pl_speculation_take(struct pl_speculation *p, const struct pl_draft_settings *d,
                                const char *kind)
{
    bool draft = pl_starts(kind, "draft-");
    p->any = p->any || !pl_streq(kind, "none");
    if (draft)
        pl_at_least(&p->n_max, d->n_max);
    if (pl_streq(kind, "draft-simple"))
        p->simple = true;
    else if (pl_streq(kind, "draft-mtp"))
        p->mtp = true;
    else if (pl_streq(kind, "draft-eagle3") || pl_streq(kind, "draft-dflash") ||
             pl_streq(kind, "draft-dspark"))
        p->reader = true;
    else if (pl_streq(kind, "ngram-simple"))
        pl_at_least(&p->n_max, d->ngram_simple);
    else if (pl_streq(kind, "ngram-map-k"))
        pl_at_least(&p->n_max, d->ngram_map);
    else if (pl_streq(kind, "ngram-map-k4v"))
        pl_at_least(&p->n_max, d->ngram_map4);
    else if (pl_streq(kind, "ngram-mod"))
        pl_at_least(&p->n_max, d->ngram_mod);
    else if (pl_streq(kind, "ngram-cache"))
        pl_at_least(&p->n_max, PL_CACHE_DRAFTS);
    else if (!pl_streq(kind, "none"))
        return false;
    p->block = p->block || pl_streq(kind, "draft-dflash") || pl_streq(kind, "draft-dspark");
    p->ngram_mod = p->ngram_mod || pl_streq(kind, "ngram-mod");
    p->ngram_map = p->ngram_map || pl_starts(kind, "ngram-map");
    p->ngram_cache = p->ngram_cache || pl_streq(kind, "ngram-cache");
    return true;
}

int pl_llamacpp_speculation(const struct pl_settings *s, struct pl_speculation *ret,
                            struct pl_err *err)
{
    *ret = (struct pl_speculation){0};
    for (const char *p = s->draft.types; p != NULL;) {
        char kind[24] = "";
        size_t n = strcspn(p, ",");
        (void)PL_FMT(kind, "%.*s", n < sizeof(kind) ? (int)n : 0, p);
        if (!pl_speculation_take(ret, &s->draft, kind)) {
            (void)pl_fail(err, -EINVAL, "--spec-type: no kind '%.*s'", n < 60 ? (int)n : 60, p);
            (void)pl_hint(err, "none, draft-simple, draft-mtp, draft-eagle3, draft-dflash, "
                               "draft-dspark, ngram-simple, ngram-map-k, ngram-map-k4v, ngram-mod, "
                               "ngram-cache");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        p = p[n] == ',' ? p + n + 1 : NULL;
    }
    return 0;
}
