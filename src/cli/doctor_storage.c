/* Where models, and what was measured, are kept. */
#include "base/units.h"
#include "cli/doctor.h"
#include "ledger/path.h"
#include "sys/live.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_ROOM_LITTLE (1ull << 30)
#define PL_ROOM_SMALL (10ull << 30) /* two models of 8 billion weights in four bits */

static void pl_check_room(const struct pl_patient *p, struct pl_finding *ret)
{
    static const char get[] = "free some, or name another folder (PLIMSOLL_MODELS)";
    char a[PL_SIZE_TEXT_MAX];
    if (p->m->n_storage == 0 || !pl_known(p->m->storage[0].available))
        return;
    const struct pl_storage *s = &p->m->storage[0];
    (void)pl_size_text(s->available.likely, a);
    if (s->available.likely < PL_ROOM_LITTLE)
        pl_find(ret, PL_LEVEL_WARNING, "no model can be fetched", get, "%s free in %.120s", a,
                s->path);
    else if (s->available.likely < PL_ROOM_SMALL)
        pl_find(ret, PL_LEVEL_NOTE, "only small models can be fetched", get, "%s free in %.120s", a,
                s->path);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%s free in %.120s", a, s->path);
}

static void pl_check_file_system(const struct pl_patient *p, struct pl_finding *ret)
{
    static const char *const far[] = {"nfs",        "nfs4",     "cifs", "smb3", "9p",
                                      "fuse.sshfs", "virtiofs", "ceph", "drvfs"};
    if (p->m->n_storage == 0 || p->m->storage[0].filesystem[0] == '\0')
        return;
    const char *type = p->m->storage[0].filesystem;
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        if (pl_streq(type, far[i])) {
            pl_find(ret, PL_LEVEL_WARNING,
                    "models load slowly, and again whenever their pages were dropped",
                    "keep models on a disk of this machine (PLIMSOLL_MODELS)",
                    "models lie on %s, which is not a disk of this system", type);
            return;
        }
    }
    if (pl_streq(type, "tmpfs") || pl_streq(type, "ramfs"))
        pl_find(ret, PL_LEVEL_WARNING, "every file takes memory that models need",
                "keep models on a disk (PLIMSOLL_MODELS)", "models lie in memory (%s)", type);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "models lie on %s", type);
}

/* The file may be written, or made in the nearest folder that is there. */
static int pl_ask_ledger(const void *ctx, char *out, size_t size)
{
    char path[PL_LEDGER_PATH_MAX];
    (void)ctx;
    struct pl_err err = {0};
    int rc = pl_ledger_default_path(path, &err);
    if (rc < 0)
        return rc;
    (void)pl_fmt(out, size, "%s", path);
    bool there = access(path, F_OK) == 0;
    while (access(path, F_OK) < 0 && strrchr(path, '/') != NULL && strrchr(path, '/') != path)
        *strrchr(path, '/') = '\0';
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    if (!there && !S_ISDIR(st.st_mode))
        return -ENOTDIR;
    return access(path, W_OK) < 0 ? -errno : 0;
}

static void pl_check_ledger(const struct pl_patient *p, struct pl_finding *ret)
{
    char path[PL_LEDGER_PATH_MAX];
    if (p->root == NULL)
        return;
    int rc = pl_live(p->root, "ledger.writable", pl_ask_ledger, NULL, path, sizeof(path));
    if (rc == 0)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "runs are remembered in %.160s", path);
    else if (rc != -ENODATA)
        pl_find(ret, PL_LEVEL_WARNING, "nothing that was measured is remembered",
                "name a place that can be written: PLIMSOLL_LEDGER=FILE",
                "the ledger cannot be written: %s", strerror(-rc));
}

const struct pl_check pl_checks_storage[] = {
    {"storage-room",     "storage", "room for models", pl_check_room},
    {"storage-type", "storage", "file system models lie on", pl_check_file_system},
    {"storage-ledger",                  "storage", "where runs are remembered", pl_check_ledger},
    {0        },
};
