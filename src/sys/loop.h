/* A small event loop over epoll: descriptors, timers, signals, the end of children. One loop per
 * thread. Time comes from a struct pl_clock; on a made-up clock nothing ever waits: when no
 * descriptor is ready the loop moves the clock to the next timer by its own sleep function. */
#ifndef PL_SYS_LOOP_H
#define PL_SYS_LOOP_H

#include "base/clock.h"
#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define PL_LOOP_FDS_MAX 4096
#define PL_LOOP_TIMERS_MAX 4096

struct pl_loop;

typedef void pl_loop_fd_fn(struct pl_loop *loop, int fd, uint32_t events, void *ctx);
typedef void pl_loop_timer_fn(struct pl_loop *loop, uint64_t id, void *ctx);
typedef void pl_loop_signal_fn(struct pl_loop *loop, int signo, void *ctx);

/* clock NULL = the machine's. Free with pl_loop_free (accepts NULL, returns NULL). */
int pl_loop_new(const struct pl_clock *clock, struct pl_loop **ret, struct pl_err *err);
struct pl_loop *pl_loop_free(struct pl_loop *loop);

/* Watches fd for EPOLL* events, or changes what is watched. The descriptor stays the caller's, who
 * must drop it before closing it. Calls from inside callbacks are fine, for any descriptor. A
 * pidfd becomes EPOLLIN when its process ends. */
int pl_loop_fd(struct pl_loop *loop, int fd, uint32_t events, pl_loop_fd_fn *fn, void *ctx,
               struct pl_err *err);
void pl_loop_fd_drop(struct pl_loop *loop, int fd);

/* Calls fn after delay_ns, and then every period_ns when that is not 0. A late timer runs once, not
 * once per missed period. *ret_id (may be NULL) names it; ids are never used twice. */
int pl_loop_timer(struct pl_loop *loop, uint64_t delay_ns, uint64_t period_ns, pl_loop_timer_fn *fn,
                  void *ctx, uint64_t *ret_id, struct pl_err *err);
void pl_loop_timer_drop(struct pl_loop *loop, uint64_t id); /* unknown ids are fine */

/* Takes the signals of set out of the thread's normal delivery and into fn, until the loop is
 * freed. Once per loop; -EALREADY after that. */
int pl_loop_signals(struct pl_loop *loop, const sigset_t *set, pl_loop_signal_fn *fn, void *ctx,
                    struct pl_err *err);

/* Waits for events and runs their callbacks once, for at most max_wait_ns. */
int pl_loop_step(struct pl_loop *loop, uint64_t max_wait_ns, struct pl_err *err);

/* Steps until pl_loop_quit is called. */
int pl_loop_run(struct pl_loop *loop, struct pl_err *err);
void pl_loop_quit(struct pl_loop *loop);

uint64_t pl_loop_now(const struct pl_loop *loop);

#endif
