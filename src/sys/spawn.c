#include "sys/spawn.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the child needs after fork(2), where only async-signal-safe calls are allowed: all of it is
 * prepared before. */
struct pl_spawn_plan {
    const struct pl_spawn *how;
    char path[PATH_MAX];
    char *const *argv;
    const char *env[PL_SPAWN_ENV_MAX + 1];
    pid_t parent;
    int out;      /* descriptor that becomes 1 and 2; -1 = inherit */
    int err;      /* the one that becomes 2, when it is another */
    int null;     /* /dev/null */
    int fail_fd;  /* tells the parent the errno of a failed start */
    int pipe_out; /* read end for the parent, or -1 */
};

static int pl_fail_errno(struct pl_err *err, const char *what)
{
    int code = -errno;
    (void)pl_fail(err, code, "%s: %s", what, strerror(-code));
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

int pl_program_find(const char *name, char ret_path[PATH_MAX], struct pl_err *err)
{
    if (strchr(name, '/') != NULL) {
        if (!pl_fmt(ret_path, PATH_MAX, "%s", name))
            return pl_fail(err, -ENAMETOOLONG, "%.80s...: the path is too long", name);
        return 0;
    }
    const char *path = getenv("PATH");
    int code = -ENOENT;
    for (const char *p = path != NULL ? path : "/usr/bin:/bin"; name[0] != '\0';) {
        const char *end = strchrnul(p, ':');
        int n = (int)(end - p);
        char one[PATH_MAX];
        /* An empty entry means the current folder; we do not follow that custom. */
        if (n > 0 && pl_fmt(one, sizeof(one), "%.*s/%s", n, p, name)) {
            if (access(one, X_OK) == 0) {
                (void)pl_fmt(ret_path, PATH_MAX, "%s", one);
                return 0;
            }
            if (errno == EACCES)
                code = -EACCES;
        }
        if (*end == '\0')
            break;
        p = end + 1;
    }
    return pl_fail(err, code, "%s: %s", name,
                   code == -EACCES ? "found on PATH but not executable" : "not found on PATH");
}

static bool pl_env_same_name(const char *a, const char *b)
{
    const char *end = strchr(a, '=');
    size_t n = end != NULL ? (size_t)(end - a) + 1 : strlen(a);
    return strncmp(a, b, n) == 0;
}

static bool pl_env_kept(const struct pl_spawn *how, const char *var)
{
    for (size_t i = 0; how->env_drop != NULL && how->env_drop[i] != NULL; i++) {
        if (pl_starts(var, how->env_drop[i]))
            return false;
    }
    for (size_t i = 0; how->env != NULL && how->env[i] != NULL; i++) {
        if (pl_env_same_name(how->env[i], var))
            return false;
    }
    return true;
}

static int pl_spawn_env(struct pl_spawn_plan *p, struct pl_err *err)
{
    size_t n = 0;
    for (char **e = environ; e != NULL && *e != NULL; e++) {
        if (!pl_env_kept(p->how, *e))
            continue;
        if (n == PL_SPAWN_ENV_MAX)
            return pl_fail(err, -E2BIG, "the environment has more than %d variables",
                           PL_SPAWN_ENV_MAX);
        p->env[n++] = *e;
    }
    for (size_t i = 0; p->how->env != NULL && p->how->env[i] != NULL; i++) {
        if (n == PL_SPAWN_ENV_MAX)
            return pl_fail(err, -E2BIG, "the environment has more than %d variables",
                           PL_SPAWN_ENV_MAX);
        p->env[n++] = p->how->env[i];
    }
    p->env[n] = NULL;
    return 0;
}

static int pl_above_std(int *fd)
{
    if (*fd > STDERR_FILENO || *fd < 0)
        return 0;
    int up = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (up < 0)
        return -errno;
    (void)close(*fd);
    *fd = up;
    return 0;
}

static void pl_plan_done(struct pl_spawn_plan *p)
{
    if (p->null >= 0)
        (void)close(p->null);
    if (p->fail_fd >= 0)
        (void)close(p->fail_fd);
    if (p->how->out == PL_OUT_PIPE && p->out >= 0)
        (void)close(p->out);
    if (p->pipe_out >= 0)
        (void)close(p->pipe_out);
    p->null = p->fail_fd = p->out = p->pipe_out = -1;
}

/* Opens what the child's 0, 1 and 2 become. */
static int pl_plan_files(struct pl_spawn_plan *p, struct pl_err *err)
{
    p->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (p->null < 0)
        return pl_fail_errno(err, "/dev/null");
    int ends[2];
    switch (p->how->out) {
    case PL_OUT_NULL:
        p->out = p->null;
        break;
    case PL_OUT_FD:
        p->out = p->how->out_fd;
        break;
    case PL_OUT_FDS:
        p->out = p->how->out_fd;
        p->err = p->how->err_fd;
        break;
    case PL_OUT_INHERIT:
        break;
    case PL_OUT_PIPE:
        if (pipe2(ends, O_CLOEXEC) < 0)
            return pl_fail_errno(err, "cannot make a pipe");
        p->pipe_out = ends[0];
        p->out = ends[1];
        (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
        break;
    default:
        return pl_fail(err, -EINVAL, "unknown kind of output");
    }
    /* A process started with 0, 1 or 2 closed must not lose these files to its own dup2. */
    int code = pl_above_std(&p->null);
    if (code == 0 && p->how->out == PL_OUT_PIPE)
        code = pl_above_std(&p->out);
    if (p->how->out == PL_OUT_NULL)
        p->out = p->null;
    if (code < 0)
        return pl_fail(err, code, "cannot move a descriptor: %s", strerror(-code));
    return 0;
}

static void pl_child_fail(const struct pl_spawn_plan *p)
{
    int code = errno;
    ssize_t n = write(p->fail_fd, &code, sizeof(code));
    (void)n;
    _exit(127);
}

/* Closes all but 0, 1, 2 and 3, which tells the parent of a failure and closes itself on execve. */
static void pl_child_close(void)
{
    if (syscall(SYS_close_range, 4u, ~0u, 0u) == 0)
        return;
    long max = sysconf(_SC_OPEN_MAX); /* a kernel before 5.9 */
    for (int fd = 4; fd < (max > 0 && max < 65536 ? (int)max : 65536); fd++)
        (void)close(fd);
}

static void pl_child_signals(const struct pl_spawn *how)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL}, had;
    for (int s = 1; s < NSIG; s++) {
        bool ours = s == SIGPIPE || s == SIGXFSZ; /* this program itself ignores them (main.c) */
        if (how->keep_ignored && !ours && sigaction(s, NULL, &had) == 0 &&
            had.sa_handler == SIG_IGN)
            continue;
        (void)sigaction(s, &dfl, NULL); /* fails for KILL and STOP: fine */
    }
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* "0" is the writer itself, in both versions of control groups. */
static void pl_child_join(const struct pl_spawn_plan *p)
{
    int fd = open(p->how->group, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        pl_child_fail(p);
    (void)close(fd);
}

/* In the child: never returns. */
static _Noreturn void pl_child_main(struct pl_spawn_plan *p)
{
    if (!p->how->outlive) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != p->parent) /* it died before the line above */
            _exit(127);
    }
    if (!p->how->same_group && setsid() < 0)
        pl_child_fail(p);
    if (p->how->cwd != NULL && chdir(p->how->cwd) < 0)
        pl_child_fail(p);
    if (p->how->group != NULL)
        pl_child_join(p);
    if (p->out >= 0 && dup2(p->out, STDOUT_FILENO) < 0)
        pl_child_fail(p);
    int err = p->how->out == PL_OUT_FDS ? p->err : p->out;
    if (err >= 0 && dup2(err, STDERR_FILENO) < 0)
        pl_child_fail(p);
    if (!p->how->inherit_stdin && dup2(p->null, STDIN_FILENO) < 0)
        pl_child_fail(p);
    if (p->fail_fd != 3) {
        if (dup3(p->fail_fd, 3, O_CLOEXEC) < 0)
            pl_child_fail(p);
        p->fail_fd = 3;
    }
    pl_child_close();
    pl_child_signals(p->how);
    (void)execve(p->path, p->argv, (char *const *)(uintptr_t)p->env);
    pl_child_fail(p);
    _exit(127);
}

/* The errno of a failed start, or 0 when the program runs (the pipe closed on execve). */
static int pl_start_result(int fd)
{
    int code = 0;
    ssize_t n;
    do {
        n = read(fd, &code, sizeof(code));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(code) ? -code : 0;
}

static void pl_reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* fork(2) with every signal held back, so that no handler of ours runs in the child. */
static pid_t pl_fork(struct pl_spawn_plan *p)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    p->parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        pl_child_main(p);
    int code = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return pid;
}

static int pl_spawn_fork(struct pl_spawn_plan *p, struct pl_child *ret, struct pl_err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return pl_fail_errno(err, "cannot make a pipe");
    p->fail_fd = ends[1];
    int code = pl_above_std(&p->fail_fd);
    errno = -code;
    pid_t pid = code < 0 ? -1 : pl_fork(p);
    if (pid < 0) {
        code = pl_fail_errno(err, "cannot start a process");
        (void)close(ends[0]);
        return code;
    }
    (void)close(p->fail_fd);
    p->fail_fd = -1;
    code = pl_start_result(ends[0]);
    (void)close(ends[0]);
    if (code < 0) {
        pl_reap(pid);
        (void)pl_fail(err, code, "%s: cannot be started: %s", p->path, strerror(-code));
        return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0u);
    if (pidfd < 0) {
        code = pl_fail_errno(err, "pidfd_open (Linux 5.3 or newer is needed)");
        (void)kill(pid, SIGKILL);
        pl_reap(pid);
        return code;
    }
    *ret = (struct pl_child){
        .pid = pid, .pidfd = pidfd, .out = p->pipe_out, .same_group = p->how->same_group};
    p->pipe_out = -1;
    return 0;
}

int pl_spawn(const struct pl_spawn *how, struct pl_child *ret, struct pl_err *err)
{
    struct pl_spawn_plan *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    p->how = how;
    p->argv = (char *const *)(uintptr_t)how->argv; /* execve's prototype; it does not write */
    p->out = p->err = p->null = p->fail_fd = p->pipe_out = -1;
    int code = pl_program_find(how->argv[0], p->path, err);
    if (code == 0)
        code = pl_spawn_env(p, err);
    if (code == 0)
        code = pl_plan_files(p, err);
    if (code == 0)
        code = pl_spawn_fork(p, ret, err);
    pl_plan_done(p);
    free(p);
    return code;
}

const char *pl_status_text(int status, char out[PL_STATUS_TEXT_MAX])
{
    if (WIFSIGNALED(status)) {
        int s = WTERMSIG(status);
        const char *name = sigdescr_np(s);
        (void)pl_fmt(out, PL_STATUS_TEXT_MAX, "killed by signal %d (%s)", s,
                     name != NULL ? name : "unknown");
    } else {
        (void)pl_fmt(out, PL_STATUS_TEXT_MAX, "exit status %d", WEXITSTATUS(status));
    }
    return out;
}
