/* Who may say what is in the memory slots, in this order: the firmware's table (root only), its
 * single entries (root only), what udev kept of them at boot (for everyone), the memory
 * controllers. */
#include "machine/dimm.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_DMI_ENTRIES_MAX 1024

/* What came of one source: slots, and the last error that was not "no such file". */
struct pl_dimm_work {
    const struct pl_root *root;
    struct pl_slots *s;
    int error;
};

static void pl_dimm_failed(struct pl_dimm_work *w, int rc)
{
    if (rc < 0 && rc != -ENOENT && rc != -ENOTDIR && rc != -ENODATA)
        w->error = rc;
}

static void pl_dimm_table(struct pl_dimm_work *w, const char *path, char *buf)
{
    size_t len = 0;
    int rc = pl_read_text(w->root, path, buf, PL_SMBIOS_BYTES_MAX, &len, NULL);
    if (rc == 0)
        rc = pl_smbios_slots((const uint8_t *)buf, len, w->s, NULL);
    pl_dimm_failed(w, rc);
}

static void pl_dimm_firmware(struct pl_dimm_work *w)
{
    char *buf = malloc(PL_SMBIOS_BYTES_MAX);
    if (buf == NULL)
        return;
    pl_dimm_table(w, "sys/firmware/dmi/tables/DMI", buf);
    uint32_t seen = w->s->seen;
    for (uint32_t i = 0; seen == 0 && i < PL_DMI_ENTRIES_MAX; i++) {
        char path[96];
        uint32_t before = w->s->seen;
        (void)PL_FMT(path, "sys/firmware/dmi/entries/17-%u/raw", i);
        pl_dimm_table(w, path, buf);
        if (w->s->seen == before)
            break;
    }
    free(buf);
}

/* The slot of that number, made when it is the next one; NULL when numbers are left out. */
static struct pl_dimm *pl_dimm_number(struct pl_dimm_work *w, uint64_t i)
{
    if (i >= PL_DIMMS_MAX || i > w->s->n)
        return NULL;
    if (i == w->s->n) {
        w->s->dimm[i] = (struct pl_dimm){
            .bytes = PL_QUANTITY_UNKNOWN("udev does not say the size of the module")};
        w->s->n++;
        w->s->seen++;
    }
    return &w->s->dimm[i];
}

static void pl_dimm_property(struct pl_dimm *d, const char *key, const char *value)
{
    uint64_t n = 0;
    bool number = pl_parse_u64(value, &n);
    if (pl_streq(key, "SIZE") && number)
        d->bytes = pl_exact(n, PL_SOURCE_DECLARED, "the firmware's SMBIOS table, as udev kept it");
    else if (pl_streq(key, "PRESENT") && number && n == 0)
        d->bytes = pl_exact(0, PL_SOURCE_DECLARED, "an empty slot, as udev kept it");
    else if (pl_streq(key, "LOCATOR"))
        (void)PL_FMT(d->slot, "%s", value);
    else if (pl_streq(key, "TYPE"))
        (void)PL_FMT(d->kind, "%s", value);
    else if (number && n <= UINT32_MAX &&
             (pl_streq(key, "CONFIGURED_SPEED_MTS") ||
              (pl_streq(key, "SPEED_MTS") && d->mt_per_s == 0)))
        d->mt_per_s = (uint32_t)n;
    pl_text_clean(d->slot);
    pl_text_clean(d->kind);
}

/* "E:MEMORY_DEVICE_0_SIZE=17179869184": systemd's dmi_memory_id, since version 248. */
static void pl_dimm_udev(struct pl_dimm_work *w)
{
    static const char head[] = "E:MEMORY_DEVICE_";
    struct pl_lines lines;
    int rc = pl_lines_open(w->root, "run/udev/data/+dmi:id", &lines, NULL);
    pl_dimm_failed(w, rc);
    if (rc < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        char *value = strchr(line, '=');
        char *key = pl_starts(line, head) ? strchr(line + sizeof(head) - 1, '_') : NULL;
        uint64_t i = 0;
        if (key == NULL || value == NULL || key > value)
            continue;
        *key++ = *value++ = '\0';
        struct pl_dimm *d = pl_parse_u64(line + sizeof(head) - 1, &i) ? pl_dimm_number(w, i) : NULL;
        if (d != NULL)
            pl_dimm_property(d, key, value);
    }
    (void)pl_lines_close(&lines);
}

static void pl_dimm_controller_slot(struct pl_dimm_work *w, const char *dir)
{
    char path[128], kind[48] = "";
    uint64_t mib = 0, bytes = 0;
    (void)PL_FMT(path, "%s/size", dir);
    if (pl_read_u64(w->root, path, &mib, NULL) < 0 || mib == 0 ||
        !pl_mul_u64(mib, PL_MIB, &bytes) || w->s->n >= PL_DIMMS_MAX)
        return;
    struct pl_dimm *d = &w->s->dimm[w->s->n++];
    *d = (struct pl_dimm){
        .bytes = pl_exact(bytes, PL_SOURCE_DECLARED, "the memory controller's driver (EDAC)")};
    w->s->seen++;
    (void)PL_FMT(path, "%s/dimm_label", dir);
    (void)pl_read_line(w->root, path, d->slot, sizeof(d->slot), NULL);
    (void)PL_FMT(path, "%s/dimm_mem_type", dir); /* "Unbuffered-DDR4" */
    if (pl_read_line(w->root, path, kind, sizeof(kind), NULL) == 0) {
        const char *dash = strrchr(kind, '-');
        (void)PL_FMT(d->kind, "%.23s", dash != NULL ? dash + 1 : kind);
    }
}

/* Memory controllers show the modules there are, not the empty slots. */
static void pl_dimm_controllers(struct pl_dimm_work *w)
{
    for (uint32_t mc = 0; mc < 16; mc++) {
        char controller[64];
        DIR *d = NULL;
        (void)PL_FMT(controller, "sys/devices/system/edac/mc/mc%u", mc);
        if (pl_root_open_dir(w->root, controller, &d, NULL) < 0)
            return; /* they are numbered without gaps */
        (void)closedir(d);
        for (uint32_t i = 0; i < PL_DIMMS_MAX; i++) {
            char dir[96];
            (void)PL_FMT(dir, "sys/devices/system/edac/mc/mc%u/dimm%u", mc, i);
            pl_dimm_controller_slot(w, dir);
        }
    }
}

int pl_dimm_read(const struct pl_root *root, struct pl_slots *ret, enum pl_dimm_source *ret_from)
{
    static void (*const source[])(struct pl_dimm_work *) = {pl_dimm_firmware, pl_dimm_udev,
                                                            pl_dimm_controllers};
    struct pl_dimm_work w = {.root = root, .s = ret};
    *ret_from = PL_DIMM_NOBODY;
    ret->n = ret->seen = 0;
    for (int i = 0; ret->seen == 0 && i < 3; i++) {
        source[i](&w);
        if (ret->seen > 0)
            *ret_from = (enum pl_dimm_source)(i + 1);
    }
    if (ret->seen > 0)
        return 0;
    return w.error < 0 ? w.error : -ENOENT;
}
