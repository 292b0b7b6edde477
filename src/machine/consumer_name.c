#include "machine/consumer_name.h"

#include "base/json.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_SHORT_ID 12 /* as `docker ps` shows it */
#define PL_LOGS_MAX 4096

static int pl_name_take(const char *name, char *out, size_t size)
{
    while (*name == '/')
        name++;
    if (*name == '\0')
        return -EINVAL;
    (void)pl_text_cut(out, size, name);
    return 0;
}

int pl_container_docker(const char *text, size_t len, char *out, size_t size)
{
    struct pl_jdoc *doc = NULL;
    if (pl_jdoc_parse(text, len, "config.v2.json", &doc, NULL) < 0)
        return -EINVAL;
    int rc = pl_name_take(pl_jstr(pl_jget(pl_jdoc_root(doc), "Name"), ""), out, size);
    doc = pl_jdoc_free(doc);
    return rc;
}

int pl_container_podman(const char *text, size_t len, const char *id, char *out, size_t size)
{
    struct pl_jdoc *doc = NULL;
    if (pl_jdoc_parse(text, len, "containers.json", &doc, NULL) < 0)
        return -EINVAL;
    pl_jval list = pl_jdoc_root(doc);
    int rc = -EINVAL;
    for (size_t i = 0; rc < 0 && i < pl_jlen(list); i++) {
        pl_jval one = pl_jat(list, i);
        if (pl_streq(pl_jstr(pl_jget(one, "id"), ""), id))
            rc = pl_name_take(pl_jstr(pl_jat(pl_jget(one, "names"), 0), ""), out, size);
    }
    doc = pl_jdoc_free(doc);
    return rc;
}

/* The whole file, freed by the caller. */
static int pl_name_file(const struct pl_root *root, const char *path, char **ret, size_t *ret_len)
{
    int fd = -1;
    int rc = pl_root_open_file(root, path, &fd, NULL);
    struct pl_str text;
    char buf[8192];
    if (rc < 0)
        return rc;
    pl_str_init(&text, PL_CONTAINER_FILE_MAX);
    while (rc == 0 && !text.failed) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = -errno;
        if (n <= 0)
            break;
        pl_str_addn(&text, buf, (size_t)n);
    }
    (void)close(fd);
    if (rc == 0 && (text.failed || text.len == 0))
        rc = -EINVAL;
    if (rc < 0) {
        pl_str_done(&text);
        return rc;
    }
    *ret = text.data;
    *ret_len = text.len;
    return 0;
}

static int pl_name_docker(const struct pl_root *root, const char *id, char *out, size_t size)
{
    char path[160], *text = NULL;
    size_t len = 0;
    (void)PL_FMT(path, "var/lib/docker/containers/%.64s/config.v2.json", id);
    int rc = pl_name_file(root, path, &text, &len);
    if (rc == 0)
        rc = pl_container_docker(text, len, out, size);
    free(text);
    return rc;
}

/* Of root's Podman, and on this system of the user's own. */
static int pl_name_podman(const struct pl_root *root, const char *id, char *out, size_t size)
{
    static const char storage[] = "containers/storage/overlay-containers/containers.json";
    char path[2][512] = {{0}, {0}};
    const char *home = pl_root_is_this_system(root) ? getenv("HOME") : NULL;
    (void)PL_FMT(path[0], "var/lib/%s", storage);
    if (home != NULL && home[0] == '/' && strstr(home, "..") == NULL)
        (void)PL_FMT(path[1], "%s/.local/share/%s", home + 1, storage);
    int worst = -ENOENT;
    for (int i = 0; i < 2 && path[i][0] != '\0'; i++) {
        char *text = NULL;
        size_t len = 0;
        int rc = pl_name_file(root, path[i], &text, &len);
        if (rc == 0)
            rc = pl_container_podman(text, len, id, out, size);
        free(text);
        if (rc == 0)
            return 0;
        worst = rc == -EACCES ? rc : worst;
    }
    return worst;
}

/* The kubelet links every container's log as POD_NAMESPACE_CONTAINER-ID.log. */
static int pl_name_kubernetes(const struct pl_root *root, const char *id, char *out, size_t size)
{
    DIR *dir = NULL;
    char ending[80];
    int rc = pl_root_open_dir(root, "var/log/containers", &dir, NULL);
    if (rc < 0)
        return rc;
    rc = -ENOENT;
    (void)PL_FMT(ending, "-%.64s.log", id);
    const struct dirent *e = NULL;
    for (int i = 0; rc < 0 && i < PL_LOGS_MAX && (e = readdir(dir)) != NULL; i++) {
        char pod[256], *space, *name;
        if (!pl_ends(e->d_name, ending))
            continue;
        (void)PL_FMT(pod, "%s", e->d_name);
        if (strlen(pod) <= strlen(ending))
            continue;
        pod[strlen(pod) - strlen(ending)] = '\0';
        space = strchr(pod, '_');
        name = space != NULL ? strchr(space + 1, '_') : NULL;
        if (name == NULL)
            continue;
        *space = '\0';
        char whole[256];
        (void)PL_FMT(whole, "%s/%s", pod, name + 1);
        rc = pl_name_take(whole, out, size);
    }
    (void)closedir(dir);
    return rc;
}

int pl_container_name(const struct pl_root *root, const struct pl_place *place, char *out,
                      size_t size)
{
    int rc = -ENOENT;
    if (!pl_runtime_by_id(place->runtime)) {
        (void)pl_fmt(out, size, "%s", place->name);
        return 0;
    }
    if (place->runtime != PL_RUNTIME_PODMAN && place->runtime != PL_RUNTIME_KUBERNETES)
        rc = pl_name_docker(root, place->name, out, size);
    if (rc < 0 && place->runtime == PL_RUNTIME_PODMAN)
        rc = pl_name_podman(root, place->name, out, size);
    if (rc < 0 && place->runtime == PL_RUNTIME_KUBERNETES)
        rc = pl_name_kubernetes(root, place->name, out, size);
    if (rc < 0)
        (void)pl_fmt(out, size, "%.*s", PL_SHORT_ID, place->name);
    return rc == 0 || rc == -EACCES ? rc : -ENOENT;
}
