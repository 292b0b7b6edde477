#include "test.h"

#include "base/clock.h"
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_NS (60 * PL_S_NS) /* a limit that only a broken test reaches */

static void no_zombie_is_left(void)
{
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void output_and_status_are_captured(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
    struct pl_str out;
    struct pl_err err = {0};
    int status = -1;
    assert_int_equal(pl_spawn_capture(argv, NULL, LONG_NS, 4096, &out, &status, &err), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_string_equal(pl_str_get(&out), "out\nerr\n");
    pl_str_done(&out);
    no_zombie_is_left();
}

static void output_is_bounded_and_drained(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; exit 5", NULL};
    struct pl_str out;
    int status = -1;
    assert_int_equal(pl_spawn_capture(argv, NULL, LONG_NS, 1000, &out, &status, NULL), 0);
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_int_equal(out.len, 999);
    assert_false(out.failed);
    pl_str_done(&out);
}

static void output_held_open_by_a_grandchild_does_not_hang(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "sleep 1000 & echo started", NULL};
    struct pl_str out;
    int status = -1;
    assert_int_equal(pl_spawn_capture(argv, NULL, LONG_NS, 1000, &out, &status, NULL), 0);
    assert_string_equal(pl_str_get(&out), "started\n");
    pl_str_done(&out);
    no_zombie_is_left();
}

static void a_program_that_does_not_exist_is_an_error_here(void **state)
{
    (void)state;
    struct pl_child c = PL_CHILD_NONE;
    struct pl_err err = {0};
    const char *const absent[] = {"/nonexistent/program", NULL};
    assert_int_equal(pl_spawn(&(struct pl_spawn){.argv = absent}, &c, &err), -ENOENT);
    assert_non_null(strstr(err.what, "/nonexistent/program"));
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    const char *const nowhere[] = {"plimsoll-no-such-program", NULL};
    assert_int_equal(pl_spawn(&(struct pl_spawn){.argv = nowhere}, &c, &err), -ENOENT);
    const char *const folder[] = {"/", NULL};
    assert_int_equal(pl_spawn(&(struct pl_spawn){.argv = folder}, &c, &err), -EACCES);
    const char *const truth[] = {"true", NULL};
    assert_int_equal(pl_spawn(&(struct pl_spawn){.argv = truth, .cwd = "/nonexistent"}, &c, &err),
                     -ENOENT);
    assert_int_equal(c.pidfd, -1);
    no_zombie_is_left();
}

static void the_environment_is_added_to_and_filtered(void **state)
{
    (void)state;
    (void)setenv("PL_TEST_KEEP", "old", 1);
    (void)setenv("PL_DROP_ONE", "1", 1);
    const char *const argv[] = {"sh", "-c", "echo $PL_TEST_KEEP-$PL_TEST_NEW-$PL_DROP_ONE-", NULL};
    const char *const env[] = {"PL_TEST_KEEP=new", "PL_TEST_NEW=x", NULL};
    const char *const drop[] = {"PL_DROP_", NULL};
    struct pl_child c = PL_CHILD_NONE;
    struct pl_spawn how = {.argv = argv, .env = env, .env_drop = drop, .out = PL_OUT_PIPE};
    assert_int_equal(pl_spawn(&how, &c, NULL), 0);
    assert_int_equal(pl_child_wait(&c, LONG_NS, NULL), 0);
    char text[64] = {0};
    assert_true(read(c.out, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "new-x--\n");
    pl_child_done(&c);
}

/* Nothing of ours reaches the child: descriptors, ignored signals, blocked signals. */
static void the_child_starts_clean(void **state)
{
    (void)state;
    int fds[20];
    for (size_t i = 0; i < 20; i++)
        fds[i] = open("/dev/null", O_RDONLY); /* not close-on-exec on purpose */
    (void)signal(SIGPIPE, SIG_IGN);
    sigset_t block, before;
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &block, &before);
    /* no pipe, whose ends the shell holds for a moment; no $$/status, where it blocks for one */
    const char *const argv[] = {
        "sh", "-c", "ls /proc/$$/fd; exec grep -E 'SigBlk|SigIgn' /proc/self/status", NULL};
    struct pl_str out;
    int status = -1;
    assert_int_equal(pl_spawn_capture(argv, NULL, LONG_NS, 4096, &out, &status, NULL), 0);
    static const char clean[] = "0\n1\n2\nSigBlk:\t0000000000000000\nSigIgn:\t";
    assert_memory_equal(pl_str_get(&out), clean, sizeof(clean) - 1);
    /* 32 and 33 are the C library's own: programs started by its posix_spawn (make's, for one) have
     * them ignored, and nobody can change that. */
    uint64_t ignored = strtoull(pl_str_get(&out) + sizeof(clean) - 1, NULL, 16);
    print_message("# ignored by the child: %llx\n", (unsigned long long)ignored);
    assert_int_equal(ignored & ~0x180000000ull, 0);
    pl_str_done(&out);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    for (size_t i = 0; i < 20; i++)
        (void)close(fds[i]);
}

static void a_wait_times_out_and_a_stop_ends_the_whole_group(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "sleep 1000 & echo $!; wait", NULL};
    struct pl_child c = PL_CHILD_NONE;
    struct pl_spawn how = {.argv = argv, .out = PL_OUT_PIPE};
    assert_int_equal(pl_spawn(&how, &c, NULL), 0);
    assert_int_equal(pl_child_wait(&c, 0, NULL), -ETIMEDOUT);
    char text[64] = {0};
    (void)fcntl(c.out, F_SETFL, 0);
    assert_true(read(c.out, text, sizeof(text) - 1) > 0);
    pid_t grandchild = (pid_t)strtol(text, NULL, 10);
    assert_true(grandchild > 0);
    assert_int_equal(kill(grandchild, 0), 0);
    assert_int_equal(pl_child_stop(&c, LONG_NS, NULL), 0);
    assert_true(c.ended);
    assert_true(WIFSIGNALED(c.status));
    assert_int_equal(WTERMSIG(c.status), SIGTERM);
    /* The pipe ends when its last writer, the grandchild, has gone. */
    assert_int_equal(read(c.out, text, sizeof(text)), 0);
    pl_child_done(&c);
    no_zombie_is_left();
}

static void a_child_that_ignores_the_request_is_killed(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done",
                                NULL};
    struct pl_child c = PL_CHILD_NONE;
    struct pl_spawn how = {.argv = argv, .out = PL_OUT_PIPE};
    assert_int_equal(pl_spawn(&how, &c, NULL), 0);
    char text[64];
    (void)fcntl(c.out, F_SETFL, 0);
    assert_true(read(c.out, text, sizeof(text)) > 0);
    assert_int_equal(pl_child_stop(&c, 20 * PL_MS_NS, NULL), 0);
    assert_int_equal(WTERMSIG(c.status), SIGKILL);
    char shown[PL_STATUS_TEXT_MAX];
    assert_string_equal(pl_status_text(c.status, shown), "killed by signal 9 (Killed)");
    pl_child_done(&c);
    pl_child_done(&c);
    no_zombie_is_left();
}

static void a_program_that_runs_too_long_is_killed(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "echo first; sleep 1000", NULL};
    struct pl_str out;
    struct pl_err err = {0};
    int status = 0;
    assert_int_equal(pl_spawn_capture(argv, NULL, 300 * PL_MS_NS, 1000, &out, &status, &err),
                     -ETIMEDOUT);
    assert_non_null(strstr(err.what, "in time"));
    pl_str_done(&out);
    no_zombie_is_left();
}

/* A process of ours starts a child and is killed without warning: the kernel must end the child. */
static void a_killed_parent_leaves_no_child(void **state)
{
    (void)state;
    int ends[2], alive[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(alive), 0); /* its write end lives in the grandchild alone */
    pid_t middle = fork();
    if (middle == 0) {
        const char *const argv[] = {"sleep", "1000", NULL};
        struct pl_child c = PL_CHILD_NONE;
        struct pl_spawn how = {.argv = argv, .out = PL_OUT_FD, .out_fd = alive[1]};
        char started = pl_spawn(&how, &c, NULL) == 0 ? 'y' : 'n';
        if (write(ends[1], &started, 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(alive[1]);
    char started = 'n';
    assert_int_equal(read(ends[0], &started, 1), 1);
    assert_int_equal(started, 'y');
    assert_int_equal(kill(middle, SIGKILL), 0);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    char c;
    assert_int_equal(read(alive[0], &c, 1), 0); /* end of file: the grandchild has gone */
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(alive[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_are_captured),
        cmocka_unit_test(output_is_bounded_and_drained),
        cmocka_unit_test(output_held_open_by_a_grandchild_does_not_hang),
        cmocka_unit_test(a_program_that_does_not_exist_is_an_error_here),
        cmocka_unit_test(the_environment_is_added_to_and_filtered),
        cmocka_unit_test(the_child_starts_clean),
        cmocka_unit_test(a_wait_times_out_and_a_stop_ends_the_whole_group),
        cmocka_unit_test(a_child_that_ignores_the_request_is_killed),
        cmocka_unit_test(a_program_that_runs_too_long_is_killed),
        cmocka_unit_test(a_killed_parent_leaves_no_child),
    };
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
