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

uint32_t pl_tree_sample(const struct pl_root *root, pid_t pid, struct pl_sample *ret,
                        pid_t pids[PL_TREE_MAX])
{
    static _Thread_local pid_t own[PL_TREE_MAX];
    pid_t *list = pids != NULL ? pids : own;
    uint32_t n = 1, read = 0;
    list[0] = pid;
    *ret = (struct pl_sample){0};
    for (uint32_t i = 0; i < n; i++) {
        struct pl_sample s = {0};
        pl_tree_children(list[i], list, &n);
        if (pl_proc_sample(root, list[i], &s, NULL) < 0)
            continue;
        ret->at_ns = s.at_ns;
        ret->rss_anon += s.rss_anon;
        ret->rss_shmem = s.rss_shmem > ret->rss_shmem ? s.rss_shmem : ret->rss_shmem; /* shared */
        ret->rss_file = s.rss_file > ret->rss_file ? s.rss_file : ret->rss_file;      /* mostly */
        ret->swap += s.swap;
        ret->locked += s.locked;
        read++;
    }
    return read;
}
