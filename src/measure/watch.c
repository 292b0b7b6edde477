#include "measure/watch.h"

#include "base/clock.h"
#include "sys/proc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct pl_watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    pid_t pid;
    uint64_t period_ns;
    struct pl_sample peak;
};

static void pl_most(uint64_t *a, uint64_t b)
{
    if (b > *a)
        *a = b;
}

static void pl_watch_take(struct pl_watch *w, const struct pl_root *root)
{
    struct pl_sample s = {0};
    if (pl_proc_sample(root, w->pid, &s, NULL) < 0)
        return;
    w->peak.at_ns = s.at_ns;
    pl_most(&w->peak.rss_anon, s.rss_anon);
    pl_most(&w->peak.rss_shmem, s.rss_shmem);
    pl_most(&w->peak.rss_file, s.rss_file);
    pl_most(&w->peak.swap, s.swap);
    pl_most(&w->peak.locked, s.locked);
}

static void *pl_watch_main(void *ctx)
{
    struct pl_watch *w = ctx;
    struct pl_root root;
    if (pl_root_open(NULL, &root, NULL) < 0)
        return NULL;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        pl_watch_take(w, &root);
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t ns = (uint64_t)until.tv_nsec + w->period_ns;
        until.tv_sec += (time_t)(ns / PL_S_NS);
        until.tv_nsec = (long)(ns % PL_S_NS);
        (void)pthread_cond_timedwait(&w->wake, &w->lock, &until);
    }
    (void)pthread_mutex_unlock(&w->lock);
    pl_root_done(&root);
    return NULL;
}

int pl_watch_start(pid_t pid, uint64_t period_ns, struct pl_watch **ret, struct pl_err *err)
{
    struct pl_watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return pl_fail(err, -ENOMEM, "no memory to watch the engine");
    w->pid = pid;
    w->period_ns = period_ns;
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&w->lock, NULL);
    /* Signals are for the main thread. */
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&w->thread, NULL, pl_watch_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        free(w);
        return pl_fail(err, -rc, "cannot start a thread: %s", strerror(rc));
    }
    *ret = w;
    return 0;
}

struct pl_sample pl_watch_peak(struct pl_watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    struct pl_sample s = w->peak;
    (void)pthread_mutex_unlock(&w->lock);
    return s;
}

struct pl_watch *pl_watch_stop(struct pl_watch *w)
{
    if (w == NULL)
        return NULL;
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->wake);
    free(w);
    return NULL;
}
