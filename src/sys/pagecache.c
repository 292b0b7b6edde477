#include "sys/pagecache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_WINDOWS                                                                                 \
    256 /* looked at, evenly over the file: within 3 % of the truth where it is mixed */
#define PL_WINDOW_PAGES 16u

int pl_pagecache_share(const char *path, double *ret)
{
    unsigned char page[PL_WINDOW_PAGES];
    uint64_t size = (uint64_t)sysconf(_SC_PAGESIZE), window = size * PL_WINDOW_PAGES;
    uint64_t seen = 0, resident = 0;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) || st.st_size <= 0 ? -EINVAL : 0;
    uint64_t bytes = rc == 0 ? (uint64_t)st.st_size : 0;
    uint64_t windows = bytes / window < PL_WINDOWS ? bytes / window + 1 : PL_WINDOWS;
    for (uint64_t i = 0; rc == 0 && i < windows; i++) {
        uint64_t at = bytes / windows * i / size * size;
        uint64_t n = bytes - at < window ? bytes - at : window;
        void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, (off_t)at);
        if (p == MAP_FAILED) {
            rc = -errno;
            break;
        }
        if (mincore(p, n, page) < 0)
            rc = -errno;
        for (uint64_t k = 0; rc == 0 && k < (n + size - 1) / size; k++, seen++)
            resident += page[k] & 1u;
        (void)munmap(p, n);
    }
    (void)close(fd);
    if (rc == 0)
        *ret = seen > 0 ? (double)resident / (double)seen : 0;
    return rc;
}
