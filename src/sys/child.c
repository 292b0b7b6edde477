/* The life of a started program: waiting for it, stopping it, running one to its end. */
#include "base/clock.h"
#include "sys/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PL_KILL_WAIT_NS                                                                            \
    (10 * PL_S_NS) /* a killed process that takes longer is stuck in a driver                      \
                    */
#define PL_DRAIN_MAX 65536

/* Signals the child's group, or the child alone when it shares ours: once, since servers take a
 * second SIGTERM for impatience. The group's number cannot be reused while its leader is not
 * reaped, so this is safe until then. */
static void pl_child_kill(const struct pl_child *c, int signo)
{
    if (c->same_group)
        (void)syscall(SYS_pidfd_send_signal, c->pidfd, signo, NULL, 0u);
    else
        (void)kill(-c->pid, signo);
}

/* poll(2) takes milliseconds: round up, so that a wait is never a busy loop. */
static int pl_ms(uint64_t ns)
{
    uint64_t ms = ns / PL_MS_NS + (ns % PL_MS_NS != 0 ? 1 : 0);
    return ms > 3600000u ? 3600000 : (int)ms;
}

/* Until the process has ended. 0, -ETIMEDOUT, -EINTR. */
static int pl_pidfd_wait(int pidfd, uint64_t timeout_ns)
{
    uint64_t start = pl_now_ns(pl_clock_real());
    for (;;) {
        uint64_t gone = pl_now_ns(pl_clock_real()) - start;
        uint64_t left = gone < timeout_ns ? timeout_ns - gone : 0;
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        int n = poll(&p, 1, timeout_ns == UINT64_MAX ? -1 : pl_ms(left));
        if (n > 0)
            return 0;
        if (n < 0)
            return -errno;
        if (left == 0)
            return -ETIMEDOUT;
    }
}

/* The child has ended: what it left of its group goes too, then it is reaped. */
static void pl_child_reap(struct pl_child *c)
{
    if (!c->same_group)
        (void)kill(-c->pid, SIGKILL);
    int status = 0;
    pid_t r;
    do {
        r = waitpid(c->pid, &status, 0);
    } while (r < 0 && errno == EINTR);
    c->status = r == c->pid ? status : 0;
    c->ended = true;
}

int pl_child_wait(struct pl_child *c, uint64_t timeout_ns, struct pl_err *err)
{
    if (c->ended)
        return 0;
    int code = pl_pidfd_wait(c->pidfd, timeout_ns);
    if (code == -ETIMEDOUT || code == -EINTR)
        return code;
    if (code < 0)
        return pl_fail(err, code, "cannot wait for process %d: %s", (int)c->pid, strerror(-code));
    pl_child_reap(c);
    return 0;
}

/* Waits through signals of our own. */
static int pl_child_wait_all(struct pl_child *c, uint64_t timeout_ns)
{
    uint64_t start = pl_now_ns(pl_clock_real());
    for (;;) {
        uint64_t gone = pl_now_ns(pl_clock_real()) - start;
        int code = pl_child_wait(c, gone < timeout_ns ? timeout_ns - gone : 0, NULL);
        if (code != -EINTR)
            return code;
    }
}

int pl_child_stop(struct pl_child *c, uint64_t grace_ns, struct pl_err *err)
{
    if (c->ended || c->pidfd < 0)
        return 0;
    if (grace_ns > 0) {
        pl_child_kill(c, SIGTERM);
        pl_child_kill(c, SIGCONT); /* a stopped one could not act on it */
        if (pl_child_wait_all(c, grace_ns) == 0)
            return 0;
    }
    pl_child_kill(c, SIGKILL);
    if (pl_child_wait_all(c, PL_KILL_WAIT_NS) == 0)
        return 0;
    (void)pl_fail(err, -ETIMEDOUT,
                  "process %d does not end even when killed: it is stuck in the kernel",
                  (int)c->pid);
    return pl_exit_as(err, -ETIMEDOUT, PL_EXIT_ENVIRONMENT);
}

int pl_child_signal(const struct pl_child *c, int signo)
{
    if (c->ended || c->pidfd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, c->pidfd, signo, NULL, 0u) < 0 ? -errno : 0;
}

void pl_child_done(struct pl_child *c)
{
    if (c->pidfd >= 0) {
        (void)pl_child_stop(c, 0, NULL);
        (void)close(c->pidfd);
    }
    if (c->out >= 0)
        (void)close(c->out);
    c->pidfd = c->out = -1;
}

/* Takes what there is to read. Returns false at the end of the output. */
static bool pl_capture_some(int fd, struct pl_str *out)
{
    char buf[8192];
    for (size_t taken = 0; taken < PL_DRAIN_MAX;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        size_t room = out->cap > out->len + 1 ? out->cap - out->len - 1 : 0;
        size_t keep = (size_t)n < room ? (size_t)n : room;
        if (keep > 0)
            pl_str_addn(out, buf, keep);
        taken += (size_t)n;
    }
    return true;
}

/* Reads until the program has ended: not until the pipe closes, which what it left behind may hold
 * open for ever. */
static int pl_capture_run(struct pl_child *c, uint64_t timeout_ns, struct pl_str *out)
{
    uint64_t start = pl_now_ns(pl_clock_real());
    bool open = true;
    for (;;) {
        uint64_t gone = pl_now_ns(pl_clock_real()) - start;
        if (gone >= timeout_ns)
            return -ETIMEDOUT;
        struct pollfd p[2] = {
            {.fd = c->pidfd,           .events = POLLIN},
            {.fd = open ? c->out : -1, .events = POLLIN}
        };
        int n = poll(p, 2, timeout_ns == UINT64_MAX ? -1 : pl_ms(timeout_ns - gone));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && p[1].revents != 0)
            open = pl_capture_some(c->out, out);
        if (n > 0 && p[0].revents != 0) {
            if (open)
                (void)pl_capture_some(c->out, out);
            return 0;
        }
    }
}

int pl_spawn_run(const struct pl_spawn *how, uint64_t timeout_ns, size_t cap_bytes,
                 struct pl_str *out, int *ret_status, struct pl_err *err)
{
    pl_str_init(out, cap_bytes);
    struct pl_child c = PL_CHILD_NONE;
    struct pl_spawn piped = *how;
    piped.out = PL_OUT_PIPE;
    int code = pl_spawn(&piped, &c, err);
    if (code < 0)
        return code;
    code = pl_capture_run(&c, timeout_ns, out);
    if (code < 0) {
        (void)pl_fail(err, code, "%s: %s", how->argv[0],
                      code == -ETIMEDOUT ? "did not end in time, and was killed" : strerror(-code));
        (void)pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    } else {
        code = pl_child_wait(&c, UINT64_MAX, err);
        *ret_status = c.status;
    }
    pl_child_done(&c);
    return code;
}

int pl_spawn_capture(const char *const *argv, const char *const *env, uint64_t timeout_ns,
                     size_t cap_bytes, struct pl_str *out, int *ret_status, struct pl_err *err)
{
    const struct pl_spawn how = {.argv = argv, .env = env};
    return pl_spawn_run(&how, timeout_ns, cap_bytes, out, ret_status, err);
}
