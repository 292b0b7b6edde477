/* What this system runs inside of, and what it may reach. */
#include "base/str.h"
#include "cli/doctor.h"
#include "sys/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void pl_check_wsl(const struct pl_patient *p, struct pl_finding *ret)
{
    if (strstr(p->m->around, "wsl") == NULL && strstr(p->m->around, "WSL") == NULL)
        return;
    pl_find(ret, PL_LEVEL_NOTE,
            "half of the machine's memory is the usual limit, pinned memory stops near 1 GiB, and "
            "memory of single programs is not told",
            "memory= in .wslconfig of Windows, then 'wsl --shutdown'", "this is %.60s",
            p->m->around);
}

/* Whether any device for models is to be seen from inside. */
static bool pl_place_has_device(const struct pl_patient *p)
{
    DIR *dir = NULL;
    if (p->m->n_device > 0)
        return true;
    if (p->root == NULL || pl_root_open_dir(p->root, "dev/dri", &dir, NULL) < 0)
        return false;
    (void)closedir(dir);
    return true;
}

static void pl_check_container(const struct pl_patient *p, struct pl_finding *ret)
{
    if (strstr(p->m->around, "container") == NULL)
        return;
    if (!pl_place_has_device(p))
        pl_find(ret, PL_LEVEL_NOTE,
                "if the host has a graphics processor, models cannot use it from here",
                "docker --gpus all (NVIDIA), --device /dev/dri --device /dev/kfd (AMD), --device "
                "/dev/dri (Intel)",
                "%.60s, with no graphics processor in it", p->m->around);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%.60s, with a graphics processor in it",
                p->m->around);
}

/* The first process of the machine is the kernel's; of a container it is some program. */
static void pl_check_processes(const struct pl_patient *p, struct pl_finding *ret)
{
    char name[64];
    if (p->root == NULL || strstr(p->m->around, "container") == NULL ||
        pl_read_line(p->root, "proc/2/comm", name, sizeof(name), NULL) == -ENODATA)
        return;
    if (pl_streq(name, "kthreadd"))
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "the host's processes are seen");
    else
        pl_find(ret, PL_LEVEL_NOTE, "who else holds memory of machine and devices is not seen",
                "docker --pid=host, or run plimsoll on the host",
                "only the container's own processes are seen");
}

/* Names of the variables that are set; their values may hold passwords. */
static int pl_ask_network(const void *ctx, char *out, size_t size)
{
    static const char *const name[] = {"HTTPS_PROXY",    "https_proxy", "ALL_PROXY",
                                       "all_proxy",      "HTTP_PROXY",  "http_proxy",
                                       "HF_HUB_OFFLINE", "HF_ENDPOINT"};
    size_t n = 0;
    (void)ctx;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        const char *value = getenv(name[i]);
        if (value != NULL && value[0] != '\0' &&
            pl_fmt(out + n, size - n, "%s%s", n > 0 ? " " : "", name[i]))
            n = strlen(out);
    }
    return 0;
}

static void pl_check_network(const struct pl_patient *p, struct pl_finding *ret)
{
    char names[200];
    if (p->root == NULL ||
        pl_live(p->root, "environment.network", pl_ask_network, NULL, names, sizeof(names)) < 0)
        return;
    if (strstr(names, "OFFLINE") != NULL)
        pl_find(ret, PL_LEVEL_NOTE, "engines fetch no models by themselves",
                "unset HF_HUB_OFFLINE to let them", "the environment says offline: %.120s", names);
    else if (names[0] != '\0')
        pl_find(ret, PL_LEVEL_NOTE, NULL, NULL,
                "the network is reached as the environment says: %.120s", names);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "no proxy and no offline mode is set");
}

const struct pl_check pl_checks_place[] = {
    {"place-wsl",                    "place", "Windows Subsystem for Linux", pl_check_wsl},
    {"place-container", "place", "devices inside of a container", pl_check_container},
    {"place-processes",                              "place", "processes inside of a container", pl_check_processes},
    {"place-network",                       "place", "proxies, offline mode", pl_check_network},
    {0           },
};
