#include "machine/alloc_child.h"

#include "base/checked.h"
#include "base/str.h"
#include "sys/cgroup.h"
#include "sys/meminfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

void pl_alloc_say(const char *key, uint64_t n)
{
    char line[64];
    (void)PL_FMT(line, "%s %llu\n", key, (unsigned long long)n);
    size_t len = strlen(line);
    if (write(STDOUT_FILENO, line, len) != (ssize_t)len)
        _exit(1); /* nobody reads any more */
}

static uint64_t pl_alloc_swapped(const struct pl_meminfo *mi)
{
    if (!mi->known[PL_MEM_SWAP_TOTAL] || !mi->known[PL_MEM_SWAP_FREE])
        return 0;
    return pl_sub_floor(mi->value[PL_MEM_SWAP_TOTAL], mi->value[PL_MEM_SWAP_FREE]);
}

/* What may be taken now, of the machine and of the control group, with PL_ALLOC_KEEP left of the
 * first and an eighth of the limit (at most that) of the second. 0 when it is not known: nothing is
 * taken on a guess. *ret_swapped is what is swapped out. */
static uint64_t pl_alloc_room_now(uint64_t *ret_swapped)
{
    static struct pl_cgroup_memory c;
    struct pl_root root;
    struct pl_meminfo mi;
    *ret_swapped = 0;
    if (pl_root_open(NULL, &root, NULL) < 0)
        return 0;
    uint64_t room = 0;
    if (pl_meminfo_read(&root, &mi, NULL) == 0) {
        struct pl_quantity q = pl_meminfo_available(&mi);
        room = pl_known(q) ? pl_sub_floor(q.likely, PL_ALLOC_KEEP) : 0;
        *ret_swapped = pl_alloc_swapped(&mi);
    }
    if (pl_cgroup_memory(&root, 0, &c, NULL) == 0 && c.limited) {
        uint64_t keep = c.limit / 8 < PL_ALLOC_KEEP ? c.limit / 8 : PL_ALLOC_KEEP;
        uint64_t left = pl_known(c.room) ? pl_sub_floor(c.room.likely, keep) : 0;
        room = left < room ? left : room;
    }
    pl_root_done(&root);
    return room;
}

static uint64_t pl_alloc_room(void)
{
    uint64_t swapped = 0;
    return pl_alloc_room_now(&swapped);
}

/* Writes to every page of [p, p + n), so that it is really taken. */
static int pl_alloc_touch(char *p, uint64_t n)
{
    if (madvise(p, n, MADV_POPULATE_WRITE) == 0)
        return 0;
    if (errno == ENOMEM || errno == EFAULT || errno == EHWPOISON)
        return -errno;
    long page = sysconf(_SC_PAGESIZE);
    for (uint64_t i = 0; i < n; i += (uint64_t)page)
        p[i] = 1;
    return 0;
}

static char *pl_alloc_try_map(uint64_t n)
{
    pl_alloc_say("try", n);
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED)
        return p;
    pl_alloc_say("refused", n);
    return NULL;
}

/* The largest mapping the kernel gives, untouched: address space, RLIMIT_AS, overcommit. */
static char *pl_alloc_map(uint64_t cap, uint64_t *ret_bytes)
{
    uint64_t low = 0, high = cap;
    char *p = cap > 0 ? pl_alloc_try_map(cap) : NULL;
    *ret_bytes = cap;
    while (p == NULL && high - low > PL_ALLOC_GRAIN) {
        uint64_t middle = low + (high - low) / 2;
        char *q = pl_alloc_try_map(middle);
        if (q == NULL) {
            high = middle;
            continue;
        }
        (void)munmap(q, middle);
        low = middle;
    }
    if (p == NULL && low > 0) {
        p = pl_alloc_try_map(low);
        *ret_bytes = low;
    }
    return p;
}

static int pl_alloc_host(uint64_t cap)
{
    uint64_t size = 0, done = 0, before = 0, swapped = 0;
    (void)pl_alloc_room_now(&before);
    char *p = pl_alloc_map(cap, &size);
    enum pl_alloc_stop stop = size == cap ? PL_ALLOC_STOP_CAP : PL_ALLOC_STOP_REFUSED;
    while (p != NULL && done < size) {
        uint64_t n = size - done < PL_ALLOC_STEP ? size - done : PL_ALLOC_STEP;
        if (pl_alloc_room_now(&swapped) < n || swapped > before + PL_ALLOC_STEP) {
            stop = swapped > before + PL_ALLOC_STEP ? PL_ALLOC_STOP_SWAP : PL_ALLOC_STOP_RESERVE;
            break;
        }
        if (pl_alloc_touch(p + done, n) < 0) {
            stop = PL_ALLOC_STOP_REFUSED;
            break;
        }
        done += n;
        pl_alloc_say("ok", done);
    }
    pl_alloc_say("stop", (uint64_t)stop);
    if (p != NULL)
        (void)munmap(p, size);
    return 0;
}

/* Locks more and more of one mapping, in steps that halve when one is refused. */
static int pl_alloc_locked(uint64_t cap)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), done = 0, step = PL_ALLOC_STEP;
    enum pl_alloc_stop stop = PL_ALLOC_STOP_CAP;
    cap -= cap % page;
    char *p = cap > 0 ? mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                      : MAP_FAILED;
    if (p == MAP_FAILED) {
        pl_alloc_say("stop", PL_ALLOC_STOP_REFUSED);
        return 0;
    }
    while (done < cap && step >= page) {
        uint64_t n = cap - done < step ? cap - done : step;
        if (pl_alloc_room() < n) {
            stop = PL_ALLOC_STOP_RESERVE;
            break;
        }
        pl_alloc_say("try", done + n);
        if (mlock(p + done, n) == 0) {
            done += n;
            pl_alloc_say("ok", done);
            continue;
        }
        pl_alloc_say("refused", done + n);
        stop = PL_ALLOC_STOP_REFUSED;
        step = step / 2 - step / 2 % page;
    }
    pl_alloc_say("stop", (uint64_t)stop);
    (void)munmap(p, cap);
    return 0;
}

/* If somebody has to be killed for memory, it is this process; and it leaves no core. */
static void pl_alloc_first_victim(void)
{
    struct rlimit none = {0, 0};
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = write(fd, "1000", 4);
        (void)n; /* the limits above hold without it */
        (void)close(fd);
    }
    (void)setrlimit(RLIMIT_CORE, &none);
}

int pl_alloc_child(const char *kind, uint64_t cap)
{
    uint64_t ordinal = 0;
    int rc = 2;
    pl_alloc_first_victim();
    if (pl_streq(kind, "host"))
        rc = pl_alloc_host(cap);
    else if (pl_streq(kind, "locked"))
        rc = pl_alloc_locked(cap);
    else if (pl_starts(kind, "cuda:") && pl_parse_u64(kind + 5, &ordinal) && ordinal < 64)
        rc = pl_alloc_cuda((unsigned)ordinal, cap, pl_alloc_room);
    if (rc == 0)
        pl_alloc_say("done", 0);
    return rc;
}
