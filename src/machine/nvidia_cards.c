/* NVIDIA's devices as the kernel lists them. Reading this wakes nothing. */
#include "machine/nvidia.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_NVIDIA_PROC "proc/driver/nvidia"
#define PL_NVIDIA_ENTRIES_MAX 4096 /* of one folder */

static bool pl_nvidia_has_dir(const struct pl_root *root, const char *path)
{
    DIR *dir = NULL;
    if (pl_root_open_dir(root, path, &dir, NULL) < 0)
        return false;
    (void)closedir(dir);
    return true;
}

static bool pl_nvidia_has_entry(const struct pl_root *root, const char *path, const char *name)
{
    DIR *dir = NULL;
    bool found = false;
    if (pl_root_open_dir(root, path, &dir, NULL) < 0)
        return false;
    for (struct dirent *e; !found && (e = readdir(dir)) != NULL;)
        found = pl_streq(e->d_name, name);
    (void)closedir(dir);
    return found;
}

/* "0000:01:00.0" into four numbers. */
static bool pl_nvidia_pci_parse(const char *text, unsigned long n[4])
{
    static const char after[] = {':', ':', '.', '\0'};
    for (int i = 0; i < 4; i++) {
        char *end = NULL;
        errno = 0;
        n[i] = strtoul(text, &end, 16);
        if (end == text || *end != after[i] || errno != 0)
            return false;
        text = end + 1;
    }
    return true;
}

int pl_nvidia_pci_order(const char *a, const char *b)
{
    unsigned long x[4], y[4];
    if (!pl_nvidia_pci_parse(a, x) || !pl_nvidia_pci_parse(b, y))
        return strcmp(a, b);
    for (int i = 0; i < 4; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

static int pl_nvidia_card_order(const void *a, const void *b)
{
    const struct pl_nvidia_card *x = a, *y = b;
    return pl_nvidia_pci_order(x->pci, y->pci);
}

/* The card of that address, a new one when there is none; NULL when the table is full. */
static struct pl_nvidia_card *pl_nvidia_card_at(struct pl_nvidia_cards *c, const char *pci)
{
    for (uint32_t i = 0; i < c->n_card; i++) {
        if (pl_streq(c->card[i].pci, pci))
            return &c->card[i];
    }
    unsigned long n[4];
    if (c->n_card >= PL_NVIDIA_CARDS_MAX || strlen(pci) >= sizeof(c->card[0].pci) ||
        !pl_nvidia_pci_parse(pci, n))
        return NULL;
    struct pl_nvidia_card *card = &c->card[c->n_card++];
    *card = (struct pl_nvidia_card){0};
    (void)PL_FMT(card->pci, "%s", pci);
    return card;
}

/* PCI_CLASS=30000, PCI_ID=10DE:2684, DRIVER=nvidia: class 03 is a display device. */
static void pl_nvidia_uevent(const struct pl_root *root, const char *pci, struct pl_nvidia_cards *c)
{
    static const char vendor[] = "PCI_ID=10DE:";
    struct pl_lines lines;
    char path[128], id[24] = "", driver[32] = "";
    bool display = false;
    if (!PL_FMT(path, "sys/bus/pci/devices/%s/uevent", pci) ||
        pl_lines_open(root, path, &lines, NULL) < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        if (pl_starts(line, "PCI_CLASS="))
            display = strlen(line) == 15 && line[10] == '3'; /* 30000, 30200 */
        else if (pl_starts(line, vendor))
            (void)PL_FMT(id, "10de:%.8s", line + sizeof(vendor) - 1);
        else if (pl_starts(line, "DRIVER="))
            (void)pl_text_cut(driver, sizeof(driver), line + 7);
    }
    (void)pl_lines_close(&lines);
    struct pl_nvidia_card *card = display && id[0] != '\0' ? pl_nvidia_card_at(c, pci) : NULL;
    if (card == NULL)
        return;
    for (char *s = id; *s != '\0'; s++)
        *s = (char)(*s >= 'A' && *s <= 'F' ? *s - 'A' + 'a' : *s);
    (void)pl_text_cut(card->pci_id, sizeof(card->pci_id), id);
    (void)PL_FMT(card->driver, "%s", driver);
    char word[32];
    if (PL_FMT(path, "sys/bus/pci/devices/%s/power/runtime_status", pci) &&
        pl_read_line(root, path, word, sizeof(word), NULL) == 0)
        card->suspended = pl_streq(word, "suspended") || pl_streq(word, "suspending");
}

static void pl_nvidia_pci_read(const struct pl_root *root, struct pl_nvidia_cards *c)
{
    DIR *dir = NULL;
    if (pl_root_open_dir(root, "sys/bus/pci/devices", &dir, NULL) < 0)
        return;
    struct dirent *e;
    for (int i = 0; i < PL_NVIDIA_ENTRIES_MAX && (e = readdir(dir)) != NULL; i++) {
        if (e->d_name[0] != '.')
            pl_nvidia_uevent(root, e->d_name, c);
    }
    (void)closedir(dir);
}

/* "Model: \t\t NVIDIA GeForce RTX 3080" */
static void pl_nvidia_information(const struct pl_root *root, const char *pci,
                                  struct pl_nvidia_card *card)
{
    struct pl_lines lines;
    char path[128];
    if (!PL_FMT(path, PL_NVIDIA_PROC "/gpus/%s/information", pci) ||
        pl_lines_open(root, path, &lines, NULL) < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        char *colon = strchr(line, ':');
        if (colon == NULL)
            continue;
        *colon = '\0';
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        if (pl_streq(line, "Model"))
            (void)pl_text_cut(card->name, sizeof(card->name), value);
        else if (pl_streq(line, "GPU UUID") && strchr(value, '?') == NULL)
            (void)pl_text_cut(card->uuid, sizeof(card->uuid), value);
    }
    (void)pl_lines_close(&lines);
}

static void pl_nvidia_proc_read(const struct pl_root *root, struct pl_nvidia_cards *c)
{
    DIR *dir = NULL;
    if (pl_root_open_dir(root, PL_NVIDIA_PROC "/gpus", &dir, NULL) < 0)
        return;
    struct dirent *e;
    for (int i = 0; i < PL_NVIDIA_ENTRIES_MAX && (e = readdir(dir)) != NULL; i++) {
        struct pl_nvidia_card *card = e->d_name[0] != '.' ? pl_nvidia_card_at(c, e->d_name) : NULL;
        if (card == NULL)
            continue;
        if (card->driver[0] == '\0')
            (void)PL_FMT(card->driver, "nvidia");
        pl_nvidia_information(root, card->pci, card);
    }
    (void)closedir(dir);
}

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun ...": the first word that is
 * digits and points. */
static void pl_nvidia_version(const struct pl_root *root, char *out, size_t size)
{
    char line[256];
    char *save = NULL;
    if (pl_read_line(root, PL_NVIDIA_PROC "/version", line, sizeof(line), NULL) < 0)
        return;
    for (char *word = strtok_r(line, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        if (strchr(word, '.') != NULL && word[strspn(word, "0123456789.")] == '\0') {
            (void)pl_fmt(out, size, "%s", word);
            return;
        }
    }
}

void pl_nvidia_cards_read(const struct pl_root *root, struct pl_nvidia_cards *ret)
{
    *ret = (struct pl_nvidia_cards){0};
    pl_nvidia_pci_read(root, ret);
    pl_nvidia_proc_read(root, ret);
    qsort(ret->card, ret->n_card, sizeof(ret->card[0]), pl_nvidia_card_order);
    pl_nvidia_version(root, ret->driver_version, sizeof(ret->driver_version));
    ret->wsl = pl_nvidia_has_entry(root, "usr/lib/wsl/lib", "libnvidia-ml.so.1");
    /* nvgpu: the driver of Jetson boards up to Orin, whose device is on no PCI bus */
    ret->driver = ret->wsl || pl_nvidia_has_dir(root, PL_NVIDIA_PROC) ||
                  pl_nvidia_has_dir(root, "sys/module/nvidia") ||
                  pl_nvidia_has_dir(root, "sys/module/nvgpu");
    for (uint32_t i = 0; i < ret->n_card; i++)
        ret->driver = ret->driver || pl_streq(ret->card[i].driver, "nvidia");
}
