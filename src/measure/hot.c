#include "measure/hot.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PL_PAGEMAP_PRESENT (1ull << 63) /* Documentation/admin-guide/mm/pagemap.rst */
#define PL_PAGEMAP_CHUNK 512

struct pl_mapping {
    uint64_t start, end, offset;
};

struct pl_hot {
    int pagemap;
    uint64_t page;
    const struct pl_range *range;
    size_t n, at; /* `at`: first range that may still touch */
    uint64_t bytes;
};

/* "start-end perms offset major:minor inode path" of /proc/PID/maps */
static bool pl_mapping_read(const char *line, const struct stat *st, struct pl_mapping *ret)
{
    unsigned long long start = 0, end = 0, offset = 0, inode = 0;
    unsigned dev_major = 0, dev_minor = 0;
    char perms[8];
    if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu", &start, &end, perms, &offset, &dev_major,
               &dev_minor, &inode) != 7)
        return false;
    if (inode != st->st_ino || end <= start)
        return false;
    *ret = (struct pl_mapping){start, end, offset};
    return true;
}

/* Does a page of the file at `offset` touch a range? Pages come in rising order within a mapping.
 */
static bool pl_hot_touches(struct pl_hot *h, uint64_t offset)
{
    while (h->at < h->n && h->range[h->at].offset + h->range[h->at].bytes <= offset)
        h->at++;
    return h->at < h->n && h->range[h->at].offset < offset + h->page;
}

static int pl_hot_mapping(struct pl_hot *h, const struct pl_mapping *m)
{
    uint64_t entry[PL_PAGEMAP_CHUNK];
    uint64_t pages = (m->end - m->start) / h->page;
    h->at = 0;
    for (uint64_t i = 0; i < pages; i += PL_PAGEMAP_CHUNK) {
        uint64_t want = pages - i < PL_PAGEMAP_CHUNK ? pages - i : PL_PAGEMAP_CHUNK;
        off_t at = (off_t)((m->start / h->page + i) * sizeof(uint64_t));
        ssize_t got = pread(h->pagemap, entry, want * sizeof(uint64_t), at);
        if (got < 0)
            return -errno;
        uint64_t have = (uint64_t)got / sizeof(uint64_t);
        for (uint64_t k = 0; k < have; k++) {
            if (pl_hot_touches(h, m->offset + (i + k) * h->page) &&
                (entry[k] & PL_PAGEMAP_PRESENT) != 0)
                h->bytes += h->page;
        }
        if (have < want)
            break;
    }
    return 0;
}

static int pl_hot_walk(struct pl_hot *h, FILE *maps, const struct stat *st)
{
    char line[512];
    bool whole = true; /* false: the rest of a longer line follows */
    while (fgets(line, sizeof(line), maps) != NULL) {
        struct pl_mapping m;
        bool start = whole;
        whole = strchr(line, '\n') != NULL;
        if (!start || !pl_mapping_read(line, st, &m))
            continue;
        int rc = pl_hot_mapping(h, &m);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int pl_hot_resident(pid_t pid, const char *path, const struct pl_range *ranges, size_t n,
                    uint64_t *ret_bytes, struct pl_err *err)
{
    struct stat st;
    char name[64];
    if (stat(path, &st) < 0)
        return pl_fail(err, -errno, "%s: %s", path, strerror(errno));
    (void)PL_FMT(name, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(name, "re");
    if (maps == NULL)
        return pl_fail(err, errno == ENOENT ? -ESRCH : -errno, "cannot read %s", name);
    (void)PL_FMT(name, "/proc/%d/pagemap", (int)pid);
    struct pl_hot h = {.pagemap = open(name, O_RDONLY | O_CLOEXEC),
                       .page = (uint64_t)sysconf(_SC_PAGESIZE),
                       .range = ranges,
                       .n = n};
    int rc = h.pagemap < 0 ? -errno : pl_hot_walk(&h, maps, &st);
    if (h.pagemap >= 0)
        (void)close(h.pagemap);
    (void)fclose(maps);
    if (rc < 0)
        return pl_fail(err, rc, "cannot read %s: %s", name, strerror(-rc));
    *ret_bytes = h.bytes;
    return 0;
}
