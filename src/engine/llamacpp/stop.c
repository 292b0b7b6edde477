/* The end of an engine: wanted, or found out. */
#include "engine/llamacpp/server_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

bool pl_server_ended(struct pl_server *srv)
{
    if (srv->child.pidfd < 0)
        return true;
    if (pl_child_wait(&srv->child, 0, NULL) != 0)
        return false;
    pl_server_reader_end(srv);
    return true;
}

static enum pl_death pl_death_of(const struct pl_server *srv)
{
    /* What it said goes before how it ended: a refused allocation may end in a signal too. */
    switch (srv->words.log.cause) {
    case PL_CAUSE_MEMORY:
        return PL_DEATH_MEMORY;
    case PL_CAUSE_PORT:
        return PL_DEATH_PORT;
    case PL_CAUSE_FLAG:
        return PL_DEATH_FLAG;
    case PL_CAUSE_MODEL:
        return PL_DEATH_MODEL;
    case PL_CAUSE_NONE:
    case PL_CAUSE_OTHER:
    default:
        break;
    }
    if (WIFSIGNALED(srv->child.status) && WTERMSIG(srv->child.status) == SIGKILL)
        return PL_DEATH_KILLED;
    return PL_DEATH_OTHER;
}

enum pl_death pl_server_death(struct pl_server *srv)
{
    if (!pl_server_ended(srv) || srv->stopped)
        return PL_DEATH_NONE;
    return pl_death_of(srv);
}

int pl_server_died(struct pl_server *srv, struct pl_err *err)
{
    static const struct {
        enum pl_death death;
        int code;
        enum pl_exit exit_code;
        const char *what, *hint;
    } kinds[] = {
        {PL_DEATH_MEMORY, -ENOMEM,     PL_EXIT_NO,          "out of memory",         ""},
        {PL_DEATH_MODEL,  -EBADMSG,    PL_EXIT_USAGE,       "cannot load the model", ""},
        {PL_DEATH_FLAG,   -EINVAL,     PL_EXIT_USAGE,       "refuses the settings",  ""},
        {PL_DEATH_PORT,   -EADDRINUSE, PL_EXIT_ENVIRONMENT, "the port is taken",     ""},
        {PL_DEATH_KILLED, -ECHILD,     PL_EXIT_ENVIRONMENT, "was killed",
         "SIGKILL: by the kernel when memory ran out (see its log), or by hand"        },
        {PL_DEATH_OTHER,  -ECHILD,     PL_EXIT_ENVIRONMENT, "ended by itself",       ""},
    };
    enum pl_death death = pl_death_of(srv);
    size_t i = 0;
    while (kinds[i].death != death && kinds[i].death != PL_DEATH_OTHER)
        i++;
    char status[PL_STATUS_TEXT_MAX];
    const char *words = srv->words.log.error;
    (void)pl_fail(err, kinds[i].code, "llama-server %s: %s%s%s", kinds[i].what, words,
                  words[0] != '\0' ? "; " : "", pl_status_text(srv->child.status, status));
    if (kinds[i].hint[0] != '\0')
        (void)pl_hint(err, "%s", kinds[i].hint);
    return pl_exit_as(err, kinds[i].code, kinds[i].exit_code);
}

int pl_server_stop(struct pl_server *srv, struct pl_err *err)
{
    if (pl_server_ended(srv))
        return 0;
    srv->stopped = true;
    int code = pl_child_stop(&srv->child, PL_SERVER_GRACE_NS, err);
    pl_server_reader_end(srv);
    return code;
}

struct pl_server *pl_server_free(struct pl_server *srv)
{
    if (srv == NULL)
        return NULL;
    (void)pl_server_stop(srv, NULL);
    pl_server_reader_end(srv);
    pl_child_done(&srv->child);
    if (srv->wake >= 0)
        (void)close(srv->wake);
    if (srv->words.file >= 0)
        (void)close(srv->words.file);
    srv->http = pl_http_free(srv->http);
    (void)pthread_mutex_destroy(&srv->words.lock);
    pl_str_done(&srv->command);
    pl_arena_done(&srv->arena);
    free(srv);
    return NULL;
}
