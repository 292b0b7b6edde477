/* What the machine is sold as, and what it runs inside of: a container, WSL, a virtual machine. */
#include "base/str.h"
#include "machine/probes.h"

#include <errno.h>
#include <string.h>

/* What firmware says when nobody filled it in. */
static bool pl_around_blank(const char *text)
{
    static const char *const blank[] = {"To Be Filled By O.E.M.",
                                        "System manufacturer",
                                        "System Product Name",
                                        "Default string",
                                        "Not Specified",
                                        "Not Applicable",
                                        "To be filled by O.E.M.",
                                        "OEM",
                                        "None",
                                        "Unknown"};
    for (size_t i = 0; i < sizeof(blank) / sizeof(blank[0]); i++) {
        if (pl_streq(text, blank[i]))
            return true;
    }
    return text[0] == '\0';
}

static void pl_around_dmi(const struct pl_root *root, const char *field, char *out, size_t size)
{
    char path[64];
    (void)PL_FMT(path, "sys/class/dmi/id/%s", field);
    if (pl_read_line(root, path, out, size, NULL) < 0 || pl_around_blank(out))
        out[0] = '\0';
}

static void pl_around_board(const struct pl_root *root, struct pl_machine *m)
{
    static const char *const pair[][2] = {
        {"sys_vendor",   "product_name"},
        {"board_vendor", "board_name"  }
    };
    char vendor[64], name[64];
    for (size_t i = 0; i < 2 && m->board[0] == '\0'; i++) {
        pl_around_dmi(root, pair[i][0], vendor, sizeof(vendor));
        pl_around_dmi(root, pair[i][1], name, sizeof(name));
        if (name[0] != '\0') /* some products begin with their vendor's name */
            (void)PL_FMT(m->board, "%s%s%s", pl_starts(name, vendor) ? "" : vendor,
                         vendor[0] != '\0' && !pl_starts(name, vendor) ? " " : "", name);
    }
    if (m->board[0] == '\0')
        (void)pl_read_line(root, "proc/device-tree/model", m->board, sizeof(m->board), NULL);
}

static bool pl_around_there(const struct pl_root *root, const char *path)
{
    struct pl_lines lines;
    if (pl_lines_open(root, path, &lines, NULL) < 0)
        return false;
    (void)pl_lines_close(&lines);
    return true;
}

/* The word after "container=" in the environment of process 1, or what systemd keeps of it. */
static bool pl_around_named(const struct pl_root *root, char *out, size_t size)
{
    char text[256];
    if (pl_read_line(root, "run/systemd/container", text, sizeof(text), NULL) < 0 ||
        text[0] == '\0')
        return false;
    (void)pl_fmt(out, size, "%.20s", text);
    return true;
}

/* Which container manager a control group or a mount names. */
static const char *pl_around_manager(const struct pl_root *root, const char *path)
{
    static const struct {
        const char *part, *name;
    } manager[] = {
        {"kubepods",                "kubernetes"},
        {"/docker/",                "docker"    },
        {"docker-",                 "docker"    },
        {"libpod",                  "podman"    },
        {"/lxc/",                   "lxc"       },
        {"lxc.payload",             "lxc"       },
        {"/machine.slice/machine-", "nspawn"    },
    };
    struct pl_lines lines;
    const char *found = NULL;
    if (pl_lines_open(root, path, &lines, NULL) < 0)
        return NULL;
    for (const char *line; found == NULL && (line = pl_lines_next(&lines)) != NULL;) {
        for (size_t i = 0; found == NULL && i < sizeof(manager) / sizeof(manager[0]); i++)
            found = strstr(line, manager[i].part) != NULL ? manager[i].name : NULL;
    }
    (void)pl_lines_close(&lines);
    return found;
}

static bool pl_around_container(const struct pl_root *root, char *out, size_t size)
{
    const char *name = pl_around_manager(root, "proc/self/cgroup");
    if (name == NULL)
        name = pl_around_manager(root, "proc/1/cgroup");
    if (name == NULL && pl_around_there(root, ".dockerenv"))
        name = "docker";
    if (name == NULL && pl_around_there(root, "run/.containerenv"))
        name = "podman";
    if (name == NULL)
        return pl_around_named(root, out, size);
    (void)pl_fmt(out, size, "%s", name);
    return true;
}

/* The processor says that a hypervisor runs it (CPUID leaf 1, ECX bit 31). */
static bool pl_around_flag(const struct pl_root *root)
{
    struct pl_lines lines;
    bool found = false;
    if (pl_lines_open(root, "proc/cpuinfo", &lines, NULL) < 0)
        return false;
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
        if (pl_starts(line, "flags")) {
            found = strstr(line, " hypervisor") != NULL;
            break;
        }
    }
    (void)pl_lines_close(&lines);
    return found;
}

static bool pl_around_virtual(const struct pl_root *root)
{
    /* as systemd-detect-virt(1) knows them, where the processor does not say */
    static const char *const made[] = {
        "QEMU",  "KVM",       "VMware", "innotek GmbH", "VirtualBox",           "Xen",
        "Bochs", "Parallels", "BHYVE",  "OpenStack",    "Google Compute Engine"};
    char text[128];
    if (pl_around_flag(root) || pl_around_there(root, "sys/hypervisor/type"))
        return true;
    for (int field = 0; field < 2; field++) {
        pl_around_dmi(root, field == 0 ? "sys_vendor" : "product_name", text, sizeof(text));
        for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
            if (pl_starts(text, made[i]))
                return true;
        }
    }
    return false;
}

/* 1 or 2 of Windows' Subsystem for Linux, 0 for neither. The first has Windows' own kernel, which
 * calls itself 4.4.0-NNNNN-Microsoft. */
static int pl_around_wsl(const struct pl_root *root)
{
    char line[512];
    if (pl_read_line(root, "proc/version", line, sizeof(line), NULL) < 0)
        return 0;
    if (strstr(line, "-Microsoft") != NULL)
        return 1;
    return strstr(line, "microsoft") != NULL || strstr(line, "WSL2") != NULL ? 2 : 0;
}

static int pl_around_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    char container[24] = "";
    int wsl = pl_around_wsl(in->root);
    (void)err;
    pl_around_board(in->root, m);
    bool boxed = pl_around_container(in->root, container, sizeof(container));
    const char *below = wsl == 1                      ? "wsl1"
                        : wsl == 2                    ? "wsl2"
                        : pl_around_virtual(in->root) ? "virtual machine"
                                                      : "";
    (void)PL_FMT(m->around, "%s%s%s%s", boxed ? "container " : "", container,
                 boxed && below[0] != '\0' ? " in " : "", below);
    if (wsl == 2)
        pl_machine_note(m, "WSL 2: page-locked memory for a device ends between 0.5 and 1 GiB, "
                           "whatever the limit on locked memory says");
    if (wsl == 1)
        pl_machine_note(m, "WSL 1 runs Windows' kernel: what /proc says of memory is worked out");
    return 0;
}

const struct pl_probe pl_probe_around = {
    .name = "around",
    .reads = "/sys/class/dmi/id, /proc/device-tree/model, /proc/version, /proc/self/cgroup, "
             "/proc/1/cgroup, /.dockerenv, /run/.containerenv, /run/systemd/container, "
             "/sys/hypervisor/type, the hypervisor flag in /proc/cpuinfo",
    .matters = "a container sees the machine's memory and gets its own limit; a virtual machine's "
               "memory may be another's tomorrow",
    .beside = true,
    .run = pl_around_run,
};
