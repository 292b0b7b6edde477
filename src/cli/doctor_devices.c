/* Graphics processors: drivers, libraries, and permission on their files. */
#include "base/str.h"
#include "cli/doctor.h"
#include "sys/live.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_PCI "sys/bus/pci/devices"

/* What is on the PCI bus that draws or computes (class 03), by vendor, and without a driver that
 * models can use. */
struct pl_bus {
    bool read;
    unsigned nvidia, amd, intel, others;
    unsigned without; /* with no driver, or one that models cannot use */
    char address[24]; /* of the first of these */
    char driver[32];  /* and its driver; "" = none */
};

static void pl_bus_driver(const struct pl_root *root, const char *address, char *out, size_t size)
{
    char path[160], link[256];
    out[0] = '\0';
    (void)PL_FMT(path, PL_PCI "/%.60s/driver", address);
    if (pl_root_read_link(root, path, link, sizeof(link), NULL) < 0)
        return;
    const char *name = strrchr(link, '/');
    (void)pl_fmt(out, size, "%s", name != NULL ? name + 1 : link);
}

static void pl_bus_device(const struct pl_root *root, const char *address, struct pl_bus *bus)
{
    static const char *const usable[] = {"nvidia", "amdgpu", "i915", "xe"};
    char path[160], class[32], vendor[32], driver[32];
    (void)PL_FMT(path, PL_PCI "/%.60s/class", address);
    if (pl_read_line(root, path, class, sizeof(class), NULL) < 0 || !pl_starts(class, "0x03"))
        return;
    (void)PL_FMT(path, PL_PCI "/%.60s/vendor", address);
    if (pl_read_line(root, path, vendor, sizeof(vendor), NULL) < 0)
        return;
    unsigned *count = pl_streq(vendor, "0x10de")   ? &bus->nvidia
                      : pl_streq(vendor, "0x1002") ? &bus->amd
                      : pl_streq(vendor, "0x8086") ? &bus->intel
                                                   : &bus->others;
    (*count)++;
    if (count == &bus->others)
        return; /* the virtual screen of a virtual machine, a server's console */
    pl_bus_driver(root, address, driver, sizeof(driver));
    bool fit = pl_starts(driver, "vfio"); /* handed to a virtual machine on purpose */
    for (size_t i = 0; i < sizeof(usable) / sizeof(usable[0]); i++)
        fit = fit || pl_streq(driver, usable[i]);
    if (fit)
        return;
    if (bus->without++ == 0) {
        (void)PL_FMT(bus->address, "%.23s", address);
        (void)PL_FMT(bus->driver, "%s", driver);
    }
}

static void pl_bus_read(const struct pl_root *root, struct pl_bus *bus)
{
    DIR *dir = NULL;
    *bus = (struct pl_bus){0};
    if (root == NULL || pl_root_open_dir(root, PL_PCI, &dir, NULL) < 0)
        return;
    bus->read = true;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.')
            pl_bus_device(root, e->d_name, bus);
    }
    (void)closedir(dir);
}

static void pl_check_driver(const struct pl_patient *p, struct pl_finding *ret)
{
    struct pl_bus bus;
    pl_bus_read(p->root, &bus);
    unsigned all = bus.nvidia + bus.amd + bus.intel;
    if (bus.without > 0)
        pl_find(ret, PL_LEVEL_WARNING, "models run on the processor alone, many times slower",
                bus.nvidia > 0
                    ? "install NVIDIA's driver (nvidia-driver), and restart"
                    : "install the firmware (firmware-amd-graphics, firmware-misc-nonfree) or "
                      "a newer kernel, and restart",
                "the graphics processor at %s has %s%s%s", bus.address,
                bus.driver[0] != '\0' ? "the driver " : "no driver", bus.driver,
                bus.driver[0] != '\0' ? ", which models cannot use" : "");
    else if (all > 0 || p->m->n_device > 0)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%u graphics processor%s with a driver",
                all > 0 ? all : p->m->n_device, (all > 0 ? all : p->m->n_device) == 1 ? "" : "s");
    else if (bus.read || p->root == NULL)
        pl_find(ret, PL_LEVEL_NOTE, "models run on the processor: large ones slowly", NULL,
                "no graphics processor was found");
}

/* Only where an NVIDIA driver runs: loading a library that is not needed costs and may fail. */
static bool pl_nvidia_here(const struct pl_patient *p)
{
    char line[128];
    return p->root != NULL &&
           pl_read_line(p->root, "proc/driver/nvidia/version", line, sizeof(line), NULL) == 0;
}

static int pl_ask_library(const void *ctx, char *out, size_t size)
{
    void *handle = dlopen(ctx, RTLD_LAZY | RTLD_LOCAL);
    if (handle == NULL)
        return -ENOENT;
    (void)dlclose(handle);
    (void)pl_fmt(out, size, "yes");
    return 0;
}

static void pl_check_libraries(const struct pl_patient *p, struct pl_finding *ret)
{
    static const char *const name[] = {"libnvidia-ml.so.1", "libcuda.so.1"};
    if (!pl_nvidia_here(p))
        return;
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        char live[64], yes[8];
        (void)PL_FMT(live, "library.%s", name[i]);
        int rc = pl_live(p->root, live, pl_ask_library, name[i], yes, sizeof(yes));
        if (rc == -ENODATA)
            return;
        if (rc < 0) {
            pl_find(ret, PL_LEVEL_WARNING,
                    i == 0 ? "memory and load of NVIDIA devices are not known"
                           : "no engine can compute on NVIDIA devices",
                    "install the driver's libraries (nvidia-driver-libs); in a container: --gpus "
                    "all and "
                    "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
                    "%s is not there, though the driver is", name[i]);
            return;
        }
    }
    pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%s and %s are there", name[0], name[1]);
}

static int pl_ask_access(const void *ctx, char *out, size_t size)
{
    char path[300];
    (void)PL_FMT(path, "/%.290s", (const char *)ctx);
    (void)pl_fmt(out, size, "yes");
    return access(path, R_OK | W_OK) < 0 ? -errno : 0;
}

struct pl_nodes {
    unsigned there, refused;
    char first[300]; /* that is refused */
};

static void pl_node_ask(const struct pl_root *root, const char *path, struct pl_nodes *n)
{
    char name[400], yes[8];
    (void)PL_FMT(name, "access.%s", path);
    int rc = pl_live(root, name, pl_ask_access, path, yes, sizeof(yes));
    if (rc == -ENOENT || rc == -ENODATA)
        return;
    n->there++;
    if (rc < 0 && n->refused++ == 0)
        (void)PL_FMT(n->first, "/%.290s", path);
}

/* Entries of a folder of device files that begin with prefix. */
static void pl_nodes_read(const struct pl_root *root, const char *folder, const char *prefix,
                          struct pl_nodes *n)
{
    DIR *dir = NULL;
    if (pl_root_open_dir(root, folder, &dir, NULL) < 0)
        return;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[300];
        if (pl_starts(e->d_name, prefix) && PL_FMT(path, "%s/%s", folder, e->d_name))
            pl_node_ask(root, path, n);
    }
    (void)closedir(dir);
}

static void pl_check_nodes(const struct pl_patient *p, struct pl_finding *ret)
{
    static const char *const nvidia[] = {"dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm"};
    struct pl_nodes n = {0};
    if (p->root == NULL)
        return;
    pl_nodes_read(p->root, "dev/dri", "renderD", &n);
    pl_node_ask(p->root, "dev/kfd", &n);
    for (size_t i = 0; i < sizeof(nvidia) / sizeof(nvidia[0]); i++)
        pl_node_ask(p->root, nvidia[i], &n);
    if (n.refused > 0)
        pl_find(
            ret, PL_LEVEL_WARNING, "engines cannot use that device, and fall back to the processor",
            "sudo usermod -aG render,video $USER, then log in again; in a container: --group-add",
            "no permission on %.160s", n.first);
    else if (n.there > 0)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%u device files may be used", n.there);
}

static void pl_check_sleep(const struct pl_patient *p, struct pl_finding *ret)
{
    for (uint32_t i = 0; i < p->m->n_device; i++) {
        const struct pl_device *d = &p->m->device[i];
        if (d->power == PL_POWER_LOST) {
            pl_find(ret, PL_LEVEL_WARNING, "it cannot be used until the machine restarts",
                    "look at the kernel's log (journalctl -k) for the reason, and restart",
                    "%s is lost: the driver no longer reaches it", d->id);
            return;
        }
        if (d->throttle[0] != '\0' && !pl_streq(d->throttle, "none") &&
            !pl_streq(d->throttle, "idle") && ret->level == PL_LEVEL_UNKNOWN)
            pl_find(ret, PL_LEVEL_NOTE, "it is slower than it could be",
                    "look at cooling and power limit ('plimsoll assess')", "%s is slowed by %.120s",
                    d->id, d->throttle);
    }
    if (ret->level == PL_LEVEL_UNKNOWN && p->m->n_device > 0)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "no device is lost or known to be slowed");
}

const struct pl_check pl_checks_devices[] = {
    {"device-driver",                   "devices", "drivers of graphics processors", pl_check_driver},
    {"device-libraries", "devices", "NVIDIA's libraries", pl_check_libraries},
    {"device-permission",                                 "devices", "permission on the device files", pl_check_nodes},
    {"device-state",                        "devices", "whether devices answer at full speed", pl_check_sleep},
    {0              },
};
