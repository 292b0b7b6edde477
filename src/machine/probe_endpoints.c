/* The way to endpoints elsewhere: tried only when they are named. */
#include "base/str.h"
#include "machine/probes.h"
#include "sys/reach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A URL may carry a password: "https://user:secret@host" is shown without what stands before the
 * at sign. */
static void pl_endpoint_shown(const char *url, char *out, size_t size)
{
    const char *at = strchr(url, '@'), *slash = strstr(url, "://");
    const char *from = slash != NULL ? slash + 3 : url;
    if (at != NULL && at >= from && (size_t)(at - from) < strcspn(from, "/?#"))
        (void)pl_fmt(out, size, "%.*s%s", (int)(from - url), url, at + 1);
    else
        (void)pl_fmt(out, size, "%s", url);
    out[strcspn(out, "?#")] = '\0'; /* a key may stand there too */
    pl_text_clean(out);
}

static int pl_endpoints_run(const struct pl_probe_input *in, struct pl_machine *m,
                            struct pl_err *err)
{
    uint32_t n = in->options->n_endpoint;
    struct pl_reach *r = n > 0 ? calloc(PL_REACH_MAX, sizeof(*r)) : NULL;
    if (n > PL_REACH_MAX) {
        free(r);
        (void)pl_fail(err, -E2BIG, "more than %d endpoints", PL_ENDPOINTS_MAX);
        return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
    }
    int rc = n > 0 && r == NULL ? pl_fail(err, -ENOMEM, "no memory to try endpoints") : 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        rc = pl_reach_parse(in->options->endpoint[i], &r[i], err);
    bool here = pl_root_is_this_system(in->root);
    if (rc == 0 && here)
        pl_reach_try(r, n);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        struct pl_endpoint *e = &m->endpoint[m->n_endpoint++];
        *e = (struct pl_endpoint){.state = here ? PL_STATE_PLAIN : PL_STATE_NOT_ASKED};
        pl_endpoint_shown(in->options->endpoint[i], e->url, sizeof(e->url));
        e->reachable = r[i].reachable;
        e->milliseconds = r[i].milliseconds;
        (void)PL_FMT(e->why, "%s", here ? r[i].why : "a dump is not on the network");
    }
    free(r);
    return rc;
}

const struct pl_probe pl_probe_endpoints = {
    .name = "endpoints",
    .reads = "one TCP connection to every --endpoint, for a second at most; nothing is sent",
    .matters = "a model in the cloud is no way out while the way to it is down",
    .run = pl_endpoints_run,
};
