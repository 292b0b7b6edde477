#include "model/hub_open.h"

#include "base/json.h"
#include "base/str.h"
#include "model/header_cache.h"
#include "model/hub.h"
#include "model/reader.h"
#include "model/remote.h"
#include "model/remote_status.h"
#include "model/safetensors.h"
#include "sys/file.h"
#include "sys/newfile.h"
#include "sys/xdg.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PL_HUB_DEPTH_MAX 8
#define PL_HUB_ENTRIES_MAX 20000u

bool pl_hub_spec(const char *spec, struct pl_hub_spec *ret)
{
    const char *slash = strchr(spec, '/');
    if (slash == NULL)
        return false;
    const char *repo = slash + 1, *colon = strchr(repo, ':');
    size_t n = colon != NULL ? (size_t)(colon - repo) : strlen(repo);
    ret->quant = colon != NULL ? colon + 1 : "";
    return pl_take_name(ret->org, sizeof(ret->org), spec, (size_t)(slash - spec)) &&
           pl_take_name(ret->repo, sizeof(ret->repo), repo, n) &&
           strlen(ret->quant) < PL_HUB_PATH_MAX;
}

bool pl_hub_cache(char *out, size_t size)
{
    const char *own = getenv("HF_HUB_CACHE"), *hub = getenv("HF_HOME");
    if (own != NULL && own[0] != '\0')
        return pl_fmt(out, size, "%s", own);
    if (hub != NULL && hub[0] != '\0')
        return pl_fmt(out, size, "%s/hub", hub);
    return pl_xdg_path(out, size, PL_XDG_CACHE, "huggingface/hub") == 0;
}

/* The commit that refs/main names: the snapshot to use. */
static bool pl_hub_snapshot(const char *repo, char *out, size_t size)
{
    char path[PATH_MAX];
    struct pl_str text;
    struct stat st;
    pl_str_init(&text, 256);
    bool ok = PL_FMT(path, "%s/refs/main", repo) && pl_file_text(path, &text, NULL) == 0;
    const char *commit = pl_str_get(&text);
    size_t n = strspn(commit, "0123456789abcdef");
    ok = ok && n > 0 && (commit[n] == '\0' || commit[n] == '\n') &&
         pl_fmt(out, size, "%s/snapshots/%.*s", repo, (int)n, commit) && stat(out, &st) == 0 &&
         S_ISDIR(st.st_mode);
    pl_str_done(&text);
    return ok;
}

static int pl_hub_order(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int pl_hub_walk(char *folder, struct pl_hub_list *ret, struct pl_err *err)
{
    char *roots[] = {folder, NULL};
    FTS *fts =
        fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, pl_hub_order); /* the files are links to blobs */
    int rc = fts == NULL ? pl_fail(err, -errno, "%s: %s", folder, strerror(errno)) : 0;
    FTSENT *e = NULL;
    size_t skip = strlen(folder) + 1;
    for (uint32_t i = 0; rc == 0 && i < PL_HUB_ENTRIES_MAX && (e = fts_read(fts)) != NULL; i++) {
        if (e->fts_info == FTS_D && e->fts_level >= PL_HUB_DEPTH_MAX)
            (void)fts_set(fts, e, FTS_SKIP);
        if (e->fts_info == FTS_F && S_ISREG(e->fts_statp->st_mode))
            rc = pl_hub_list_add(ret, e->fts_path + skip, (uint64_t)e->fts_statp->st_size, NULL,
                                 err);
    }
    if (fts != NULL)
        (void)fts_close(fts);
    return rc;
}

int pl_hub_local(const struct pl_hub_spec *s, struct pl_hub_list *ret, char *ret_folder,
                 size_t size, struct pl_err *err)
{
    char cache[PATH_MAX / 2], repo[PATH_MAX];
    pl_hub_list_start(ret);
    if (!pl_hub_cache(cache, sizeof(cache)) ||
        !PL_FMT(repo, "%s/models--%s--%s", cache, s->org, s->repo) ||
        !pl_hub_snapshot(repo, ret_folder, size))
        return pl_fail(err, -ENOENT, "not in the cache of the hub");
    return pl_hub_walk(ret_folder, ret, err);
}

int pl_hub_unknown(const struct pl_hub_spec *s, const struct pl_hub_list *l, struct pl_err *err)
{
    char quants[PL_ERR_HINT_MAX - 24];
    pl_hub_quants(l, quants, sizeof(quants));
    if (l->n == 0)
        (void)pl_fail(err, -ENOENT, "%s/%s: holds no .gguf file", s->org, s->repo);
    else
        (void)pl_fail(err, -ENOENT, "%s/%s: no file of quantisation '%.40s'", s->org, s->repo,
                      s->quant);
    if (quants[0] != '\0')
        (void)pl_hint(err, "there are %s", quants);
    else if (l->checkpoint)
        (void)pl_hint(err, "it holds a checkpoint: estimate it with --engine transformers or vllm");
    else
        (void)pl_hint(err, "repositories with such files are often named ...-GGUF");
    return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
}

/* A path as part of an address: what is not plain is written %XX. */
bool pl_hub_address(const struct pl_hub_spec *s, const char *path, char out[PL_URL_MAX])
{
    char endpoint[PL_URL_MAX];
    struct pl_str url;
    pl_str_init(&url, PL_URL_MAX);
    pl_str_addf(&url, "%s/%s/%s/resolve/main/", pl_hub_endpoint(endpoint), s->org, s->repo);
    for (const char *c = path; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-._~/", *c) != NULL;
        pl_str_addf(&url, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    bool ok = !url.failed && pl_fmt(out, PL_URL_MAX, "%s", pl_str_get(&url));
    pl_str_done(&url);
    return ok;
}

/* Where a listing is kept for --offline. */
static bool pl_hub_kept(const struct pl_hub_spec *s, char *out, size_t size)
{
    char folder[PATH_MAX / 2];
    return pl_cache_folder("hub", folder, sizeof(folder)) &&
           pl_fmt(out, size, "%s/%s--%s.json", folder, s->org, s->repo);
}

static int pl_hub_ask(const char *url, const char *token, const struct pl_open_options *o,
                      struct pl_get_answer *a, struct pl_err *err)
{
    struct pl_get *get = NULL;
    const struct pl_get_request q = {.url = url,
                                     .token = token,
                                     .accept = "application/json",
                                     .stop = o->stop,
                                     .cap_bytes = PL_HUB_TEXT_MAX};
    int rc = pl_get_new(&get, err);
    if (rc == 0)
        rc = pl_remote_get(get, &q, a, err);
    (void)pl_get_free(get);
    if (rc == 0 && a->status != 200)
        rc = pl_remote_refused(url, a, token != NULL, err);
    return rc;
}

int pl_hub_info(const struct pl_hub_spec *s, const struct pl_open_options *o, const char *token,
                struct pl_hub_info *ret, struct pl_err *err)
{
    char endpoint[PL_URL_MAX], url[PL_URL_MAX];
    struct pl_get_answer a = {0};
    struct pl_jdoc *doc = NULL;
    *ret = (struct pl_hub_info){0};
    if (!PL_FMT(url, "%s/api/models/%s/%s", pl_hub_endpoint(endpoint), s->org, s->repo))
        return pl_fail(err, -ENAMETOOLONG, "the address is too long");
    pl_str_init(&a.body, PL_HUB_TEXT_MAX);
    int rc = pl_hub_ask(url, token, o, &a, err);
    if (rc == 0)
        rc = pl_jdoc_parse(pl_str_get(&a.body), a.body.len, "the hub's answer", &doc, err);
    pl_jval root = rc == 0 ? pl_jdoc_root(doc) : NULL;
    const char *sha = pl_jstr(pl_jget(root, "sha"), "");
    const char *licence = pl_jstr(pl_jget(pl_jget(root, "cardData"), "license"), "");
    const char *gated = pl_jstr(pl_jget(root, "gated"), NULL); /* false, "auto" or "manual" */
    size_t n = strlen(sha);
    if (n > 0 && n < sizeof(ret->commit) && strspn(sha, "0123456789abcdef") == n)
        (void)PL_FMT(ret->commit, "%s", sha);
    (void)pl_text_cut(ret->licence, sizeof(ret->licence), licence);
    ret->gated = gated != NULL;
    (void)pl_jdoc_free(doc);
    pl_str_done(&a.body);
    return rc;
}

/* The listing of the hub, or the one kept. */
int pl_hub_listing(const struct pl_hub_spec *s, const struct pl_open_options *o, const char *token,
                   struct pl_hub_list *ret, struct pl_err *err)
{
    char endpoint[PL_URL_MAX], url[PL_URL_MAX], kept[PATH_MAX];
    struct pl_get_answer a = {0};
    bool keeps = pl_hub_kept(s, kept, sizeof(kept));
    int rc = 0;
    pl_hub_list_start(ret);
    pl_str_init(&a.body, PL_HUB_TEXT_MAX);
    if (!PL_FMT(url, "%s/api/models/%s/%s/tree/main?recursive=1", pl_hub_endpoint(endpoint), s->org,
                s->repo))
        return pl_fail(err, -ENAMETOOLONG, "the address is too long");
    if (!o->offline) {
        rc = pl_hub_ask(url, token, o, &a, err);
    } else if (!keeps || pl_file_text(kept, &a.body, NULL) < 0) {
        rc = pl_fail(err, -ENOENT, "%s/%s: offline, and its list of files was never read", s->org,
                     s->repo);
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    }
    if (rc == 0) {
        pl_hub_list_done(ret);
        rc = pl_hub_list_parse(pl_str_get(&a.body), a.body.len, ret, err);
        if (rc < 0)
            (void)pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    if (rc == 0 && !o->offline && keeps && pl_make_parents(kept, 0700, NULL) == 0)
        (void)pl_newfile_write(kept, pl_str_get(&a.body), a.body.len, 0600, true, NULL);
    pl_str_done(&a.body);
    return rc;
}

static int pl_hub_remote(const struct pl_hub_spec *s, const struct pl_open_options *o,
                         struct pl_model **ret, struct pl_err *err)
{
    char endpoint[PL_URL_MAX], url[PL_URL_MAX], token[PL_HUB_TOKEN_MAX];
    struct pl_hub_list list;
    bool own = pl_hub_token_for(pl_hub_endpoint(endpoint), token);
    int rc = pl_hub_listing(s, o, own ? token : NULL, &list, err);
    const struct pl_hub_file *f = rc == 0 ? pl_hub_choose(&list, s->quant) : NULL;
    /* without a file for llama.cpp it is the checkpoint itself */
    bool checkpoint =
        rc == 0 && list.n == 0 && o->checkpoints && list.checkpoint && s->quant[0] == '\0';
    if (rc == 0 && f == NULL && !checkpoint)
        rc = pl_hub_unknown(s, &list, err);
    if (rc == 0 && !pl_hub_address(s, f != NULL ? f->path : "config.json", url))
        rc = pl_fail(err, -ENAMETOOLONG, "the address is too long");
    if (rc == 0) {
        const struct pl_remote_options remote = {.offline = o->offline,
                                                 .token = own ? token : NULL,
                                                 .stop = o->stop,
                                                 .read =
                                                     checkpoint ? pl_safetensors_read_with : NULL};
        rc = pl_remote_read(url, &remote, ret, err);
        if (rc == -ENOENT && checkpoint)
            rc = pl_hub_unknown(s, &list, err);
    }
    const struct pl_hub_file *mmproj = rc == 0 && f != NULL ? pl_hub_projector(&list, f) : NULL;
    if (mmproj != NULL && pl_hub_address(s, mmproj->path, url))
        (*ret)->projector = pl_arena_strdup(&(*ret)->arena, url);
    explicit_bzero(token, sizeof(token));
    pl_hub_list_done(&list);
    return rc;
}

/* 1: it is here and was read; 0: it is not. wanted: a checkpoint too. */
static int pl_hub_here(const struct pl_hub_spec *s, bool wanted, struct pl_model **ret,
                       struct pl_err *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct pl_hub_list list;
    int rc = pl_hub_local(s, &list, folder, sizeof(folder), NULL);
    const struct pl_hub_file *f = rc == 0 ? pl_hub_choose(&list, s->quant) : NULL;
    bool here = f != NULL && PL_FMT(path, "%s/%s", folder, f->path);
    bool checkpoint = rc == 0 && f == NULL && list.n == 0 && wanted && s->quant[0] == '\0' &&
                      pl_safetensors_folder(folder, path, sizeof(path));
    here |= checkpoint;
    rc = !here        ? 0
         : checkpoint ? pl_safetensors_read(path, ret, err)
                      : pl_model_read(path, ret, err);
    const struct pl_hub_file *mmproj =
        f != NULL && here && rc == 0 ? pl_hub_projector(&list, f) : NULL;
    if (mmproj != NULL && PL_FMT(path, "%s/%s", folder, mmproj->path))
        (*ret)->projector = pl_arena_strdup(&(*ret)->arena, path);
    pl_hub_list_done(&list);
    return rc < 0 ? rc : here ? 1 : 0;
}

int pl_hub_open(const struct pl_hub_spec *s, const struct pl_open_options *o, struct pl_model **ret,
                struct pl_err *err)
{
    int rc = pl_hub_here(s, o->checkpoints, ret, err);
    if (rc == 0)
        rc = pl_hub_remote(s, o, ret, err);
    return rc < 0 ? rc : 0;
}
