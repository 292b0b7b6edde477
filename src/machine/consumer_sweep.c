#include "machine/consumer_sweep.h"

#include "base/checked.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_STATUS_MAX 8192 /* some 1.5 KB, and the list of groups */
#define PL_CGROUP_MAX 8192
#define PL_WORDS_MAX 8192 /* longer ones are not looked at */
#define PL_KB_MAX (1ull << 42)
#define PL_COMM_MAX 15
#define PL_TOLD_PATH "plimsoll/programs"
#define PL_TOLD_MAX 65536

/* "  1234 kB" in bytes */
static bool pl_status_kb(const char *s, uint64_t *ret)
{
    uint64_t n = 0;
    s += strspn(s, " \t");
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++) {
        n = n * 10 + (uint64_t)(*s - '0');
        if (n > PL_KB_MAX)
            return false;
    }
    *ret = n * 1024;
    return pl_starts(s, " kB");
}

static void pl_status_name(const char *s, char *out, size_t size)
{
    s += strspn(s, "\t");
    (void)pl_fmt(out, size, "%.*s", (int)strcspn(s, "\n"), s);
    pl_text_clean(out);
}

bool pl_process_parse(const char *status, const char *cgroup, struct pl_process *ret)
{
    uint64_t rss = 0;
    unsigned found = 0;
    const struct {
        const char *key;
        uint64_t *value;
    } want[] = {
        {"RssAnon:",  &ret->anon  },
        {"RssShmem:", &ret->shmem },
        {"RssFile:",  &ret->file  },
        {"VmLck:",    &ret->locked},
        {"VmRSS:",    &rss        },
    };
    for (const char *s = status; *s != '\0';) {
        if (pl_starts(s, "Name:") && ret->name[0] == '\0')
            pl_status_name(s + 5, ret->name, sizeof(ret->name));
        for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
            if (pl_starts(s, want[i].key) && pl_status_kb(s + strlen(want[i].key), want[i].value))
                found |= 1u << i;
        }
        s += strcspn(s, "\n");
        s += *s == '\n' ? 1 : 0;
    }
    ret->split = (found & 7) == 7;
    if (!ret->split) {
        ret->anon = ret->shmem = 0;
        ret->file = rss;
    }
    pl_place_parse(cgroup, &ret->place);
    return (found & 7) == 7 || (found & 16) != 0;
}

/* The first bytes of a file that may be longer; 0 bytes when it cannot be read. */
static size_t pl_sweep_head(const struct pl_root *root, int64_t pid, const char *file, char *buf,
                            size_t size)
{
    char path[64];
    size_t len = 0;
    (void)PL_FMT(path, "proc/%lld/%s", (long long)pid, file);
    buf[0] = '\0';
    if (pl_read_text(root, path, buf, size, &len, NULL) == 0)
        return len;
    buf[0] = '\0';
    return 0;
}

/* Programs may be started by way of the dynamic loader: /lib64/ld-linux-x86-64.so.2 --library-path
 * DIRS PROGRAM. Their name is the first word that is neither an option nor an option's value. */
static bool pl_sweep_loaded(const char *words, size_t len, char *out, size_t size)
{
    static const char *const valued[] = {"--library-path", "--inhibit-rpath", "--audit",
                                         "--preload", "--argv0"};
    bool value = false;
    for (size_t i = strnlen(words, len) + 1; i < len; i += strnlen(words + i, len - i) + 1) {
        const char *word = words + i;
        if (value || pl_starts(word, "--")) {
            bool takes = false;
            for (size_t k = 0; !value && k < sizeof(valued) / sizeof(valued[0]); k++)
                takes = takes || pl_streq(word, valued[k]);
            value = takes;
            continue;
        }
        (void)pl_program_base(word, out, size);
        pl_text_clean(out);
        return out[0] != '\0';
    }
    return false;
}

/* What command lines told, as a capture keeps it: their words are redacted there.
 * "PID<tab>NAME<tab>PROGRAM", the last empty when the table does not have it. */
struct pl_told {
    bool replayed; /* `text` is what a capture has; nothing else is read */
    struct pl_str text;
};

static void pl_told_open(const struct pl_root *root, struct pl_told *t)
{
    size_t len = 0;
    *t = (struct pl_told){0};
    pl_str_init(&t->text, PL_TOLD_MAX);
    char *buf = pl_root_is_this_system(root) ? NULL : malloc(PL_TOLD_MAX);
    t->replayed =
        buf != NULL && pl_read_text(root, PL_TOLD_PATH, buf, PL_TOLD_MAX, &len, NULL) == 0;
    if (t->replayed)
        pl_str_addn(&t->text, buf, len);
    free(buf);
}

static void pl_told_add(struct pl_told *t, const struct pl_process *p)
{
    if (!t->replayed)
        pl_str_addf(&t->text, "%lld\t%s\t%s\n", (long long)p->pid, p->name,
                    p->program != NULL ? p->program->program : "");
}

/* Finds the line of the process and takes its name and program. */
static void pl_told_take(const struct pl_told *t, struct pl_process *p)
{
    char want[32];
    (void)PL_FMT(want, "%lld\t", (long long)p->pid);
    for (const char *s = pl_str_get(&t->text); *s != '\0';) {
        size_t n = strcspn(s, "\n");
        const char *name = s + strlen(want);
        const char *tab = pl_starts(s, want) ? memchr(name, '\t', n - strlen(want)) : NULL;
        if (tab != NULL) {
            char program[64];
            (void)PL_FMT(p->name, "%.*s", (int)(tab - name < 63 ? tab - name : 63), name);
            pl_text_clean(p->name);
            size_t m = n - (size_t)(tab + 1 - s);
            (void)PL_FMT(program, "%.*s", (int)(m < 63 ? m : 63), tab + 1);
            p->program = pl_program_called(program);
            return;
        }
        s += n + (s[n] == '\n' ? 1 : 0);
    }
}

/* The kernel keeps 15 bytes of a name, and what an interpreter runs is on its command line. That
 * needs the lock of the process' memory, so it is read only where it tells something. */
static void pl_sweep_program(const struct pl_root *root, struct pl_process *p, struct pl_told *told)
{
    char words[PL_WORDS_MAX], base[64];
    size_t len = 0;
    bool cut = strlen(p->name) == PL_COMM_MAX, asks = cut || pl_program_asks(p->name);
    if (asks && told->replayed) {
        p->program = pl_program_known(p->name, NULL, 0);
        pl_told_take(told, p);
        return;
    }
    if (asks)
        len = pl_sweep_head(root, p->pid, "cmdline", words, sizeof(words));
    if (cut && (pl_starts(p->name, "ld-linux") || pl_starts(p->name, "ld-musl")) &&
        pl_sweep_loaded(words, len, base, sizeof(base)))
        (void)PL_FMT(p->name, "%s", base);
    p->program = pl_program_known(p->name, len > 0 ? words : NULL, len);
    if (cut && len > 0 && p->program == NULL) {
        (void)pl_program_base(words, base, sizeof(base));
        pl_text_clean(base);
        if (strncmp(base, p->name, PL_COMM_MAX) == 0)
            (void)PL_FMT(p->name, "%s", base);
    }
    if (asks)
        pl_told_add(told, p);
}

static int pl_sweep_one(const struct pl_root *root, int64_t pid, struct pl_told *told,
                        struct pl_sweep *s, struct pl_err *err)
{
    char path[64], status[PL_STATUS_MAX], cgroup[PL_CGROUP_MAX];
    (void)PL_FMT(path, "proc/%lld/status", (long long)pid);
    struct pl_process p = {.pid = pid};
    int rc = pl_read_text(root, path, status, sizeof(status), NULL, NULL);
    s->refused += rc == -EACCES || rc == -EPERM ? 1 : 0;
    if (rc < 0)
        return 0;
    s->first = s->first || pid == 1;
    (void)pl_sweep_head(root, pid, "cgroup", cgroup, sizeof(cgroup));
    if (!pl_process_parse(status, cgroup, &p))
        return 0;
    pl_sweep_program(root, &p, told);
    if (s->n == s->size) {
        uint32_t size = s->size == 0 ? 256 : s->size * 2;
        struct pl_process *more = realloc(s->process, (size_t)size * sizeof(*more));
        if (more == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the list of processes");
        s->process = more;
        s->size = size;
    }
    s->process[s->n++] = p;
    return 0;
}

static int pl_sweep_order(const void *a, const void *b)
{
    int64_t x = ((const struct pl_process *)a)->pid, y = ((const struct pl_process *)b)->pid;
    return x < y ? -1 : x > y;
}

int pl_sweep_make(const struct pl_root *root, struct pl_sweep *ret, struct pl_err *err)
{
    DIR *dir = NULL;
    struct pl_told told;
    *ret = (struct pl_sweep){0};
    int rc = pl_root_open_dir(root, "proc", &dir, err);
    if (rc < 0)
        return rc;
    pl_told_open(root, &told);
    for (const struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;) {
        int64_t pid = 0;
        if (!isdigit((unsigned char)e->d_name[0]) || !pl_parse_i64(e->d_name, &pid) || pid <= 0 ||
            pid > INT32_MAX)
            continue;
        ret->cut = ret->n >= PL_PROCESSES_MAX;
        if (ret->cut)
            break;
        rc = pl_sweep_one(root, pid, &told, ret, err);
    }
    (void)closedir(dir);
    if (!told.replayed && told.text.len > 0 && !told.text.failed)
        pl_root_keep(root, PL_TOLD_PATH, told.text.data, told.text.len);
    pl_str_done(&told.text);
    if (rc < 0)
        pl_sweep_done(ret);
    else if (ret->n > 1)
        qsort(ret->process, ret->n, sizeof(ret->process[0]), pl_sweep_order);
    return rc;
}

void pl_sweep_done(struct pl_sweep *s)
{
    free(s->process);
    *s = (struct pl_sweep){0};
}

const struct pl_process *pl_sweep_find(const struct pl_sweep *s, int64_t pid)
{
    const struct pl_process key = {.pid = pid};
    return s->n == 0 ? NULL
                     : bsearch(&key, s->process, s->n, sizeof(s->process[0]), pl_sweep_order);
}
