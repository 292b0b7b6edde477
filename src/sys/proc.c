#include "sys/proc.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PL_PROC_KB_MAX (1ull << 42) /* 2^52 bytes: more than any address space maps */

static void pl_proc_path(char *out, size_t size, pid_t pid, const char *file)
{
    (void)pl_fmt(out, size, "proc/%ld/%s", (long)pid, file);
}

/* "  1234 kB" to bytes. */
static bool pl_proc_kb(const char *s, uint64_t *ret)
{
    uint64_t n = 0;
    while (*s == ' ' || *s == '\t')
        s++;
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++) {
        n = n * 10 + (uint64_t)(*s - '0');
        if (n > PL_PROC_KB_MAX)
            return false;
    }
    *ret = n * 1024;
    return pl_starts(s, " kB");
}

/* A process that ends between two reads looks like ENOENT, ESRCH or an empty file. */
static int pl_proc_gone(int rc, pid_t pid, struct pl_err *err)
{
    if (rc == -ENOENT || rc == -ESRCH)
        return pl_fail(err, -ESRCH, "process %ld is gone", (long)pid);
    return rc;
}

int pl_proc_sample(const struct pl_root *root, pid_t pid, struct pl_sample *ret, struct pl_err *err)
{
    char path[64];
    struct pl_lines lines;
    pl_proc_path(path, sizeof(path), pid, "status");
    int rc = pl_lines_open(root, path, &lines, err);
    if (rc < 0)
        return pl_proc_gone(rc, pid, err);
    struct pl_sample s = {.at_ns = pl_now_ns(pl_clock_real())};
    const struct {
        const char *key;
        uint64_t *value;
    } want[] = {
        {"RssAnon:",  &s.rss_anon },
        {"RssShmem:", &s.rss_shmem},
        {"RssFile:",  &s.rss_file },
        {"VmSwap:",   &s.swap     },
        {"VmLck:",    &s.locked   },
    };
    const unsigned all_rss = 7; /* the first three: without them nothing is known */
    unsigned found = 0;
    bool has_rss = false;
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
        has_rss = has_rss || pl_starts(line, "VmRSS:");
        for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
            if (pl_starts(line, want[i].key) &&
                pl_proc_kb(line + strlen(want[i].key), want[i].value))
                found |= 1u << i;
        }
    }
    rc = pl_lines_close(&lines);
    if (rc == -ESRCH || (rc == 0 && (found & all_rss) == 0 && !has_rss))
        return pl_fail(err, -ESRCH, "process %ld is gone, or has no memory of its own", (long)pid);
    if (rc < 0)
        return pl_fail(err, rc, "%s/%s: %s", root->path, path, strerror(-rc));
    if ((found & all_rss) != all_rss)
        return pl_fail(err, -ENOTSUP, "%s/%s: the kernel does not split resident memory",
                       root->path, path);
    *ret = s;
    return 0;
}

/* The fields after the command: "S 1 23 ...". The command may hold anything, ')' included, so the
 * fields begin after the last one. Returns how many numbers (from field 4 on) were read. */
static int pl_stat_fields(const char *text, char *ret_state, int64_t *field, int n)
{
    const char *s = strrchr(text, ')');
    if (s == NULL || s[1] != ' ' || s[2] == '\0')
        return 0;
    *ret_state = s[2];
    s += 3;
    int i = 0;
    for (; i < n && *s == ' '; i++) {
        char word[24];
        size_t len = strcspn(++s, " \n");
        if (len == 0 || len >= sizeof(word))
            break;
        memcpy(word, s, len);
        word[len] = '\0';
        uint64_t u = 0;
        /* rsslim and addresses are unsigned and may pass 2^63; only smaller ones are used here */
        if (!pl_parse_i64(word, &field[i])) {
            if (!pl_parse_u64(word, &u))
                break;
            field[i] = INT64_MAX;
        }
        s += len;
    }
    return i;
}

int pl_proc_stat(const struct pl_root *root, pid_t pid, struct pl_proc_stat *ret,
                 struct pl_err *err)
{
    /* proc(5) numbers the fields from 1: pid, comm, state; field[0] here is number 4 */
    enum { PPID = 4 - 4, UTIME = 14 - 4, STIME = 15 - 4, THREADS = 20 - 4, START = 22 - 4, N };
    char path[64], text[2048];
    int64_t field[N] = {0};
    pl_proc_path(path, sizeof(path), pid, "stat");
    int rc = pl_read_text(root, path, text, sizeof(text), NULL, err);
    if (rc < 0)
        return pl_proc_gone(rc, pid, err);
    struct pl_proc_stat st = {0};
    if (pl_stat_fields(text, &st.state, field, N) < N || field[UTIME] < 0 || field[STIME] < 0 ||
        field[START] < 0 || field[THREADS] < 0 || field[THREADS] > INT32_MAX || field[PPID] < 0 ||
        field[PPID] > INT32_MAX)
        return pl_fail(err, -EBADMSG, "%s/%s: not in the kernel's format", root->path, path);
    st.parent = (pid_t)field[PPID];
    st.user_ticks = (uint64_t)field[UTIME];
    st.system_ticks = (uint64_t)field[STIME];
    st.threads = (uint32_t)field[THREADS];
    st.start_ticks = (uint64_t)field[START];
    *ret = st;
    return 0;
}

int pl_proc_start_time(const struct pl_root *root, pid_t pid, uint64_t *ret_ticks,
                       struct pl_err *err)
{
    struct pl_proc_stat st;
    int rc = pl_proc_stat(root, pid, &st, err);
    if (rc == 0)
        *ret_ticks = st.start_ticks;
    return rc;
}

int pl_file_key_of(const char *path, struct pl_file_key *ret, struct pl_err *err)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        int code = -errno;
        return pl_fail(err, code, "%.180s: %s", path, strerror(-code));
    }
    *ret = (struct pl_file_key){
        .inode = st.st_ino,
        .dev_major = major(st.st_dev),
        .dev_minor = minor(st.st_dev),
        .path = path,
    };
    return 0;
}

/* Hexadecimal digits at *s; moves *s behind them. False when there are none or too many. */
static bool pl_hex(const char **s, uint64_t *ret)
{
    uint64_t n = 0;
    int digits = 0;
    for (; isxdigit((unsigned char)**s); (*s)++, digits++) {
        int c = tolower((unsigned char)**s);
        n = (n << 4) | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret = n;
    return digits > 0 && digits <= 16;
}

struct pl_mapping {
    uint64_t dev_major, dev_minor, inode;
    const char *path; /* "" for anonymous ones */
};

/* "7f00-7f01 r--p 00000000 fe:00 1234   /path": false for any other line of smaps. */
static bool pl_mapping_line(const char *s, struct pl_mapping *ret)
{
    uint64_t n = 0;
    if (!pl_hex(&s, &n) || *s++ != '-' || !pl_hex(&s, &n) || *s++ != ' ')
        return false;
    s += strcspn(s, " "); /* permissions */
    if (*s++ != ' ' || !pl_hex(&s, &n) || *s++ != ' ')
        return false;
    if (!pl_hex(&s, &ret->dev_major) || *s++ != ':' || !pl_hex(&s, &ret->dev_minor) || *s++ != ' ')
        return false;
    ret->inode = 0;
    for (; isdigit((unsigned char)*s); s++) {
        if (!pl_mul_u64(ret->inode, 10, &ret->inode) ||
            !pl_add_u64(ret->inode, (uint64_t)(*s - '0'), &ret->inode))
            return false;
    }
    ret->path = s + strspn(s, " ");
    return true;
}

static bool pl_mapping_path_is(const char *mapped, const char *wanted, bool suffix)
{
    static const char gone[] = " (deleted)";
    size_t n = strlen(mapped), m = strlen(wanted);
    if (pl_ends(mapped, gone))
        n -= sizeof(gone) - 1;
    if (n < m || strncmp(mapped + n - m, wanted, m) != 0)
        return false;
    return n == m || (suffix && mapped[n - m - 1] == '/');
}

static bool pl_mapping_is(const struct pl_mapping *m, const struct pl_file_key *key)
{
    if (m->path[0] != '/')
        return false;
    if (key->inode == 0)
        return key->path != NULL && pl_mapping_path_is(m->path, key->path, true);
    if (m->inode != key->inode)
        return false;
    return (m->dev_major == key->dev_major && m->dev_minor == key->dev_minor) ||
           (key->path != NULL && pl_mapping_path_is(m->path, key->path, false));
}

int pl_proc_mapped_resident(const struct pl_root *root, pid_t pid, const struct pl_file_key *key,
                            uint64_t *ret_bytes, struct pl_err *err)
{
    char path[64];
    struct pl_lines lines;
    pl_proc_path(path, sizeof(path), pid, "smaps");
    int rc = pl_lines_open(root, path, &lines, err);
    if (rc < 0)
        return pl_proc_gone(rc, pid, err);
    uint64_t resident = 0, own = 0, n = 0;
    bool ours = false;
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
        struct pl_mapping m;
        if (pl_mapping_line(line, &m))
            ours = pl_mapping_is(&m, key);
        else if (ours && pl_starts(line, "Rss:") && pl_proc_kb(line + 4, &n))
            resident = pl_add_sat(resident, n);
        else if (ours && pl_starts(line, "Anonymous:") && pl_proc_kb(line + 10, &n))
            own = pl_add_sat(own, n);
    }
    rc = pl_lines_close(&lines);
    if (rc == -ESRCH)
        return pl_proc_gone(rc, pid, err);
    if (rc < 0)
        return pl_fail(err, rc, "%s/%s: %s", root->path, path, strerror(-rc));
    *ret_bytes = pl_sub_floor(resident, own);
    return 0;
}
