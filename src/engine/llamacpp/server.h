/* A llama-server of our own: started on loopback, watched, asked, stopped. One struct pl_server is
 * one process. Every call from the thread that started it, which should be the main one: the engine
 * is killed by the kernel when that thread ends. What the engine says is read all the time by a
 * thread of ours, into a ring of fixed size and a parser, so a chatty engine fills neither the pipe
 * nor memory. */
#ifndef PL_ENGINE_LLAMACPP_SERVER_H
#define PL_ENGINE_LLAMACPP_SERVER_H

#include "domain/run.h"
#include "domain/settings.h"
#include "engine/engine.h"

#include <signal.h>
#include <sys/types.h>

struct pl_server;

/* Why an engine ended by itself. */
enum pl_death {
    PL_DEATH_NONE = 0, /* it runs, or we stopped it */
    PL_DEATH_MEMORY,   /* it asked for memory and did not get it */
    PL_DEATH_MODEL,    /* it cannot read or does not know the model */
    PL_DEATH_FLAG,     /* it refuses a flag or a combination of them */
    PL_DEATH_PORT,     /* the port is taken */
    PL_DEATH_KILLED,   /* SIGKILL from somebody: the kernel out of memory, or a person */
    PL_DEATH_OTHER,    /* a crash, or words we do not know */
};

/* Starts llama-server on 127.0.0.1 and a free port. log_path (or NULL) receives a copy of all it
 * says, at most 64 MiB. The settings are the whole truth: LLAMA_ARG_* variables of our own
 * environment are not handed on. End with pl_server_free. */
int pl_server_start(const struct pl_install *in, const char *model_path,
                    const struct pl_settings *s, const char *log_path, struct pl_server **ret,
                    struct pl_err *err);

/* The same on a given port (0 = a free one). -EADDRINUSE (exit 4) when it is taken; a port we chose
 * and lost in a race is replaced silently. */
int pl_server_start_at(const struct pl_install *in, const char *model_path,
                       const struct pl_settings *s, uint16_t port, const char *log_path,
                       struct pl_server **ret, struct pl_err *err);

/* Waits until it answers, then reads back what it really uses. -ETIMEDOUT; -EINTR when *stop (may
 * be NULL) became set; when the engine ends first: -ENOMEM (exit 1), -EBADMSG (2), -EINVAL (2),
 * -EADDRINUSE (4) or -ECHILD (4), with the engine's own line. The engine is left as it is: free
 * it. */
int pl_server_wait_ready(struct pl_server *srv, uint64_t timeout_ns,
                         const volatile sig_atomic_t *stop, struct pl_engine_report *ret,
                         struct pl_err *err);

/* What it reports now (after a stop: with the last words included). */
void pl_server_report(struct pl_server *srv, struct pl_engine_report *ret);

/* Compares what was asked with what the engine says it uses: context, slots, one cache or many.
 * -EPROTO (exit 4) names the first difference and both values; what it did not say passes. */
int pl_server_check(const struct pl_engine_report *r, const struct pl_resolved *asked,
                    struct pl_err *err);

/* One request of exactly prompt_tokens tokens that no cache can help with, and exactly
 * predict_tokens (at least 1) tokens of answer, greedily. -EINVAL when they do not fit one slot,
 * -EPROTO when the engine did something else than asked, -EINTR, -ECONNRESET/-ECHILD when it died.
 */
int pl_server_complete(struct pl_server *srv, uint64_t prompt_tokens, uint64_t predict_tokens,
                       const volatile sig_atomic_t *stop, struct pl_timing *ret,
                       struct pl_err *err);

/* An embedding of exactly `tokens` tokens, which fit one physical batch; timed as a prompt without
 * an answer. Errors as above; -EINVAL: the engine refuses it. */
int pl_server_embed(struct pl_server *srv, uint64_t tokens, const volatile sig_atomic_t *stop,
                    struct pl_timing *ret, struct pl_err *err);

/* Two short documents, ranked. */
int pl_server_rank(struct pl_server *srv, const volatile sig_atomic_t *stop, struct pl_err *err);

/* A small picture, or a second of sound, for a model with a projector; one token of answer. */
int pl_server_show(struct pl_server *srv, bool sound, const volatile sig_atomic_t *stop,
                   struct pl_err *err);

pid_t pl_server_pid(const struct pl_server *srv); /* 0 once it has ended */
int pl_server_pidfd(const struct pl_server *srv); /* readable once it has ended */
uint16_t pl_server_port(const struct pl_server *srv);
const char *pl_server_url(const struct pl_server *srv);
/* The command line as started, one string; paths included. */
const char *pl_server_command(const struct pl_server *srv);
/* Whether it still runs, and if not, why. */
enum pl_death pl_server_death(struct pl_server *srv);

/* A copy of the last of what it said, whole lines; borrowed until the next call, never NULL. */
const char *pl_server_log_tail(struct pl_server *srv);

/* SIGTERM, 5 s, SIGKILL; reads its last words. Fine when it has ended already. */
int pl_server_stop(struct pl_server *srv, struct pl_err *err);

/* Stops what still runs and frees. Accepts and returns NULL. */
struct pl_server *pl_server_free(struct pl_server *srv);

#endif
