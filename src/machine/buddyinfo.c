/* /proc/buddyinfo: free blocks of 1, 2, 4 ... pages in each zone.
 *
 *     Node 0, zone   Normal      3   2011      2   ...   3437
 */
#include "base/checked.h"
#include "base/str.h"
#include "machine/jetson.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_BUDDY_PAGE_BYTES 4096 /* of a dump: the kernels of these boards */

void pl_buddyinfo_line(char *line, uint64_t count[PL_BUDDY_ORDERS_MAX])
{
    char *save = NULL;
    char *zone = strstr(line, "zone");
    if (!pl_starts(line, "Node ") || zone == NULL)
        return;
    (void)strtok_r(zone, " \t", &save);
    if (strtok_r(NULL, " \t", &save) == NULL) /* the zone's name */
        return;
    for (int order = 0; order < PL_BUDDY_ORDERS_MAX; order++) {
        const char *word = strtok_r(NULL, " \t\n", &save);
        uint64_t n = 0;
        if (word == NULL || !pl_parse_u64(word, &n))
            return;
        count[order] = pl_add_sat(count[order], n);
    }
}

int pl_buddyinfo_largest(const struct pl_root *root, uint64_t *ret_bytes, uint64_t *ret_blocks)
{
    uint64_t count[PL_BUDDY_ORDERS_MAX] = {0};
    struct pl_lines lines;
    long here = pl_root_is_this_system(root) ? sysconf(_SC_PAGESIZE) : 0;
    int rc = pl_lines_open(root, "proc/buddyinfo", &lines, NULL);
    if (rc < 0)
        return rc;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;)
        pl_buddyinfo_line(line, count);
    rc = pl_lines_close(&lines);
    if (rc < 0)
        return rc;
    for (int order = PL_BUDDY_ORDERS_MAX - 1; order >= 0; order--) {
        if (count[order] == 0)
            continue;
        *ret_bytes = (uint64_t)(here > 0 ? here : PL_BUDDY_PAGE_BYTES) << order;
        *ret_blocks = count[order];
        return 0;
    }
    return -EBADMSG;
}
