/* The real engine, and everything that can go wrong with it. Skipped where there is none. The model
 * is a ghost of a small catalogue model: no weights, almost no disk. */
#include "../unit/test.h"

#include "base/clock.h"
#include "engine/llamacpp/find.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/server.h"
#include "engine/llamacpp/settings.h"
#include "model/ghost.h"
#include "model/open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_NS (120 * PL_S_NS) /* limits that only a broken test reaches */

static struct {
    struct pl_install engine;
    struct pl_model *model;
    char dir[64], ghost[80], bad[80], script[80];
} t;

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
    (void)state;
    struct pl_err err = {0};
    struct pl_ghost_written written;
    (void)PL_FMT(t.dir, "/tmp/plimsoll-fault.XXXXXX");
    if (mkdtemp(t.dir) == NULL)
        return -1;
    (void)PL_FMT(t.ghost, "%s/ghost.gguf", t.dir);
    (void)PL_FMT(t.bad, "%s/bad.gguf", t.dir);
    (void)PL_FMT(t.script, "%s/script", t.dir);
    write_text(t.bad, "this is no model\n", 0644);
    if (pl_model_open("qwen3-0.6b:q8_0", &t.model, &err) < 0 ||
        pl_ghost_write(t.model, t.ghost, &(struct pl_ghost_options){0}, &written, &err) < 0) {
        (void)fprintf(stderr, "# %s\n", err.what);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(t.ghost);
    (void)unlink(t.bad);
    (void)unlink(t.script);
    (void)rmdir(t.dir);
    t.model = pl_model_free(t.model);
    return 0;
}

static struct pl_settings small(void)
{
    struct pl_settings s;
    pl_llamacpp_defaults(&s);
    s.n_ctx = 2048;
    s.n_parallel = 2;
    s.n_threads = s.n_threads_batch = 1;
    s.repack = false; /* no copies of the weights: loads in no time */
    return s;
}

static struct pl_server *started(const char *model)
{
    struct pl_server *srv = NULL;
    struct pl_err err = {0};
    struct pl_settings s = small();
    if (pl_server_start(&t.engine, model, &s, NULL, &srv, &err) < 0)
        fail_msg("%s", err.what);
    return srv;
}

static struct pl_server *ready(struct pl_engine_report *r)
{
    struct pl_server *srv = started(t.ghost);
    struct pl_err err = {0};
    if (pl_server_wait_ready(srv, READY_NS, NULL, r, &err) < 0)
        fail_msg("%s", err.what);
    return srv;
}

static void no_child_is_left(void)
{
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void ended_with(struct pl_server *srv, int code, enum pl_exit exit_code, enum pl_death death,
                       const char *words)
{
    struct pl_engine_report r;
    struct pl_err err = {0};
    assert_int_equal(pl_server_wait_ready(srv, READY_NS, NULL, &r, &err), code);
    assert_int_equal(err.exit_code, exit_code);
    assert_int_equal(pl_server_death(srv), death);
    if (strstr(err.what, words) == NULL)
        fail_msg("'%s' is not in: %s", words, err.what);
    assert_null(pl_server_free(srv));
    no_child_is_left();
}

static void from_start_to_stop(void **state)
{
    (void)state;
    struct pl_engine_report r;
    struct pl_server *srv = ready(&r);
    struct pl_settings s = small();
    struct pl_resolved asked;
    struct pl_timing timing;
    struct pl_err err = {0};
    struct pl_net net = {0};
    assert_int_equal(pl_llamacpp_net(t.model, &net, &err), 0);
    assert_int_equal(pl_llamacpp_resolve(&s, &net, &asked, &err), 0);
    pl_net_done(&net);
    if (pl_server_check(&r, &asked, &err) < 0)
        fail_msg("%s", err.what);
    asked.n_ctx *= 2;
    assert_int_equal(pl_server_check(&r, &asked, &err), -EPROTO);
    assert_non_null(strstr(err.what, "2048"));
    assert_non_null(strstr(err.what, "4096"));
    assert_int_equal(r.n_ctx, 2048);
    assert_int_equal(r.n_slots, 2);
    assert_int_equal(r.n_ctx_slot, 1024);
    assert_true(r.weights_mapped.known && r.kv.known && r.compute.known);
    assert_true(r.kv.bytes == 28ull * 2048 * 1024 * 2 * 2); /* layers, cells, width, K and V, f16 */
    for (uint64_t prompt = 1; prompt <= 64; prompt *= 8) {
        assert_int_equal(pl_server_complete(srv, prompt, 3, NULL, &timing, &err), 0);
        assert_int_equal(timing.prompt_tokens, prompt);
        assert_int_equal(timing.predicted_tokens, 3);
        assert_true(timing.prompt_tokens_per_second > 0);
        assert_true(timing.predicted_tokens_per_second > 0);
        assert_true(timing.first_token_ms > 0);
    }
    assert_int_equal(pl_server_complete(srv, 5000, 3, NULL, &timing, &err), -EINVAL);
    assert_non_null(strstr(err.what, "context"));
    assert_true(pl_server_pid(srv) > 0);
    assert_int_equal(pl_server_stop(srv, &err), 0);
    assert_int_equal(pl_server_pid(srv), 0);
    assert_int_equal(pl_server_death(srv), PL_DEATH_NONE);
    assert_non_null(strstr(pl_server_log_tail(srv), "cleaning up"));
    assert_null(pl_server_free(srv));
    no_child_is_left();
}

static void a_model_that_is_none(void **state)
{
    (void)state;
    ended_with(started(t.bad), -EBADMSG, PL_EXIT_USAGE, PL_DEATH_MODEL, "invalid magic");
    ended_with(started("/nonexistent.gguf"), -EBADMSG, PL_EXIT_USAGE, PL_DEATH_MODEL,
               "nonexistent");
}

static void a_flag_it_does_not_know(void **state)
{
    (void)state;
    struct pl_settings s = small();
    struct pl_server *srv = NULL;
    s.pass[s.n_pass++] = "--nonsense";
    assert_int_equal(pl_server_start(&t.engine, t.ghost, &s, NULL, &srv, NULL), 0);
    ended_with(srv, -EINVAL, PL_EXIT_USAGE, PL_DEATH_FLAG, "--nonsense");
}

/* The engine, started by a script that does something first. */
static struct pl_install wrapped(const char *first)
{
    const char *words[PL_INSTALL_WORDS];
    char script[4 * PL_INSTALL_PATH_MAX];
    (void)PL_FMT(script, "#!/bin/sh\n%sexec", first);
    size_t n = pl_llamacpp_words(&t.engine, t.engine.server, words);
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(script);
        (void)pl_fmt(script + at, sizeof(script) - at, " '%s'", words[i]);
    }
    size_t at = strlen(script);
    assert_true(pl_fmt(script + at, sizeof(script) - at, " \"$@\"\n"));
    write_text(t.script, script, 0755);
    struct pl_install in = {.engine = "llama.cpp"};
    (void)PL_FMT(in.server, "%s", t.script);
    return in;
}

static void more_memory_than_there_is(void **state)
{
    (void)state;
    struct pl_settings s = small();
    struct pl_server *srv = NULL;
    struct pl_install in = wrapped("ulimit -v 4194304\n"); /* an address space of 4 GiB */
    s.n_ctx = 1000000;                                     /* 107 GiB of cache */
    assert_int_equal(pl_server_start(&in, t.ghost, &s, NULL, &srv, NULL), 0);
    ended_with(srv, -ENOMEM, PL_EXIT_NO, PL_DEATH_MEMORY, "alloc");
}

static void a_port_that_is_taken(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    struct pl_settings s = small();
    struct pl_server *srv = NULL;
    struct pl_err err = {0};
    uint16_t port = ntohs(sa.sin_port);
    assert_int_equal(pl_server_start_at(&t.engine, t.ghost, &s, port, NULL, &srv, &err),
                     -EADDRINUSE);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    assert_null(srv);
    (void)close(fd);
    no_child_is_left();
}

/* Somebody took the port between our choice and the engine's bind: the first start says so and
 * ends, as the real one does, the second is the real one. */
static void a_port_lost_in_a_race_is_replaced(void **state)
{
    (void)state;
    struct pl_install in = wrapped("[ -e \"$0.tried\" ] || {\n"
                                   "  : >\"$0.tried\"\n"
                                   "  echo \"start: couldn't bind HTTP server socket\"\n"
                                   "  exit 1\n"
                                   "}\n");
    struct pl_settings s = small();
    struct pl_server *srv = NULL;
    struct pl_engine_report r;
    struct pl_err err = {0};
    char tried[96];
    (void)PL_FMT(tried, "%s.tried", t.script);
    assert_int_equal(pl_server_start(&in, t.ghost, &s, NULL, &srv, &err), 0);
    if (pl_server_wait_ready(srv, READY_NS, NULL, &r, &err) < 0)
        fail_msg("%s", err.what);
    assert_int_equal(r.n_ctx, 2048);
    assert_int_equal(pl_server_death(srv), PL_DEATH_NONE);
    assert_null(pl_server_free(srv));
    assert_int_equal(unlink(tried), 0);
    no_child_is_left();
}

static void killed_while_loading(void **state)
{
    (void)state;
    struct pl_server *srv = started(t.ghost);
    assert_int_equal(kill(pl_server_pid(srv), SIGKILL), 0);
    ended_with(srv, -ECHILD, PL_EXIT_ENVIRONMENT, PL_DEATH_KILLED, "killed by signal 9");
}

static void killed_while_serving(void **state)
{
    (void)state;
    struct pl_engine_report r;
    struct pl_server *srv = ready(&r);
    struct pl_timing timing;
    struct pl_err err = {0};
    pid_t engine = pl_server_pid(srv);
    assert_int_equal(kill(engine, SIGSTOP), 0); /* so that it cannot answer before */
    pid_t killer = fork();
    if (killer == 0) {
        (void)usleep(300000); /* mostly the request below is sent by then */
        (void)kill(engine, SIGKILL);
        _exit(0);
    }
    assert_int_equal(pl_server_complete(srv, 500, 500, NULL, &timing, &err), -ECHILD);
    assert_non_null(strstr(err.what, "killed by signal 9"));
    assert_int_equal(pl_server_death(srv), PL_DEATH_KILLED);
    assert_int_equal(waitpid(killer, NULL, 0), killer);
    assert_null(pl_server_free(srv));
    no_child_is_left();
}

static void a_hanging_engine_is_given_up_and_removed(void **state)
{
    (void)state;
    struct pl_server *srv = started(t.ghost);
    struct pl_engine_report r;
    struct pl_err err = {0};
    assert_int_equal(kill(pl_server_pid(srv), SIGSTOP), 0);
    assert_int_equal(pl_server_wait_ready(srv, PL_S_NS, NULL, &r, &err), -ETIMEDOUT);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    assert_non_null(strstr(err.what, "within 1 s"));
    assert_null(pl_server_free(srv));
    no_child_is_left();
}

static volatile sig_atomic_t stop_now;

static void on_alarm(int signo)
{
    (void)signo;
    stop_now = 1;
}

/* Interrupted by the user while the engine hangs in a request, and while it loads. */
static void an_interruption_ends_every_wait(void **state)
{
    (void)state;
    struct pl_engine_report r;
    struct pl_server *srv = ready(&r);
    struct pl_timing timing;
    struct pl_err err = {0};
    (void)signal(SIGALRM, on_alarm);
    stop_now = 0;
    assert_int_equal(kill(pl_server_pid(srv), SIGSTOP), 0);
    (void)alarm(1);
    assert_int_equal(pl_server_complete(srv, 10, 10, &stop_now, &timing, &err), -EINTR);
    assert_null(pl_server_free(srv));
    srv = started(t.ghost);
    assert_int_equal(pl_server_wait_ready(srv, READY_NS, &stop_now, &r, &err), -EINTR);
    assert_null(pl_server_free(srv));
    (void)signal(SIGALRM, SIG_DFL);
    no_child_is_left();
}

/* plimsoll itself is killed: the kernel ends the engine. */
static void a_killed_parent_leaves_no_engine(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct pl_engine_report r;
        pid_t engine = pl_server_pid(ready(&r));
        if (write(ends[1], &engine, sizeof(engine)) != (ssize_t)sizeof(engine))
            _exit(1);
        for (;;)
            (void)pause();
    }
    pid_t engine = 0;
    assert_int_equal(read(ends[0], &engine, sizeof(engine)), sizeof(engine));
    int pidfd = (int)syscall(SYS_pidfd_open, engine, 0u);
    assert_true(pidfd >= 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0); /* it runs */
    assert_int_equal(kill(middle, SIGKILL), 0);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    assert_int_equal(poll(&p, 1, 60000), 1); /* it has ended */
    (void)close(pidfd);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A program that says megabytes and never serves: bounded memory, and no blocked pipe. */
static void an_engine_that_never_stops_talking(void **state)
{
    (void)state;
    struct pl_install chatty = {.engine = "llama.cpp"};
    struct pl_settings s = small();
    struct pl_server *srv = NULL;
    struct pl_engine_report r;
    write_text(t.script, "#!/bin/sh\nexec yes 'out of words, never out of breath'\n", 0755);
    (void)PL_FMT(chatty.server, "%s", t.script);
    assert_int_equal(pl_server_start(&chatty, t.ghost, &s, NULL, &srv, NULL), 0);
    assert_int_equal(pl_server_wait_ready(srv, PL_S_NS / 2, NULL, &r, NULL), -ETIMEDOUT);
    size_t n = strlen(pl_server_log_tail(srv));
    assert_true(n > 32 * 1024 && n <= 64 * 1024);
    assert_null(pl_server_free(srv));
    no_child_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_start_to_stop),
        cmocka_unit_test(a_model_that_is_none),
        cmocka_unit_test(a_flag_it_does_not_know),
        cmocka_unit_test(more_memory_than_there_is),
        cmocka_unit_test(a_port_that_is_taken),
        cmocka_unit_test(a_port_lost_in_a_race_is_replaced),
        cmocka_unit_test(killed_while_loading),
        cmocka_unit_test(killed_while_serving),
        cmocka_unit_test(a_hanging_engine_is_given_up_and_removed),
        cmocka_unit_test(an_interruption_ends_every_wait),
        cmocka_unit_test(a_killed_parent_leaves_no_engine),
        cmocka_unit_test(an_engine_that_never_stops_talking),
    };
    struct pl_err err = {0};
    if (pl_llamacpp_find(NULL, &t.engine, &err) < 0) {
        (void)printf("1..0 # SKIP %s\n", err.what);
        return 0;
    }
    return cmocka_run_group_tests_name("engine_death", tests, set_up, tear_down);
}
