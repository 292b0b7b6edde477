/* Room on the file system of the model folder. */
#include "base/checked.h"
#include "base/str.h"
#include "machine/probes.h"
#include "machine/storage_device.h"
#include "machine/storage_read.h"
#include "sys/live.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The folder itself, or the nearest one above it that exists; "/" always does. Absolute, without
 * links. False when not even that works. */
static bool pl_storage_real(const char *dir, char out[PATH_MAX])
{
    char path[PL_PATH_TEXT_MAX];
    bool fits = PL_FMT(path, "%s", dir);
    while (fits && path[0] != '\0') {
        if (realpath(path, out) != NULL)
            return true;
        char *slash = strrchr(path, '/');
        if (slash == NULL) { /* a relative path of which nothing exists: it would be made here */
            return realpath(".", out) != NULL;
        }
        *slash = '\0';
    }
    return realpath("/", out) != NULL;
}

/* Type of the file system at a real path, and the device below: those of the longest mount point
 * above it; of two mounts at the same place the later one hides the earlier. */
static void pl_storage_mount(const struct pl_root *root, const char *real, struct pl_storage *s)
{
    struct pl_lines lines;
    size_t best = 0;
    char number[40] = "", source[96] = "";
    if (pl_lines_open(root, "proc/self/mountinfo", &lines, NULL) < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        char *save = NULL;
        const char *field[5] = {strtok_r(line, " ", &save)}; /* id, parent, number, root, point */
        for (int i = 1; i < 5 && field[i - 1] != NULL; i++)
            field[i] = strtok_r(NULL, " ", &save);
        const char *word = field[4], *point = field[4];
        while (word != NULL && !pl_streq(word, "-"))
            word = strtok_r(NULL, " ", &save);
        const char *type = word != NULL ? strtok_r(NULL, " ", &save) : NULL;
        const char *from = type != NULL ? strtok_r(NULL, " ", &save) : NULL;
        size_t n = point != NULL ? strlen(point) : 0;
        if (type == NULL || n < best || strncmp(real, point, n) != 0)
            continue;
        if (n > 1 && real[n] != '/' && real[n] != '\0')
            continue;
        best = n;
        (void)PL_FMT(s->filesystem, "%s", type);
        (void)PL_FMT(number, "%s", field[2]);
        (void)PL_FMT(source, "%s", from != NULL ? from : "");
    }
    (void)pl_lines_close(&lines);
    pl_storage_device(root, number, source, s);
}

/* What the sample needs, and what it says: "LOW LIKELY HIGH direct|buffered file|own". */
struct pl_storage_asked {
    const char *dir;
    uint64_t room;
};

static int pl_ask_read(const void *ctx, char *out, size_t size)
{
    const struct pl_storage_asked *a = ctx;
    struct pl_storage_sample s;
    int rc = pl_storage_measure(a->dir, a->room, &s, NULL);
    if (rc == 0)
        (void)pl_fmt(out, size, "%.0f %.0f %.0f %s %s", s.low, s.likely, s.high,
                     s.direct ? "direct" : "buffered", s.own_file ? "own" : "file");
    return rc;
}

static int pl_storage_sampled(char *text, struct pl_rate *ret)
{
    static const char *const why[2][2] = {
        {"timed: 4 MiB blocks of a model file, page cache told to drop them (O_DIRECT refused)",
         "timed: 4 MiB blocks of a file of its own, page cache told to drop them (O_DIRECT "
         "refused)"                                                    },
        {"timed: 4 MiB blocks of a model file past the page cache",
         "timed: 4 MiB blocks of a file of its own past the page cache"},
    };
    double n[3];
    char *save = NULL;
    for (int i = 0; i < 3; i++) {
        const char *w = strtok_r(i == 0 ? text : NULL, " ", &save);
        if (w == NULL || !pl_parse_double(w, &n[i]) || n[i] <= 0)
            return -EBADMSG;
    }
    const char *how = strtok_r(NULL, " ", &save), *what = strtok_r(NULL, " ", &save);
    if (how == NULL || what == NULL || n[0] > n[1] || n[1] > n[2])
        return -EBADMSG;
    *ret = (struct pl_rate){
        .low = n[0],
        .likely = n[1],
        .high = n[2],
        .source = PL_SOURCE_MEASURED,
        .why = why[pl_streq(how, "direct")][pl_streq(what, "own")],
    };
    return 0;
}

static void pl_storage_speed(const struct pl_probe_input *in, const char *real, uint64_t room,
                             struct pl_machine *m, struct pl_rate *ret)
{
    char text[160];
    const struct pl_storage_asked asked = {.dir = real, .room = room};
    *ret = (struct pl_rate){.state = PL_STATE_NOT_ASKED, .why = "--storage measures it"};
    if (pl_root_is_this_system(in->root) && !in->options->storage)
        return;
    int rc = pl_live(in->root, "storage.read", pl_ask_read, &asked, text, sizeof(text));
    if (rc == 0)
        rc = pl_storage_sampled(text, ret);
    if (rc == -ENODATA) {
        if (!pl_root_is_whole(in->root))
            ret->why = "cannot be measured on a dump";
        return;
    }
    if (rc == 0)
        return;
    *ret = (struct pl_rate){.why = "it could not be measured"};
    pl_machine_note(m, "read speed is unknown: %s",
                    rc == -EOPNOTSUPP ? "the file system is memory" : strerror(-rc));
}

static int pl_ask_dir(const void *ctx, char *out, size_t size)
{
    return pl_fmt(out, size, "%s", (const char *)ctx) ? 0 : -E2BIG;
}

static int pl_ask_real(const void *ctx, char *out, size_t size)
{
    char real[PATH_MAX];
    if (!pl_storage_real(ctx, real))
        return errno > 0 ? -errno : -ENOENT;
    return pl_fmt(out, size, "%s", real) ? 0 : -E2BIG;
}

static int pl_ask_exists(const void *ctx, char *out, size_t size)
{
    (void)pl_fmt(out, size, "yes");
    return access(ctx, F_OK) < 0 ? -errno : 0;
}

static int pl_ask_total(const void *ctx, char *out, size_t size)
{
    struct statvfs fs;
    if (statvfs(ctx, &fs) < 0)
        return -errno;
    (void)pl_fmt(out, size, "%llu", (unsigned long long)pl_mul_sat(fs.f_blocks, fs.f_frsize));
    return 0;
}

static int pl_ask_room(const void *ctx, char *out, size_t size)
{
    struct statvfs fs;
    if (statvfs(ctx, &fs) < 0)
        return -errno;
    (void)pl_fmt(out, size, "%llu", (unsigned long long)pl_mul_sat(fs.f_bavail, fs.f_frsize));
    return 0;
}

static int pl_storage_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    (void)err;
    const char *dir = in->options->model_dir;
    char real[PATH_MAX];
    uint64_t total = 0, room = 0;
    if (dir == NULL)
        return 0;
    struct pl_storage *s = &m->storage[0];
    if (pl_live(in->root, "storage.folder", pl_ask_dir, dir, s->path, sizeof(s->path)) < 0)
        (void)PL_FMT(s->path, "%s", dir);
    m->n_storage = 1;
    int rc = pl_live(in->root, "storage.real", pl_ask_real, dir, real, sizeof(real));
    if (rc == 0)
        rc = pl_live_u64(in->root, "storage.total", pl_ask_total, real, &total);
    if (rc == 0)
        rc = pl_live_u64(in->root, "storage.free", pl_ask_room, real, &room);
    if (rc < 0) {
        s->read = (struct pl_rate){.state = PL_STATE_NOT_ASKED, .why = "the folder is not known"};
        s->total = s->available = rc == -ENODATA
                                      ? PL_QUANTITY_UNKNOWN("a dump does not hold it")
                                      : PL_QUANTITY_UNKNOWN("the file system cannot be asked");
        if (rc != -ENODATA)
            pl_machine_note(m, "free disk space is unknown: %s", strerror(-rc));
        return 0;
    }
    char yes[8];
    if (pl_live(in->root, "storage.exists", pl_ask_exists, dir, yes, sizeof(yes)) < 0)
        pl_machine_note(m, "%.60s does not exist; the space is that of %.60s", s->path, real);
    s->total = pl_exact(total, PL_SOURCE_MEASURED, "statvfs of the model folder");
    s->available = pl_exact(room, PL_SOURCE_MEASURED, "statvfs: blocks free for users");
    pl_storage_mount(in->root, real, s);
    pl_storage_speed(in, real, room, m, &s->read);
    if (s->rotates)
        pl_machine_note(m, "%.40s is a rotating disk: loading a model takes long", s->device);
    return 0;
}

const struct pl_probe pl_probe_storage = {
    .name = "storage",
    .reads = "statvfs of the model folder or the nearest folder above it, /proc/self/mountinfo, "
             "/sys/dev/block, /sys/class/block; with --storage a timed read there",
    .matters = "a model that does not fit the disk cannot be fetched; the medium sets how long "
               "loading takes",
    .run = pl_storage_run,
};
