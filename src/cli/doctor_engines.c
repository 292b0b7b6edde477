/* Engines: which are found, and whether one can use the devices. */
#include "base/str.h"
#include "cli/doctor.h"
#include "engine/engine.h"
#include "sys/live.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

/* Backends that lie where the engine looks for them: "cuda vulkan", from libggml-NAME.so. */
static void pl_engine_backends(const struct pl_install *in, char *out, size_t size)
{
    static const char *const known[] = {"cuda", "vulkan", "hip", "sycl", "opencl", "metal", "rpc"};
    static const char *const place[] = {"", "/../lib", "/../lib/*", "/../lib/*/ggml/backends*",
                                        "/../lib/ggml/backends*"};
    char dir[PL_INSTALL_PATH_MAX];
    out[0] = '\0';
    (void)PL_FMT(dir, "%s", in->server);
    if (strrchr(dir, '/') == NULL)
        return;
    *strrchr(dir, '/') = '\0';
    for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
        for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
            char pattern[PL_INSTALL_PATH_MAX + 64];
            glob_t g = {0};
            size_t n = strlen(out);
            bool found = PL_FMT(pattern, "%s%s/libggml-%s.so*", dir, place[i], known[k]) &&
                         glob(pattern, 0, NULL, &g) == 0 && g.gl_pathc > 0;
            globfree(&g);
            if (!found)
                continue;
            (void)pl_fmt(out + n, size - n, "%s%s", n > 0 ? " " : "", known[k]);
            break;
        }
    }
}

/* "VERSION\tBACKENDS\tPROGRAM" */
static int pl_ask_engine(const void *ctx, char *out, size_t size)
{
    static struct pl_install in; /* 8 KiB: off the stack */
    const struct pl_engine *e = *(const struct pl_engine *const *)ctx;
    struct pl_err err = {0};
    char backends[96];
    int rc = e->find(NULL, &in, &err);
    if (rc < 0)
        return rc;
    pl_engine_backends(&in, backends, sizeof(backends));
    return pl_fmt(out, size, "%s\t%s\t%s", in.version, backends, in.server) ? 0 : -E2BIG;
}

/* The first engine found; false when there is none. *ret_rc is -ENODATA when nobody can tell. */
static bool pl_engine_first(const struct pl_patient *p, const struct pl_engine **ret_engine,
                            char *text, size_t size, int *ret_rc)
{
    *ret_rc = -ENODATA;
    for (size_t i = 0; p->root != NULL && pl_engines[i] != NULL; i++) {
        char name[64];
        const struct pl_engine *e = pl_engines[i], *const handle = e;
        if (e->find == NULL)
            continue;
        (void)PL_FMT(name, "engine.%s", e->name);
        *ret_rc = pl_live(p->root, name, pl_ask_engine, &handle, text, size);
        if (*ret_rc == 0) {
            *ret_engine = e;
            return true;
        }
    }
    return false;
}

static void pl_check_engine(const struct pl_patient *p, struct pl_finding *ret)
{
    char text[PL_INSTALL_PATH_MAX + 200];
    const struct pl_engine *e = NULL;
    int rc = 0;
    if (pl_engine_first(p, &e, text, sizeof(text), &rc)) {
        char *save = text;
        const char *version = strsep(&save, "\t"), *backends = strsep(&save, "\t");
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%s %s, processor%s%s: %.120s", e->name,
                version[0] != '\0' ? version : "of unknown version",
                backends != NULL && backends[0] != '\0' ? " and " : "",
                backends != NULL ? backends : "", save != NULL ? save : "");
    } else if (rc == -ENOENT) {
        pl_find(ret, PL_LEVEL_ERROR, "nothing can be run or measured; estimates work",
                pl_engines[0]->get, "no engine was found");
    } else if (rc != -ENODATA) {
        pl_find(ret, PL_LEVEL_ERROR, "nothing can be run or measured; estimates work",
                "run it by hand: its own words say what it misses",
                "the engine that was found does not "
                "start: %s",
                strerror(-rc));
    }
}

static void pl_check_backend(const struct pl_patient *p, struct pl_finding *ret)
{
    char text[PL_INSTALL_PATH_MAX + 200];
    const struct pl_engine *e = NULL;
    int rc = 0;
    if (p->m->n_device == 0 || !pl_engine_first(p, &e, text, sizeof(text), &rc))
        return;
    char *save = text;
    (void)strsep(&save, "\t");
    const char *backends = strsep(&save, "\t");
    if (backends == NULL || backends[0] == '\0')
        pl_find(ret, PL_LEVEL_WARNING, "models run on the processor alone, many times slower",
                "install a build of the engine for CUDA, ROCm, SYCL or Vulkan",
                "%s has no backend for graphics processors beside it", e->name);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%s can use: %s", e->name, backends);
}

const struct pl_check pl_checks_engines[] = {
    {"engine",                 "engines", "an engine that starts", pl_check_engine},
    {"engine-backend", "engines", "an engine that uses the devices", pl_check_backend},
    {0                       },
};
