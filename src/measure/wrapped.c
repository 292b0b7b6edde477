#include "measure/wrapped.h"

#include "base/clock.h"
#include "sys/proc.h"
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
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PL_GRACE_NS 5000000000ull /* between SIGTERM and SIGKILL of one over its ceiling */
#define PL_LAST_WORDS_MS 100      /* an output is read on after the end, for all of it together */
#define PL_LAST_WORDS_BYTES                                                                        \
    (2u << 20)             /* and so much of one that goes on: more than a pipe holds              \
                            */
#define PL_PUMPS_MAX 16    /* processes of ours that pass on what was left behind */
#define PL_CLEAR_TURNS 100 /* of 10 ms, for what was killed to be gone */

enum {
    PL_WAIT_CHILD,
    PL_WAIT_SIGNAL,
    PL_WAIT_TIMER,
    PL_WAIT_ALSO,
    PL_WAIT_OUT,
    PL_WAIT_ERR,
    PL_WAITS
};

struct pl_wrapping {
    const struct pl_wrapped_options *o;
    struct pl_wrapped *w;
    struct pl_child child;
    struct pl_tap tap[2];
    struct pl_root root;
    int signals, timer;
    bool also_open;
    sigset_t before;
    uint64_t term_ns; /* when SIGTERM was sent for the ceiling */
    bool broken;
};

/* Children of ours that are none of the command's: the one of the options, and passers-on. */
static pid_t pl_not_its[1 + PL_PUMPS_MAX];
static uint32_t pl_n_not_its;

static pid_t pl_wrapping_pids[PL_TREE_MAX];

static uint32_t pl_wrapping_tree(struct pl_wrapping *x, struct pl_sample *ret)
{
    return pl_tree_below(&x->root, getpid(), pl_not_its, pl_n_not_its, ret, pl_wrapping_pids);
}

/* Every process of the tree gets it: one that only waits for another must not be the only one. */
static void pl_wrapping_stop(struct pl_wrapping *x, int signo)
{
    struct pl_sample s;
    uint32_t n = pl_wrapping_tree(x, &s);
    for (uint32_t i = 0; i < n; i++) {
        struct pl_proc_stat st = {0};
        int fd = (int)syscall(SYS_pidfd_open, pl_wrapping_pids[i], 0u);
        bool its = fd >= 0 && pl_proc_stat(&x->root, pl_wrapping_pids[i], &st, NULL) == 0 &&
                   st.parent == getpid();
        for (uint32_t k = 0; fd >= 0 && k < n && !its; k++) /* its number was not given anew */
            its = pl_wrapping_pids[k] == st.parent;
        if (its)
            (void)syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0u);
        if (fd >= 0)
            (void)close(fd);
    }
}

/* What came to us as its nearest subreaper; the command itself is kept for wait4. */
static void pl_wrapping_reap(const struct pl_wrapping *x)
{
    for (;;) {
        siginfo_t s = {0};
        if (waitid(P_ALL, 0, &s, WEXITED | WNOHANG | WNOWAIT) < 0 || s.si_pid == 0 ||
            s.si_pid == x->child.pid || s.si_pid == x->o->helper)
            return;
        (void)waitpid(s.si_pid, NULL, 0);
    }
}

/* It stopped itself, or for the terminal: so do we, or the shell would not know. */
static void pl_wrapping_stopped(const struct pl_wrapping *x)
{
    siginfo_t s = {0};
    if (waitid(P_PID, (id_t)x->child.pid, &s, WSTOPPED | WNOHANG) < 0 || s.si_pid != x->child.pid)
        return;
    if (s.si_status == SIGTSTP || s.si_status == SIGTTIN || s.si_status == SIGTTOU)
        (void)kill(getpid(), s.si_status);
}

/* Signals that end or change the command are its own. From the terminal they reach it without us.
 */
static void pl_wrapping_signal(struct pl_wrapping *x)
{
    struct signalfd_siginfo s;
    bool child = false, goes_on = false;
    while (read(x->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
        int signo = (int)s.ssi_signo;
        child = child || signo == SIGCHLD;
        goes_on = goes_on || signo == SIGCONT;
        if (signo == SIGCHLD)
            continue;
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
    if (child)
        pl_wrapping_reap(x);
    if (child && !goes_on) /* woken together it may be a moment behind: its stop is over */
        pl_wrapping_stopped(x);
}

static void pl_wrapping_most(uint64_t *a, uint64_t b)
{
    *a = b > *a ? b : *a;
}

static void pl_wrapping_sample(struct pl_wrapping *x)
{
    struct pl_sample s, *p = &x->w->peak;
    uint32_t n = pl_wrapping_tree(x, &s);
    bool over = x->o->look != NULL && x->o->look(x->o->ctx, pl_wrapping_pids, n);
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
    over = over || (x->o->ceiling > 0 && s.rss_anon + s.rss_shmem > x->o->ceiling);
    if (over && x->term_ns == 0) {
        x->w->over_ceiling = true;
        x->term_ns = pl_now_ns(pl_clock_real());
        pl_wrapping_stop(x, SIGTERM);
        pl_wrapping_stop(x, SIGCONT); /* a stopped one could not act on it */
    } else if (x->term_ns != 0 && pl_now_ns(pl_clock_real()) - x->term_ns > PL_GRACE_NS) {
        pl_wrapping_stop(x, SIGKILL);
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
        .keep_ignored = true,
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
            [PL_WAIT_CHILD] = {.fd = x->child.pidfd,                 .events = POLLIN},
            [PL_WAIT_SIGNAL] = {.fd = x->signals,                     .events = POLLIN},
            [PL_WAIT_TIMER] = {.fd = x->timer,                       .events = POLLIN},
            [PL_WAIT_ALSO] = {.fd = x->also_open ? x->o->also : -1, .events = POLLIN},
            [PL_WAIT_OUT] = pl_tap_wait(&x->tap[0]),
            [PL_WAIT_ERR] = pl_tap_wait(&x->tap[1]),
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
        if (p[PL_WAIT_ALSO].revents != 0)
            x->also_open = x->o->ready(x->o->ctx);
        for (int t = 0; t < 2; t++)
            if (p[PL_WAIT_OUT + t].revents != 0)
                (void)pl_tap_pump(&x->tap[t], x->o->heard, x->o->ctx, &x->broken);
        if (p[PL_WAIT_CHILD].revents != 0)
            return;
    }
}

/* Somebody wants us to end although a reader does not take the last words. */
static bool pl_wrapping_wanted_gone(const struct pl_wrapping *x)
{
    struct signalfd_siginfo s;
    while (read(x->signals, &s, sizeof(s)) == (ssize_t)sizeof(s))
        if (s.ssi_signo == SIGINT || s.ssi_signo == SIGTERM || s.ssi_signo == SIGHUP ||
            s.ssi_signo == SIGQUIT)
            return true;
    return false;
}

/* What it left in one of the pipes. True while something it started may still write there. */
static bool pl_wrapping_drain(struct pl_wrapping *x, struct pl_tap *tap, uint64_t until_ns)
{
    uint64_t passed = tap->passed;
    while (pl_tap_pump(tap, x->o->heard, x->o->ctx, &x->broken)) {
        uint64_t now = pl_now_ns(pl_clock_real());
        if (tap->passed - passed > PL_LAST_WORDS_BYTES)
            return true;
        struct pollfd p[2] = {
            pl_tap_wait(tap), {.fd = x->signals, .events = POLLIN}
        };
        /* its words are said, so he may take his time, but not of who wants it ended */
        bool reader = p[0].events == POLLOUT && !x->w->interrupted;
        int left = until_ns > now ? (int)((until_ns - now) / PL_MS_NS) + 1 : 0;
        int n = poll(p, 2, reader ? -1 : left);
        if (n == 0)
            return true;
        if (n > 0 && p[1].revents != 0 && pl_wrapping_wanted_gone(x))
            return false;
    }
    return false;
}

/* What it left in the pipes; and when something it started still writes, a process of ours goes on
 * passing that through. */
static void pl_wrapping_last_words(struct pl_wrapping *x)
{
    bool open[2];
    uint64_t until = pl_now_ns(pl_clock_real()) + PL_LAST_WORDS_MS * PL_MS_NS;
    for (int t = 0; t < 2; t++)
        open[t] = pl_wrapping_drain(x, &x->tap[t], until);
    if (!open[0] && !open[1])
        return;
    pid_t pid = fork();
    if (pid > 0 && pl_n_not_its < 1 + PL_PUMPS_MAX)
        pl_not_its[pl_n_not_its++] = pid;
    if (pid != 0)
        return;
    (void)pthread_sigmask(SIG_SETMASK, &x->before, NULL);
    while (open[0] || open[1]) {
        struct pollfd p[2] = {pl_tap_wait(&x->tap[0]), pl_tap_wait(&x->tap[1])};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        for (int t = 0; t < 2; t++)
            open[t] = pl_tap_pump(&x->tap[t], x->o->heard, x->o->ctx, &x->broken);
    }
    _exit(0);
}

/* Of a command that was stopped for its ceiling nothing goes on. Of another, what it left does. */
static void pl_wrapping_left(struct pl_wrapping *x)
{
    struct pl_sample s;
    const struct timespec turn = {.tv_nsec = 10000000};
    pl_wrapping_reap(x);
    x->w->left = pl_wrapping_tree(x, &s);
    for (int i = 0; x->w->over_ceiling && x->w->left > 0 && i < PL_CLEAR_TURNS; i++) {
        pl_wrapping_stop(x, SIGKILL);
        (void)nanosleep(&turn, NULL);
        pl_wrapping_reap(x);
        x->w->left = pl_wrapping_tree(x, &s);
    }
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
    x = (struct pl_wrapping){.o = o,
                             .w = ret,
                             .child = PL_CHILD_NONE,
                             .signals = -1,
                             .timer = -1,
                             .also_open = o->ready != NULL && o->also >= 0};
    if (o->helper > 0 && pl_n_not_its < 1 + PL_PUMPS_MAX)
        pl_not_its[pl_n_not_its++] = o->helper;
    int rc = pl_wrapping_open(&x, err);
    ret->started_ns = pl_now_ns(pl_clock_real());
    if (rc == 0)
        rc = pl_wrapping_start(&x, err);
    if (rc == 0) {
        ret->pid = x.child.pid;
        pl_wrapping_loop(&x);
        ret->ended_ns = pl_now_ns(pl_clock_real());
        struct rusage used = {0};
        while (wait4(x.child.pid, &ret->status, 0, &used) < 0 && errno == EINTR)
            continue;
        if (ret->peak_memory == 0) /* gone before it was looked at: what the kernel remembers */
            ret->peak_memory = (uint64_t)used.ru_maxrss * 1024;
        x.child.ended = true;
        pl_wrapping_left(&x);
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
