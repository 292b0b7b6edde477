#include "sys/cgroup.h"

#include "base/checked.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

/* v1 writes "no limit" as the largest page-aligned 63-bit number; nothing real comes near. */
#define PL_CGROUP_NO_LIMIT (1ull << 62)

struct pl_cgroup_files {
    const char *limit, *used, *peak, *events, *reclaimable_key;
};

static const struct pl_cgroup_files pl_cgroup_v1 = {
    .limit = "memory.limit_in_bytes",
    .used = "memory.usage_in_bytes",
    .peak = "memory.max_usage_in_bytes",
    .events = "memory.oom_control",
    .reclaimable_key = "total_inactive_file",
};

static const struct pl_cgroup_files pl_cgroup_v2 = {
    .limit = "memory.max",
    .used = "memory.current",
    .peak = "memory.peak",
    .events = "memory.events",
    .reclaimable_key = "inactive_file",
};

static const struct pl_cgroup_files *pl_cgroup_names(enum pl_cgroup_version version)
{
    return version == PL_CGROUP_V1 ? &pl_cgroup_v1 : &pl_cgroup_v2;
}

/* Reads DIR/FILE as a line of text. */
static int pl_cgroup_line(const struct pl_root *root, const char *dir, const char *file, char *buf,
                          size_t size)
{
    char path[PL_PATH_TEXT_MAX + 64];
    if (!PL_FMT(path, "%s/%s", dir, file))
        return -ENAMETOOLONG;
    return pl_read_line(root, path, buf, size, NULL);
}

static int pl_cgroup_u64(const struct pl_root *root, const char *dir, const char *file,
                         uint64_t *ret)
{
    char buf[64];
    int rc = pl_cgroup_line(root, dir, file, buf, sizeof(buf));
    if (rc == 0 && !pl_parse_u64(buf, ret))
        rc = -EBADMSG;
    return rc;
}

/* "KEY N" in a file of such lines. */
static int pl_cgroup_key(const struct pl_root *root, const char *dir, const char *file,
                         const char *key, uint64_t *ret)
{
    char path[PL_PATH_TEXT_MAX + 64];
    struct pl_lines lines;
    if (!PL_FMT(path, "%s/%s", dir, file))
        return -ENAMETOOLONG;
    int rc = pl_lines_open(root, path, &lines, NULL);
    if (rc < 0)
        return rc;
    size_t n = strlen(key);
    bool found = false;
    for (const char *line; !found && (line = pl_lines_next(&lines)) != NULL;)
        found = strncmp(line, key, n) == 0 && line[n] == ' ' && pl_parse_u64(line + n + 1, ret);
    rc = pl_lines_close(&lines);
    return rc == 0 && !found ? -ENODATA : rc;
}

/* The limit of one group. *ret_limited = false for none: "max", v1's huge number, or no such file,
 * which is so at the root of v2 and where the controller is not switched on. */
static int pl_cgroup_limit(const struct pl_root *root, const char *dir, const char *file,
                           bool *ret_limited, uint64_t *ret)
{
    char buf[64];
    *ret_limited = false;
    int rc = pl_cgroup_line(root, dir, file, buf, sizeof(buf));
    if (rc == -ENOENT || (rc == 0 && pl_streq(buf, "max")))
        return 0;
    uint64_t n = 0;
    if (rc == 0 && !pl_parse_u64(buf, &n))
        rc = -EBADMSG;
    if (rc == 0 && n < PL_CGROUP_NO_LIMIT) {
        *ret_limited = true;
        *ret = n;
    }
    return rc;
}

/* The parent folder in place; false at the mount. */
static bool pl_cgroup_up(char *dir, const char *mount)
{
    char *slash = strrchr(dir, '/');
    if (slash == NULL || strlen(dir) <= strlen(mount))
        return false;
    *slash = '\0';
    return true;
}

static struct pl_quantity pl_cgroup_measured(int rc, uint64_t n, const char *why)
{
    return rc == 0 ? pl_exact(n, PL_SOURCE_MEASURED, why)
                   : PL_QUANTITY_UNKNOWN("the control group's file cannot be read");
}

/* Takes the limit of one group into account. */
static void pl_cgroup_tighten(const struct pl_root *root, const struct pl_cgroup_files *files,
                              const char *dir, uint64_t limit, struct pl_cgroup_memory *m)
{
    uint64_t used = 0, inactive = 0;
    int rc = pl_cgroup_u64(root, dir, files->used, &used);
    struct pl_quantity q_used = pl_cgroup_measured(rc, used, "use of the control group");
    rc = pl_cgroup_key(root, dir, "memory.stat", files->reclaimable_key, &inactive);
    struct pl_quantity q_file =
        pl_cgroup_measured(rc, inactive, "inactive file pages of the control group");
    /* Page cache that cannot be told apart is counted as used: the lower, safe reading. */
    uint64_t room = pl_sub_floor(limit, pl_sub_floor(used, pl_known(q_file) ? inactive : 0));
    struct pl_quantity q_room = PL_QUANTITY_UNKNOWN("the use of a limited group cannot be read");
    if (pl_known(q_used))
        q_room = pl_exact(room, PL_SOURCE_MEASURED,
                          "limit - use + inactive file pages of the tightest control group");
    if (!m->limited || limit < m->limit) {
        m->limit = limit;
        (void)PL_FMT(m->limit_dir, "%s", dir);
    }
    /* Unknown room anywhere makes the least room unknown. */
    bool tighter =
        !m->limited || !pl_known(q_room) || (pl_known(m->room) && q_room.likely < m->room.likely);
    m->limited = true;
    if (!tighter)
        return;
    (void)PL_FMT(m->tight_dir, "%s", dir);
    m->used = q_used;
    m->reclaimable = q_file;
    m->room = q_room;
}

/* v1 works out the least limit of all ancestors itself, those above the mount included. */
static void pl_cgroup_hidden(const struct pl_root *root, struct pl_cgroup_memory *m)
{
    uint64_t limit = 0;
    if (m->place.version != PL_CGROUP_V1 ||
        pl_cgroup_key(root, m->place.dir, "memory.stat", "hierarchical_memory_limit", &limit) < 0)
        return;
    if (limit < PL_CGROUP_NO_LIMIT && (!m->limited || limit < m->limit))
        pl_cgroup_tighten(root, &pl_cgroup_v1, m->place.dir, limit, m);
}

static void pl_cgroup_own(const struct pl_root *root, struct pl_cgroup_memory *m)
{
    const struct pl_cgroup_files *files = pl_cgroup_names(m->place.version);
    uint64_t n = 0;
    int rc = pl_cgroup_u64(root, m->place.dir, files->used, &n);
    m->own_used = pl_cgroup_measured(rc, n, "use of the control group");
    rc = pl_cgroup_u64(root, m->place.dir, files->peak, &n);
    m->own_peak = pl_cgroup_measured(rc, n, "peak of the control group");
    m->oom_kills.known =
        pl_cgroup_key(root, m->place.dir, files->events, "oom_kill", &m->oom_kills.n) == 0;
}

int pl_cgroup_memory(const struct pl_root *root, pid_t pid, struct pl_cgroup_memory *ret,
                     struct pl_err *err)
{
    *ret = (struct pl_cgroup_memory){0};
    int rc = pl_cgroup_find(root, pid, "memory", &ret->place, err);
    if (rc < 0 || ret->place.version == PL_CGROUP_NONE)
        return rc;
    const struct pl_cgroup_files *files = pl_cgroup_names(ret->place.version);
    char dir[PL_PATH_TEXT_MAX];
    (void)PL_FMT(dir, "%s", ret->place.dir);
    ret->complete = true;
    bool more = true;
    for (int depth = 0; more && depth < PL_CGROUP_DEPTH_MAX; depth++) {
        bool limited = false;
        uint64_t limit = 0;
        if (pl_cgroup_limit(root, dir, files->limit, &limited, &limit) < 0)
            ret->complete = false;
        if (limited)
            pl_cgroup_tighten(root, files, dir, limit, ret);
        more = pl_cgroup_up(dir, ret->place.mount);
    }
    if (more)
        ret->complete = false;
    pl_cgroup_hidden(root, ret);
    if (!ret->complete)
        ret->room = PL_QUANTITY_UNKNOWN("the limit of a control group above cannot be read");
    pl_cgroup_own(root, ret);
    return 0;
}

/* The quota of one group in CPUs; 0 when it has none or cannot be read. */
static double pl_cgroup_quota(const struct pl_root *root, const char *dir,
                              enum pl_cgroup_version version)
{
    char buf[64];
    uint64_t quota = 0, period = 0;
    if (version == PL_CGROUP_V1) {
        /* -1 is "none" and does not parse */
        if (pl_cgroup_u64(root, dir, "cpu.cfs_quota_us", &quota) < 0 ||
            pl_cgroup_u64(root, dir, "cpu.cfs_period_us", &period) < 0)
            return 0;
    } else {
        if (pl_cgroup_line(root, dir, "cpu.max", buf, sizeof(buf)) < 0)
            return 0;
        char *blank = strchr(buf, ' ');
        if (blank == NULL)
            return 0;
        *blank = '\0';
        if (!pl_parse_u64(buf, &quota) || !pl_parse_u64(blank + 1, &period))
            return 0;
    }
    return period > 0 ? (double)quota / (double)period : 0;
}

int pl_cgroup_cpu_quota(const struct pl_root *root, pid_t pid, double *ret_cpus, struct pl_err *err)
{
    struct pl_cgroup_place place;
    int rc = pl_cgroup_find(root, pid, "cpu", &place, err);
    if (rc < 0)
        return rc;
    double least = 0;
    bool more = place.version != PL_CGROUP_NONE;
    for (int depth = 0; more && depth < PL_CGROUP_DEPTH_MAX; depth++) {
        double cpus = pl_cgroup_quota(root, place.dir, place.version);
        if (cpus > 0 && (least <= 0 || cpus < least))
            least = cpus;
        more = pl_cgroup_up(place.dir, place.mount);
    }
    *ret_cpus = least;
    return 0;
}
