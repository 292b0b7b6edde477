#include "measure/wrapped.h"

#include "base/clock.h"
#include "sys/spawn.h"
#include "sys/tree.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PL_GRACE_NS 5000000000ull /* between SIGTERM and SIGKILL of one over its ceiling */
#define PL_LAST_WORDS_MS 100      /* an output is read on after the end */

enum { PL_WAIT_CHILD, PL_WAIT_SIGNAL, PL_WAIT_TIMER, PL_WAIT_OUT, PL_WAIT_ERR, PL_WAITS };

struct pl_wrapping {
    const struct pl_wrapped_options *o;
    struct pl_wrapped *w;
    struct pl_child child;
    struct pl_tap tap[2];
    struct pl_root root;
    int signals, timer;
    sigset_t before;
    uint64_t term_ns; /* when SIGTERM was sent for the ceiling */
    bool broken;
};

/* Signals that end or change the command are its own. From the terminal they reach it without us.
 */
static void pl_wrapping_signal(struct pl_wrapping *x)
{
    struct signalfd_siginfo s;
    while (read(x->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
        int signo = (int)s.ssi_signo;
        if (signo == SIGCHLD)
            continue; /* what a subreaper inherits is reaped at the end */
        if (signo == SIGWINCH) {
            pl_tap_resize(&x->tap[0]);
            pl_tap_resize(&x->tap[1]);
        }
        if (signo == SIGINT || signo == SIGTERM || signo == SIGHUP || signo == SIGQUIT)
            x->w->interrupted = true;
        bool from_terminal = s.ssi_code == SI_KERNEL;
        if (!from_terminal || signo == SIGWINCH)
            (void)pl_child_signal(&x->child, signo);
    }
}

static void pl_wrapping_most(uint64_t *a, uint64_t b)
{
    *a = b > *a ? b : *a;
}

static void pl_wrapping_sample(struct pl_wrapping *x)
{
    struct pl_sample s, *p = &x->w->peak;
    uint32_t n = pl_tree_sample(&x->root, x->child.pid, &s, NULL);
    if (n == 0)
        return;
    p->at_ns = s.at_ns;
    pl_wrapping_most(&p->rss_anon, s.rss_anon);
    pl_wrapping_most(&p->rss_shmem, s.rss_shmem);
    pl_wrapping_most(&p->rss_file, s.rss_file);
    pl_wrapping_most(&p->swap, s.swap);
    pl_wrapping_most(&p->locked, s.locked);
    pl_wrapping_most(&x->w->peak_memory, s.rss_anon + s.rss_shmem);
    x->w->most_processes = n > x->w->most_processes ? n : x->w->most_processes;
    bool over = (x->o->ceiling > 0 && s.rss_anon + s.rss_shmem > x->o->ceiling) ||
                (x->o->over != NULL && x->o->over(x->o->ctx));
    if (over && x->term_ns == 0) {
        x->w->over_ceiling = true;
        x->term_ns = pl_now_ns(pl_clock_real());
        (void)pl_child_signal(&x->child, SIGTERM);
    } else if (x->term_ns != 0 && pl_now_ns(pl_clock_real()) - x->term_ns > PL_GRACE_NS) {
        (void)pl_child_signal(&x->child, SIGKILL);
    }
}

static int pl_wrapping_open(struct pl_wrapping *x, struct pl_err *err)
{
    static const int taken[] = {SIGINT,  SIGQUIT, SIGTERM,  SIGHUP, SIGUSR1,
                                SIGUSR2, SIGCONT, SIGWINCH, SIGCHLD};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        struct sigaction had;
        if (sigaction(taken[i], NULL, &had) == 0 && had.sa_handler != SIG_IGN)
            (void)sigaddset(&set, taken[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, &x->before);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    x->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    x->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (x->signals < 0 || x->timer < 0)
        return pl_fail(err, -errno, "cannot watch the command: %s", strerror(errno));
    /* the first looks come early: a short command is seen too */
    const struct itimerspec every = {.it_interval.tv_nsec = (long)PL_WRAPPED_PERIOD_NS,
                                     .it_value.tv_nsec = 5000000};
    (void)timerfd_settime(x->timer, 0, &every, NULL);
    return pl_root_open(NULL, &x->root, err);
}

static int pl_wrapping_start(struct pl_wrapping *x, struct pl_err *err)
{
    x->tap[0] = x->tap[1] = (struct pl_tap){.child = -1, .from = -1};
    if (x->o->listen) {
        pl_tap_open(STDOUT_FILENO, &x->tap[0]);
        pl_tap_open(STDERR_FILENO, &x->tap[1]);
    }
    const struct pl_spawn how = {
        .argv = x->o->argv,
        .env = x->o->env,
        .out = PL_OUT_FDS,
        .out_fd = x->tap[0].child,
        .err_fd = x->tap[1].child,
        .group = x->o->group,
        .inherit_stdin = true,
        .same_group = true,
        .outlive = true, /* as any command outlives what started it */
    };
    int rc = pl_spawn(&how, &x->child, err);
    pl_tap_started(&x->tap[0]);
    pl_tap_started(&x->tap[1]);
    if (rc == -ENOENT)
        return err != NULL ? err->exit_code = 127, rc : rc;
    if (rc == -EACCES || rc == -ENOEXEC)
        return err != NULL ? err->exit_code = 126, rc : rc;
    return rc;
}

static void pl_wrapping_loop(struct pl_wrapping *x)
{
    for (;;) {
        struct pollfd p[PL_WAITS] = {
            [PL_WAIT_CHILD] = {.fd = x->child.pidfd, .events = POLLIN},
            [PL_WAIT_SIGNAL] = {.fd = x->signals,     .events = POLLIN},
            [PL_WAIT_TIMER] = {.fd = x->timer,       .events = POLLIN},
            [PL_WAIT_OUT] = {.fd = x->tap[0].from, .events = POLLIN},
            [PL_WAIT_ERR] = {.fd = x->tap[1].from, .events = POLLIN},
        };
        if (poll(p, PL_WAITS, -1) < 0)
            continue;
        if (p[PL_WAIT_SIGNAL].revents != 0)
            pl_wrapping_signal(x);
        if (p[PL_WAIT_TIMER].revents != 0) {
            uint64_t n;
            (void)!read(x->timer, &n, sizeof(n));
            pl_wrapping_sample(x);
        }
        for (int t = 0; t < 2; t++)
            if (p[PL_WAIT_OUT + t].revents != 0)
                (void)pl_tap_pump(&x->tap[t], x->o->heard, x->o->ctx, &x->broken);
        if (p[PL_WAIT_CHILD].revents != 0)
            return;
    }
}

/* What it left in the pipes; and when something it started still writes, a process of ours goes on
 * passing that through. */
static void pl_wrapping_last_words(struct pl_wrapping *x)
{
    bool open[2] = {false, false};
    for (int t = 0; t < 2; t++) {
        open[t] = pl_tap_pump(&x->tap[t], x->o->heard, x->o->ctx, &x->broken);
        struct pollfd p = {.fd = x->tap[t].from, .events = POLLIN};
        while (open[t] && poll(&p, 1, PL_LAST_WORDS_MS) > 0)
            open[t] = pl_tap_pump(&x->tap[t], x->o->heard, x->o->ctx, &x->broken);
    }
    if ((!open[0] && !open[1]) || fork() != 0)
        return;
    while (open[0] || open[1]) {
        struct pollfd p[2] = {
            {.fd = x->tap[0].from, .events = POLLIN},
            {.fd = x->tap[1].from, .events = POLLIN}
        };
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        for (int t = 0; t < 2; t++)
            open[t] = pl_tap_pump(&x->tap[t], x->o->heard, x->o->ctx, &x->broken);
    }
    _exit(0);
}

static void pl_wrapping_close(struct pl_wrapping *x)
{
    for (int t = 0; t < 2; t++)
        pl_tap_done(&x->tap[t], x->o->heard, x->o->ctx);
    if (x->signals >= 0)
        (void)close(x->signals);
    if (x->timer >= 0)
        (void)close(x->timer);
    pl_root_done(&x->root);
    (void)pthread_sigmask(SIG_SETMASK, &x->before, NULL);
}

int pl_wrapped_run(const struct pl_wrapped_options *o, struct pl_wrapped *ret, struct pl_err *err)
{
    static struct pl_wrapping x;
    *ret = (struct pl_wrapped){0};
    x = (struct pl_wrapping){.o = o, .w = ret, .child = PL_CHILD_NONE, .signals = -1, .timer = -1};
    int rc = pl_wrapping_open(&x, err);
    ret->started_ns = pl_now_ns(pl_clock_real());
    if (rc == 0)
        rc = pl_wrapping_start(&x, err);
    if (rc == 0) {
        ret->pid = x.child.pid;
        pl_wrapping_loop(&x);
        ret->ended_ns = pl_now_ns(pl_clock_real());
        struct rusage used = {0};
        (void)wait4(x.child.pid, &ret->status, 0, &used);
        if (ret->peak_memory == 0) /* gone before it was looked at: what the kernel remembers */
            ret->peak_memory = (uint64_t)used.ru_maxrss * 1024;
        x.child.ended = true;
        pl_wrapping_last_words(&x);
        pl_child_done(&x.child);
    }
    pl_wrapping_close(&x);
    return rc;
}

int pl_wrapped_exit(const struct pl_wrapped *w)
{
    if (!WIFSIGNALED(w->status))
        return WEXITSTATUS(w->status);
    int signo = WTERMSIG(w->status);
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* its core was written, ours says nothing */
    (void)signal(signo, SIG_DFL);
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, signo);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(signo);
    return 128 + signo;
}
