#include "cli/ghost_cache.h"

#include "base/str.h"
#include "model/reader.h"
#include "sys/file.h"
#include "sys/xdg.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_CACHE_PATH_MAX 1024
#define PL_CACHE_TMP "/tmp/plimsoll-ghosts-" /* and the user's number: without HOME */

static int pl_ghost_cache_dir(const char *dir, char out[PL_CACHE_PATH_MAX], struct pl_err *err)
{
    int rc = dir == NULL ? pl_xdg_path(out, PL_CACHE_PATH_MAX, PL_XDG_CACHE, "plimsoll/ghosts") : 0;
    bool fits = rc == 0;
    if (dir != NULL)
        fits = pl_fmt(out, PL_CACHE_PATH_MAX, "%s", dir);
    else if (rc == -ENOENT)
        fits = pl_fmt(out, PL_CACHE_PATH_MAX, PL_CACHE_TMP "%u", (unsigned)getuid());
    if (!fits)
        return pl_fail(err, -ENAMETOOLONG, "the path of the ghost folder is too long");
    return 0;
}

/* A folder in /tmp is ours alone, or somebody else could lay links where ghosts are written. */
static int pl_ghost_cache_own(const char *folder, struct pl_err *err)
{
    struct stat st;
    if (mkdir(folder, 0700) == 0 || !pl_starts(folder, PL_CACHE_TMP))
        return 0;
    if (lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() &&
        (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return 0;
    (void)pl_fail(err, -EPERM, "is not a folder of this user alone");
    pl_err_at(err, folder, 0, 0);
    (void)pl_hint(err, "--ghost-dir DIR puts ghosts elsewhere");
    return pl_exit_as(err, -EPERM, PL_EXIT_ENVIRONMENT);
}

static bool pl_ghost_cache_same(const struct pl_model *a, const struct pl_model *b)
{
    if (!b->ghost || a->n_tensor != b->n_tensor || !pl_streq(a->arch, b->arch))
        return false;
    for (uint64_t i = 0; i < a->n_tensor; i++) {
        const struct pl_tensor *x = &a->tensor[i];
        const struct pl_tensor *y = pl_model_tensor(b, x->name);
        if (y == NULL || x->type != y->type || memcmp(x->ne, y->ne, sizeof(x->ne)) != 0)
            return false;
    }
    return true;
}

int pl_ghost_cache_get(const struct pl_model *m, const char *name, const char *quant,
                       const char *dir, const struct pl_ghost_options *o, struct pl_model **ret,
                       struct pl_err *err)
{
    char folder[PL_CACHE_PATH_MAX], path[PL_CACHE_PATH_MAX + 256];
    struct pl_ghost_written written;
    int rc = pl_ghost_cache_dir(dir, folder, err);
    if (rc == 0 && dir == NULL)
        rc = pl_ghost_cache_own(folder, err);
    if (rc < 0)
        return rc;
    /* of the same name another model may be elsewhere, or tomorrow */
    const char *id = m->remote_id != NULL ? m->remote_id : "";
    (void)PL_FMT(path, "%s/%.120s-%s%s%s%s.gguf", folder, name, quant, id[0] != '\0' ? "-" : "", id,
                 o->fill == PL_FILL_RANDOM ? "-random" : "");
    for (char *c = path + strlen(folder) + 1; *c != '\0'; c++)
        *c = *c == '/' || *c == ':' ? '_' : *c;
    rc = pl_make_parents(path, 0777, err);
    if (rc < 0) {
        (void)pl_hint(err, "--ghost-dir DIR puts ghosts elsewhere");
        return rc;
    }
    struct pl_model *old = NULL;
    if (pl_model_read(path, &old, NULL) == 0) {
        if (pl_ghost_cache_same(m, old)) {
            *ret = old;
            return 0;
        }
        (void)pl_model_free(old);
    }
    (void)pl_ghost_sweep(folder);
    rc = pl_ghost_write(m, path, o, &written, err);
    return rc < 0 ? rc : pl_model_read(path, ret, err);
}
