/* What server.c, health.c, complete.c and stop.c share; nobody else includes it. */
#ifndef PL_ENGINE_LLAMACPP_SERVER_IMPL_H
#define PL_ENGINE_LLAMACPP_SERVER_IMPL_H

#include "base/arena.h"
#include "base/clock.h"
#include "engine/llamacpp/find.h"
#include "engine/llamacpp/log.h"
#include "engine/llamacpp/server.h"
#include "sys/http.h"
#include "sys/spawn.h"

#include <pthread.h>

#define PL_SERVER_ARENA_MAX (1024u * 1024u)
#define PL_SERVER_RING (64u * 1024u)                 /* of its last words kept in memory */
#define PL_SERVER_LOG_FILE_MAX (64u * 1024u * 1024u) /* written to log_path */
#define PL_SERVER_GRACE_NS (5 * PL_S_NS)

/* What the reader thread writes; the rest of us under the lock. */
struct pl_server_words {
    pthread_mutex_t lock;
    struct pl_log log;
    char ring[PL_SERVER_RING];
    uint64_t written; /* bytes ever put into the ring */
    int file;         /* of log_path, or -1 */
    uint64_t file_bytes;
};

struct pl_server {
    struct pl_install in;
    struct pl_arena arena; /* owns the words below */
    const char *argv[PL_SPAWN_ARGS_MAX + 1];
    char port_text[8];
    char url[48];
    uint16_t port;
    bool port_forced;
    struct pl_str command;
    struct pl_child child;
    pthread_t reader;
    bool reading;
    int wake; /* eventfd: the reader takes what is left and ends */
    struct pl_server_words words;
    char tail[PL_SERVER_RING + 1];
    struct pl_http *http;
    uint64_t started_ns, load_ms;
    uint64_t requests;            /* sent: no two prompts are alike */
    bool stopped;                 /* by us */
    struct pl_engine_report told; /* what its own pages say: slots */
};

/* Picks a port when none is forced, starts the program and its reader. */
int pl_server_launch(struct pl_server *srv, struct pl_err *err);

/* The size of the vocabulary, from the log. */
int pl_server_vocab(struct pl_server *srv, uint64_t *ret, struct pl_err *err);

/* Whether it has ended; then all it said has been read. */
bool pl_server_ended(struct pl_server *srv);

/* Takes what is left of the output and ends the reader. */
void pl_server_reader_end(struct pl_server *srv);

/* Fills err for an engine that ended by itself; returns its code. */
int pl_server_died(struct pl_server *srv, struct pl_err *err);

/* One request to "/path" of the engine; status 200 or an error. Its text is the engine's. */
int pl_server_ask(struct pl_server *srv, const char *path, uint64_t timeout_ns,
                  struct pl_http_response *ret, struct pl_err *err);

#endif
