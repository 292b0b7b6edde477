#include "test.h"

#include "sys/loop.h"
#include "sys/spawn.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint64_t made_up_ns;

static uint64_t made_up_now(void *ctx)
{
    (void)ctx;
    return made_up_ns;
}

static void made_up_sleep(void *ctx, uint64_t ns)
{
    (void)ctx;
    made_up_ns += ns;
}

static const struct pl_clock made_up = {.now_ns = made_up_now, .sleep_ns = made_up_sleep};

struct trace {
    char text[256];
    uint64_t first_id;
    uint32_t runs;
    int fds[2];
};

static void note(struct trace *t, const char *word)
{
    size_t n = strlen(t->text);
    (void)pl_fmt(t->text + n, sizeof(t->text) - n, "%s@%llu ", word,
                 (unsigned long long)(made_up_ns / PL_S_NS));
}

static void on_tick(struct pl_loop *l, uint64_t id, void *ctx)
{
    struct trace *t = ctx;
    note(t, "tick");
    if (++t->runs == 3)
        pl_loop_timer_drop(l, id);
}

static void on_end(struct pl_loop *l, uint64_t id, void *ctx)
{
    (void)id;
    note(ctx, "end");
    pl_loop_quit(l);
}

static void on_never(struct pl_loop *l, uint64_t id, void *ctx)
{
    (void)l, (void)id;
    note(ctx, "never");
}

static void on_drop(struct pl_loop *l, uint64_t id, void *ctx)
{
    (void)id;
    struct trace *t = ctx;
    note(t, "drop");
    pl_loop_timer_drop(l, t->first_id);
}

/* An hour of timers takes no time at all. */
static void timers_run_in_order_on_a_made_up_clock(void **state)
{
    (void)state;
    made_up_ns = 0;
    struct trace t = {0};
    struct pl_loop *l = NULL;
    assert_int_equal(pl_loop_new(&made_up, &l, NULL), 0);
    assert_int_equal(pl_loop_timer(l, 3600 * PL_S_NS, 0, on_end, &t, NULL, NULL), 0);
    assert_int_equal(pl_loop_timer(l, 60 * PL_S_NS, 60 * PL_S_NS, on_tick, &t, NULL, NULL), 0);
    assert_int_equal(pl_loop_timer(l, 100 * PL_S_NS, 0, on_never, &t, &t.first_id, NULL), 0);
    assert_int_equal(pl_loop_timer(l, 90 * PL_S_NS, 0, on_drop, &t, NULL, NULL), 0);
    assert_int_equal(pl_loop_run(l, NULL), 0);
    assert_string_equal(t.text, "tick@60 drop@90 tick@120 tick@180 end@3600 ");
    l = pl_loop_free(l);
    assert_null(l);
}

static void a_late_timer_runs_once(void **state)
{
    (void)state;
    made_up_ns = 0;
    struct trace t = {0};
    struct pl_loop *l = NULL;
    assert_int_equal(pl_loop_new(&made_up, &l, NULL), 0);
    assert_int_equal(pl_loop_timer(l, PL_S_NS, PL_S_NS, on_tick, &t, NULL, NULL), 0);
    made_up_ns = 10 * PL_S_NS + 1;
    assert_int_equal(pl_loop_step(l, 0, NULL), 0);
    assert_int_equal(t.runs, 1);
    assert_int_equal(pl_loop_step(l, PL_S_NS, NULL), 0);
    assert_string_equal(t.text, "tick@10 tick@11 ");
    (void)pl_loop_free(l);
}

static void on_both(struct pl_loop *l, int fd, uint32_t events, void *ctx)
{
    (void)events;
    struct trace *t = ctx;
    t->runs++;
    /* Whichever comes first removes both: the other's waiting event must not be delivered. */
    (void)fd;
    pl_loop_fd_drop(l, t->fds[0]);
    pl_loop_fd_drop(l, t->fds[1]);
}

static void a_dropped_descriptor_is_not_called_in_the_same_round(void **state)
{
    (void)state;
    made_up_ns = 0;
    struct trace t = {0};
    int a[2], b[2];
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    t.fds[0] = a[0];
    t.fds[1] = b[0];
    struct pl_loop *l = NULL;
    assert_int_equal(pl_loop_new(&made_up, &l, NULL), 0);
    assert_int_equal(pl_loop_fd(l, a[0], EPOLLIN, on_both, &t, NULL), 0);
    assert_int_equal(pl_loop_fd(l, b[0], EPOLLIN, on_both, &t, NULL), 0);
    assert_int_equal(pl_loop_step(l, 0, NULL), 0);
    assert_int_equal(pl_loop_step(l, 0, NULL), 0);
    assert_int_equal(t.runs, 1);
    struct pl_err err = {0};
    assert_int_equal(pl_loop_fd(l, -1, EPOLLIN, on_both, &t, &err), -EBADF);
    (void)pl_loop_free(l);
    for (size_t i = 0; i < 2; i++) {
        (void)close(a[i]);
        (void)close(b[i]);
    }
}

static void on_signal(struct pl_loop *l, int signo, void *ctx)
{
    *(int *)ctx = signo;
    pl_loop_quit(l);
}

static void signals_arrive_in_the_loop(void **state)
{
    (void)state;
    struct pl_loop *l = NULL;
    int got = 0;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    assert_int_equal(pl_loop_new(NULL, &l, NULL), 0);
    assert_int_equal(pl_loop_signals(l, &set, on_signal, &got, NULL), 0);
    assert_int_equal(pl_loop_signals(l, &set, on_signal, &got, NULL), -EALREADY);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(pl_loop_run(l, NULL), 0);
    assert_int_equal(got, SIGUSR2);
    (void)pl_loop_free(l);
}

static void on_child(struct pl_loop *l, int fd, uint32_t events, void *ctx)
{
    (void)events;
    struct pl_child *c = ctx;
    pl_loop_fd_drop(l, fd);
    assert_int_equal(pl_child_wait(c, 0, NULL), 0);
    pl_loop_quit(l);
}

static void the_end_of_a_child_is_an_event(void **state)
{
    (void)state;
    struct pl_loop *l = NULL;
    struct pl_child c = PL_CHILD_NONE;
    const char *const argv[] = {"true", NULL};
    assert_int_equal(pl_loop_new(NULL, &l, NULL), 0);
    assert_int_equal(pl_spawn(&(struct pl_spawn){.argv = argv}, &c, NULL), 0);
    assert_int_equal(pl_loop_fd(l, c.pidfd, EPOLLIN, on_child, &c, NULL), 0);
    assert_int_equal(pl_loop_run(l, NULL), 0);
    assert_true(c.ended);
    assert_int_equal(c.status, 0);
    pl_child_done(&c);
    (void)pl_loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order_on_a_made_up_clock),
        cmocka_unit_test(a_late_timer_runs_once),
        cmocka_unit_test(a_dropped_descriptor_is_not_called_in_the_same_round),
        cmocka_unit_test(signals_arrive_in_the_loop),
        cmocka_unit_test(the_end_of_a_child_is_an_event),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
