#include "machine/registry.h"

#include "base/json.h"
#include "base/str.h"
#include "machine/machine_file_impl.h"
#include "sys/file.h"
#include "sys/write.h"
#include "sys/xdg.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_ABOUT_MAX 8192

bool pl_registry_name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n >= PL_REGISTRY_NAME_MAX || name[0] == '.')
        return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("_-.", *name) == NULL)
            return false;
    }
    return true;
}

static int pl_registry_file(const char *name, const char *ending, char out[PL_PATH_TEXT_MAX],
                            struct pl_err *err)
{
    static const char dir[] = "plimsoll/machines";
    int rc = pl_xdg_path(out, PL_PATH_TEXT_MAX, PL_XDG_DATA, "%s/%s%s", dir, name, ending);
    if (rc == -ENOENT) {
        (void)pl_fail(err, rc, "no place for machines is known: HOME is not a whole path");
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    return rc == 0 ? 0 : pl_fail(err, rc, "the path of the machines is too long");
}

int pl_registry_path(const char *name, char out[PL_PATH_TEXT_MAX], struct pl_err *err)
{
    if (!pl_registry_name_ok(name)) {
        (void)pl_fail(err, -EINVAL, "'%.60s' is not a name of letters, digits and _-. (1 to %d)",
                      name, PL_REGISTRY_NAME_MAX - 1);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    return pl_registry_file(name, ".json", out, err);
}

bool pl_registry_has(const char *name)
{
    char path[PL_PATH_TEXT_MAX];
    return pl_registry_path(name, path, NULL) == 0 && access(path, F_OK) == 0;
}

/* Written beside, then renamed: nobody ever sees a part of it. */
static int pl_registry_write(const char *path, const char *text, size_t len, struct pl_err *err)
{
    char part[PL_PATH_TEXT_MAX + 16];
    (void)PL_FMT(part, "%s.%ld", path, (long)getpid());
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int code = fd < 0 ? -errno : pl_write_all(fd, text, len);
    if (code == 0 && fsync(fd) < 0)
        code = -errno;
    if (fd >= 0 && close(fd) < 0 && code == 0)
        code = -errno;
    if (code == 0 && rename(part, path) < 0)
        code = -errno;
    if (code == 0)
        return 0;
    (void)unlink(part);
    (void)pl_fail(err, code, "cannot keep the machine: %s", strerror(-code));
    pl_err_at(err, path, 0, 0);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

static int pl_registry_about_put(const char *name, const struct pl_registry_about *a,
                                 struct pl_err *err)
{
    char path[PL_PATH_TEXT_MAX];
    struct pl_str out;
    struct pl_json j;
    pl_str_init(&out, PL_ABOUT_MAX);
    pl_json_start(&j, &out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "use", a->use);
    pl_json_str(&j, "gpu", a->gpu);
    pl_json_str(&j, "compute_capability", a->compute_capability);
    if (pl_known(a->vram))
        pl_json_u64(&j, "vram", a->vram.likely);
    else
        pl_json_null(&j, "vram");
    pl_json_i64(&j, "added", a->added_unix);
    pl_json_end(&j);
    int rc = pl_registry_file(name, ".about", path, err);
    if (rc == 0)
        rc = pl_registry_write(path, pl_str_get(&out), out.len, err);
    pl_str_done(&out);
    return rc;
}

int pl_registry_add(const char *name, const char *text, size_t len,
                    const struct pl_registry_about *about, bool force, struct pl_err *err)
{
    char path[PL_PATH_TEXT_MAX];
    int rc = pl_registry_path(name, path, err);
    if (rc == 0 && !force && access(path, F_OK) == 0) {
        (void)pl_fail(err, -EEXIST, "a machine '%s' is registered already", name);
        (void)pl_hint(err, "--force replaces it; --name gives another name");
        return pl_exit_as(err, -EEXIST, PL_EXIT_USAGE);
    }
    if (rc == 0)
        rc = pl_make_parents(path, 0700, err);
    if (rc == 0)
        rc = pl_registry_about_put(name, about, err);
    return rc == 0 ? pl_registry_write(path, text, len, err) : rc;
}

int pl_registry_remove(const char *name, struct pl_err *err)
{
    char path[PL_PATH_TEXT_MAX], about[PL_PATH_TEXT_MAX];
    int rc = pl_registry_path(name, path, err);
    if (rc == 0)
        rc = pl_registry_file(name, ".about", about, err);
    if (rc < 0)
        return rc;
    if (unlink(path) < 0) {
        rc = -errno;
        if (rc == -ENOENT)
            (void)pl_fail(err, rc, "no machine '%s' is registered", name);
        else
            (void)pl_fail(err, rc, "cannot remove '%s': %s", name, strerror(-rc));
        (void)pl_hint(err, "'plimsoll machines list' lists them");
        return pl_exit_as(err, rc, rc == -ENOENT ? PL_EXIT_USAGE : PL_EXIT_ENVIRONMENT);
    }
    (void)unlink(about);
    return 0;
}

int pl_registry_about(const char *name, struct pl_registry_about *ret, struct pl_err *err)
{
    char path[PL_PATH_TEXT_MAX];
    struct pl_str text;
    struct pl_jdoc *doc = NULL;
    uint64_t n = 0;
    *ret = (struct pl_registry_about){.vram = PL_QUANTITY_UNKNOWN("nobody said")};
    int rc = pl_registry_file(name, ".about", path, err);
    if (rc < 0 || access(path, F_OK) < 0)
        return rc;
    pl_str_init(&text, PL_ABOUT_MAX);
    rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_jdoc_parse(pl_str_get(&text), text.len, path, &doc, err);
    pl_jval root = rc == 0 ? pl_jdoc_root(doc) : NULL;
    pl_text_in(ret->use, sizeof(ret->use), pl_jget(root, "use"));
    pl_text_in(ret->gpu, sizeof(ret->gpu), pl_jget(root, "gpu"));
    pl_text_in(ret->compute_capability, sizeof(ret->compute_capability),
               pl_jget(root, "compute_capability"));
    if (pl_ju64(pl_jget(root, "vram"), &n))
        ret->vram = pl_exact(n, PL_SOURCE_DECLARED, "typed when it was added");
    if (pl_ju64(pl_jget(root, "added"), &n) && n <= INT64_MAX)
        ret->added_unix = (int64_t)n;
    doc = pl_jdoc_free(doc);
    pl_str_done(&text);
    return rc;
}

static int pl_registry_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

int pl_registry_list(char name[PL_REGISTRY_MAX][PL_REGISTRY_NAME_MAX], uint32_t *ret_n,
                     struct pl_err *err)
{
    char path[PL_PATH_TEXT_MAX];
    *ret_n = 0;
    int rc = pl_registry_file("", "", path, err);
    DIR *dir = rc == 0 ? opendir(path) : NULL;
    if (rc < 0 || (dir == NULL && errno == ENOENT))
        return rc;
    if (dir == NULL) {
        rc = pl_fail(err, -errno, "cannot list %.160s: %s", path, strerror(errno));
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    for (const struct dirent *e; *ret_n < PL_REGISTRY_MAX && (e = readdir(dir)) != NULL;) {
        char one[256];
        (void)PL_FMT(one, "%s", e->d_name);
        if (!pl_ends(one, ".json") || strlen(one) <= 5)
            continue;
        one[strlen(one) - 5] = '\0';
        if (pl_registry_name_ok(one))
            (void)pl_fmt(name[(*ret_n)++], PL_REGISTRY_NAME_MAX, "%s", one);
    }
    (void)closedir(dir);
    qsort(name, *ret_n, PL_REGISTRY_NAME_MAX, pl_registry_order);
    return 0;
}
