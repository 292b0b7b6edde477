#include "machine/arc.h"

#include "base/checked.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define PL_ARC_FILE "proc/spl/kstat/zfs/arcstats"

/* "c_min                           4    1030592640": name, type, value. */
static void pl_arc_line(char *line, const char *name, bool *known, uint64_t *ret)
{
    char *save = NULL;
    const char *word = strtok_r(line, " \t", &save);
    if (word == NULL || !pl_streq(word, name))
        return;
    word = strtok_r(NULL, " \t", &save);
    word = word != NULL ? strtok_r(NULL, " \t", &save) : NULL;
    *known = word != NULL && pl_parse_u64(word, ret);
}

struct pl_quantity pl_arc_read(const struct pl_root *root)
{
    struct pl_lines lines;
    bool has_size = false, has_min = false;
    uint64_t size = 0, least = 0;
    int rc = pl_lines_open(root, PL_ARC_FILE, &lines, NULL);
    if (rc == -ENOENT && pl_root_is_whole(root))
        return pl_exact(0, PL_SOURCE_DERIVED, "no ZFS runs here");
    if (rc < 0)
        return PL_UNREAD(rc == -EACCES ? PL_STATE_NO_PERMISSION : PL_STATE_PLAIN,
                         "/" PL_ARC_FILE " cannot be read");
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        if (pl_starts(line, "size"))
            pl_arc_line(line, "size", &has_size, &size);
        else if (pl_starts(line, "c_min"))
            pl_arc_line(line, "c_min", &has_min, &least);
    }
    (void)pl_lines_close(&lines);
    if (!has_size || !has_min)
        return PL_QUANTITY_UNKNOWN("arcstats of ZFS does not give size and c_min");
    return pl_exact(pl_sub_floor(size, least), PL_SOURCE_DERIVED,
                    "size - c_min of the ZFS cache: given up on demand, not in MemAvailable");
}

struct pl_quantity pl_arc_add(struct pl_quantity available, struct pl_quantity arc, uint64_t most)
{
    if (!pl_known(available) || !pl_known(arc) || arc.likely == 0)
        return available;
    uint64_t n = pl_add_sat(available.likely, arc.likely);
    n = n > most ? most : n;
    n = n < available.likely ? available.likely : n;
    return pl_between(available.low, n, n > available.high ? n : available.high, PL_SOURCE_DERIVED,
                      "MemAvailable, and above it the ZFS cache over its minimum");
}
