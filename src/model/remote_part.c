#include "model/remote_part.h"

#include "base/checked.h"
#include "model/gguf_in.h"
#include "model/remote_status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_PART_TRIES 2u
#define PL_PROBE_MEMORY (256ull << 20)

/* One transfer into a part. */
struct pl_part_fetch {
    struct pl_remote_part *p;
    uint64_t at, want;  /* of the range asked for */
    bool known;         /* the first piece was looked at */
    bool all;           /* the server sends the whole file: 200 */
    size_t next_probe;  /* when all: length at which the header may be complete */
    struct pl_err *err; /* why a piece was refused */
};

static int pl_part_fail(const struct pl_remote_part *p, struct pl_err *err, int code,
                        enum pl_exit status, const char *what)
{
    (void)pl_fail(err, code, "%s", what);
    pl_err_at(err, p->path, 0, 0);
    return pl_exit_as(err, code, status);
}

static bool pl_part_reserve(struct pl_remote_part *p, size_t n)
{
    if (n <= p->size)
        return true;
    size_t size = p->size < PL_REMOTE_WINDOW_1 ? PL_REMOTE_WINDOW_1 : p->size;
    while (size < n)
        size *= 2;
    uint8_t *data = realloc(p->data, size);
    if (data == NULL)
        return false;
    p->data = data;
    p->size = size;
    return true;
}

/* Length and validators of an answer against those of the answers before. */
static int pl_part_same(struct pl_part_fetch *f, const struct pl_http_facts *facts, uint64_t bytes)
{
    struct pl_remote_part *p = f->p;
    bool first = p->len == 0;
    if (first) {
        p->is.bytes = bytes;
        (void)PL_FMT(p->is.etag, "%s", facts->etag);
        (void)PL_FMT(p->is.modified, "%s", facts->modified);
        return 0;
    }
    bool other =
        p->is.bytes != bytes || (facts->etag[0] != '\0' && !pl_streq(facts->etag, p->is.etag));
    return other ? pl_part_fail(p, f->err, -ESTALE, PL_EXIT_ENVIRONMENT,
                                "the file was replaced while it was read")
                 : 0;
}

/* What the first piece of an answer must say before it counts. */
static int pl_part_begin(struct pl_part_fetch *f, long status, const struct pl_http_facts *facts)
{
    struct pl_remote_part *p = f->p;
    uint64_t bytes = 0;
    if (status == 206 && facts->has_range && facts->has_total && facts->first == f->at) {
        bytes = facts->total;
    } else if (status == 206) {
        return pl_part_fail(p, f->err, -EBADMSG, PL_EXIT_ENVIRONMENT,
                            "the server answers another range than was asked for");
    } else if (facts->has_length) {
        bytes = facts->length;
        f->all = true;
    } else {
        return pl_part_fail(p, f->err, -EBADMSG, PL_EXIT_ENVIRONMENT,
                            "the server does not say how long the file is");
    }
    f->known = true;
    int rc = pl_part_same(f, facts, bytes);
    if (rc == 0 && f->all)
        p->len = 0; /* from the first byte again */
    return rc;
}

static int pl_probe_read(struct pl_input *in, uint64_t at, void *buf, size_t n, struct pl_err *err)
{
    const struct pl_remote_part *p = in->ctx;
    if (at > p->len || n > p->len - at)
        return pl_fail(err, -EAGAIN, "more is needed");
    memcpy(buf, p->data + at, n);
    return 0;
}

static int pl_probe_open(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    const struct pl_remote_part *p = ctx;
    (void)path, (void)err;
    *ret = (struct pl_input){
        .bytes = p->is.bytes, .disk_bytes = p->is.bytes, .read = pl_probe_read, .ctx = ctx};
    return 0;
}

/* Is the header complete (or broken)? Asked at lengths that double, so it costs twice its reading.
 */
static bool pl_part_complete(struct pl_remote_part *p)
{
    struct pl_opener opener = {.open = pl_probe_open, .ctx = p};
    struct pl_gguf_part part;
    struct pl_arena arena;
    uint8_t *window = malloc(PL_GGUF_WINDOW);
    if (window == NULL)
        return true; /* the reader will say it */
    pl_arena_init(&arena, PL_PROBE_MEMORY);
    int rc = pl_gguf_read_part(&opener, p->path, window, &arena, &part, NULL);
    pl_arena_done(&arena);
    free(window);
    return rc != -EAGAIN;
}

static int pl_part_on_data(void *ctx, long status, const struct pl_http_facts *facts,
                           const char *data, size_t len)
{
    struct pl_part_fetch *f = ctx;
    struct pl_remote_part *p = f->p;
    int rc = f->known ? 0 : pl_part_begin(f, status, facts);
    if (rc < 0)
        return rc;
    uint64_t end = f->all ? PL_HEADER_BYTES_MAX : f->at + f->want;
    uint64_t most = end < p->is.bytes ? end : p->is.bytes;
    size_t take = len < most - p->len ? len : (size_t)(most - p->len);
    if (!pl_part_reserve(p, p->len + take))
        return pl_part_fail(p, f->err, -ENOMEM, PL_EXIT_ENVIRONMENT, "no memory for the header");
    memcpy(p->data + p->len, data, take);
    p->len += take;
    if (p->len == most)
        return 1;
    if (!f->all || p->len < f->next_probe)
        return 0;
    f->next_probe = p->len * 2;
    return pl_part_complete(p) ? 1 : 0;
}

static bool pl_part_strong(const char *etag)
{
    return etag[0] == '"'; /* RFC 9110, 13.1.5: If-Range takes no weak tag */
}

/* After a redirect, of what it told about the file behind it. */
static int pl_part_linked(struct pl_remote_part *p, const struct pl_get_answer *a,
                          struct pl_err *err)
{
    if (a->hops > 1 && p->is.linked[0] == '\0')
        (void)PL_FMT(p->is.linked, "%s", a->linked_etag);
    if (a->hops > 1 && a->has_linked_size && a->linked_size != p->is.bytes)
        return pl_part_fail(p, err, -EBADMSG, PL_EXIT_ENVIRONMENT,
                            "the server sends a file of another length than was announced");
    if (a->hops > 1 && !pl_streq(a->url, p->url)) {
        free(p->where);
        p->where = strdup(a->url);
    }
    return 0;
}

static int pl_part_verdict(struct pl_remote_part *p, const struct pl_part_fetch *f,
                           const struct pl_get_answer *a, bool with_token, struct pl_err *err)
{
    if (a->status == 416 && f->at == 0 && a->facts.has_total && a->facts.total == 0) {
        p->is.bytes = 0; /* an empty file has no range */
        return 0;
    }
    if (a->status != 200 && a->status != 206)
        return pl_remote_refused(p->path, a, with_token, err);
    if (!f->known) { /* no byte came */
        p->is.bytes = 0;
        bool empty = a->status == 200 && a->facts.has_length && a->facts.length == 0;
        return empty ? 0
                     : pl_part_fail(p, err, -ECONNRESET, PL_EXIT_ENVIRONMENT,
                                    "the server sent nothing");
    }
    return pl_part_linked(p, a, err);
}

/* One request for bytes len .. target - 1. */
static int pl_part_once(struct pl_remote_part *p, uint64_t target, struct pl_err *err)
{
    struct pl_get_answer a;
    struct pl_err piece = {0};
    struct pl_part_fetch f = {.p = p,
                              .at = p->len,
                              .want = target - p->len,
                              .next_probe = PL_REMOTE_WINDOW_1,
                              .err = &piece};
    const char *url = p->where != NULL ? p->where : p->url;
    bool with_token = p->o->token != NULL && pl_url_same_origin(url, p->url);
    struct pl_get_request q = {
        .url = url,
        .token = with_token ? p->o->token : NULL,
        .accept = p->o->accept,
        .ranged = true,
        .at = f.at,
        .n = f.want,
        .if_range = f.at == 0                    ? NULL
                    : pl_part_strong(p->is.etag) ? p->is.etag
                                                 : p->is.modified,
        .stop = p->o->stop,
        .on_data = pl_part_on_data,
        .ctx = &f,
    };
    int rc = pl_remote_get(p->get, &q, &a, err);
    if (rc < 0 && piece.code != 0 && err != NULL)
        *err = piece;
    /* a signature runs out: ask again where it came from */
    bool expired = rc == 0 && p->where != NULL && a.status >= 400 && a.status < 500;
    if (expired) {
        free(p->where);
        p->where = NULL;
        rc = pl_part_fail(p, err, -ECONNRESET, PL_EXIT_ENVIRONMENT, "the link ran out");
    } else if (rc == 0) {
        rc = pl_part_verdict(p, &f, &a, with_token, err);
    }
    pl_str_done(&a.body);
    return rc;
}

static uint64_t pl_part_window(const struct pl_remote_part *p)
{
    return p->len == 0                                         ? PL_REMOTE_WINDOW_1
           : p->len <= PL_REMOTE_WINDOW_1                      ? PL_REMOTE_WINDOW_2
           : p->len <= PL_REMOTE_WINDOW_1 + PL_REMOTE_WINDOW_2 ? PL_REMOTE_WINDOW_3
                                                               : PL_REMOTE_WINDOW_4;
}

int pl_remote_part_need(struct pl_remote_part *p, uint64_t n, struct pl_err *err)
{
    uint32_t tries = 0;
    int rc = 0;
    if (n > PL_HEADER_BYTES_MAX)
        return pl_part_fail(p, err, -EFBIG, PL_EXIT_USAGE, "its header is longer than 64 MiB");
    while (rc == 0 && p->len < n) {
        uint64_t target = pl_add_sat(p->len, pl_part_window(p));
        target = target < n ? n : target;
        if (p->is.bytes > 0 && target > p->is.bytes)
            target = p->is.bytes;
        size_t had = p->len;
        rc = pl_part_once(p, target, err);
        if (p->is.bytes < n && rc == 0)
            break; /* shorter than was hoped: the reader says what is missing */
        if ((rc == -ECONNRESET || (rc == 0 && p->len == had)) && ++tries < PL_PART_TRIES)
            rc = 0;
        else if (rc == 0 && p->len <= had)
            rc = pl_part_fail(p, err, -ECONNRESET, PL_EXIT_ENVIRONMENT,
                              "the server sends less than was asked for");
    }
    return rc;
}

/* Asks whether the cached header is still the file's: 1 it is, 0 it is not. */
static int pl_part_still(struct pl_remote_part *p, const struct pl_header_entry *e,
                         struct pl_err *err)
{
    struct pl_get_answer a;
    struct pl_get_request q = {
        .url = p->url,
        .token = p->o->token,
        .accept = p->o->accept,
        .ranged = true,
        .n = 1,
        .if_none_match = e->is.etag,
        .if_modified = e->is.etag[0] == '\0' ? e->is.modified : NULL,
        .known_linked = e->is.linked,
        .stop = p->o->stop,
        .cap_bytes = 1,
    };
    int rc = pl_remote_get(p->get, &q, &a, err);
    bool tagged = e->is.etag[0] != '\0' && pl_streq(a.facts.etag, e->is.etag);
    if (rc == -EFBIG && a.facts.has_length) /* 200: the server knows no ranges */
        rc = tagged && a.facts.length == e->is.bytes ? 1 : 0;
    else if (rc == 0 && a.status == 304)
        rc = 1;
    else if (rc == 0 && a.status == 206)
        rc = tagged && a.facts.has_total && a.facts.total == e->is.bytes ? 1 : 0;
    else if (rc == 0 && a.status != 200 && a.status != 416)
        rc = pl_remote_refused(p->path, &a, p->o->token != NULL, err);
    pl_str_done(&a.body);
    return rc;
}

static void pl_part_take(struct pl_remote_part *p, struct pl_header_entry *e)
{
    p->is = e->is;
    p->data = e->data;
    p->len = p->size = e->len;
    p->whole = true;
    (void)PL_FMT(p->local, "%s", e->path);
    e->data = NULL;
}

static int pl_part_fill(struct pl_remote_part *p, struct pl_err *err)
{
    struct pl_header_entry e;
    bool cached = pl_header_cache_get(p->o->cache, p->url, &e);
    int still = 0, rc = 0;
    if (p->get == NULL && !cached) {
        rc = pl_part_fail(p, err, -ENOENT, PL_EXIT_USAGE, "offline, and its header was never read");
        (void)pl_hint(err, "once with the network: 'plimsoll inspect' keeps it");
        return rc;
    }
    if (p->get != NULL && cached)
        still = pl_part_still(p, &e, err);
    if (p->get == NULL || still == 1)
        pl_part_take(p, &e);
    else if (still < 0)
        rc = still;
    free(e.data);
    if (still < 0 && still != -EACCES && still != -ENOENT && still != -EINTR)
        (void)pl_hint(err, "--offline uses the header that was read earlier");
    return rc < 0 || p->whole ? rc : pl_remote_part_need(p, 1, err);
}

int pl_remote_part_open(const struct pl_remote_options *o, struct pl_get *get, const char *url,
                        struct pl_remote_part **ret, struct pl_err *err)
{
    char shown[PL_URL_MAX];
    struct pl_remote_part *p = calloc(1, sizeof(*p));
    if (p != NULL) {
        p->o = o;
        p->get = get;
        p->url = strdup(url);
        p->path = strdup(pl_url_shown(url, shown));
    }
    if (p == NULL || p->url == NULL || p->path == NULL) {
        (void)pl_remote_part_free(p);
        return pl_fail(err, -ENOMEM, "no memory for the header");
    }
    int rc = pl_part_fill(p, err);
    if (rc < 0)
        (void)pl_remote_part_free(p);
    else
        *ret = p;
    return rc < 0 ? rc : 0;
}

struct pl_remote_part *pl_remote_part_free(struct pl_remote_part *p)
{
    if (p == NULL)
        return NULL;
    free(p->path);
    free(p->url);
    free(p->where);
    free(p->data);
    free(p);
    return NULL;
}
