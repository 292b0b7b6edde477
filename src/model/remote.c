#include "model/remote.h"

#include "base/checked.h"
#include "base/sha256.h"
#include "model/gguf.h"
#include "model/remote_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_REMOTE_ID 16 /* hexadecimal digits */

struct pl_remote {
    const struct pl_remote_options *o;
    const char *url; /* as given, with its secrets */
    struct pl_get *get;
    struct pl_remote_part *part[PL_SPLITS_MAX];
    uint32_t n_part;
};

/* Bytes past a header from the cache are weights: the reader asks for them with the last of the
 * header and looks at none. */
static int pl_remote_at(struct pl_input *in, uint64_t at, void *buf, size_t n, struct pl_err *err)
{
    struct pl_remote_part *p = in->ctx;
    uint64_t end = 0;
    if (!pl_add_u64(at, n, &end) || end > in->bytes)
        return pl_fail(err, -EBADMSG, "ends at byte %llu", (unsigned long long)in->bytes);
    int rc = p->whole ? 0 : pl_remote_part_need(p, end, err);
    if (rc < 0)
        return rc;
    size_t have = at < p->len ? p->len - (size_t)at : 0;
    have = have < n ? have : n;
    if (have < n && !p->whole)
        return pl_fail(err, -EBADMSG, "became shorter while it was read: ends at byte %llu",
                       (unsigned long long)p->len);
    if (have > 0)
        memcpy(buf, p->data + at, have);
    memset((uint8_t *)buf + have, 0, n - have);
    return 0;
}

static int pl_remote_open(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    struct pl_remote *r = ctx;
    char url[PL_URL_MAX];
    uint64_t held = 0;
    for (uint32_t i = 0; i < r->n_part; i++)
        held += r->part[i]->size;
    if (r->n_part >= PL_SPLITS_MAX || held > PL_REMOTE_HELD_MAX)
        return pl_fail(err, -EFBIG, "the headers of its parts are longer than 256 MiB");
    if (!pl_url_with(r->url, path, url))
        return pl_fail(err, -ENAMETOOLONG, "the address is too long");
    int rc = pl_remote_part_open(r->o, r->get, url, &r->part[r->n_part], err);
    if (rc < 0)
        return rc;
    struct pl_remote_part *p = r->part[r->n_part++];
    *ret = (struct pl_input){
        .bytes = p->is.bytes, .disk_bytes = p->is.bytes, .read = pl_remote_at, .ctx = p};
    return 0;
}

/* What this model is, here and there: addresses and validators of all parts. */
static int pl_remote_identity(struct pl_remote *r, struct pl_model *m, struct pl_err *err)
{
    struct pl_str all;
    char hash[PL_SHA256_TEXT_MAX];
    pl_str_init(&all, 8u << 20);
    for (uint32_t i = 0; i < r->n_part; i++) {
        const struct pl_remote_part *p = r->part[i];
        pl_str_addf(&all, "%s\n%llu\n%s\n%s\n%s\n", p->path, (unsigned long long)p->is.bytes,
                    p->is.etag, p->is.modified, p->is.linked);
    }
    m->remote_id = all.failed ? NULL
                              : pl_arena_strndup(&m->arena, pl_sha256_text(all.data, all.len, hash),
                                                 PL_REMOTE_ID);
    pl_str_done(&all);
    return m->remote_id != NULL ? 0 : pl_fail(err, -ENOMEM, "no memory for the header");
}

/* Keeps what was read. A cache that cannot be written is no error: the next time takes as long. */
static void pl_remote_keep(struct pl_remote *r, struct pl_model *m)
{
    for (uint32_t i = 0; i < r->n_part; i++) {
        struct pl_remote_part *p = r->part[i];
        struct pl_model_file *f = NULL;
        for (uint32_t k = 0; k < m->n_file; k++) {
            if (pl_streq(m->file[k].path, p->path))
                f = &m->file[k];
        }
        bool beside = f == NULL && p->len == p->is.bytes; /* a small file, wanted whole */
        if (f == NULL && !beside)
            continue;
        size_t len = f != NULL && f->data_offset < p->len ? (size_t)f->data_offset : p->len;
        if (!p->whole &&
            pl_header_cache_put(r->o->cache, p->url, &p->is, p->data, len, p->local, NULL) < 0)
            p->local[0] = '\0';
        if (f != NULL)
            f->local = p->local[0] != '\0' ? pl_arena_strdup(&m->arena, p->local) : NULL;
    }
}

static void pl_remote_forget(struct pl_remote *r)
{
    for (uint32_t i = 0; i < r->n_part; i++)
        r->part[i] = pl_remote_part_free(r->part[i]);
    r->n_part = 0;
}

int pl_remote_read(const char *url, const struct pl_remote_options *o, struct pl_model **ret,
                   struct pl_err *err)
{
    char shown[PL_URL_MAX];
    struct pl_model *m = NULL;
    struct pl_remote *r = calloc(1, sizeof(*r));
    int rc = 0;
    if (r == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    if (!pl_url_ok(url)) {
        rc = pl_fail(err, -EINVAL, "%.120s: not an address that can be asked", url);
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    }
    r->o = o;
    r->url = url;
    if (rc == 0 && !o->offline)
        rc = pl_get_new(&r->get, err);
    if (rc == 0) {
        const struct pl_opener opener = {.open = pl_remote_open, .ctx = r};
        int (*read)(const struct pl_opener *, const char *, struct pl_model **, struct pl_err *) =
            o->read != NULL ? o->read : pl_gguf_read_with;
        rc = read(&opener, pl_url_shown(url, shown), &m, err);
        if (rc == -ESTALE) { /* replaced in between: once more, from its first byte */
            pl_remote_forget(r);
            rc = read(&opener, shown, &m, err);
        }
    }
    if (rc == 0)
        rc = pl_remote_identity(r, m, err);
    if (rc == 0) {
        pl_remote_keep(r, m);
        *ret = m;
    } else {
        (void)pl_model_free(m);
    }
    pl_remote_forget(r);
    (void)pl_get_free(r->get);
    free(r);
    return rc;
}
