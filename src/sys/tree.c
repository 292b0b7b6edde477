#include "sys/tree.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_TREE_TEXT_MAX 16384 /* of a list of children */

static void pl_tree_children_of(pid_t pid, const char *task, pid_t *pids, uint32_t *n)
{
    char path[96], text[PL_TREE_TEXT_MAX];
    if (!PL_FMT(path, "/proc/%d/task/%s/children", (int)pid, task))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (got <= 0)
        return;
    text[got] = '\0';
    const char *p = text;
    uint64_t child;
    while (*n < PL_TREE_MAX && pl_take_u64(&p, &child)) {
        pids[(*n)++] = (pid_t)child;
        p += *p == ' ';
    }
}

/* Every thread has its own children. */
static void pl_tree_children(pid_t pid, pid_t *pids, uint32_t *n)
{
    char path[64];
    (void)PL_FMT(path, "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    if (d == NULL)
        return;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        if (e->d_name[0] != '.')
            pl_tree_children_of(pid, e->d_name, pids, n);
    (void)closedir(d);
}

static bool pl_tree_is(pid_t pid, const pid_t *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i] == pid)
            return true;
    return false;
}

static void pl_tree_add(struct pl_sample *sum, const struct pl_sample *s)
{
    sum->at_ns = s->at_ns;
    sum->rss_anon += s->rss_anon;
    sum->rss_shmem = s->rss_shmem > sum->rss_shmem ? s->rss_shmem : sum->rss_shmem; /* shared */
    sum->rss_file = s->rss_file > sum->rss_file ? s->rss_file : sum->rss_file;      /* mostly */
    sum->swap += s->swap;
    sum->locked += s->locked;
}

uint32_t pl_tree_below(const struct pl_root *root, pid_t pid, const pid_t *skip, uint32_t n_skip,
                       struct pl_sample *ret, pid_t pids[PL_TREE_MAX])
{
    static _Thread_local pid_t list[PL_TREE_MAX];
    uint32_t n = 0, read = 0;
    *ret = (struct pl_sample){0};
    pl_tree_children(pid, list, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct pl_sample s = {0};
        if (pl_tree_is(list[i], skip, n_skip))
            continue;
        pl_tree_children(list[i], list, &n);
        if (pl_proc_sample(root, list[i], &s, NULL) < 0)
            continue;
        pl_tree_add(ret, &s);
        pids[read++] = list[i];
    }
    return read;
}

uint32_t pl_tree_sample(const struct pl_root *root, pid_t pid, struct pl_sample *ret,
                        pid_t pids[PL_TREE_MAX])
{
    struct pl_sample own = {0};
    uint32_t n = pl_tree_below(root, pid, NULL, 0, ret, pids);
    if (pl_proc_sample(root, pid, &own, NULL) < 0)
        return n;
    pl_tree_add(ret, &own);
    if (n < PL_TREE_MAX)
        pids[n++] = pid;
    return n;
}
