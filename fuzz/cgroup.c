/* Control groups: /proc/self/cgroup, mountinfo and the files of three nested groups, all hostile.
 * The input is those texts in turn, separated by lines of "%%": cgroup, mountinfo, then limit, use,
 * statistics and events, which every group gets. */
#include "sys/cgroup.h"
#include "base/str.h"
#include "sys/psi.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_FUZZ_TEXTS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

struct pl_fuzz_text {
    const char *data;
    size_t n;
};

static char pl_fuzz_path[64];

static int pl_fuzz_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void pl_fuzz_end(void)
{
    (void)nftw(pl_fuzz_path, pl_fuzz_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* A folder of this process, made once and removed at its end. */
static int pl_fuzz_folder(void)
{
    static int fd = -1;
    if (fd < 0) {
        static const char *const dir[] = {"proc", "proc/self", "proc/pressure",
                                          "m",    "m/a",       "m/a/b"};
        (void)PL_FMT(pl_fuzz_path, "/tmp/plimsoll-fuzz-XXXXXX");
        pl_fuzz_check(mkdtemp(pl_fuzz_path) != NULL && atexit(pl_fuzz_end) == 0);
        fd = open(pl_fuzz_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        pl_fuzz_check(fd >= 0);
        for (size_t i = 0; i < sizeof(dir) / sizeof(dir[0]); i++)
            pl_fuzz_check(mkdirat(fd, dir[i], 0700) == 0);
    }
    return fd;
}

static void pl_fuzz_put(int dir, const char *path, struct pl_fuzz_text text)
{
    int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pl_fuzz_check(fd >= 0 && write(fd, text.data, text.n) == (ssize_t)text.n);
    (void)close(fd);
}

static void pl_fuzz_split(const char *data, size_t n, struct pl_fuzz_text out[PL_FUZZ_TEXTS])
{
    for (int i = 0; i < PL_FUZZ_TEXTS; i++) {
        const char *mark = i + 1 < PL_FUZZ_TEXTS && n > 0 ? memmem(data, n, "%%\n", 3) : NULL;
        out[i] = (struct pl_fuzz_text){data, mark != NULL ? (size_t)(mark - data) : n};
        data += mark != NULL ? out[i].n + 3 : n;
        n -= mark != NULL ? out[i].n + 3 : n;
    }
}

static void pl_fuzz_write(int dir, const struct pl_fuzz_text text[PL_FUZZ_TEXTS])
{
    static const char *const group[] = {"m", "m/a", "m/a/b"};
    static const struct {
        const char *name;
        int text;
    } file[] = {
        {"memory.max",            2},
        {"memory.limit_in_bytes", 2},
        {"memory.current",        3},
        {"memory.usage_in_bytes", 3},
        {"memory.stat",           4},
        {"memory.events",         5},
        {"cpu.max",               5},
    };
    pl_fuzz_put(dir, "proc/self/cgroup", text[0]);
    pl_fuzz_put(dir, "proc/self/mountinfo", text[1]);
    pl_fuzz_put(dir, "proc/pressure/memory", text[4]);
    for (size_t g = 0; g < sizeof(group) / sizeof(group[0]); g++) {
        for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
            char path[64];
            (void)PL_FMT(path, "%s/%s", group[g], file[i].name);
            pl_fuzz_put(dir, path, text[file[i].text]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pl_cgroup_memory m;
    struct pl_fuzz_text text[PL_FUZZ_TEXTS];
    struct pl_root root;
    struct pl_pressure pressure;
    double cpus = 0;
    int dir = pl_fuzz_folder();
    pl_fuzz_split(n > 0 ? (const char *)data : "", n, text);
    pl_fuzz_write(dir, text);
    pl_fuzz_check(pl_root_open(pl_fuzz_path, &root, NULL) == 0);
    if (pl_cgroup_memory(&root, 0, &m, NULL) == 0) {
        pl_fuzz_check(pl_starts(m.place.dir, m.place.mount));
        pl_fuzz_check(m.place.version != PL_CGROUP_NONE || !m.limited);
        if (m.limited)
            pl_fuzz_check(m.limit < 1ull << 62 && m.limit_dir[0] != '\0');
        if (m.limited && m.complete && pl_known(m.room))
            pl_fuzz_check(pl_known(m.used));
    }
    if (pl_cgroup_cpu_quota(&root, 0, &cpus, NULL) == 0)
        pl_fuzz_check(cpus >= 0);
    if (pl_psi_read(&root, "memory", &pressure, NULL) == 0)
        pl_fuzz_check(pressure.known && pressure.some_avg10 >= 0);
    pl_root_done(&root);
    return 0;
}
