/* The list of cards. Of a sleeping device these files are read, which the kernel answers from
 * memory: uevent, vendor, device, revision, power/runtime_status, power_state, the connectors'
 * status. */
#include "base/str.h"
#include "machine/drm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PL_DRM_ENTRIES_MAX 4096 /* of /sys/class/drm: cards, render nodes, connectors */

static bool pl_drm_path(char out[256], const struct pl_drm_card *card, const char *name)
{
    return pl_fmt(out, 256, "%s/device/%s", card->path, name);
}

bool pl_drm_u64(const struct pl_root *root, const struct pl_drm_card *card, const char *name,
                uint64_t *ret)
{
    char path[256];
    return pl_drm_path(path, card, name) && pl_read_u64(root, path, ret, NULL) == 0;
}

bool pl_drm_line(const struct pl_root *root, const struct pl_drm_card *card, const char *name,
                 char *out, size_t size)
{
    char path[256];
    out[0] = '\0';
    return pl_drm_path(path, card, name) && pl_read_line(root, path, out, size, NULL) == 0 &&
           out[0] != '\0';
}

/* "0x1002" and the like; at most 16 bits. */
static bool pl_drm_hex(const struct pl_root *root, const struct pl_drm_card *card, const char *name,
                       uint32_t *ret)
{
    char text[16];
    if (!pl_drm_line(root, card, name, text, sizeof(text)))
        return false;
    const char *s = pl_starts(text, "0x") ? text + 2 : text;
    size_t n = strspn(s, "0123456789abcdefABCDEF");
    if (n == 0 || n > 4 || s[n] != '\0')
        return false;
    *ret = (uint32_t)strtoul(s, NULL, 16);
    return true;
}

/* "card12" gives 12; "card0-HDMI-A-1" and "renderD128" are no cards. */
static bool pl_drm_number(const char *name, uint32_t *ret)
{
    uint64_t n = 0;
    if (!pl_starts(name, "card") || !pl_parse_u64(name + 4, &n) || n > 255)
        return false;
    *ret = (uint32_t)n;
    return true;
}

/* DRIVER=, PCI_SLOT_NAME= and PCI_ID= of device/uevent: they need no symbolic link, which a dump
 * may have lost. */
static void pl_drm_uevent(const struct pl_root *root, struct pl_drm_card *card,
                          uint32_t *ret_device)
{
    char path[256];
    unsigned vendor = 0, device = 0;
    struct pl_lines lines;
    if (!pl_drm_path(path, card, "uevent") || pl_lines_open(root, path, &lines, NULL) < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        pl_text_clean(line);
        if (pl_starts(line, "DRIVER="))
            (void)PL_FMT(card->driver, "%s", line + strlen("DRIVER="));
        else if (pl_starts(line, "PCI_SLOT_NAME="))
            (void)PL_FMT(card->pci, "%s", line + strlen("PCI_SLOT_NAME="));
        else if (sscanf(line, "PCI_ID=%4x:%4x", &vendor, &device) == 2) {
            card->vendor = vendor;
            *ret_device = device;
        }
    }
    (void)pl_lines_close(&lines);
    if (!pl_pci_same(card->pci, card->pci))
        card->pci[0] = '\0';
}

/* False for devices that are not on PCI (a Tegra's display, a virtual one). */
static bool pl_drm_card_read(const struct pl_root *root, const char *name, struct pl_drm_card *card)
{
    char status[32];
    uint32_t device = 0, revision = 0;
    if (!pl_drm_number(name, &card->number))
        return false;
    (void)PL_FMT(card->path, "sys/class/drm/card%u", card->number);
    pl_drm_uevent(root, card, &device);
    if (card->vendor == 0 && (!pl_drm_hex(root, card, "vendor", &card->vendor) ||
                              !pl_drm_hex(root, card, "device", &device)))
        return false;
    bool amd = card->vendor == PL_PCI_AMD && pl_drm_hex(root, card, "revision", &revision);
    (void)PL_FMT(card->pci_id, amd ? "%04x:%04x:%02x" : "%04x:%04x", card->vendor, device,
                 revision);
    if (pl_drm_line(root, card, "power/runtime_status", status, sizeof(status)))
        card->asleep = pl_streq(status, "suspended") || pl_streq(status, "suspending");
    if (pl_drm_line(root, card, "power_state", status, sizeof(status)))
        card->asleep |= pl_starts(status, "D3");
    return true;
}

/* card0/card0-DP-1/status: the kernel's last word, asked of no cable. */
static void pl_drm_displays(const struct pl_root *root, struct pl_drm_card *card)
{
    char prefix[16];
    DIR *dir = NULL;
    const struct dirent *e = NULL;
    (void)PL_FMT(prefix, "card%u-", card->number);
    if (pl_root_open_dir(root, card->path, &dir, NULL) < 0)
        return;
    for (uint32_t i = 0; i < PL_DRM_ENTRIES_MAX && (e = readdir(dir)) != NULL; i++) {
        char path[PL_DRM_PATH_MAX + 300], status[32];
        if (!pl_starts(e->d_name, prefix) || strstr(e->d_name, "Writeback") != NULL ||
            !PL_FMT(path, "%s/%s/status", card->path, e->d_name) ||
            pl_read_line(root, path, status, sizeof(status), NULL) < 0)
            continue;
        card->display_known = true;
        card->display |= pl_streq(status, "connected");
    }
    (void)closedir(dir);
}

static int pl_drm_order(const void *a, const void *b)
{
    const struct pl_drm_card *x = a, *y = b;
    int c = strcmp(x->pci, y->pci);
    return c != 0 ? c : (x->number > y->number) - (x->number < y->number);
}

uint32_t pl_drm_scan(const struct pl_root *root, struct pl_drm_card ret[PL_DRM_CARDS_MAX])
{
    DIR *dir = NULL;
    const struct dirent *e = NULL;
    uint32_t n = 0;
    if (pl_root_open_dir(root, "sys/class/drm", &dir, NULL) < 0)
        return 0;
    for (uint32_t i = 0; i < PL_DRM_ENTRIES_MAX && (e = readdir(dir)) != NULL; i++) {
        struct pl_drm_card card = {.number = 0};
        if (n < PL_DRM_CARDS_MAX && pl_drm_card_read(root, e->d_name, &card))
            ret[n++] = card;
    }
    (void)closedir(dir);
    qsort(ret, n, sizeof(ret[0]), pl_drm_order);
    for (uint32_t i = 0; i < n; i++)
        pl_drm_displays(root, &ret[i]);
    return n;
}

bool pl_pci_same(const char *a, const char *b)
{
    unsigned p[2][4];
    const char *text[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        const char *s = text[i];
        for (int k = 0; k < 4; k++) {
            char *end = NULL;
            if (!isxdigit((unsigned char)*s))
                return false;
            p[i][k] = (unsigned)strtoul(s, &end, 16);
            if (*end != (k < 2 ? ':' : k == 2 ? '.' : '\0'))
                return false;
            s = end + (k < 3 ? 1 : 0);
        }
    }
    return memcmp(p[0], p[1], sizeof(p[0])) == 0;
}

struct pl_device *pl_drm_device(struct pl_machine *m, struct pl_drm_card *card)
{
    char id[32];
    uint32_t n = 0;
    do
        (void)PL_FMT(id, "gpu%u", n);
    while (pl_machine_device(m, id) != NULL && ++n < PL_DEVICES_MAX);
    struct pl_device *d = pl_machine_add_device(m, id);
    if (d == NULL)
        return NULL;
    card->gpu = n;
    (void)PL_FMT(card->device_id, "%s", id);
    d->vendor = card->vendor == PL_PCI_AMD      ? PL_VENDOR_AMD
                : card->vendor == PL_PCI_INTEL  ? PL_VENDOR_INTEL
                : card->vendor == PL_PCI_NVIDIA ? PL_VENDOR_NVIDIA
                                                : PL_VENDOR_UNKNOWN;
    d->power = card->asleep ? PL_POWER_ASLEEP : PL_POWER_AWAKE;
    (void)PL_FMT(d->pci, "%s", card->pci);
    (void)PL_FMT(d->pci_id, "%s", card->pci_id);
    (void)PL_FMT(d->driver, "%s", card->driver);
    d->display_known = card->display_known;
    d->display = card->display;
    d->nominal = PL_QUANTITY_UNKNOWN("the device data were not asked");
    d->visible = PL_UNREAD(PL_STATE_NOT_ASKED, "asked of the runtime by --probe-alloc");
    d->total = d->reserved = d->used = d->available =
        PL_QUANTITY_UNKNOWN("the driver does not say");
    d->bandwidth = d->fp16 = d->int8 = (struct pl_rate){.why = "the device data were not asked"};
    return d;
}
