/* Room on the file system of the model folder. */
#include "base/checked.h"
#include "base/str.h"
#include "machine/probes.h"

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

/* Type of the file system at a real path: that of the longest mount point above it; of two mounts
 * at the same place the later one hides the earlier. */
static void pl_storage_type(const struct pl_root *root, const char *real, char *out, size_t size)
{
    struct pl_lines lines;
    size_t best = 0;
    if (pl_lines_open(root, "proc/self/mountinfo", &lines, NULL) < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        char *save = NULL;
        const char *point = strtok_r(line, " ", &save);
        for (int i = 0; i < 4 && point != NULL; i++)
            point = strtok_r(NULL, " ", &save);
        const char *word = point;
        while (word != NULL && !pl_streq(word, "-"))
            word = strtok_r(NULL, " ", &save);
        const char *type = word != NULL ? strtok_r(NULL, " ", &save) : NULL;
        size_t n = point != NULL ? strlen(point) : 0;
        if (type == NULL || n < best || strncmp(real, point, n) != 0)
            continue;
        if (n > 1 && real[n] != '/' && real[n] != '\0')
            continue;
        best = n;
        (void)pl_fmt(out, size, "%s", type);
    }
    (void)pl_lines_close(&lines);
}

static int pl_storage_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    (void)err;
    const char *dir = in->options->model_dir;
    char real[PATH_MAX];
    struct statvfs fs;
    if (dir == NULL)
        return 0;
    struct pl_storage *s = &m->storage[0];
    (void)PL_FMT(s->path, "%s", dir);
    m->n_storage = 1;
    if (!pl_root_is_this_system(in->root)) {
        s->total = s->available = PL_QUANTITY_UNKNOWN("a dump does not hold it");
        return 0;
    }
    if (!pl_storage_real(dir, real) || statvfs(real, &fs) < 0) {
        s->total = s->available = PL_QUANTITY_UNKNOWN("the file system cannot be asked");
        pl_machine_note(m, "free disk space is unknown: %s", strerror(errno));
        return 0;
    }
    if (access(dir, F_OK) < 0)
        pl_machine_note(m, "%.60s does not exist; the space is that of %.60s", dir, real);
    s->total = pl_exact(pl_mul_sat(fs.f_blocks, fs.f_frsize), PL_SOURCE_MEASURED,
                        "statvfs of the model folder");
    s->available = pl_exact(pl_mul_sat(fs.f_bavail, fs.f_frsize), PL_SOURCE_MEASURED,
                            "statvfs: blocks free for users");
    pl_storage_type(in->root, real, s->filesystem, sizeof(s->filesystem));
    return 0;
}

const struct pl_probe pl_probe_storage = {
    .name = "storage",
    .reads = "statvfs of the model folder or the nearest folder above it, /proc/self/mountinfo",
    .matters = "a model that does not fit the disk cannot be fetched",
    .run = pl_storage_run,
};
