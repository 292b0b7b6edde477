#include "sys/live.h"

#include "base/str.h"
#include "sys/tape.h"

#include <errno.h>
#include <string.h>

int pl_live(const struct pl_root *root, const char *name, pl_live_ask ask, const void *ctx,
            char *out, size_t size)
{
    const struct pl_tape_entry *e = NULL;
    if (root->replay != NULL) {
        e = pl_tape_find(root->replay, PL_TAPE_LIVE, name);
        if (e == NULL)
            return -ENODATA;
    } else if (root->tape != NULL) {
        e = pl_tape_find(root->tape, PL_TAPE_LIVE, name);
    }
    if (e != NULL && e->error < 0)
        return e->error;
    if (e != NULL)
        return pl_fmt(out, size, "%s", e->data) ? 0 : -E2BIG;
    if (!root->this_system)
        return -ENODATA;
    int rc = ask(ctx, out, size);
    if (root->tape != NULL)
        pl_tape_put(root->tape, PL_TAPE_LIVE, name, rc, rc == 0 ? out : "",
                    rc == 0 ? strlen(out) : 0);
    return rc;
}

int pl_live_u64(const struct pl_root *root, const char *name, pl_live_ask ask, const void *ctx,
                uint64_t *ret)
{
    char text[32];
    int rc = pl_live(root, name, ask, ctx, text, sizeof(text));
    if (rc == 0 && !pl_parse_u64(text, ret))
        rc = -EBADMSG;
    return rc;
}
