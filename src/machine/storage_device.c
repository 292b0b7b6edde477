#include "machine/storage_device.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

/* The last `count` components of a link, or NULL when there are fewer. */
static const char *pl_device_tail(const char *link, int count)
{
    const char *s = link + strlen(link);
    while (s > link && count > 0)
        count -= *--s == '/' ? 1 : 0;
    return count == 0 ? s + 1 : NULL;
}

static bool pl_device_name_ok(const char *s)
{
    for (const char *c = s; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("-_.!", *c) == NULL)
            return false;
    }
    return s[0] != '\0' && s[0] != '.';
}

/* ".../block/nvme0n1/nvme0n1p2" is a partition of nvme0n1, ".../block/dm-0" a device. */
static bool pl_device_whole(const struct pl_root *root, const char *path, char *out, size_t size)
{
    char link[512], file[640];
    uint64_t number = 0;
    if (pl_root_read_link(root, path, link, sizeof(link), NULL) < 0)
        return false;
    (void)PL_FMT(file, "%s/partition", path);
    bool part = pl_read_u64(root, file, &number, NULL) == 0;
    const char *tail = pl_device_tail(link, part ? 2 : 1);
    if (tail == NULL)
        return false;
    (void)pl_fmt(out, size, "%.*s", (int)strcspn(tail, "/"), tail);
    return pl_device_name_ok(out);
}

void pl_storage_device(const struct pl_root *root, const char *number, const char *source,
                       struct pl_storage *s)
{
    char path[160], name[64] = "";
    uint64_t turns = 0;
    (void)PL_FMT(path, "sys/dev/block/%.40s", number);
    if (!pl_device_whole(root, path, name, sizeof(name))) {
        const char *base = pl_starts(source, "/dev/") ? source + 5 : "";
        (void)PL_FMT(path, "sys/class/block/%.80s", base);
        if (!pl_device_name_ok(base) || !pl_device_whole(root, path, name, sizeof(name)))
            return;
    }
    (void)PL_FMT(s->device, "%s", name);
    (void)PL_FMT(path, "sys/class/block/%s/queue/rotational", name);
    /* virtual disks say 1 unless told otherwise, whatever lies below them */
    bool virtual = pl_starts(name, "vd") || pl_starts(name, "xvd");
    s->rotates_known = !virtual && pl_read_u64(root, path, &turns, NULL) == 0 && turns <= 1;
    s->rotates = s->rotates_known && turns == 1;
    (void)PL_FMT(path, "sys/class/block/%s/device/model", name);
    (void)pl_read_line(root, path, s->device_model, sizeof(s->device_model), NULL);
}
