/* Starting programs: from an argv vector, never through a shell; watched through a pidfd, so that a
 * recycled pid is never waited for or signalled; in a session of their own, so that what they start
 * can be stopped with them; and bound to our life: the kernel kills the child when the thread that
 * started it ends, however it ends. Start long-lived children from the main thread. */
#ifndef PL_SYS_SPAWN_H
#define PL_SYS_SPAWN_H

#include "base/err.h"
#include "base/str.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PL_SPAWN_ARGS_MAX 1024 /* words of one command line */
#define PL_SPAWN_ENV_MAX 4096  /* variables of one environment */

/* Where the child's output goes. */
enum pl_spawn_out {
    PL_OUT_NULL = 0, /* discarded */
    PL_OUT_PIPE,     /* stdout and stderr together into one pipe, read end in the child */
    PL_OUT_FD,       /* both to out_fd, which stays the caller's */
    PL_OUT_INHERIT,  /* ours */
    PL_OUT_FDS,      /* out_fd and err_fd, which stay the caller's; -1 = ours */
};

struct pl_spawn {
    const char *const *argv; /* NULL-ended; argv[0] with a slash is a path, else found on PATH */
    const char *const *env;  /* "NAME=value" additions (they win), NULL-ended; or NULL */
    const char *const *env_drop; /* prefixes of inherited variables left out, NULL-ended; or NULL */
    const char *cwd;             /* or NULL: ours */
    enum pl_spawn_out out;
    int out_fd, err_fd;
    const char *group;  /* cgroup.procs of a control group it joins before it runs, or NULL */
    bool inherit_stdin; /* else /dev/null */
    bool same_group;    /* stay in our session and process group (a terminal's job) */
    bool outlive;       /* do not die with the thread that started it */
    bool keep_ignored;  /* signals we were started with as ignored stay so (nohup); else all are
                           the default ones */
};

struct pl_child {
    pid_t pid;
    int pidfd;  /* readable once the child has ended; -1 when not started */
    int out;    /* read end of the output, non-blocking, close-on-exec; -1 when there is none */
    int status; /* of waitpid(2), once ended */
    bool ended; /* reaped: pid means nothing any more */
    bool same_group;
};

/* A child that was never started: what pl_child_done accepts. */
#define PL_CHILD_NONE ((struct pl_child){.pidfd = -1, .out = -1})

/* Starts a program. Every descriptor but 0, 1 and 2 is closed in the child; its signal handling is
 * the default one, but for keep_ignored. A program that cannot be executed is reported here
 * (-ENOENT, -EACCES, -ENOEXEC
 * ...), not as a child that ends at once. *ret is set on success only; end it with
 * pl_child_done. */
int pl_spawn(const struct pl_spawn *how, struct pl_child *ret, struct pl_err *err);

/* Waits for the end of the child, at most timeout_ns (UINT64_MAX: for ever); then kills what is
 * left of its process group, reaps it and fills status. 0 when ended (again and again), -ETIMEDOUT
 * (err untouched), -EINTR when a signal handler of ours ran. */
int pl_child_wait(struct pl_child *c, uint64_t timeout_ns, struct pl_err *err);

/* SIGTERM to the child's group, up to grace_ns for it to end, then SIGKILL; reaps. A child that
 * ended long ago is fine. The only failure is a child that outlives SIGKILL for 10 s
 * (-ETIMEDOUT): one stuck in the kernel. */
int pl_child_stop(struct pl_child *c, uint64_t grace_ns, struct pl_err *err);

/* Sends one signal to the child (not its group). -ESRCH when it has ended. */
int pl_child_signal(const struct pl_child *c, int signo);

/* Kills without grace what still runs, reaps, closes. Accepts PL_CHILD_NONE and a done child. */
void pl_child_done(struct pl_child *c);

/* Runs a program to its end and takes up to cap_bytes of its stdout and stderr into out (which it
 * initialises; end with pl_str_done, on failure too). More output than that is read and dropped.
 * env as in struct pl_spawn. *ret_status is that of waitpid(2). -ETIMEDOUT when it ran longer than
 * timeout_ns and was killed; out then holds what it had said. */
int pl_spawn_capture(const char *const *argv, const char *const *env, uint64_t timeout_ns,
                     size_t cap_bytes, struct pl_str *out, int *ret_status, struct pl_err *err);

/* The same with everything struct pl_spawn can say; its out is ignored. */
int pl_spawn_run(const struct pl_spawn *how, uint64_t timeout_ns, size_t cap_bytes,
                 struct pl_str *out, int *ret_status, struct pl_err *err);

/* "exit status 3", "killed by signal 9 (Killed)". Returns out. */
#define PL_STATUS_TEXT_MAX 64
const char *pl_status_text(int status, char out[PL_STATUS_TEXT_MAX]);

/* Finds an executable on $PATH (or takes a name with a slash as it is). -ENOENT, -EACCES. */
int pl_program_find(const char *name, char ret_path[PATH_MAX], struct pl_err *err);

#endif
