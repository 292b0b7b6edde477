/* Where programs keep models. Sources: huggingface_hub's guide to its cache, Ollama's FAQ, LM
 * Studio's documentation, llama.cpp's common/common.cpp (fs_get_cache_directory). */
#include "base/str.h"
#include "model/hub_open.h"
#include "model/ollama.h"
#include "model/stores.h"
#include "sys/file.h"
#include "sys/xdg.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PL_STORES_MEMORY_MAX (64ull << 20)

typedef int (*pl_stores_visit)(struct pl_stores *s, const char *root, const char *path, void *ctx,
                               struct pl_err *err);

static int pl_stores_order(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Calls visit for every regular file below root, by name, links followed. A missing root is empty.
 */
static int pl_stores_walk(struct pl_stores *s, char *root, int depth, pl_stores_visit visit,
                          void *ctx, struct pl_err *err)
{
    char *roots[] = {root, NULL};
    FTS *fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, pl_stores_order);
    FTSENT *e = NULL;
    int rc = 0;
    while (rc == 0 && fts != NULL && (e = fts_read(fts)) != NULL) {
        if (++s->entries > PL_STORES_ENTRIES_MAX) {
            s->cut = true;
            break;
        }
        bool hidden = e->fts_level > 0 && e->fts_name[0] == '.';
        if (e->fts_info == FTS_D && (e->fts_level >= depth || hidden))
            (void)fts_set(fts, e, FTS_SKIP);
        else if (e->fts_info == FTS_F && !hidden)
            rc = visit(s, root, e->fts_path, ctx, err);
    }
    if (fts != NULL)
        (void)fts_close(fts);
    return rc;
}

static int pl_stores_gguf(struct pl_stores *s, const char *root, const char *path, void *ctx,
                          struct pl_err *err)
{
    (void)root;
    bool model = pl_ends(path, ".gguf") && pl_hub_is_model(path);
    return model ? pl_stores_add(s, ctx, NULL, path, NULL, err) : 0;
}

static char pl_store_folder[] = "folder", pl_store_lmstudio[] = "lmstudio",
            pl_store_llama[] = "llama.cpp", pl_store_plimsoll[] = "plimsoll";

/* Looks through base + below; a missing base is empty. */
static int pl_stores_folder(struct pl_stores *s, const char *base, const char *below, int depth,
                            char *store, struct pl_err *err)
{
    char root[PATH_MAX];
    if (base == NULL || base[0] == '\0' || !PL_FMT(root, "%s%s", base, below))
        return 0;
    return pl_stores_walk(s, root, depth, pl_stores_gguf, store, err);
}

/* The hub's blobs have the SHA-256 of large files as names. */
static const char *pl_stores_blob(const char *path, char real[PATH_MAX])
{
    const char *base = realpath(path, real) != NULL ? strrchr(real, '/') : NULL;
    return base != NULL && strlen(base) == 65 && strspn(base + 1, "0123456789abcdef") == 64
               ? base + 1
               : NULL;
}

/* The shortest name that leads back to this file: its quantisation, else its own name. */
static void pl_stores_hub_name(const struct pl_hub_spec *h, const struct pl_hub_list *l,
                               const struct pl_hub_file *f, char *out, size_t size)
{
    struct pl_hub_list one = {.file = &(struct pl_hub_file){.path = f->path}, .n = 1};
    char quant[40];
    pl_hub_quants(&one, quant, sizeof(quant));
    bool back = quant[0] != '\0' && pl_hub_choose(l, quant) == f;
    (void)pl_fmt(out, size, "hf:%s/%s:%s", h->org, h->repo, back ? quant : f->path);
}

static int pl_stores_repo(struct pl_stores *s, const struct pl_hub_spec *h, struct pl_err *err)
{
    char folder[PATH_MAX], path[PATH_MAX], real[PATH_MAX], name[PL_HUB_PATH_MAX + 300];
    struct pl_hub_list list;
    int rc = pl_hub_local(h, &list, folder, sizeof(folder), NULL) < 0 ? 1 : 0;
    for (uint32_t i = 0; rc == 0 && i < list.n; i++) {
        if (!pl_hub_is_model(list.file[i].path) ||
            !PL_FMT(path, "%s/%s", folder, list.file[i].path))
            continue;
        pl_stores_hub_name(h, &list, &list.file[i], name, sizeof(name));
        rc = pl_stores_add(s, "huggingface", name, path, pl_stores_blob(path, real), err);
    }
    pl_hub_list_done(&list);
    return rc < 0 ? rc : 0;
}

static int pl_stores_hub(struct pl_stores *s, struct pl_err *err)
{
    char cache[PATH_MAX], text[2 * PL_HUB_NAME_MAX];
    struct pl_hub_spec h;
    DIR *dir = pl_hub_cache(cache, sizeof(cache)) ? opendir(cache) : NULL;
    const struct dirent *e = NULL;
    int rc = 0;
    while (rc == 0 && dir != NULL && (e = readdir(dir)) != NULL) {
        if (++s->entries > PL_STORES_ENTRIES_MAX || !pl_starts(e->d_name, "models--") ||
            !PL_FMT(text, "%s", e->d_name + 8))
            continue;
        char *between = strstr(text, "--"); /* names have no "--" of their own */
        if (between == NULL)
            continue;
        *between = '/';
        memmove(between + 1, between + 2, strlen(between + 2) + 1);
        if (pl_hub_spec(text, &h))
            rc = pl_stores_repo(s, &h, err);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return rc;
}

/* A manifest: MANIFESTS/HOST/SPACE/NAME/TAG. */
static int pl_stores_manifest(struct pl_stores *s, const char *root, const char *path, void *ctx,
                              struct pl_err *err)
{
    const char *own = "/registry.ollama.ai/", *rest = path + strlen(root);
    char blob[PATH_MAX], name[PL_OLLAMA_NAME_MAX * 3];
    struct pl_ollama_manifest m = {0};
    struct pl_str text;
    pl_str_init(&text, PL_OLLAMA_MANIFEST_MAX);
    bool ok = pl_file_text(path, &text, NULL) == 0 &&
              pl_ollama_manifest(pl_str_get(&text), text.len, &m, NULL) == 0 &&
              PL_FMT(blob, "%s/blobs/sha256-%s", (const char *)ctx, m.model.sha256);
    pl_str_done(&text);
    if (!ok)
        return 0;
    bool named = pl_starts(rest, own);
    rest += named ? strlen(own) : 0;
    rest += pl_starts(rest, "library/") ? strlen("library/") : 0;
    named = named && PL_FMT(name, "ollama:%s", rest);
    char *last = named ? strrchr(name, '/') : NULL;
    if (last != NULL)
        *last = ':';
    return pl_stores_add(s, "ollama", last != NULL ? name : NULL, blob, m.model.sha256, err);
}

static int pl_stores_ollama(struct pl_stores *s, struct pl_err *err)
{
    char store[PATH_MAX / 2], root[PATH_MAX];
    int rc = 0;
    for (unsigned i = 0; rc == 0 && pl_ollama_store(i, store, sizeof(store)); i++) {
        if (PL_FMT(root, "%s/manifests", store))
            rc = pl_stores_walk(s, root, PL_STORES_DEPTH_MAX, pl_stores_manifest, store, err);
    }
    return rc;
}

bool pl_stores_own(char *out, size_t size)
{
    return pl_xdg_path(out, size, PL_XDG_DATA, "plimsoll/models") == 0;
}

int pl_stores_find(const char *folder, struct pl_stores *ret, struct pl_err *err)
{
    const char *home = getenv("HOME"), *llama = getenv("LLAMA_CACHE");
    char own[PATH_MAX];
    int depth = PL_STORES_DEPTH_MAX;
    *ret = (struct pl_stores){0};
    pl_arena_init(&ret->arena, PL_STORES_MEMORY_MAX);
    /* the current folder is looked at, not through: it may be anything */
    bool here = folder != NULL && pl_streq(folder, ".");
    int rc = pl_stores_folder(ret, folder, "", here ? 1 : depth, pl_store_folder, err);
    if (rc == 0)
        rc = pl_stores_hub(ret, err);
    if (rc == 0)
        rc = pl_stores_ollama(ret, err);
    if (rc == 0)
        rc = pl_stores_folder(ret, home, "/.lmstudio/models", depth, pl_store_lmstudio, err);
    if (rc == 0)
        rc = pl_stores_folder(ret, home, "/.cache/lm-studio/models", depth, pl_store_lmstudio, err);
    if (rc == 0)
        rc = pl_stores_folder(ret, llama != NULL ? llama : home,
                              llama != NULL ? "" : "/.cache/llama.cpp", depth, pl_store_llama, err);
    if (rc == 0 && pl_stores_own(own, sizeof(own)))
        rc = pl_stores_folder(ret, own, "", depth, pl_store_plimsoll, err);
    return rc == 0 ? pl_stores_same(ret, err) : rc;
}
