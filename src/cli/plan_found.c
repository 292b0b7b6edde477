#include "cli/plan_found.h"

#include "base/str.h"
#include "cli/emit.h"
#include "engine/command.h"
#include "sys/root.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_FOUND_TEXT_MAX (128u * 1024u) /* of a command line, of an environment */

struct pl_finder {
    const struct pl_stack *stack;
    const char *id; /* as emitted; NULL: the stack has no name to be known by */
    char text[PL_FOUND_TEXT_MAX];
    char *word[PL_COMMAND_WORDS_MAX];
    int n_word;
    struct pl_command command;
};

/* A file of /proc/PID into f->text, NUL-ended. Returns its length, 0 when it cannot be read. */
static size_t pl_found_read(struct pl_finder *f, pid_t pid, const char *name)
{
    char path[64];
    size_t n = 0;
    ssize_t got = 1;
    (void)PL_FMT(path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && got > 0 && n + 1 < sizeof(f->text)) {
        got = read(fd, f->text + n, sizeof(f->text) - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        (void)close(fd);
    f->text[n] = '\0';
    return n;
}

/* The value of a variable among the NUL-ended words of f->text; NULL. */
static const char *pl_found_variable(const struct pl_finder *f, size_t n, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < n; i += strlen(f->text + i) + 1) {
        if (strncmp(f->text + i, name, len) == 0 && f->text[i + len] == '=')
            return f->text + i + len + 1;
    }
    return NULL;
}

/* *ret_other: it carries the name of another stack. */
static const char *pl_found_marked(struct pl_finder *f, pid_t pid, bool *ret_other)
{
    size_t n = f->id != NULL ? pl_found_read(f, pid, "environ") : 0;
    const char *stack = n > 0 ? pl_found_variable(f, n, PL_STACK_VARIABLE) : NULL;
    const char *name = n > 0 ? pl_found_variable(f, n, PL_COMPONENT_VARIABLE) : NULL;
    *ret_other = stack != NULL && !pl_streq(stack, f->id);
    if (stack == NULL || name == NULL || *ret_other)
        return NULL;
    for (uint32_t c = 0; c < f->stack->n_component; c++) {
        if (pl_streq(f->stack->component[c].name, name))
            return f->stack->component[c].name;
    }
    return NULL;
}

static void pl_found_words(struct pl_finder *f, pid_t pid)
{
    size_t n = pl_found_read(f, pid, "cmdline");
    f->n_word = 0;
    for (size_t i = 0; i < n && f->n_word < PL_COMMAND_WORDS_MAX - 1; i += strlen(f->text + i) + 1)
        f->word[f->n_word++] = f->text + i;
    f->word[f->n_word] = NULL;
}

/* Word by word; one that holds a variable may be anything. */
static bool pl_found_started(const struct pl_finder *f, const struct pl_stack_candidate *d)
{
    int n = 0;
    while (d->command[n] != NULL) {
        if (n >= f->n_word ||
            (strstr(d->command[n], "${") == NULL && !pl_streq(d->command[n], f->word[n])))
            return false;
        n++;
    }
    return n > 0 && n == f->n_word;
}

/* The file that the process serves, as it sees it: in its root, relative to its folder. */
static bool pl_found_model(struct pl_finder *f, pid_t pid, struct stat *ret)
{
    char path[PL_PATH_TEXT_MAX * 2];
    if (f->n_word == 0 || pl_command_read(f->n_word, f->word, &f->command, NULL) < 0 ||
        f->command.row == NULL || !pl_streq(f->command.row->engine, "llama.cpp") ||
        f->command.model == NULL || f->command.elsewhere)
        return false;
    const char *m = f->command.model;
    return PL_FMT(path, "/proc/%d/%s%s", (int)pid, m[0] == '/' ? "root" : "cwd/", m) &&
           stat(path, ret) == 0 && S_ISREG(ret->st_mode);
}

static bool pl_found_serves(const struct pl_stack_candidate *d, const struct stat *model)
{
    struct stat own;
    return !d->declared && d->model != NULL && stat(d->model, &own) == 0 &&
           own.st_dev == model->st_dev && own.st_ino == model->st_ino;
}

static const char *pl_found_known(struct pl_finder *f, pid_t pid)
{
    struct stat of, model;
    char path[32];
    (void)PL_FMT(path, "/proc/%d", (int)pid);
    if (stat(path, &of) < 0 || of.st_uid != geteuid())
        return NULL;
    pl_found_words(f, pid);
    bool serves = pl_found_model(f, pid, &model);
    for (uint32_t c = 0; c < f->stack->n_component; c++) {
        const struct pl_stack_component *k = &f->stack->component[c];
        for (uint32_t i = 0; i < k->n_candidate; i++) {
            const struct pl_stack_candidate *d = &k->candidate[i];
            if (d->command != NULL ? pl_found_started(f, d) : serves && pl_found_serves(d, &model))
                return k->name;
        }
    }
    return NULL;
}

uint32_t pl_stack_found(const struct pl_stack *stack, struct pl_arena *arena,
                        struct pl_found out[PL_FOUND_MAX])
{
    static struct pl_finder f;
    struct pl_root root;
    DIR *d = NULL;
    uint32_t n = 0;
    f.stack = stack;
    f.id = stack->name != NULL ? pl_emit_id(arena, stack->name) : NULL;
    if (pl_root_open(NULL, &root, NULL) < 0)
        return 0;
    (void)pl_root_open_dir(&root, "proc", &d, NULL);
    for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL && n < PL_FOUND_MAX;
         e = readdir(d)) {
        uint64_t pid;
        if (!isdigit((unsigned char)e->d_name[0]) || !pl_parse_u64(e->d_name, &pid) ||
            pid > INT32_MAX || (pid_t)pid == getpid())
            continue;
        bool other = false;
        const char *component = pl_found_marked(&f, (pid_t)pid, &other);
        if (component == NULL && !other)
            component = pl_found_known(&f, (pid_t)pid);
        if (component != NULL)
            out[n++] = (struct pl_found){(pid_t)pid, component};
    }
    if (d != NULL)
        (void)closedir(d);
    pl_root_done(&root);
    return n;
}
