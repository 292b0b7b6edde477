#include "machine/storage_read.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PL_BLOCK (4 * PL_MIB)
#define PL_FILE_LEAST (64 * PL_MIB)
#define PL_BLOCKS_MAX 2048 /* 8 GiB in half a second: more than any bus of today */
#define PL_BLOCKS_LEAST 4  /* however slow */
#define PL_READ_NS (PL_S_NS / 2)
#define PL_ENTRIES_MAX 4096
#define PL_ALIGN 4096u

/* A small generator: places need not be secret, but must not be in order. */
static uint64_t pl_storage_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15ull; /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* A file with holes reads faster than its medium: the holes are not there. */
static bool pl_storage_fit(const struct stat *st, uint64_t least)
{
    return S_ISREG(st->st_mode) && (uint64_t)st->st_size >= least &&
           (uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size / 10 * 9;
}

/* The largest fit file of the folder, open; -1 when there is none. */
static int pl_storage_largest(const char *dir)
{
    char best[256] = "";
    uint64_t size = PL_FILE_LEAST;
    int entries = 0;
    DIR *d = opendir(dir);
    if (d == NULL)
        return -1;
    for (const struct dirent *e; (e = readdir(d)) != NULL && entries < PL_ENTRIES_MAX; entries++) {
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && pl_storage_fit(&st, size) &&
            PL_FMT(best, "%s", e->d_name))
            size = (uint64_t)st.st_size;
    }
    int fd = best[0] != '\0' ? openat(dirfd(d), best, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    (void)closedir(d);
    return fd;
}

/* Noise, so that a file system that packs has nothing to pack. */
static int pl_storage_fill(int fd, uint8_t *block)
{
    uint64_t state = (uint64_t)getpid();
    for (uint64_t at = 0; at < PL_FILE_LEAST; at += PL_BLOCK) {
        for (size_t i = 0; i < PL_BLOCK; i += 8) {
            uint64_t n = pl_storage_random(&state);
            memcpy(block + i, &n, sizeof(n));
        }
        for (size_t done = 0; done < PL_BLOCK;) {
            ssize_t n = write(fd, block + done, PL_BLOCK - done);
            if (n < 0 && errno != EINTR)
                return -errno;
            done += n > 0 ? (size_t)n : 0;
        }
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* A file without a name: gone with its descriptor, whatever happens. Where a file system has none
 * of those, one that is unlinked at once. */
static int pl_storage_own(const char *dir, uint8_t *block)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        char path[4096];
        if (!PL_FMT(path, "%s/.plimsoll-read-XXXXXX", dir))
            return -ENAMETOOLONG;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            (void)unlink(path);
    }
    int rc = fd < 0 ? -errno : pl_storage_fill(fd, block);
    if (rc < 0 && fd >= 0)
        (void)close(fd);
    return rc < 0 ? rc : fd;
}

/* Reads one block at a multiple of the block size; nanoseconds, or 0 after a failure (errno). */
static uint64_t pl_storage_block(int fd, uint8_t *block, uint64_t at, bool direct)
{
    const struct pl_clock *clock = pl_clock_real();
    if (!direct)
        (void)posix_fadvise(fd, (off_t)at, PL_BLOCK, POSIX_FADV_DONTNEED);
    uint64_t from = pl_now_ns(clock);
    for (size_t done = 0; done < PL_BLOCK;) {
        ssize_t n = pread(fd, block + done, PL_BLOCK - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return 0;
        }
        done += (size_t)n;
    }
    uint64_t ns = pl_now_ns(clock) - from;
    return ns > 0 ? ns : 1;
}

static int pl_storage_order(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void pl_storage_rates(uint64_t *ns, uint32_t n, struct pl_storage_sample *ret)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += ns[i];
    qsort(ns, n, sizeof(*ns), pl_storage_order);
    ret->likely = (double)n * (double)PL_BLOCK * 1e9 / (double)sum;
    ret->low = (double)PL_BLOCK * 1e9 / (double)ns[n - 1 - n / 10];
    ret->high = (double)PL_BLOCK * 1e9 / (double)ns[n / 10];
    ret->low = ret->low < ret->likely ? ret->low : ret->likely;
    ret->high = ret->high > ret->likely ? ret->high : ret->likely;
    ret->blocks = n;
}

static int pl_storage_time(int fd, uint8_t *block, struct pl_storage_sample *ret)
{
    uint64_t *ns = calloc(PL_BLOCKS_MAX, sizeof(*ns));
    struct stat st;
    uint64_t state = pl_now_ns(pl_clock_real()), spent = 0;
    uint32_t n = 0;
    int rc = ns == NULL ? -ENOMEM : fstat(fd, &st) < 0 ? -errno : 0;
    while (rc == 0 && n < PL_BLOCKS_MAX && (n < PL_BLOCKS_LEAST || spent < PL_READ_NS)) {
        uint64_t at = pl_storage_random(&state) % ((uint64_t)st.st_size / PL_BLOCK) * PL_BLOCK;
        ns[n] = pl_storage_block(fd, block, at, ret->direct);
        if (ns[n] == 0)
            rc = -errno;
        else
            spent += ns[n++];
    }
    if (rc == 0)
        pl_storage_rates(ns, n, ret);
    free(ns);
    return rc;
}

/* Past the page cache where the file system lets us; overlay and 9p may refuse. */
static int pl_storage_try(int fd, uint8_t *block, struct pl_storage_sample *ret)
{
    int flags = fcntl(fd, F_GETFL);
    ret->direct = flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
    int rc = pl_storage_time(fd, block, ret);
    if (rc == -EINVAL && ret->direct && fcntl(fd, F_SETFL, flags) == 0) {
        ret->direct = false;
        rc = pl_storage_time(fd, block, ret);
    }
    return rc;
}

static bool pl_storage_memory(const char *dir)
{
    struct statfs fs;
    return statfs(dir, &fs) == 0 &&
           ((unsigned long)fs.f_type == TMPFS_MAGIC || (unsigned long)fs.f_type == RAMFS_MAGIC);
}

int pl_storage_measure(const char *dir, uint64_t room, struct pl_storage_sample *ret,
                       struct pl_err *err)
{
    *ret = (struct pl_storage_sample){0};
    void *block = NULL;
    if (pl_storage_memory(dir))
        return pl_fail(err, -EOPNOTSUPP, "read speed: the file system is memory");
    if (posix_memalign(&block, PL_ALIGN, PL_BLOCK) != 0)
        return pl_fail(err, -ENOMEM, "read speed: no memory for a block");
    int rc = 0, fd = pl_storage_largest(dir);
    if (fd < 0) {
        ret->own_file = true;
        rc = room / 16 < PL_FILE_LEAST ? -ENOSPC : pl_storage_own(dir, block);
        fd = rc;
    }
    if (fd >= 0) {
        rc = pl_storage_try(fd, block, ret);
        (void)close(fd);
    }
    free(block);
    return rc < 0 ? pl_fail(err, rc, "read speed is not known: %s", strerror(-rc)) : 0;
}
