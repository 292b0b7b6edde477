#include "base/str.h"
#include "model/header_cache.h"
#include "model/ollama.h"
#include "model/reader.h"
#include "model/remote.h"
#include "model/remote_status.h"
#include "sys/file.h"
#include "sys/newfile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_OLLAMA_HOST "registry.ollama.ai" /* the folder of its manifests */
#define PL_OLLAMA_MANIFEST_TYPE "application/vnd.docker.distribution.manifest.v2+json"

/* The name as the user writes it, "ollama:qwen3:8b", is what the model is called. */
static int pl_ollama_call(const struct pl_ollama_name *n, struct pl_model *m, struct pl_err *err)
{
    char text[3 * PL_OLLAMA_NAME_MAX + 16];
    bool library = pl_streq(n->space, "library");
    (void)PL_FMT(text, "ollama:%s%s%s:%s", library ? "" : n->space, library ? "" : "/", n->name,
                 n->tag);
    m->path = pl_arena_strdup(&m->arena, text);
    return m->path != NULL ? 0 : pl_fail(err, -ENOMEM, "no memory for the header");
}

static int pl_ollama_read_manifest(const char *path, struct pl_ollama_manifest *ret,
                                   struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_OLLAMA_MANIFEST_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_ollama_manifest(pl_str_get(&text), text.len, ret, err);
    pl_str_done(&text);
    return rc;
}

/* 1: it is in a store here and was read; 0: it is not. A store that may not be read is none. */
static int pl_ollama_here(const struct pl_ollama_name *n, struct pl_model **ret, struct pl_err *err)
{
    char store[PATH_MAX / 2], path[PATH_MAX];
    struct pl_ollama_manifest m;
    for (unsigned i = 0; pl_ollama_store(i, store, sizeof(store)); i++) {
        if (!pl_ollama_manifest_path(store, n, path, sizeof(path)) ||
            pl_ollama_read_manifest(path, &m, NULL) < 0 ||
            !PL_FMT(path, "%s/blobs/sha256-%s", store, m.model.sha256) || access(path, R_OK) < 0)
            continue;
        int rc = pl_model_read(path, ret, err);
        if (rc < 0)
            return rc;
        if (m.projector.sha256[0] != '\0' &&
            PL_FMT(path, "%s/blobs/sha256-%s", store, m.projector.sha256))
            (*ret)->projector = pl_arena_strdup(&(*ret)->arena, path);
        return 1;
    }
    return 0;
}

static const char *pl_ollama_registry(void)
{
    const char *own = getenv("PLIMSOLL_OLLAMA_REGISTRY");
    return own != NULL && pl_url_ok(own) ? own : PL_OLLAMA_REGISTRY;
}

static int pl_ollama_ask(const char *url, const struct pl_open_options *o, struct pl_get_answer *a,
                         struct pl_err *err)
{
    struct pl_get *get = NULL;
    const struct pl_get_request q = {.url = url,
                                     .accept = PL_OLLAMA_MANIFEST_TYPE,
                                     .stop = o->stop,
                                     .cap_bytes = PL_OLLAMA_MANIFEST_MAX};
    int rc = pl_get_new(&get, err);
    if (rc == 0)
        rc = pl_remote_get(get, &q, a, err);
    (void)pl_get_free(get);
    if (rc == 0 && a->status != 200) {
        rc = pl_remote_refused(url, a, false, err);
        if (rc == -ENOENT)
            (void)pl_hint(err, "the library of Ollama has no model or tag of that name");
    }
    return rc;
}

bool pl_ollama_manifest_path(const char *store, const struct pl_ollama_name *n, char *out,
                             size_t size)
{
    return pl_fmt(out, size, "%s/manifests/" PL_OLLAMA_HOST "/%s/%s/%s", store, n->space, n->name,
                  n->tag);
}

int pl_ollama_fetch(const struct pl_ollama_name *n, const struct pl_open_options *o,
                    struct pl_str *out, struct pl_ollama_manifest *ret, struct pl_err *err)
{
    char url[PL_URL_MAX], folder[PATH_MAX / 2], kept[PATH_MAX];
    struct pl_get_answer a = {0};
    pl_str_init(out, PL_OLLAMA_MANIFEST_MAX);
    bool keeps = pl_cache_folder("ollama", folder, sizeof(folder)) &&
                 PL_FMT(kept, "%s/%s--%s--%s.json", folder, n->space, n->name, n->tag);
    if (o->offline) {
        if (keeps && pl_file_text(kept, out, NULL) == 0 &&
            pl_ollama_manifest(pl_str_get(out), out->len, ret, NULL) == 0)
            return 0;
        (void)pl_fail(err, -ENOENT, "%s:%s: offline, and its manifest was never read", n->name,
                      n->tag);
        return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    if (!PL_FMT(url, "%s/v2/%s/%s/manifests/%s", pl_ollama_registry(), n->space, n->name, n->tag))
        return pl_fail(err, -ENAMETOOLONG, "the address is too long");
    int rc = pl_ollama_ask(url, o, &a, err);
    if (rc == 0)
        rc = pl_ollama_manifest(pl_str_get(&a.body), a.body.len, ret, err);
    if (rc == 0 && keeps && pl_make_parents(kept, 0700, NULL) == 0)
        (void)pl_newfile_write(kept, pl_str_get(&a.body), a.body.len, 0600, true, NULL);
    pl_str_addn(out, pl_str_get(&a.body), a.body.len);
    pl_str_done(&a.body);
    return rc;
}

bool pl_ollama_blob(const struct pl_ollama_name *n, const char *sha256, char out[PL_URL_MAX])
{
    return pl_fmt(out, PL_URL_MAX, "%s/v2/%s/%s/blobs/sha256:%s", pl_ollama_registry(), n->space,
                  n->name, sha256);
}

static int pl_ollama_remote(const struct pl_ollama_name *n, const struct pl_open_options *o,
                            struct pl_model **ret, struct pl_err *err)
{
    char url[PL_URL_MAX];
    struct pl_ollama_manifest m;
    struct pl_str text;
    const struct pl_remote_options remote = {.offline = o->offline, .stop = o->stop};
    int rc = pl_ollama_fetch(n, o, &text, &m, err);
    pl_str_done(&text);
    if (rc == 0 && !pl_ollama_blob(n, m.model.sha256, url))
        rc = pl_fail(err, -ENAMETOOLONG, "the address is too long");
    if (rc == 0)
        rc = pl_remote_read(url, &remote, ret, err);
    if (rc < 0)
        return rc;
    if (m.projector.sha256[0] != '\0' && pl_ollama_blob(n, m.projector.sha256, url))
        (*ret)->projector = pl_arena_strdup(&(*ret)->arena, url);
    if ((*ret)->file_bytes != m.model.bytes) {
        *ret = pl_model_free(*ret);
        (void)pl_fail(err, -EBADMSG,
                      "%s:%s: the registry sends a file of another length than its "
                      "manifest says",
                      n->name, n->tag);
        return pl_exit_as(err, -EBADMSG, PL_EXIT_ENVIRONMENT);
    }
    return 0;
}

int pl_ollama_open(const struct pl_ollama_name *n, const struct pl_open_options *o,
                   struct pl_model **ret, struct pl_err *err)
{
    struct pl_model *m = NULL;
    int rc = pl_ollama_here(n, &m, err);
    if (rc == 0)
        rc = pl_ollama_remote(n, o, &m, err);
    if (rc >= 0)
        rc = pl_ollama_call(n, m, err);
    if (rc == 0)
        *ret = m;
    else
        (void)pl_model_free(m);
    return rc;
}
