#include "sys/group.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_GROUP_FILE_MAX 4096
#define PL_VMSTAT_MAX 16384

static int pl_group_write(const char *dir, const char *name, const char *value)
{
    char path[PL_PATH_TEXT_MAX + 64];
    if (!PL_FMT(path, "%s/%s", dir, name))
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, value, strlen(value));
    int code = n < 0 ? -errno : 0;
    (void)close(fd);
    return code;
}

/* The number behind "key " in a file of "key value" lines, or the file's only number (key NULL). */
static bool pl_group_number(const char *dir, const char *name, const char *key, uint64_t *ret)
{
    char path[PL_PATH_TEXT_MAX + 64], text[PL_GROUP_FILE_MAX];
    if (!PL_FMT(path, "%s/%s", dir, name))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *at = text;
    size_t len = key != NULL ? strlen(key) : 0;
    while (key != NULL && at != NULL && (strncmp(at, key, len) != 0 || at[len] != ' ')) {
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    if (at == NULL)
        return false;
    at += key != NULL ? len + 1 : 0;
    return pl_take_u64(&at, ret);
}

bool pl_oom_kills(uint64_t *ret)
{
    char text[PL_VMSTAT_MAX];
    int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = 1;
    while (fd >= 0 && got > 0 && n < sizeof(text) - 1) {
        got = read(fd, text + n, sizeof(text) - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        (void)close(fd);
    text[n] = '\0';
    const char *at = strstr(text, "\noom_kill ");
    if (at == NULL)
        return false;
    at += strlen("\noom_kill ");
    return pl_take_u64(&at, ret);
}

static int pl_group_limit(const struct pl_group *g, uint64_t bytes)
{
    char text[32];
    (void)PL_FMT(text, "%llu", (unsigned long long)bytes);
    if (g->version == PL_CGROUP_V2) {
        int rc = pl_group_write(g->dir, "memory.max", text);
        (void)pl_group_write(g->dir, "memory.swap.max", "0");
        return rc;
    }
    int rc = pl_group_write(g->dir, "memory.limit_in_bytes", text);
    (void)pl_group_write(g->dir, "memory.memsw.limit_in_bytes", text);
    return rc;
}

/* Tries one place. */
static int pl_group_at(const char *parent, uint64_t bytes, struct pl_group *g)
{
    static unsigned made; /* what the one before left may still be in its group */
    if (!PL_FMT(g->dir, "%s/plimsoll-%d-%u", parent, (int)getpid(), made++) ||
        !PL_FMT(g->procs, "%s/cgroup.procs", g->dir))
        return -ENAMETOOLONG;
    if (mkdir(g->dir, 0755) < 0)
        return -errno;
    int rc = pl_group_limit(g, bytes);
    if (rc < 0)
        (void)rmdir(g->dir);
    return rc;
}

int pl_group_make(uint64_t limit_bytes, struct pl_group *ret, struct pl_err *err)
{
    struct pl_root root;
    struct pl_cgroup_place place;
    char own[PL_PATH_TEXT_MAX];
    *ret = (struct pl_group){.version = PL_CGROUP_NONE};
    int rc = pl_root_open(NULL, &root, err);
    if (rc < 0)
        return rc;
    rc = pl_cgroup_find(&root, 0, "memory", &place, err);
    pl_root_done(&root);
    if (rc < 0)
        return rc;
    if (place.version == PL_CGROUP_NONE || place.outside || !PL_FMT(own, "/%s", place.dir))
        return pl_fail(err, -ENOTSUP, "no control group for memory is to be had here");
    ret->version = place.version;
    ret->limit = limit_bytes;
    rc = pl_group_at(own, limit_bytes, ret);
    char *slash = strrchr(own, '/');
    if (rc < 0 && place.version == PL_CGROUP_V2 && slash != NULL && slash != own) {
        *slash = '\0'; /* a group with processes cannot have limited children: beside it then */
        rc = pl_group_at(own, limit_bytes, ret);
    }
    if (rc < 0) {
        ret->version = PL_CGROUP_NONE;
        return pl_fail(err, rc, "no control group could be made: %s", strerror(-rc));
    }
    return 0;
}

struct pl_group_events pl_group_read(const struct pl_group *g)
{
    struct pl_group_events e = {0};
    if (g->version == PL_CGROUP_V2) {
        e.known = pl_group_number(g->dir, "memory.events", "oom_kill", &e.oom_kills);
        e.met_known = pl_group_number(g->dir, "memory.events", "oom", &e.met);
        (void)pl_group_number(g->dir, "memory.peak", NULL, &e.peak);
    } else if (g->version == PL_CGROUP_V1) {
        e.known = pl_group_number(g->dir, "memory.oom_control", "oom_kill", &e.oom_kills);
        e.met_known = pl_group_number(g->dir, "memory.failcnt", NULL, &e.met);
        (void)pl_group_number(g->dir, "memory.max_usage_in_bytes", NULL, &e.peak);
        /* not every kernel counts there (6.18 does not); a limit that was met is nearly filled */
        if (e.met == 0 && e.peak > 0)
            e.met = e.peak >= g->limit / 10 * 9 ? 1 : 0;
    }
    return e;
}

void pl_group_remove(struct pl_group *g)
{
    if (g->version == PL_CGROUP_NONE)
        return;
    for (int i = 0; i < 50 && rmdir(g->dir) < 0 && errno == EBUSY; i++)
        (void)usleep(10000); /* its last process is still being taken down */
    g->version = PL_CGROUP_NONE;
}
