#include "sys/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PL_LOOP_EVENTS 64

struct pl_loop_fd {
    int fd;              /* -1 = free place */
    uint32_t generation; /* tells an event meant for a former user of this place */
    pl_loop_fd_fn *fn;
    void *ctx;
};

struct pl_loop_timer {
    uint64_t id; /* 0 = free place */
    uint64_t due_ns, period_ns;
    pl_loop_timer_fn *fn;
    void *ctx;
};

struct pl_loop {
    const struct pl_clock *clock;
    int epoll;
    bool quit;
    struct pl_loop_fd *fds;
    size_t n_fds;
    struct pl_loop_timer *timers;
    size_t n_timers;
    uint64_t next_id;
    int signals; /* signalfd, or -1 */
    sigset_t before;
    pl_loop_signal_fn *signal_fn;
    void *signal_ctx;
};

int pl_loop_new(const struct pl_clock *clock, struct pl_loop **ret, struct pl_err *err)
{
    struct pl_loop *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    l->clock = clock != NULL ? clock : pl_clock_real();
    l->next_id = 1;
    l->signals = -1;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        int code = -errno;
        free(l);
        return pl_fail(err, code, "epoll: %s", strerror(-code));
    }
    *ret = l;
    return 0;
}

struct pl_loop *pl_loop_free(struct pl_loop *l)
{
    if (l == NULL)
        return NULL;
    if (l->signals >= 0) {
        (void)close(l->signals);
        (void)pthread_sigmask(SIG_SETMASK, &l->before, NULL);
    }
    (void)close(l->epoll);
    free(l->fds);
    free(l->timers);
    free(l);
    return NULL;
}

uint64_t pl_loop_now(const struct pl_loop *l)
{
    return pl_now_ns(l->clock);
}

void pl_loop_quit(struct pl_loop *l)
{
    l->quit = true;
}

static struct pl_loop_fd *pl_loop_find(struct pl_loop *l, int fd)
{
    for (size_t i = 0; i < l->n_fds; i++) {
        if (l->fds[i].fd == fd)
            return &l->fds[i];
    }
    return NULL;
}

/* A free place in a table of n entries of one size: an old one, or one more. Returns its index, or
 * SIZE_MAX. */
static size_t pl_loop_grow(void **table, size_t *n, size_t size, size_t max)
{
    if (*n >= max)
        return SIZE_MAX;
    void *p = reallocarray(*table, *n + 1, size);
    if (p == NULL)
        return SIZE_MAX;
    *table = p;
    memset((char *)p + *n * size, 0, size);
    return (*n)++;
}

static struct pl_loop_fd *pl_loop_place(struct pl_loop *l)
{
    struct pl_loop_fd *f = pl_loop_find(l, -1);
    if (f != NULL)
        return f;
    void *table = l->fds;
    size_t i = pl_loop_grow(&table, &l->n_fds, sizeof(*f), PL_LOOP_FDS_MAX);
    l->fds = table;
    if (i == SIZE_MAX)
        return NULL;
    l->fds[i].fd = -1;
    return &l->fds[i];
}

int pl_loop_fd(struct pl_loop *l, int fd, uint32_t events, pl_loop_fd_fn *fn, void *ctx,
               struct pl_err *err)
{
    if (fd < 0)
        return pl_fail(err, -EBADF, "not a descriptor");
    struct pl_loop_fd *f = pl_loop_find(l, fd);
    int op = f != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (f == NULL)
        f = pl_loop_place(l);
    if (f == NULL)
        return pl_fail(err, -ENOSPC, "more than %d descriptors in one loop", PL_LOOP_FDS_MAX);
    uint64_t place = (uint64_t)(f - l->fds);
    struct epoll_event e = {.events = events, .data.u64 = (uint64_t)f->generation << 32 | place};
    if (epoll_ctl(l->epoll, op, fd, &e) < 0) {
        int code = -errno;
        return pl_fail(err, code, "epoll: %s", strerror(-code));
    }
    f->fd = fd;
    f->fn = fn;
    f->ctx = ctx;
    return 0;
}

void pl_loop_fd_drop(struct pl_loop *l, int fd)
{
    struct pl_loop_fd *f = fd >= 0 ? pl_loop_find(l, fd) : NULL;
    if (f == NULL)
        return;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
    f->fd = -1;
    f->generation++;
}

int pl_loop_timer(struct pl_loop *l, uint64_t delay_ns, uint64_t period_ns, pl_loop_timer_fn *fn,
                  void *ctx, uint64_t *ret_id, struct pl_err *err)
{
    size_t i = 0;
    while (i < l->n_timers && l->timers[i].id != 0)
        i++;
    if (i == l->n_timers) {
        void *table = l->timers;
        i = pl_loop_grow(&table, &l->n_timers, sizeof(*l->timers), PL_LOOP_TIMERS_MAX);
        l->timers = table;
        if (i == SIZE_MAX)
            return pl_fail(err, -ENOSPC, "more than %d timers in one loop", PL_LOOP_TIMERS_MAX);
    }
    uint64_t due = pl_now_ns(l->clock);
    due = due > UINT64_MAX - delay_ns ? UINT64_MAX : due + delay_ns;
    l->timers[i] = (struct pl_loop_timer){
        .id = l->next_id++, .due_ns = due, .period_ns = period_ns, .fn = fn, .ctx = ctx};
    if (ret_id != NULL)
        *ret_id = l->timers[i].id;
    return 0;
}

void pl_loop_timer_drop(struct pl_loop *l, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < l->n_timers; i++) {
        if (l->timers[i].id == id)
            l->timers[i].id = 0;
    }
}

static void pl_loop_on_signal(struct pl_loop *l, int fd, uint32_t events, void *ctx)
{
    (void)events, (void)ctx;
    struct signalfd_siginfo si;
    while (l->signals >= 0 && read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
        l->signal_fn(l, (int)si.ssi_signo, l->signal_ctx);
}

int pl_loop_signals(struct pl_loop *l, const sigset_t *set, pl_loop_signal_fn *fn, void *ctx,
                    struct pl_err *err)
{
    if (l->signals >= 0)
        return pl_fail(err, -EALREADY, "this loop takes signals already");
    int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        int code = -errno;
        return pl_fail(err, code, "signalfd: %s", strerror(-code));
    }
    int code = pl_loop_fd(l, fd, EPOLLIN, pl_loop_on_signal, NULL, err);
    if (code < 0) {
        (void)close(fd);
        return code;
    }
    (void)pthread_sigmask(SIG_BLOCK, set, &l->before);
    l->signals = fd;
    l->signal_fn = fn;
    l->signal_ctx = ctx;
    return 0;
}

/* The timer that is due first, or NULL. */
static struct pl_loop_timer *pl_loop_first(struct pl_loop *l)
{
    struct pl_loop_timer *first = NULL;
    for (size_t i = 0; i < l->n_timers; i++) {
        struct pl_loop_timer *t = &l->timers[i];
        /* Of two due at the same time, the one asked for first. */
        if (t->id != 0 && (first == NULL || t->due_ns < first->due_ns ||
                           (t->due_ns == first->due_ns && t->id < first->id)))
            first = t;
    }
    return first;
}

/* Runs every timer due at now: those that a callback starts are left for the next step. */
static void pl_loop_run_timers(struct pl_loop *l)
{
    uint64_t now = pl_now_ns(l->clock);
    uint64_t last = l->next_id;
    for (size_t n = 0; n < PL_LOOP_TIMERS_MAX; n++) {
        struct pl_loop_timer *t = pl_loop_first(l);
        if (t == NULL || t->due_ns > now || t->id >= last)
            return;
        struct pl_loop_timer copy = *t;
        if (t->period_ns == 0) {
            t->id = 0;
        } else {
            uint64_t missed = (now - t->due_ns) / t->period_ns;
            t->due_ns += (missed + 1) * t->period_ns;
        }
        copy.fn(l, copy.id, copy.ctx);
    }
}

static void pl_loop_run_fds(struct pl_loop *l, const struct epoll_event *events, int n)
{
    for (int i = 0; i < n; i++) {
        size_t place = (size_t)(events[i].data.u64 & UINT32_MAX);
        uint32_t generation = (uint32_t)(events[i].data.u64 >> 32);
        if (place >= l->n_fds)
            continue;
        struct pl_loop_fd f = l->fds[place];
        if (f.fd >= 0 && f.generation == generation)
            f.fn(l, f.fd, events[i].events, f.ctx);
    }
}

static int pl_loop_ms(uint64_t ns)
{
    uint64_t ms = ns / PL_MS_NS + (ns % PL_MS_NS != 0 ? 1 : 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int pl_loop_step(struct pl_loop *l, uint64_t max_wait_ns, struct pl_err *err)
{
    uint64_t wait = max_wait_ns;
    const struct pl_loop_timer *t = pl_loop_first(l);
    if (t != NULL) {
        uint64_t now = pl_now_ns(l->clock);
        uint64_t until = t->due_ns > now ? t->due_ns - now : 0;
        wait = until < wait ? until : wait;
    }
    bool real = l->clock == pl_clock_real();
    /* A made-up clock does not pass while we wait, unless nothing but a descriptor can end it. */
    int ms = wait == UINT64_MAX ? -1 : (real ? pl_loop_ms(wait) : 0);
    struct epoll_event events[PL_LOOP_EVENTS];
    int n = epoll_wait(l->epoll, events, PL_LOOP_EVENTS, ms);
    if (n < 0 && errno != EINTR) {
        int code = -errno;
        return pl_fail(err, code, "epoll: %s", strerror(-code));
    }
    if (n == 0 && !real && wait > 0 && wait != UINT64_MAX)
        pl_sleep_ns(l->clock, wait);
    pl_loop_run_fds(l, events, n);
    pl_loop_run_timers(l);
    return 0;
}

int pl_loop_run(struct pl_loop *l, struct pl_err *err)
{
    l->quit = false;
    while (!l->quit) {
        int code = pl_loop_step(l, UINT64_MAX, err);
        if (code < 0)
            return code;
    }
    return 0;
}
