#include "base/str.h"
#include "engine/llamacpp/footprint_device.h"

#include <errno.h>
#include <string.h>

/* Drafting with a model of its own is added by measure/extras; heads in the model's own file, and
 * what reads its hidden states, are not followed. */
static bool pl_cannot_drafts(const struct pl_draft_settings *d)
{
    return d->types != NULL && strstr(d->types, "draft-") != NULL &&
           !(pl_streq(d->types, "draft-simple") && d->model != NULL);
}

/* Keys of the tokenizer and of descriptions size no buffer; others may change the geometry. */
static bool pl_cannot_keys(const struct pl_texts *keys)
{
    for (uint32_t i = 0; i < keys->n; i++) {
        for (const char *p = keys->one[i]; p != NULL;) {
            if (!pl_starts(p, "tokenizer.") && !pl_starts(p, "general.name"))
                return true;
            p = strchr(p, ',');
            p = p != NULL ? p + 1 : NULL;
        }
    }
    return false;
}

/* The first flag in use that has no formula, or NULL. */
static const char *pl_cannot_flag(const struct pl_settings *s)
{
    if (pl_cannot_drafts(&s->draft))
        return "--spec-type";
    if (pl_cannot_keys(&s->override_kv))
        return "--override-kv";
    if (s->rpc != NULL)
        return "--rpc";
    if (s->moe_cache_mib > 0)
        return "--moe-cache-mib";
    return s->n_ctx_slot_max > 0 ? "--kv-unified-per-slot" : NULL;
}

int pl_footprint_cannot(const struct pl_settings *s, struct pl_err *err)
{
    const char *flag = pl_cannot_flag(s);
    if (flag == NULL)
        return 0;
    (void)pl_fail(err, -ENOTSUP, "%s changes memory in a way that is not predicted yet", flag);
    (void)pl_hint(err, "leave it out for an estimate without it");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}
