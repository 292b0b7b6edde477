#include "base/str.h"
#include "engine/llamacpp/footprint_device.h"

#include <errno.h>
#include <string.h>

/* The first flag in use that has no formula, or NULL. */
static const char *pl_cannot_flag(const struct pl_settings *s)
{
    return s->moe_cache_mib > 0 ? "--moe-cache-mib" : NULL;
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
