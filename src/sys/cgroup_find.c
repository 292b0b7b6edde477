/* From a process to the folder of its group: /proc/PID/cgroup and mountinfo. */
#include "base/str.h"
#include "sys/cgroup.h"

#include <errno.h>
#include <string.h>

/* True when the comma-separated list holds the word. */
static bool pl_comma_has(const char *list, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < len;) {
        const char *comma = memchr(list + i, ',', len - i);
        size_t end = comma != NULL ? (size_t)(comma - list) : len;
        if (end - i == n && memcmp(list + i, word, n) == 0)
            return true;
        i = end + 1;
    }
    return false;
}

/* The group's path as the kernel names it, and which version has the controller. */
static int pl_cgroup_path(const struct pl_root *root, pid_t pid, const char *controller,
                          enum pl_cgroup_version *ret_version, char *out, size_t size,
                          struct pl_err *err)
{
    char name[64];
    struct pl_lines lines;
    if (pid == 0)
        (void)PL_FMT(name, "proc/self/cgroup");
    else
        (void)PL_FMT(name, "proc/%ld/cgroup", (long)pid);
    int rc = pl_lines_open(root, name, &lines, err);
    if (rc < 0)
        return rc;
    *ret_version = PL_CGROUP_NONE;
    bool fits = true;
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
        const char *list = strchr(line, ':');
        const char *path = list != NULL ? strchr(list + 1, ':') : NULL;
        if (path == NULL)
            continue;
        size_t len = (size_t)(path - list) - 1;
        if (len == 0 && *ret_version == PL_CGROUP_NONE && pl_starts(line, "0:"))
            *ret_version = PL_CGROUP_V2;
        else if (len > 0 && pl_comma_has(list + 1, len, controller))
            *ret_version = PL_CGROUP_V1;
        else
            continue;
        fits = pl_fmt(out, size, "%s", path + 1);
    }
    rc = pl_lines_close(&lines);
    if (rc < 0)
        return pl_fail(err, rc, "%s/%s: %s", root->path, name, strerror(-rc));
    if (!fits)
        return pl_fail(err, -ENAMETOOLONG, "%s/%s: a group's path is too long", root->path, name);
    return 0;
}

/* One line of mountinfo. Fields are borrowed from the line, octal escapes decoded. */
struct pl_mount {
    char *root, *point, *type, *options;
};

/* "\040" and the like, which the kernel writes for blanks, tabs, newlines and backslashes. */
static void pl_mount_unescape(char *s)
{
    char *to = s;
    while (*s != '\0') {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

static bool pl_mount_parse(char *line, struct pl_mount *ret)
{
    char *save = NULL;
    char *word[6] = {NULL};
    for (int i = 0; i < 6; i++) {
        word[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
        if (word[i] == NULL)
            return false;
    }
    char *s = NULL; /* optional fields end with "-" */
    while ((s = strtok_r(NULL, " ", &save)) != NULL && !pl_streq(s, "-"))
        continue;
    ret->root = word[3];
    ret->point = word[4];
    ret->type = s != NULL ? strtok_r(NULL, " ", &save) : NULL;
    const char *source = ret->type != NULL ? strtok_r(NULL, " ", &save) : NULL;
    ret->options = source != NULL ? strtok_r(NULL, " ", &save) : NULL;
    if (ret->options == NULL)
        return false;
    pl_mount_unescape(ret->root);
    pl_mount_unescape(ret->point);
    return true;
}

/* True when path is dir or lies below it. */
static bool pl_path_within(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    if (pl_streq(dir, "/"))
        return path[0] == '/';
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool pl_path_climbs(const char *path)
{
    return strstr(path, "/../") != NULL || pl_ends(path, "/..");
}

/* Fills place from a mount of the right hierarchy. False when a path is too long. */
static bool pl_cgroup_place(const struct pl_mount *m, const char *path, struct pl_cgroup_place *ret)
{
    const char *rest = path + (pl_streq(m->root, "/") ? 0 : strlen(m->root));
    ret->outside = pl_path_climbs(path) || !pl_path_within(path, m->root);
    if (ret->outside || pl_streq(rest, "/"))
        rest = "";
    const char *point = m->point[0] == '/' ? m->point + 1 : m->point;
    return PL_FMT(ret->mount, "%s", point) && PL_FMT(ret->dir, "%s%s", point, rest);
}

int pl_cgroup_find(const struct pl_root *root, pid_t pid, const char *controller,
                   struct pl_cgroup_place *ret, struct pl_err *err)
{
    char path[PL_PATH_TEXT_MAX];
    enum pl_cgroup_version version = PL_CGROUP_NONE;
    struct pl_lines lines;
    *ret = (struct pl_cgroup_place){0};
    int rc = pl_cgroup_path(root, pid, controller, &version, path, sizeof(path), err);
    if (rc < 0)
        return rc;
    rc = pl_lines_open(root, "proc/self/mountinfo", &lines, err);
    if (rc < 0)
        return rc;
    const char *type = version == PL_CGROUP_V1 ? "cgroup" : "cgroup2";
    bool fits = true;
    for (char *line; version != PL_CGROUP_NONE && (line = pl_lines_next(&lines)) != NULL;) {
        struct pl_mount m;
        if (!pl_mount_parse(line, &m) || !pl_streq(m.type, type))
            continue;
        if (version == PL_CGROUP_V1 && !pl_comma_has(m.options, strlen(m.options), controller))
            continue;
        /* A hierarchy may be mounted many times: the first mount that shows the group counts. */
        if (ret->version != PL_CGROUP_NONE && !ret->outside)
            continue;
        fits = pl_cgroup_place(&m, path, ret);
        ret->version = version;
    }
    rc = pl_lines_close(&lines);
    if (rc < 0)
        return pl_fail(err, rc, "%s/proc/self/mountinfo: %s", root->path, strerror(-rc));
    if (!fits)
        return pl_fail(err, -ENAMETOOLONG, "the path of the control group is too long");
    return 0;
}
