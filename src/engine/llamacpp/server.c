#include "engine/llamacpp/server.h"

#include "engine/llamacpp/server_impl.h"
#include "engine/llamacpp/settings.h"
#include "sys/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* llama-server learned --no-webui at b4302 (2024-12). */
#define PL_BUILD_NO_WEBUI 4400
/* The lowest verbosity at which 0.7.0 prints its buffers; older versions always print them. */
#define PL_VERBOSITY "4"

static void pl_words_take(struct pl_server_words *w, const char *data, size_t len)
{
    (void)pthread_mutex_lock(&w->lock);
    pl_log_feed(&w->log, data, len);
    for (size_t i = 0; i < len; i++)
        w->ring[(w->written + i) % PL_SERVER_RING] = data[i];
    w->written += len;
    size_t room = PL_SERVER_LOG_FILE_MAX - w->file_bytes;
    size_t keep = len < room ? len : room;
    if (w->file >= 0 && keep > 0) {
        ssize_t n = write(w->file, data, keep); /* a full disk loses the copy, not the run */
        w->file_bytes += keep;
        (void)n;
    }
    (void)pthread_mutex_unlock(&w->lock);
}

/* Reads all there is now. False at the end of the output. */
static bool pl_reader_drain(struct pl_server *srv)
{
    char buf[16384];
    for (;;) {
        ssize_t n = read(srv->child.out, buf, sizeof(buf));
        if (n > 0)
            pl_words_take(&srv->words, buf, (size_t)n);
        else if (n == 0)
            return false;
        else if (errno != EINTR)
            return errno == EAGAIN;
    }
}

static void *pl_reader_main(void *ctx)
{
    struct pl_server *srv = ctx;
    for (;;) {
        struct pollfd p[2] = {
            {.fd = srv->child.out, .events = POLLIN},
            {.fd = srv->wake,      .events = POLLIN}
        };
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        bool told = p[1].revents != 0; /* the program has ended: no more will come */
        if (!pl_reader_drain(srv) || told)
            break;
    }
    (void)pthread_mutex_lock(&srv->words.lock);
    pl_log_end(&srv->words.log);
    (void)pthread_mutex_unlock(&srv->words.lock);
    return NULL;
}

/* The reader takes no signal: they are for the thread that asks and waits. */
static int pl_reader_start(struct pl_server *srv, struct pl_err *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = -pthread_create(&srv->reader, NULL, pl_reader_main, srv);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    srv->reading = code == 0;
    return code == 0 ? 0 : pl_fail(err, code, "cannot start a thread: %s", strerror(-code));
}

void pl_server_reader_end(struct pl_server *srv)
{
    if (!srv->reading)
        return;
    uint64_t one = 1;
    ssize_t n = write(srv->wake, &one, sizeof(one));
    (void)n;
    (void)pthread_join(srv->reader, NULL);
    n = read(srv->wake, &one, sizeof(one));
    srv->reading = false;
}

static int pl_server_take_port(struct pl_server *srv, struct pl_err *err)
{
    int code = pl_port_free(srv->port_forced ? srv->port : 0, &srv->port);
    if (code < 0) {
        (void)pl_fail(err, code, "port %u: %s", (unsigned)srv->port,
                      code == -EADDRINUSE ? "something else listens on it" : strerror(-code));
        if (srv->port_forced)
            (void)pl_hint(err, "without --port a free one is chosen");
        return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    }
    (void)PL_FMT(srv->port_text, "%u", (unsigned)srv->port);
    (void)PL_FMT(srv->url, "http://127.0.0.1:%u", (unsigned)srv->port);
    pl_str_clear(&srv->command);
    for (size_t i = 0; srv->argv[i] != NULL; i++)
        pl_str_addf(&srv->command, "%s%s", i > 0 ? " " : "", srv->argv[i]);
    return 0;
}

int pl_server_launch(struct pl_server *srv, struct pl_err *err)
{
    int code = pl_server_take_port(srv, err);
    if (code < 0)
        return code;
    pl_child_done(&srv->child);
    pl_log_init(&srv->words.log);
    (void)PL_FMT(srv->words.log.report.version, "%s", srv->in.version);
    struct pl_install_env env;
    pl_llamacpp_env(&srv->in, &env);
    const struct pl_spawn how = {
        .argv = srv->argv, .env = env.env, .env_drop = env.drop, .out = PL_OUT_PIPE};
    srv->started_ns = pl_now_ns(pl_clock_real());
    code = pl_spawn(&how, &srv->child, err);
    if (code == 0)
        code = pl_reader_start(srv, err);
    if (code < 0)
        pl_child_done(&srv->child);
    return code;
}

/* program, model, the settings, then what makes it ours: later words win. */
static int pl_server_argv(struct pl_server *srv, const char *model, const struct pl_settings *s,
                          struct pl_err *err)
{
    const char *const own[] = {
        "--host",
        "127.0.0.1",
        "--port",
        srv->port_text,
        "-lv",
        PL_VERBOSITY,
        srv->in.build == 0 || srv->in.build >= PL_BUILD_NO_WEBUI ? "--no-webui" : NULL};
    const char *flags[PL_FLAG_ARGV_MAX];
    int n_flags = pl_llamacpp_argv(s, &srv->arena, flags, err);
    if (n_flags < 0)
        return n_flags;
    size_t n = pl_llamacpp_words(&srv->in, srv->in.server, srv->argv);
    if (n + (size_t)n_flags + 2 + sizeof(own) / sizeof(own[0]) > PL_SPAWN_ARGS_MAX)
        return pl_fail(err, -E2BIG, "more than %d words for the engine", PL_SPAWN_ARGS_MAX);
    srv->argv[n++] = "-m";
    srv->argv[n] = pl_arena_strdup(&srv->arena, model);
    if (srv->argv[n++] == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    for (int i = 0; i < n_flags; i++) {
        srv->argv[n] = pl_arena_strdup(&srv->arena, flags[i]); /* some are the caller's argv */
        if (srv->argv[n++] == NULL)
            return pl_fail(err, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && own[i] != NULL; i++)
        srv->argv[n++] = own[i];
    srv->argv[n] = NULL;
    return 0;
}

static int pl_server_log_file(struct pl_server *srv, const char *path, struct pl_err *err)
{
    if (path == NULL)
        return 0;
    srv->words.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (srv->words.file >= 0)
        return 0;
    int code = -errno;
    (void)pl_fail(err, code, "cannot write the engine's log: %s", strerror(-code));
    pl_err_at(err, path, 0, 0);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

static struct pl_server *pl_server_new(void)
{
    struct pl_server *srv = calloc(1, sizeof(*srv));
    if (srv == NULL)
        return NULL;
    srv->child = PL_CHILD_NONE;
    srv->words.file = -1;
    pl_arena_init(&srv->arena, PL_SERVER_ARENA_MAX);
    pl_str_init(&srv->command, PL_SERVER_ARENA_MAX);
    (void)pthread_mutex_init(&srv->words.lock, NULL);
    srv->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return srv;
}

int pl_server_start_at(const struct pl_install *in, const char *model_path,
                       const struct pl_settings *s, uint16_t port, const char *log_path,
                       struct pl_server **ret, struct pl_err *err)
{
    struct pl_server *srv = pl_server_new();
    if (srv == NULL || srv->wake < 0) {
        (void)pl_server_free(srv);
        return pl_fail(err, -ENOMEM, "out of memory or descriptors");
    }
    srv->in = *in;
    srv->port = port;
    srv->port_forced = port != 0;
    int code = pl_server_argv(srv, model_path, s, err);
    if (code == 0)
        code = pl_server_log_file(srv, log_path, err);
    if (code == 0)
        code = pl_http_new(&srv->http, err);
    if (code == 0)
        code = pl_server_launch(srv, err);
    if (code < 0) {
        (void)pl_server_free(srv);
        return code;
    }
    *ret = srv;
    return 0;
}

int pl_server_start(const struct pl_install *in, const char *model_path,
                    const struct pl_settings *s, const char *log_path, struct pl_server **ret,
                    struct pl_err *err)
{
    return pl_server_start_at(in, model_path, s, 0, log_path, ret, err);
}

pid_t pl_server_pid(const struct pl_server *srv)
{
    return srv->child.ended ? 0 : srv->child.pid;
}

int pl_server_pidfd(const struct pl_server *srv)
{
    return srv->child.pidfd;
}

uint16_t pl_server_port(const struct pl_server *srv)
{
    return srv->port;
}

const char *pl_server_url(const struct pl_server *srv)
{
    return srv->url;
}

const char *pl_server_command(const struct pl_server *srv)
{
    return pl_str_get(&srv->command);
}

const char *pl_server_log_tail(struct pl_server *srv)
{
    struct pl_server_words *w = &srv->words;
    (void)pthread_mutex_lock(&w->lock);
    uint64_t n = w->written < PL_SERVER_RING ? w->written : PL_SERVER_RING;
    for (uint64_t i = 0; i < n; i++) {
        char c = w->ring[(w->written - n + i) % PL_SERVER_RING];
        srv->tail[i] = c == '\0' ? '?' : c;
    }
    srv->tail[n] = '\0';
    bool cut = w->written > n;
    (void)pthread_mutex_unlock(&w->lock);
    const char *first = cut ? strchr(srv->tail, '\n') : NULL;
    return first != NULL ? first + 1 : srv->tail;
}
