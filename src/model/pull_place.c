/* Where files go: for names of the hub its own tools' cache (blobs, snapshots, refs:
 * huggingface_hub's guide to its cache), which llama-server -hf reads too; for Ollama's names its
 * store; else a folder.
 */
#include "base/str.h"
#include "model/download.h"
#include "model/gguf.h"
#include "model/pull.h"
#include "model/stores.h"
#include "sys/file.h"
#include "sys/newfile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_PLACE_NAME_MAX 200u

static int pl_place_long(const char *what, struct pl_err *err)
{
    (void)pl_fail(err, -ENAMETOOLONG, "%.120s: the path is too long", what);
    return pl_exit_as(err, -ENAMETOOLONG, PL_EXIT_USAGE);
}

static bool pl_place_keep(struct pl_pull *p, const char **to, const char *text)
{
    *to = pl_arena_strdup(&p->arena, text);
    return *to != NULL;
}

/* The last component of a name, as a file's name anywhere; ends in .gguf. */
static void pl_place_base(const char *name, char out[PL_PLACE_NAME_MAX + 8])
{
    const char *slash = strrchr(name, '/');
    (void)pl_fmt(out, PL_PLACE_NAME_MAX, "%s", slash != NULL ? slash + 1 : name);
    for (char *c = out; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-._+", *c) != NULL;
        *c = plain && !(c == out && *c == '.') ? *c : '_';
    }
    if (out[0] == '\0')
        (void)pl_fmt(out, PL_PLACE_NAME_MAX, "model");
    size_t n = strlen(out);
    if (n < 5 || strcasecmp(out + n - 5, ".gguf") != 0)
        (void)pl_fmt(out + n, 6, ".gguf");
}

static void pl_place_name(const struct pl_pull *p, const struct pl_pull_file *f,
                          char out[PL_PLACE_NAME_MAX + 8])
{
    char name[2 * PL_OLLAMA_NAME_MAX + 16];
    if (p->kind != PL_PULL_OLLAMA) {
        pl_place_base(f->name, out);
        return;
    }
    (void)PL_FMT(name, "%s-%s%s.gguf", p->ollama.name, p->ollama.tag,
                 f->part == PL_PULL_PROJECTOR ? ".mmproj" : "");
    pl_place_base(name, out);
}

static int pl_place_folder(struct pl_pull *p, const char *dir, struct pl_err *err)
{
    char name[PL_PLACE_NAME_MAX + 8], path[PATH_MAX];
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    for (uint32_t i = 0; i < p->n; i++) {
        pl_place_name(p, &p->file[i], name);
        if (!PL_FMT(path, "%.*s/%s", (int)n, dir, name) ||
            !pl_place_keep(p, &p->file[i].path, path))
            return pl_place_long(dir, err);
    }
    p->folder = pl_arena_strdup(&p->arena, dir);
    return 0;
}

static int pl_place_output(struct pl_pull *p, const char *output, struct pl_err *err)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(output, '/');
    if (p->n > 1 && p->file[1].part == PL_PULL_MODEL) {
        (void)pl_fail(err, -EINVAL, "-o names one file, and %s is split into several", p->model);
        (void)pl_hint(err, "--dir DIR takes them all");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (!PL_FMT(folder, "%.*s", slash == NULL ? 1 : (int)(slash - output),
                slash == NULL ? "." : output))
        return pl_place_long(output, err);
    int rc = pl_place_folder(p, folder[0] != '\0' ? folder : "/", err);
    if (rc == 0 && !pl_place_keep(p, &p->file[0].path, output))
        rc = pl_place_long(output, err);
    return rc;
}

static int pl_place_hub(struct pl_pull *p, const char *cache, struct pl_err *err)
{
    char repo[PATH_MAX], path[PATH_MAX];
    if (!PL_FMT(repo, "%s/models--%s--%s", cache, p->hub.org, p->hub.repo) ||
        !pl_place_keep(p, &p->folder, repo))
        return pl_place_long(cache, err);
    for (uint32_t i = 0; i < p->n; i++) {
        struct pl_pull_file *f = &p->file[i];
        const char **named = f->sha256 != NULL ? &f->link : &f->path;
        if (!PL_FMT(path, "%s/snapshots/%s/%s", repo, p->commit, f->name) ||
            !pl_place_keep(p, named, path))
            return pl_place_long(repo, err);
        if (f->sha256 != NULL &&
            (!PL_FMT(path, "%s/blobs/%s", repo, f->sha256) || !pl_place_keep(p, &f->path, path)))
            return pl_place_long(repo, err);
    }
    p->store = "huggingface";
    return 0;
}

static int pl_place_ollama(struct pl_pull *p, const char *store, struct pl_err *err)
{
    char path[PATH_MAX];
    for (uint32_t i = 0; i < p->n; i++) {
        if (!PL_FMT(path, "%s/blobs/sha256-%s", store, p->file[i].sha256) ||
            !pl_place_keep(p, &p->file[i].path, path))
            return pl_place_long(store, err);
    }
    p->folder = pl_arena_strdup(&p->arena, store);
    p->store = "ollama";
    return 0;
}

int pl_pull_place(struct pl_pull *p, const struct pl_pull_options *o, struct pl_err *err)
{
    char store[PATH_MAX / 2];
    if (o->output != NULL)
        return pl_place_output(p, o->output, err);
    if (o->dir != NULL)
        return pl_place_folder(p, o->dir, err);
    if (p->kind == PL_PULL_HUB && p->commit != NULL && pl_hub_cache(store, sizeof(store)))
        return pl_place_hub(p, store, err);
    if (p->kind == PL_PULL_OLLAMA && pl_ollama_store(0, store, sizeof(store)))
        return pl_place_ollama(p, store, err);
    return pl_place_folder(p, o->others, err);
}

/* 1 it is that file; 0 it is not, or cannot be told; -EINTR. */
static int pl_here_is(const struct pl_pull_file *f, const char *path, const char *known,
                      const volatile sig_atomic_t *stop)
{
    char sha256[PL_SHA256_TEXT_MAX];
    struct stat st;
    if (f->sha256 == NULL || stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
        (uint64_t)st.st_size != f->bytes)
        return 0;
    if (known != NULL)
        return pl_streq(known, f->sha256) ? 1 : 0;
    int rc = pl_file_sha256(path, stop, sha256);
    return rc == -EINTR ? rc : rc == 0 && pl_streq(sha256, f->sha256) ? 1 : 0;
}

/* At its own place. */
static int pl_here_place(struct pl_pull *p, struct pl_pull_file *f,
                         const volatile sig_atomic_t *stop, struct pl_err *err)
{
    struct stat st;
    if (stat(f->path, &st) < 0)
        return 0;
    /* a store gives a blob its name when it is whole */
    const char *blob = strstr(f->path, "/blobs/") != NULL ? f->sha256 : NULL;
    bool length = S_ISREG(st.st_mode) && st.st_size >= 0 &&
                  (f->bytes == 0 || (uint64_t)st.st_size == f->bytes);
    int same = f->sha256 == NULL ? (length && f->bytes > 0 ? 1 : 0)
                                 : pl_here_is(f, f->path, p->store != NULL ? blob : NULL, stop);
    if (same < 0)
        return pl_fail(err, same, "interrupted");
    if (same == 1) {
        f->here = f->path;
        return 0;
    }
    (void)pl_fail(err, -EEXIST, "something else is there already%s",
                  length ? "" : ", of another length");
    pl_err_at(err, f->path, 0, 0);
    (void)pl_hint(err, "move it away, or name another place with -o or --dir");
    return pl_exit_as(err, -EEXIST, PL_EXIT_USAGE);
}

/* In some store. Parts of split models are looked for beside its first. */
static int pl_here_store(struct pl_pull *p, const struct pl_stores *s, uint32_t i,
                         const volatile sig_atomic_t *stop, struct pl_err *err)
{
    struct pl_pull_file *f = &p->file[i];
    for (uint32_t k = 0; k < s->n && f->here == NULL; k++) {
        const struct pl_store_item *it = &s->item[k];
        uint64_t no = 0, count = 0;
        const char *path = it->path;
        if (it->n_file > 1 && pl_gguf_part_of(path, &no, &count))
            path = pl_gguf_part_path(&p->arena, path, 0, count, i < count ? i : 0);
        if (path == NULL)
            continue;
        int same = pl_here_is(f, path, it->n_file == 1 ? it->sha256 : NULL, stop);
        if (same < 0)
            return pl_fail(err, same, "interrupted");
        if (same == 1 && !pl_place_keep(p, &f->here, path))
            return pl_fail(err, -ENOMEM, "out of memory");
    }
    return 0;
}

int pl_pull_here(struct pl_pull *p, const char *folder, const volatile sig_atomic_t *stop,
                 struct pl_err *err)
{
    struct pl_stores stores;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < p->n; i++)
        rc = pl_here_place(p, &p->file[i], stop, err);
    if (rc < 0 || p->file[0].here != NULL)
        return rc;
    rc = pl_stores_find(folder, &stores, err);
    for (uint32_t i = 0; rc == 0 && i < p->n; i++) {
        if (p->file[i].here == NULL && p->file[i].part == PL_PULL_MODEL)
            rc = pl_here_store(p, &stores, i, stop, err);
    }
    pl_stores_done(&stores);
    return rc;
}

uint64_t pl_pull_bytes(const struct pl_pull *p)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < p->n; i++)
        n += p->file[i].here == NULL ? p->file[i].bytes : 0;
    return n;
}

/* A link that replaces what had the name, in one step. */
static int pl_publish_link(const struct pl_pull_file *f, struct pl_err *err)
{
    char target[PATH_MAX], fresh[PATH_MAX], has[PATH_MAX];
    struct pl_str up;
    pl_str_init(&up, PATH_MAX);
    pl_str_add(&up, "../../");
    for (const char *c = f->name; *c != '\0'; c++)
        pl_str_add(&up, *c == '/' ? "../" : "");
    bool fits = PL_FMT(target, "%sblobs/%s", pl_str_get(&up), f->sha256) &&
                PL_FMT(fresh, "%s.new", f->link);
    pl_str_done(&up);
    ssize_t n = readlink(f->link, has, sizeof(has) - 1);
    has[n > 0 ? n : 0] = '\0';
    if (fits && pl_streq(has, target))
        return 0;
    int rc = fits ? pl_make_parents(f->link, 0777, err) : pl_place_long(f->link, err);
    if (rc < 0)
        return rc;
    (void)unlink(fresh);
    if (symlink(target, fresh) < 0 || rename(fresh, f->link) < 0) {
        rc = -errno;
        (void)unlink(fresh);
        (void)pl_fail(err, rc, "cannot make the link: %s", strerror(-rc));
        pl_err_at(err, f->link, 0, 0);
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    return 0;
}

/* False for a file that is used where it is, in another store. */
static bool pl_publish_placed(const struct pl_pull_file *f)
{
    return f->here == NULL || pl_streq(f->here, f->path);
}

int pl_pull_publish(const struct pl_pull *p, struct pl_err *err)
{
    char path[PATH_MAX];
    uint32_t placed = 0;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && p->store != NULL && i < p->n; i++) {
        const struct pl_pull_file *f = &p->file[i];
        placed += pl_publish_placed(f) ? 1 : 0;
        if (f->link != NULL && pl_publish_placed(f))
            rc = pl_publish_link(f, err);
    }
    bool ollama = p->kind == PL_PULL_OLLAMA;
    if (rc < 0 || placed == 0 || (ollama && placed < p->n))
        return rc;
    const char *text = ollama ? pl_str_get(&p->manifest) : p->commit;
    bool fits = ollama ? pl_ollama_manifest_path(p->folder, &p->ollama, path, sizeof(path))
                       : PL_FMT(path, "%s/refs/main", p->folder);
    rc = fits ? pl_make_parents(path, 0777, err) : pl_place_long(p->folder, err);
    size_t len = ollama ? p->manifest.len : strlen(text);
    return rc < 0 ? rc : pl_newfile_write(path, text, len, 0644, true, err);
}

const char *pl_pull_path(const struct pl_pull *p)
{
    const struct pl_pull_file *f = &p->file[0];
    if (f->here != NULL && !pl_streq(f->here, f->path))
        return f->here;
    return f->link != NULL ? f->link : f->path;
}
