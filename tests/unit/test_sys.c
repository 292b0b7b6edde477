#include "test.h"
#include "tree.h"

#include "base/str.h"
#include "base/units.h"
#include "sys/cgroup.h"
#include "sys/cpulist.h"
#include "sys/meminfo.h"
#include "sys/proc.h"
#include "sys/psi.h"
#include "sys/root.h"
#include "sys/xdg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

static void this_system_and_others(void **state)
{
    (void)state;
    struct pl_root r;
    struct pl_err err = {0};
    const char *const here[] = {NULL, "", "/", "/./"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pl_root_open(here[i], &r, &err), 0);
        assert_true(pl_root_is_this_system(&r));
        pl_root_done(&r);
    }
    assert_int_equal(pl_root_open("/proc", &r, &err), 0);
    assert_false(pl_root_is_this_system(&r));
    pl_root_done(&r);
    pl_root_done(&r);
    assert_int_equal(pl_root_open("/no/such/folder", &r, &err), -ENOENT);
    assert_non_null(strstr(err.what, "/no/such/folder"));
    assert_int_equal(pl_root_open("/proc/self/stat", &r, &err), -EBADMSG);
}

static void a_root_is_not_left(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    struct pl_err err;
    char buf[64];
    pl_tree_open(&t);
    pl_tree_put(&t, "outside", "secret\n");
    pl_tree_put(&t, "dump/proc/real", "inside\n");
    pl_tree_put(&t, "dump/etc/passwd", "of the dump\n");
    pl_tree_link(&t, "dump/proc/up", "../../outside");
    pl_tree_link(&t, "dump/proc/absolute", "/etc/passwd");
    pl_tree_link(&t, "dump/proc/near", "real");
    pl_tree_link(&t, "dump/proc/loop", "loop");
    char dir[128];
    (void)PL_FMT(dir, "%s/dump", t.dir);
    assert_int_equal(pl_root_open(dir, &r, &err), 0);
    const char *const bad[] = {"/etc/passwd", "../outside", "proc/../../outside", "proc/..", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pl_read_text(&r, bad[i], buf, sizeof(buf), NULL, &err), -EINVAL);
    /* links stay inside, as in a chroot; where the kernel cannot promise it they are refused */
    assert_true(pl_read_text(&r, "proc/up", buf, sizeof(buf), NULL, &err) < 0);
    if (pl_read_text(&r, "proc/absolute", buf, sizeof(buf), NULL, &err) == 0)
        assert_string_equal(buf, "of the dump\n");
    assert_true(pl_read_text(&r, "proc/loop", buf, sizeof(buf), NULL, &err) < 0);
    assert_int_equal(pl_read_text(&r, "proc/real", buf, sizeof(buf), NULL, &err), 0);
    assert_string_equal(buf, "inside\n");
    pl_root_done(&r);
    pl_tree_done(&t);
}

static void reads_are_bounded(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    struct pl_err err;
    char buf[8];
    size_t len = 0;
    uint64_t n = 0;
    pl_tree_open(&t);
    pl_tree_put(&t, "seven", "1234567");
    pl_tree_put(&t, "eight", "12345678");
    pl_tree_put(&t, "number", " 42 \n");
    pl_tree_put(&t, "max", "max\n");
    pl_tree_put(&t, "minus", "-1\n");
    pl_tree_put(&t, "huge", "99999999999999999999999\n");
    pl_tree_put(&t, "empty", "");
    pl_tree_put(&t, "dir/file", "");
    char fifo[128];
    (void)PL_FMT(fifo, "%s/fifo", t.dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(pl_root_open(t.dir, &r, &err), 0);
    assert_int_equal(pl_read_text(&r, "seven", buf, sizeof(buf), &len, &err), 0);
    assert_int_equal(len, 7);
    assert_int_equal(pl_read_text(&r, "eight", buf, sizeof(buf), &len, &err), -E2BIG);
    assert_int_equal(pl_read_text(&r, "absent", buf, sizeof(buf), &len, &err), -ENOENT);
    assert_int_equal(pl_read_text(&r, "dir", buf, sizeof(buf), &len, &err), -EINVAL);
    assert_int_equal(pl_read_text(&r, "fifo", buf, sizeof(buf), &len, &err), -EINVAL);
    assert_int_equal(pl_read_u64(&r, "number", &n, &err), 0);
    assert_int_equal(n, 42);
    const char *const bad[] = {"max", "minus", "huge", "empty"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pl_read_u64(&r, bad[i], &n, &err), -EBADMSG);
    assert_int_equal(n, 42);
    pl_root_done(&r);
    pl_tree_done(&t);
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    struct pl_lines l;
    char *text = calloc(1, 5 * PL_LINE_MAX);
    assert_non_null(text);
    memset(text, 'a', 3 * PL_LINE_MAX);
    memcpy(text, "first\n", 6);
    (void)pl_fmt(text + 3 * PL_LINE_MAX, 64, "\n\nlast");
    pl_tree_open(&t);
    pl_tree_put(&t, "lines", text);
    assert_int_equal(pl_root_open(t.dir, &r, NULL), 0);
    assert_int_equal(pl_lines_open(&r, "lines", &l, NULL), 0);
    assert_string_equal(pl_lines_next(&l), "first");
    const char *cut = pl_lines_next(&l);
    assert_int_equal(strspn(cut, "a"), strlen(cut));
    assert_int_equal(strlen(cut), PL_LINE_MAX / 2 - 1);
    assert_string_equal(pl_lines_next(&l), "");
    assert_string_equal(pl_lines_next(&l), "last");
    assert_null(pl_lines_next(&l));
    assert_int_equal(pl_lines_close(&l), 0);
    pl_root_done(&r);
    pl_tree_done(&t);
    free(text);
}

static void lists(void **state)
{
    (void)state;
    bool set[16];
    uint32_t n = 0;
    assert_int_equal(pl_parse_list("0-3,8,10-11\n", set, 16, &n), 0);
    assert_int_equal(n, 7);
    assert_true(set[0] && set[3] && !set[4] && set[8] && !set[9] && set[11]);
    assert_int_equal(pl_parse_list("\n", set, 16, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(pl_parse_list("1,1,0-1", set, 16, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(pl_parse_list("16", set, 16, &n), -ERANGE);
    assert_int_equal(pl_parse_list("0-4294967295", set, 16, &n), -EBADMSG);
    assert_int_equal(pl_parse_list("3-1", set, 16, &n), -EBADMSG);
    assert_int_equal(pl_parse_list("a", set, 16, &n), -EBADMSG);
    assert_int_equal(pl_parse_list("1;2", set, 16, &n), -EBADMSG);
    assert_int_equal(pl_parse_mask("00000000,00008101\n", set, 16, &n), 0);
    assert_int_equal(n, 3);
    assert_true(set[0] && set[8] && set[15] && !set[1]);
    assert_int_equal(pl_parse_mask("00000001,00000000", set, 16, &n), -ERANGE);
    assert_int_equal(pl_parse_mask("0x1", set, 16, &n), -EBADMSG);
    assert_int_equal(pl_parse_mask("", set, 16, &n), -EBADMSG);
}

static void meminfo_of_this_system(void **state)
{
    (void)state;
    struct pl_root r;
    struct pl_meminfo m;
    struct sysinfo si;
    assert_int_equal(pl_root_open("", &r, NULL), 0);
    assert_int_equal(pl_meminfo_read(&r, &m, NULL), 0);
    assert_int_equal(sysinfo(&si), 0);
    assert_true(m.known[PL_MEM_TOTAL]);
    assert_int_equal(m.value[PL_MEM_TOTAL], (uint64_t)si.totalram * si.mem_unit);
    assert_int_equal(m.damaged, 0);
    struct pl_quantity a = pl_meminfo_available(&m);
    assert_int_equal(a.source, PL_SOURCE_MEASURED);
    assert_true(a.likely > 0 && a.likely <= m.value[PL_MEM_TOTAL]);
    pl_root_done(&r);
}

static void meminfo_before_available(void **state)
{
    (void)state;
    struct pl_meminfo m;
    pl_meminfo_parse("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 300 kB\n"
                     "Shmem: 50 kB\n",
                     &m);
    struct pl_quantity a = pl_meminfo_available(&m);
    assert_int_equal(a.source, PL_SOURCE_DERIVED);
    assert_int_equal(a.likely, 370 * 1024);
    assert_int_equal(pl_meminfo_reclaimable(&m).likely, 270 * 1024);
    /* one part missing: unknown, not an underestimate */
    pl_meminfo_parse("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 300 kB\n", &m);
    assert_false(pl_known(pl_meminfo_available(&m)));
}

static void meminfo_damage(void **state)
{
    (void)state;
    struct pl_meminfo m;
    pl_meminfo_parse("SwapFree:18014396678257232 kB\n", &m); /* WSL 1 */
    assert_false(m.known[PL_MEM_SWAP_FREE]);
    assert_int_equal(m.damaged, 1);
    assert_false(pl_known(pl_meminfo_quantity(&m, PL_MEM_TOTAL)));
    pl_meminfo_parse("MemTotal: 10\nMemFree: -5 kB\nMemAvailable: kB\nCached: 1 MB\n"
                     "Buffers: 1 kBx\nShmem: 99999999999999999999999999 kB",
                     &m);
    for (int k = 0; k < PL_MEM_KEYS; k++)
        assert_false(m.known[k]);
    assert_int_equal(m.damaged, 6);
    pl_meminfo_parse("", &m);
    assert_false(pl_known(pl_meminfo_available(&m)));
    /* more available than there is: nothing to believe; the total stays */
    pl_meminfo_parse("MemTotal: 10 kB\nMemAvailable: 11 kB\nMemTotal: 99 kB\n", &m);
    assert_false(pl_known(pl_meminfo_available(&m)));
    assert_int_equal(m.value[PL_MEM_TOTAL], 10240);
    pl_meminfo_parse("HugePages_Total:    3\nHugePages_Free: 2\nHugepagesize: 2048 kB\n", &m);
    assert_int_equal(m.value[PL_MEM_HUGE_TOTAL], 3);
    assert_int_equal(m.value[PL_MEM_HUGE_FREE], 2);
    assert_int_equal(m.value[PL_MEM_HUGE_PAGE_SIZE], 2 * PL_MIB);
}

static void hostile_command_names(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    struct pl_proc_stat st;
    struct pl_err err;
    uint64_t ticks = 0;
    const char *rest = " S 7 0 0 0 -1 0 0 0 0 0 11 12 0 0 20 0 3 0 4242 1 1 18446744073709551615";
    const char *const comm[] = {"ok", "foo) Z ", ") R 1 2 3", "a\nb", "(((", ")"};
    pl_tree_open(&t);
    assert_int_equal(pl_root_open(t.dir, &r, NULL), 0);
    for (size_t i = 0; i < sizeof(comm) / sizeof(comm[0]); i++) {
        char text[256];
        (void)PL_FMT(text, "5 (%s)%s\n", comm[i], rest);
        pl_tree_put(&t, "proc/5/stat", text);
        assert_int_equal(pl_proc_stat(&r, 5, &st, &err), 0);
        assert_int_equal(st.state, 'S');
        assert_int_equal(st.parent, 7);
        assert_int_equal(st.user_ticks, 11);
        assert_int_equal(st.system_ticks, 12);
        assert_int_equal(st.threads, 3);
        assert_int_equal(st.start_ticks, 4242);
    }
    const char *const bad[] = {"", "5 (x) S 7 0", "5 x S 1", "5 (x)", "5 (x) S a b c"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pl_tree_put(&t, "proc/5/stat", bad[i]);
        assert_int_equal(pl_proc_start_time(&r, 5, &ticks, &err), -EBADMSG);
    }
    assert_int_equal(pl_proc_start_time(&r, 6, &ticks, &err), -ESRCH);
    assert_int_equal(ticks, 0);
    pl_root_done(&r);
    pl_tree_done(&t);
}

static void samples_from_a_dump(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    struct pl_sample s;
    struct pl_err err;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/9/status",
                "Name:\tRssAnon: 5 kB\nVmLck:\t  4 kB\nVmRSS:\t 600 kB\nRssAnon:\t 100 kB\n"
                "RssFile:\t 200 kB\nRssShmem:\t 300 kB\nVmSwap:\t 8 kB\n");
    pl_tree_put(&t, "proc/10/status", "Name:\tzombie\nState:\tZ (zombie)\n");
    pl_tree_put(&t, "proc/11/status", "VmRSS:\t 600 kB\n");
    assert_int_equal(pl_root_open(t.dir, &r, NULL), 0);
    assert_int_equal(pl_proc_sample(&r, 9, &s, &err), 0);
    assert_true(s.rss_anon == 102400 && s.rss_file == 204800 && s.rss_shmem == 307200);
    assert_true(s.swap == 8192 && s.locked == 4096 && s.at_ns > 0);
    assert_int_equal(pl_proc_sample(&r, 10, &s, &err), -ESRCH);
    assert_int_equal(pl_proc_sample(&r, 11, &s, &err), -ENOTSUP);
    assert_int_equal(pl_proc_sample(&r, 12, &s, &err), -ESRCH);
    pl_root_done(&r);
    pl_tree_done(&t);
}

static void a_real_process_is_seen(void **state)
{
    (void)state;
    const size_t size = 32 * PL_MIB;
    struct pl_root r;
    struct pl_sample before, after;
    uint64_t ticks = 0, again = 0;
    assert_int_equal(pl_root_open("", &r, NULL), 0);
    assert_int_equal(pl_proc_sample(&r, getpid(), &before, NULL), 0);
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    memset(p, 1, size);
    assert_int_equal(pl_proc_sample(&r, getpid(), &after, NULL), 0);
    /* the kernel batches these counters per thread and CPU: 64 pages each way */
    assert_true(after.rss_anon >= before.rss_anon + size - PL_MIB);
    (void)munmap(p, size);
    assert_int_equal(pl_proc_start_time(&r, getpid(), &ticks, NULL), 0);
    assert_int_equal(pl_proc_start_time(&r, getpid(), &again, NULL), 0);
    assert_true(ticks > 0 && ticks == again);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    struct pl_err err;
    struct pl_proc_stat st;
    assert_int_equal(pl_proc_sample(&r, child, &after, &err), -ESRCH);
    assert_int_equal(pl_proc_stat(&r, child, &st, &err), 0);
    assert_int_equal(st.state, 'Z');
    assert_int_equal(st.parent, getpid());
    (void)waitpid(child, NULL, 0);
    pl_root_done(&r);
}

static uint64_t mapped(const struct pl_root *r, const struct pl_file_key *key)
{
    uint64_t n = UINT64_MAX;
    assert_int_equal(pl_proc_mapped_resident(r, getpid(), key, &n, NULL), 0);
    return n;
}

static void mapped_pages_of_one_file(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    struct pl_file_key key;
    const size_t size = 64 * 4096;
    char path[128];
    pl_tree_open(&t);
    pl_tree_put(&t, "model.gguf", "x");
    pl_tree_put(&t, "xmodel.gguf", "x");
    (void)PL_FMT(path, "%s/model.gguf", t.dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    char *buf = calloc(1, size);
    assert_int_equal(pwrite(fd, buf, size, 0), (ssize_t)size);
    free(buf);
    assert_int_equal(pl_root_open("", &r, NULL), 0);
    assert_int_equal(pl_file_key_of(path, &key, NULL), 0);
    assert_int_equal(mapped(&r, &key), 0);
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    assert_true(p != MAP_FAILED);
    volatile char sink = 0;
    for (size_t i = 0; i < size; i += 4096)
        sink = (char)(sink + p[i]);
    /* MAP_POPULATE of a writable private mapping makes copies: the file's own pages are 0 then */
    uint64_t first = mapped(&r, &key);
    assert_true(first == 0 || first == size);
    (void)munmap(p, size);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    for (size_t i = 0; i < size; i += 4096)
        sink = (char)(sink + p[i]);
    assert_int_equal(mapped(&r, &key), size);
    p[0] = 1; /* one page becomes the process' own */
    assert_int_equal(mapped(&r, &key), size - 4096);
    struct pl_file_key by_name = {.path = "model.gguf"};
    assert_int_equal(mapped(&r, &by_name), size - 4096);
    by_name.path = "odel.gguf";
    assert_int_equal(mapped(&r, &by_name), 0);
    struct pl_file_key other_device = key;
    other_device.dev_minor ^= 1;
    assert_int_equal(mapped(&r, &other_device), size - 4096);
    other_device.path = NULL;
    assert_int_equal(mapped(&r, &other_device), 0);
    (void)unlink(path); /* still mapped, shown as deleted */
    assert_int_equal(mapped(&r, &key), size - 4096);
    (void)munmap(p, size);
    (void)close(fd);
    pl_root_done(&r);
    pl_tree_done(&t);
}

#define V2_MOUNT "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static void put_v2(struct pl_tree *t, const char *dir, const char *max, const char *current,
                   const char *inactive)
{
    char path[256], text[256];
    (void)PL_FMT(path, "sys/fs/cgroup%s/memory.max", dir);
    if (max != NULL)
        pl_tree_put(t, path, max);
    (void)PL_FMT(path, "sys/fs/cgroup%s/memory.current", dir);
    if (current != NULL)
        pl_tree_put(t, path, current);
    (void)PL_FMT(path, "sys/fs/cgroup%s/memory.stat", dir);
    (void)PL_FMT(text, "anon 7\nworkingset_inactive_file 99\ninactive_file %s\nactive_file 5\n",
                 inactive);
    pl_tree_put(t, path, text);
}

/* Reads the memory limits of "self" in the tree. */
static struct pl_cgroup_memory *limits(const struct pl_tree *t)
{
    static struct pl_cgroup_memory m;
    struct pl_root r;
    struct pl_err err = {0};
    assert_int_equal(pl_root_open(t->dir, &r, &err), 0);
    assert_int_equal(pl_cgroup_memory(&r, 0, &m, &err), 0);
    pl_root_done(&r);
    return &m;
}

static void v2_a_middle_ancestor_is_the_tightest(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/self/cgroup", "0::/user.slice/app.slice/job\n");
    pl_tree_put(&t, "proc/self/mountinfo", "23 1 0:2 / /sys rw - sysfs sysfs rw\n" V2_MOUNT);
    put_v2(&t, "/user.slice", "8000000000\n", "1000000000\n", "0");
    put_v2(&t, "/user.slice/app.slice", "4000000000\n", "3500000000\n", "200000000");
    put_v2(&t, "/user.slice/app.slice/job", "max\n", "100\n", "0");
    pl_tree_put(&t, "sys/fs/cgroup/user.slice/app.slice/job/memory.peak", "12345\n");
    pl_tree_put(&t, "sys/fs/cgroup/user.slice/app.slice/job/memory.events",
                "low 0\noom 9\noom_kill 3\noom_group_kill 0\n");
    struct pl_cgroup_memory *m = limits(&t);
    assert_int_equal(m->place.version, PL_CGROUP_V2);
    assert_true(m->limited && m->complete && !m->place.outside);
    assert_true(m->limit == 4000000000u);
    assert_string_equal(m->tight_dir, "sys/fs/cgroup/user.slice/app.slice");
    assert_true(m->room.likely == 700000000u && m->room.source == PL_SOURCE_MEASURED);
    assert_true(m->own_used.likely == 100 && m->own_peak.likely == 12345);
    assert_true(m->oom_kills.known && m->oom_kills.n == 3);
    /* the larger limit can still be the one with less room */
    put_v2(&t, "/user.slice", "8000000000\n", "7900000000\n", "0");
    m = limits(&t);
    assert_true(m->limit == 4000000000u && m->room.likely == 100000000u);
    assert_string_equal(m->limit_dir, "sys/fs/cgroup/user.slice/app.slice");
    assert_string_equal(m->tight_dir, "sys/fs/cgroup/user.slice");
    /* above its limit: no room, not a huge number */
    put_v2(&t, "/user.slice", "8000000000\n", "9000000000\n", "0");
    assert_true(limits(&t)->room.likely == 0);
    /* limit known, use not: the room is unknown */
    put_v2(&t, "/user.slice", "8000000000\n", "what?\n", "0");
    m = limits(&t);
    assert_true(m->limited && m->complete && !pl_known(m->room));
    /* a limit that cannot be read makes "what is left" unknown */
    put_v2(&t, "/user.slice", "\n", "9000000000\n", "0");
    m = limits(&t);
    assert_true(m->limited && !m->complete && !pl_known(m->room));
    pl_tree_done(&t);
}

static void v2_without_limit(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/self/cgroup", "0::/a/b\n");
    pl_tree_put(&t, "proc/self/mountinfo", V2_MOUNT);
    put_v2(&t, "/a", "max\n", "10\n", "0");
    struct pl_cgroup_memory *m = limits(&t); /* /a/b has no files at all */
    assert_true(!m->limited && m->complete);
    assert_false(pl_known(m->own_used));
    assert_false(m->oom_kills.known);
    /* no memory controller mounted: not an error, and said so */
    pl_tree_put(&t, "proc/self/mountinfo", "23 1 0:2 / /sys rw - sysfs sysfs rw\n");
    m = limits(&t);
    assert_int_equal(m->place.version, PL_CGROUP_NONE);
    struct pl_root r;
    assert_int_equal(pl_root_open(t.dir, &r, NULL), 0);
    struct pl_err err;
    assert_int_equal(pl_cgroup_memory(&r, 77, m, &err), -ENOENT);
    pl_root_done(&r);
    pl_tree_done(&t);
}

static void v2_in_a_container(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    /* own namespace: the container's group is the root of what is seen, and has a limit */
    pl_tree_put(&t, "proc/self/cgroup", "0::/\n");
    pl_tree_put(&t, "proc/self/mountinfo", V2_MOUNT);
    put_v2(&t, "", "1073741824\n", "73741824\n", "0");
    struct pl_cgroup_memory *m = limits(&t);
    assert_true(m->limited && m->limit == 1073741824u && m->room.likely == 1000000000u);
    assert_string_equal(m->tight_dir, "sys/fs/cgroup");
    /* a process moved outside of the namespace */
    pl_tree_put(&t, "proc/self/cgroup", "0::/../other\n");
    m = limits(&t);
    assert_true(m->place.outside && m->limited);
    pl_tree_done(&t);
}

static void v1_container_and_hybrid(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    /* Docker on v1: the path is the host's, the mount's root is the container's group; mount points
     * with a blank are written in octal; the v2 hierarchy beside it has no memory controller */
    pl_tree_put(&t, "proc/self/cgroup",
                "9:name=systemd:/docker/ab\n4:blkio,memory:/docker/ab/in:ner\n0::/docker/ab\n");
    pl_tree_put(&t, "proc/self/mountinfo",
                "31 2 0:1 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n"
                "32 31 0:9 /docker/ab /sys/fs/cgroup/systemd ro - cgroup cgroup rw,name=systemd\n"
                "33 31 0:4 /docker/ab /mem\\040ory ro master:5 - cgroup cgroup rw,blkio,memory\n"
                "34 31 0:7 /docker/ab /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw\n");
    pl_tree_put(&t, "mem ory/memory.limit_in_bytes", "2000000000\n");
    pl_tree_put(&t, "mem ory/memory.usage_in_bytes", "500000000\n");
    pl_tree_put(&t, "mem ory/memory.stat", "inactive_file 1\ntotal_inactive_file 100000000\n");
    pl_tree_put(&t, "mem ory/in:ner/memory.limit_in_bytes", "9223372036854771712\n");
    pl_tree_put(&t, "mem ory/in:ner/memory.usage_in_bytes", "4000000\n");
    pl_tree_put(&t, "mem ory/in:ner/memory.max_usage_in_bytes", "5000000\n");
    pl_tree_put(&t, "mem ory/in:ner/memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    struct pl_cgroup_memory *m = limits(&t);
    assert_int_equal(m->place.version, PL_CGROUP_V1);
    assert_string_equal(m->place.dir, "mem ory/in:ner");
    assert_true(m->limited && m->complete && m->limit == 2000000000u);
    assert_true(m->room.likely == 1600000000u);
    assert_true(m->own_peak.likely == 5000000 && m->oom_kills.n == 2);
    /* a limit above the mount, which only the kernel's own sum shows */
    pl_tree_put(&t, "mem ory/in:ner/memory.stat",
                "total_inactive_file 0\nhierarchical_memory_limit 1000000000\n");
    m = limits(&t);
    assert_true(m->limit == 1000000000u && m->room.likely == 996000000u);
    pl_tree_done(&t);
}

static void v1_without_limit(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/self/cgroup", "4:memory:/a\n0::/\n");
    pl_tree_put(&t, "proc/self/mountinfo",
                "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n");
    pl_tree_put(&t, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    pl_tree_put(&t, "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    pl_tree_put(&t, "sys/fs/cgroup/memory/a/memory.stat",
                "hierarchical_memory_limit 9223372036854771712\n");
    struct pl_cgroup_memory *m = limits(&t);
    assert_true(m->place.version == PL_CGROUP_V1 && !m->limited && m->complete);
    pl_tree_done(&t);
}

static void cpu_quotas(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    double cpus = -1;
    pl_tree_open(&t);
    assert_int_equal(pl_root_open(t.dir, &r, NULL), 0);
    pl_tree_put(&t, "proc/self/cgroup", "0::/a/b\n");
    pl_tree_put(&t, "proc/self/mountinfo", V2_MOUNT);
    assert_int_equal(pl_cgroup_cpu_quota(&r, 0, &cpus, NULL), 0);
    assert_true(cpus >= 0 && cpus <= 0);
    pl_tree_put(&t, "sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    pl_tree_put(&t, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(pl_cgroup_cpu_quota(&r, 0, &cpus, NULL), 0);
    assert_true(cpus > 1.499 && cpus < 1.501);
    pl_tree_put(&t, "proc/self/cgroup", "2:cpu,cpuacct:/a\n0::/\n");
    pl_tree_put(&t, "proc/self/mountinfo", "3 1 0:3 / /c rw - cgroup cgroup rw,cpuacct,cpu\n");
    pl_tree_put(&t, "c/a/cpu.cfs_quota_us", "50000\n");
    pl_tree_put(&t, "c/a/cpu.cfs_period_us", "100000\n");
    pl_tree_put(&t, "c/cpu.cfs_quota_us", "-1\n");
    pl_tree_put(&t, "c/cpu.cfs_period_us", "100000\n");
    assert_int_equal(pl_cgroup_cpu_quota(&r, 0, &cpus, NULL), 0);
    assert_true(cpus > 0.499 && cpus < 0.501);
    pl_root_done(&r);
    pl_tree_done(&t);
}

static void own_group_of_this_system(void **state)
{
    (void)state;
    struct pl_root r;
    static struct pl_cgroup_memory m;
    struct pl_err err = {0};
    assert_int_equal(pl_root_open("", &r, NULL), 0);
    int rc = pl_cgroup_memory(&r, 0, &m, &err);
    assert_true(rc == 0 || rc == -ENOENT);
    if (rc == 0 && m.limited)
        assert_true(m.limit > 0 && m.tight_dir[0] != '\0');
    pl_root_done(&r);
}

static void pressure(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root r;
    struct pl_pressure p;
    pl_tree_open(&t);
    assert_int_equal(pl_root_open(t.dir, &r, NULL), 0);
    assert_int_equal(pl_psi_read(&r, "memory", &p, NULL), -ENOENT);
    assert_false(p.known);
    pl_tree_put(&t, "proc/pressure/memory",
                "some avg10=1.25 avg60=0.30 avg300=0.00 total=123456\n"
                "full avg10=0.50 avg60=0.10 avg300=0.00 total=23456\n");
    assert_int_equal(pl_psi_read(&r, "memory", &p, NULL), 0);
    assert_true(p.known && p.some_avg10 > 1.24 && p.some_avg10 < 1.26);
    assert_true(p.full_avg10 > 0.49 && p.full_avg10 < 0.51);
    assert_true(p.some_total_us == 123456 && p.full_total_us == 23456);
    const char *some = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
    pl_tree_put(&t, "proc/pressure/memory", some);
    pl_tree_put(&t, "proc/pressure/cpu", some);
    assert_int_equal(pl_psi_read(&r, "memory", &p, NULL), -EBADMSG);
    assert_int_equal(pl_psi_read(&r, "cpu", &p, NULL), 0);
    pl_tree_put(&t, "proc/pressure/cpu", "some avg10=x avg60=0.00 avg300=0.00 total=0\n");
    assert_int_equal(pl_psi_read(&r, "cpu", &p, NULL), -EBADMSG);
    assert_false(p.known);
    pl_root_done(&r);
    pl_tree_done(&t);
}

static void folders_of_the_user(void **state)
{
    (void)state;
    static const struct {
        enum pl_xdg kind;
        const char *variable, *at_home;
    } all[] = {
        {PL_XDG_CACHE,  "XDG_CACHE_HOME",  "/home/x/.cache/a/b1"      },
        {PL_XDG_CONFIG, "XDG_CONFIG_HOME", "/home/x/.config/a/b1"     },
        {PL_XDG_DATA,   "XDG_DATA_HOME",   "/home/x/.local/share/a/b1"},
        {PL_XDG_STATE,  "XDG_STATE_HOME",  "/home/x/.local/state/a/b1"},
    };
    char path[64], small[12];
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(setenv("HOME", "/home/x", 1), 0);
        assert_int_equal(setenv(all[i].variable, "/base", 1), 0);
        assert_int_equal(pl_xdg_path(path, sizeof(path), all[i].kind, "a/%s%d", "b", 1), 0);
        assert_string_equal(path, "/base/a/b1");
        /* the rules: a path that is not whole is ignored */
        assert_int_equal(setenv(all[i].variable, "relative", 1), 0);
        assert_int_equal(pl_xdg_path(path, sizeof(path), all[i].kind, "a/%s%d", "b", 1), 0);
        assert_string_equal(path, all[i].at_home);
        assert_int_equal(pl_xdg_path(small, sizeof(small), all[i].kind, "a"), -ENAMETOOLONG);
        assert_string_equal(small, "");
        assert_int_equal(setenv(all[i].variable, "/base", 1), 0);
        assert_int_equal(pl_xdg_path(small, sizeof(small), all[i].kind, "%s", "123456"),
                         -ENAMETOOLONG);
        assert_string_equal(small, "");
        assert_int_equal(unsetenv(all[i].variable), 0);
        assert_int_equal(setenv("HOME", "home", 1), 0);
        assert_int_equal(pl_xdg_path(path, sizeof(path), all[i].kind, "a"), -ENOENT);
        assert_int_equal(unsetenv("HOME"), 0);
        assert_int_equal(pl_xdg_path(path, sizeof(path), all[i].kind, "a"), -ENOENT);
        assert_string_equal(path, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_system_and_others),
        cmocka_unit_test(a_root_is_not_left),
        cmocka_unit_test(reads_are_bounded),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(lists),
        cmocka_unit_test(meminfo_of_this_system),
        cmocka_unit_test(meminfo_before_available),
        cmocka_unit_test(meminfo_damage),
        cmocka_unit_test(hostile_command_names),
        cmocka_unit_test(samples_from_a_dump),
        cmocka_unit_test(a_real_process_is_seen),
        cmocka_unit_test(mapped_pages_of_one_file),
        cmocka_unit_test(v2_a_middle_ancestor_is_the_tightest),
        cmocka_unit_test(v2_without_limit),
        cmocka_unit_test(v2_in_a_container),
        cmocka_unit_test(v1_container_and_hybrid),
        cmocka_unit_test(v1_without_limit),
        cmocka_unit_test(cpu_quotas),
        cmocka_unit_test(own_group_of_this_system),
        cmocka_unit_test(pressure),
        cmocka_unit_test(folders_of_the_user),
    };
    return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
