#include "model/pull.h"

#include "base/str.h"
#include "model/gguf.h"
#include "model/hub.h"
#include "model/names.h"
#include "model/reader.h"
#include "model/remote.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_PULL_MEMORY_MAX (16ull << 20)

/* llama.cpp's own organisation on the hub, which republishes models of others */
#define PL_PULL_GGML "ggml-org"

struct pl_pull *pl_pull_free(struct pl_pull *p)
{
    if (p == NULL)
        return NULL;
    explicit_bzero(p->token, sizeof(p->token));
    pl_hub_list_done(&p->list);
    pl_str_done(&p->manifest);
    pl_arena_done(&p->arena);
    free(p->file);
    free(p);
    return NULL;
}

int pl_pull_add(struct pl_pull *p, enum pl_pull_part part, const char *url, const char *name,
                uint64_t bytes, const char *sha256, struct pl_err *err)
{
    if (p->n >= PL_PULL_FILES_MAX)
        return pl_fail(err, -E2BIG, "it has more than %u files", (unsigned)PL_PULL_FILES_MAX);
    struct pl_pull_file *f = &p->file[p->n];
    *f = (struct pl_pull_file){.part = part, .bytes = bytes};
    f->url = pl_arena_strdup(&p->arena, url);
    f->name = pl_arena_strdup(&p->arena, name);
    f->sha256 = sha256 != NULL && sha256[0] != '\0' ? pl_arena_strdup(&p->arena, sha256) : NULL;
    if (f->url == NULL || f->name == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    p->n++;
    return 0;
}

static int pl_pull_hub_add(struct pl_pull *p, enum pl_pull_part part, const struct pl_hub_file *f,
                           struct pl_err *err)
{
    char url[PL_URL_MAX];
    if (!pl_hub_address(&p->hub, f->path, url))
        return pl_fail(err, -ENAMETOOLONG, "the address is too long");
    return pl_pull_add(p, part, url, f->path, f->bytes, f->sha256, err);
}

/* The parts of a split model stand under names that count. */
static int pl_pull_hub_parts(struct pl_pull *p, struct pl_err *err)
{
    uint64_t no = 0, count = 0;
    const char *path = p->chosen->path;
    if (!pl_gguf_part_of(path, &no, &count))
        return pl_pull_hub_add(p, PL_PULL_MODEL, p->chosen, err);
    int rc = 0;
    for (uint64_t k = 0; rc == 0 && k < count; k++) {
        const char *want = pl_gguf_part_path(&p->arena, path, no - 1, count, k);
        const struct pl_hub_file *f = NULL;
        for (uint32_t i = 0; i < p->list.n && want != NULL; i++) {
            if (pl_streq(p->list.file[i].path, want))
                f = &p->list.file[i];
        }
        if (f == NULL) {
            rc = pl_fail(err, -ENOENT, "%s/%s: part %llu of %llu of %.100s is missing", p->hub.org,
                         p->hub.repo, (unsigned long long)(k + 1), (unsigned long long)count, path);
            (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
        } else {
            rc = pl_pull_hub_add(p, PL_PULL_MODEL, f, err);
        }
    }
    return rc;
}

/* The repository is p->hub: what it holds, and which of its files is meant. */
static int pl_pull_hub_list(struct pl_pull *p, const struct pl_pull_options *o, struct pl_err *err)
{
    char endpoint[PL_URL_MAX];
    if (!pl_hub_token_for(pl_hub_endpoint(endpoint), p->token))
        p->token[0] = '\0';
    pl_hub_list_done(&p->list);
    int rc =
        pl_hub_listing(&p->hub, &o->open, p->token[0] != '\0' ? p->token : NULL, &p->list, err);
    p->chosen = rc == 0 ? pl_hub_choose(&p->list, p->hub.quant) : NULL;
    return rc == 0 && p->chosen == NULL ? pl_hub_unknown(&p->hub, &p->list, err) : rc;
}

/* The commit that the cache here has: for --offline. */
static void pl_pull_commit(struct pl_pull *p, struct pl_hub_info *info)
{
    char folder[PATH_MAX];
    struct pl_hub_list list;
    if (pl_hub_local(&p->hub, &list, folder, sizeof(folder), NULL) == 0) {
        const char *slash = strrchr(folder, '/');
        (void)PL_FMT(info->commit, "%s", slash != NULL ? slash + 1 : "");
    }
    pl_hub_list_done(&list);
}

static int pl_pull_hub(struct pl_pull *p, const struct pl_pull_options *o, struct pl_err *err)
{
    char text[PL_HUB_PATH_MAX + 3 * PL_HUB_NAME_MAX], tag[PL_HUB_TAG_MAX];
    struct pl_hub_info info = {0};
    int rc = pl_pull_hub_parts(p, err);
    if (rc < 0)
        return rc;
    const struct pl_hub_file *mmproj = pl_hub_projector(&p->list, p->chosen);
    if (mmproj != NULL && o->projector) {
        rc = pl_pull_hub_add(p, PL_PULL_PROJECTOR, mmproj, err);
    } else if (mmproj != NULL) {
        p->offered = pl_arena_strdup(&p->arena, mmproj->path);
        p->offered_bytes = mmproj->bytes;
    } else if (o->projector) {
        (void)pl_fail(err, -ENOENT, "%s/%s: has no projector", p->hub.org, p->hub.repo);
        rc = pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    /* a mirror may not say it: then it goes to the folder for others */
    if (o->open.offline)
        pl_pull_commit(p, &info);
    else if (rc == 0)
        (void)pl_hub_info(&p->hub, &o->open, p->token[0] != '\0' ? p->token : NULL, &info, NULL);
    p->gated = info.gated;
    if (info.commit[0] != '\0')
        p->commit = pl_arena_strdup(&p->arena, info.commit);
    if (info.licence[0] != '\0')
        p->licence = pl_arena_strdup(&p->arena, info.licence);
    bool back = pl_hub_tag(p->chosen->path, tag) && pl_hub_choose(&p->list, tag) == p->chosen;
    if (PL_FMT(text, "hf:%s/%s:%s", p->hub.org, p->hub.repo, back ? tag : p->chosen->path))
        p->model = pl_arena_strdup(&p->arena, text);
    char endpoint[PL_URL_MAX], shown[PL_URL_MAX];
    if (PL_FMT(text, "%.300s/%s/%s", pl_url_shown(pl_hub_endpoint(endpoint), shown), p->hub.org,
               p->hub.repo))
        p->origin = pl_arena_strdup(&p->arena, text);
    return rc;
}

/* An id of the catalogue: the row names the repository of the original weights; GGUF files lie
 * there, in one beside it, or with llama.cpp's own organisation. */
static int pl_pull_row(struct pl_pull *p, const char *quant, const struct pl_pull_options *o,
                       struct pl_err *err)
{
    struct pl_hub_spec own;
    struct pl_err first = {0};
    if (p->row->hf_repo == NULL || !pl_hub_spec(p->row->hf_repo, &own)) {
        (void)pl_fail(err, -ENOENT, "%s: the catalogue names no repository for it", p->row->id);
        (void)pl_hint(err, "name one: plimsoll pull hf:ORG/REPO:QUANT");
        return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    for (int i = 0; i < 3; i++) {
        struct pl_err why = {0};
        p->hub = own;
        p->hub.quant = quant;
        if (i == 2)
            (void)PL_FMT(p->hub.org, "%s", PL_PULL_GGML);
        if (i > 0 && !PL_FMT(p->hub.repo, "%s-GGUF", own.repo))
            continue;
        int rc = pl_pull_hub_list(p, o, &why);
        if (rc == 0)
            return 0;
        bool none = rc == -ENOENT || rc == -EACCES;
        if (!none) {
            if (err != NULL)
                *err = why;
            return rc;
        }
        if (p->list.n > 0 && first.code == 0)
            first = why; /* GGUF files, but not of that quantisation */
    }
    if (first.code != 0) {
        if (err != NULL)
            *err = first;
        return first.code;
    }
    if (o->open.offline) { /* nobody was asked: nothing is said of what is there */
        (void)pl_fail(err, -ENOENT, "%s: offline, and no list of its GGUF files was ever read",
                      p->row->id);
        return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    (void)pl_fail(err, -ENOENT,
                  "%s: no GGUF files in %s/%s, in %s-GGUF beside it or in " PL_PULL_GGML,
                  p->row->id, own.org, own.repo, own.repo);
    (void)pl_hint(err, "name a repository that has them: plimsoll pull hf:ORG/REPO:QUANT");
    return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
}

static int pl_pull_ollama(struct pl_pull *p, const struct pl_pull_options *o, struct pl_err *err)
{
    static struct pl_ollama_layer layer[PL_OLLAMA_LAYERS_MAX + 1];
    const struct pl_ollama_name *n = &p->ollama;
    struct pl_ollama_manifest m;
    char url[PL_URL_MAX] = "", shown[PL_URL_MAX], text[3 * PL_OLLAMA_NAME_MAX + 16];
    bool store = o->output == NULL && o->dir == NULL, library = pl_streq(n->space, "library");
    int rc = pl_ollama_fetch(n, &o->open, &p->manifest, &m, err);
    int count =
        rc == 0 ? pl_ollama_layers(pl_str_get(&p->manifest), p->manifest.len, layer, err) : rc;
    for (int i = 1; i < count; i++) { /* layers of the same bytes are one blob */
        for (int k = 0; k < i; k++) {
            if (pl_streq(layer[k].sha256, layer[i].sha256))
                layer[i].sha256[0] = '\0';
        }
    }
    /* the model first, whatever the order of the layers */
    for (int pass = 0; rc == 0 && pass < 3; pass++) {
        for (int i = 0; rc == 0 && i < count; i++) {
            bool model = pl_streq(layer[i].sha256, m.model.sha256);
            bool mmproj = !model && pl_streq(layer[i].sha256, m.projector.sha256);
            if (layer[i].sha256[0] == '\0' ||
                pass != (model    ? 0
                         : mmproj ? 1
                                  : 2) ||
                (!store && pass == 2))
                continue;
            if (!pl_ollama_blob(n, layer[i].sha256, url))
                rc = pl_fail(err, -ENAMETOOLONG, "the address is too long");
            else
                rc = pl_pull_add(p,
                                 model    ? PL_PULL_MODEL
                                 : mmproj ? PL_PULL_PROJECTOR
                                          : PL_PULL_OTHER,
                                 url, layer[i].sha256, layer[i].bytes, layer[i].sha256, err);
        }
    }
    if (PL_FMT(text, "ollama:%s%s%s:%s", library ? "" : n->space, library ? "" : "/", n->name,
               n->tag))
        p->model = pl_arena_strdup(&p->arena, text);
    char *blobs = rc == 0 && p->n > 0 ? strstr(url, "/blobs/") : NULL;
    if (blobs != NULL)
        *blobs = '\0';
    if (rc == 0 && p->n > 0)
        p->origin = pl_arena_strdup(&p->arena, pl_url_shown(url, shown));
    return count < 0 ? count : rc;
}

static int pl_pull_url(struct pl_pull *p, const char *spec, struct pl_err *err)
{
    char url[PL_URL_MAX], shown[PL_URL_MAX];
    if (!pl_hub_file_url(spec, url) || !pl_url_ok(url)) {
        (void)pl_fail(err, -EINVAL, "%.120s: not an address that can be asked", spec);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (!pl_hub_token_for(url, p->token))
        p->token[0] = '\0';
    p->origin = p->model = pl_arena_strdup(&p->arena, pl_url_shown(url, shown));
    const char *slash = strrchr(shown, '/');
    return pl_pull_add(p, PL_PULL_MODEL, url, slash != NULL ? slash + 1 : shown, 0, NULL, err);
}

static int pl_pull_form(const char *spec, const char *form, struct pl_err *err)
{
    (void)pl_fail(err, -EINVAL, "%.120s: not of the form %s", spec, form);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* A row of the catalogue, by id or as people write it. */
static int pl_pull_catalogue(struct pl_pull *p, const char *spec, const struct pl_pull_options *o,
                             struct pl_err *err)
{
    char quant[PL_NAME_QUANT_MAX] = "", id[64];
    const char *colon = strchr(spec, ':');
    size_t n = colon != NULL ? (size_t)(colon - spec) : strlen(spec);
    int rc = -ENOENT;
    if (n < sizeof(id) && PL_FMT(id, "%.*s", (int)n, spec))
        p->row = pl_catalogue_find(id);
    if (p->row != NULL)
        rc = PL_FMT(quant, "%s", colon != NULL ? colon + 1 : "") ? 0 : -ENOENT;
    else
        rc = pl_name_resolve(spec, &p->row, quant, err);
    if (rc == -ENOENT) {
        char near[PL_ERR_HINT_MAX / 2] = "";
        if (n < sizeof(id))
            pl_catalogue_nearest(id, near, sizeof(near));
        (void)pl_fail(err, -ENOENT, "%.120s: no such model in the catalogue", spec);
        (void)pl_hint(err,
                      near[0] != '\0'
                          ? "did you mean %s?"
                          : "%shf:ORG/REPO[:QUANT], "
                            "ollama:NAME[:TAG], an https:// address or an id of 'plimsoll models'",
                      near);
        return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    if (rc < 0)
        return rc;
    const char *kept = pl_arena_strdup(&p->arena, quant);
    return kept != NULL ? pl_pull_row(p, kept, o, err) : pl_fail(err, -ENOMEM, "out of memory");
}

static int pl_pull_by(struct pl_pull *p, const char *spec, const struct pl_pull_options *o,
                      struct pl_err *err)
{
    struct stat st;
    bool said = pl_starts(spec, "hf:");
    int rc = 0;
    if (pl_starts(spec, "https://") || pl_starts(spec, "http://")) {
        p->kind = PL_PULL_URL;
        return pl_pull_url(p, spec, err);
    }
    if (pl_starts(spec, "ollama:")) {
        p->kind = PL_PULL_OLLAMA;
        return pl_ollama_name(spec + 7, &p->ollama) ? pl_pull_ollama(p, o, err)
                                                    : pl_pull_form(spec, "ollama:NAME[:TAG]", err);
    }
    if (!said && stat(spec, &st) == 0) {
        (void)pl_fail(err, -EINVAL, "%.160s: is on this machine already", spec);
        (void)pl_hint(err, "'plimsoll estimate' and 'plimsoll try' take it as it is");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    bool named = pl_hub_spec(said ? spec + 3 : spec, &p->hub);
    size_t n = named ? strlen(p->hub.repo) : 0;
    if (said && !named)
        return pl_pull_form(spec, "hf:ORG/REPO[:QUANT]", err);
    if (said || (n > 4 && strcasecmp(p->hub.repo + n - 4, "gguf") == 0))
        rc = pl_pull_hub_list(p, o, err);
    else
        rc = pl_pull_catalogue(p, spec, o, err);
    return rc == 0 ? pl_pull_hub(p, o, err) : rc;
}

int pl_pull_find(const char *spec, const struct pl_pull_options *o, struct pl_pull **ret,
                 struct pl_err *err)
{
    struct pl_pull *p = calloc(1, sizeof(*p));
    if (p != NULL)
        p->file = calloc(PL_PULL_FILES_MAX, sizeof(*p->file));
    if (p == NULL || p->file == NULL) {
        free(p);
        return pl_fail(err, -ENOMEM, "out of memory");
    }
    pl_arena_init(&p->arena, PL_PULL_MEMORY_MAX);
    pl_hub_list_start(&p->list);
    pl_str_init(&p->manifest, PL_OLLAMA_MANIFEST_MAX);
    int rc = pl_pull_by(p, spec, o, err);
    if (rc == 0 && (p->n == 0 || p->model == NULL || p->origin == NULL))
        rc = pl_fail(err, -ENOMEM, "out of memory");
    if (rc == 0)
        *ret = p;
    else
        (void)pl_pull_free(p);
    return rc;
}

/* The header of a URL tells the parts of a split model. */
static int pl_pull_parts(struct pl_pull *p, const struct pl_model *m, struct pl_err *err)
{
    const char *first = p->file[0].url;
    int rc = 0;
    if (p->kind != PL_PULL_URL)
        return 0;
    p->n = 0;
    for (uint32_t i = 0; rc == 0 && i < m->n_file; i++) {
        char url[PL_URL_MAX];
        const char *slash = strrchr(m->file[i].path, '/');
        if (!pl_url_with(first, m->file[i].path, url))
            rc = pl_fail(err, -ENAMETOOLONG, "the address is too long");
        else
            rc = pl_pull_add(p, PL_PULL_MODEL, url, slash != NULL ? slash + 1 : m->file[i].path,
                             m->file[i].bytes, NULL, err);
    }
    return rc;
}

/* A file that goes by a name of the catalogue must be that model. */
static int pl_pull_is_row(const struct pl_pull *p, const struct pl_model *m, struct pl_err *err)
{
    if (p->row == NULL || p->row->gguf_arch == NULL || pl_streq(p->row->gguf_arch, m->arch))
        return 0;
    (void)pl_fail(err, -EBADMSG, "%s is of architecture %.40s, %s is of %s", p->model, m->arch,
                  p->row->id, p->row->gguf_arch);
    (void)pl_hint(err, "name the repository that is meant: hf:ORG/REPO:QUANT");
    return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
}

int pl_pull_header(struct pl_pull *p, const struct pl_pull_options *o, struct pl_model **ret,
                   struct pl_err *err)
{
    const struct pl_remote_options remote = {.offline = o->open.offline,
                                             .token = p->token[0] != '\0' ? p->token : NULL,
                                             .stop = o->open.stop};
    struct pl_model *m = NULL;
    bool here = p->file[0].here != NULL;
    for (uint32_t i = 1; i < p->n; i++)
        here = here && (p->file[i].part != PL_PULL_MODEL || p->file[i].here != NULL);
    here = here && access(pl_pull_path(p), R_OK) == 0; /* a link may be missing still */
    int rc = here ? pl_model_read(pl_pull_path(p), &m, err)
                  : pl_remote_read(p->file[0].url, &remote, &m, err);
    if (rc == 0)
        rc = pl_pull_parts(p, m, err);
    if (rc == 0)
        rc = pl_pull_is_row(p, m, err);
    if (rc == 0)
        *ret = m;
    else
        (void)pl_model_free(m);
    return rc;
}
