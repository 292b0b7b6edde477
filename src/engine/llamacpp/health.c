/* Whether the engine answers, and what it says it uses. */
#include "base/json.h"
#include "engine/llamacpp/server_impl.h"

#include <errno.h>
#include <string.h>

#define PL_POLL_FIRST_NS (2 * PL_MS_NS)
#define PL_POLL_MAX_NS (100 * PL_MS_NS)
#define PL_ASK_NS (1 * PL_S_NS)    /* an answer that takes longer is a hung or swapping engine */
#define PL_PORT_TRIES 5            /* ports we chose and lost to somebody */
#define PL_WORDS_NS (10 * PL_S_NS) /* without its word that it listens: believed then */

int pl_server_ask(struct pl_server *srv, const char *path, uint64_t timeout_ns,
                  struct pl_http_response *ret, struct pl_err *err)
{
    char url[80];
    (void)PL_FMT(url, "%s%s", srv->url, path);
    const struct pl_http_request q = {.url = url, .timeout_ns = timeout_ns};
    return pl_http_do(srv->http, &q, ret, err);
}

/* 1 when it is healthy, 0 when not yet. */
static int pl_server_healthy(struct pl_server *srv, uint64_t timeout_ns)
{
    struct pl_http_response r;
    int code = pl_server_ask(srv, "/health", timeout_ns, &r, NULL);
    pl_str_done(&r.body);
    return code == 0 && r.status == 200;
}

/* Its own word that it listens. Another program may have taken the port between our choice and its
 * bind, and answer in its place. */
static bool pl_server_listens(struct pl_server *srv)
{
    (void)pthread_mutex_lock(&srv->words.lock);
    bool listening = srv->words.log.listening;
    (void)pthread_mutex_unlock(&srv->words.lock);
    return listening;
}

/* The engine ended while we waited: another port when ours was lost in a race, else the end. */
static int pl_server_wait_died(struct pl_server *srv, int *tries, struct pl_err *err)
{
    if (pl_server_death(srv) == PL_DEATH_PORT && !srv->port_forced && ++*tries < PL_PORT_TRIES)
        return pl_server_launch(srv, err);
    return pl_server_died(srv, err);
}

static int pl_server_wait_healthy(struct pl_server *srv, uint64_t timeout_ns,
                                  const volatile sig_atomic_t *stop, struct pl_err *err)
{
    const struct pl_clock *clock = pl_clock_real();
    uint64_t start = pl_now_ns(clock), healthy_ns = 0, pause = PL_POLL_FIRST_NS;
    int tries = 0;
    for (;;) {
        if (stop != NULL && *stop != 0)
            return pl_fail(err, -EINTR, "interrupted while the engine loads");
        if (pl_server_ended(srv)) {
            int code = pl_server_wait_died(srv, &tries, err);
            if (code < 0)
                return code;
        }
        uint64_t now = pl_now_ns(clock), gone = now - start;
        if (gone >= timeout_ns)
            break;
        uint64_t left = timeout_ns - gone;
        if (healthy_ns == 0 && pl_server_healthy(srv, left < PL_ASK_NS ? left : PL_ASK_NS)) {
            healthy_ns = pl_now_ns(clock);
            pause = PL_POLL_FIRST_NS;
        }
        if (healthy_ns != 0 && (pl_server_listens(srv) || now > healthy_ns + PL_WORDS_NS)) {
            srv->load_ms = (healthy_ns - srv->started_ns) / PL_MS_NS;
            return 0;
        }
        (void)pl_child_wait(&srv->child, pause < left ? pause : left, NULL);
        pause = pause * 3 / 2 < PL_POLL_MAX_NS ? pause * 3 / 2 : PL_POLL_MAX_NS;
    }
    (void)pl_fail(err, -ETIMEDOUT, "the engine did not become ready within %llu s",
                  (unsigned long long)((timeout_ns + PL_S_NS - 1) / PL_S_NS));
    return pl_exit_as(err, -ETIMEDOUT, PL_EXIT_ENVIRONMENT);
}

static int pl_server_page(struct pl_server *srv, const char *path, struct pl_jdoc **ret,
                          struct pl_err *err)
{
    struct pl_http_response r;
    int code = pl_server_ask(srv, path, 10 * PL_ASK_NS, &r, err);
    if (code == 0 && r.status != 200) {
        (void)pl_fail(err, -EPROTO, "the engine answers %ld to %s", r.status, path);
        code = pl_exit_as(err, -EPROTO, PL_EXIT_ENVIRONMENT);
    }
    if (code == 0)
        code = pl_jdoc_parse(pl_str_get(&r.body), r.body.len, path, ret, err);
    pl_str_done(&r.body);
    return code;
}

/* /props and /slots. A page that is switched off or unknown to an old version leaves its figures
 * unsaid; that is no failure. */
static void pl_server_read_back(struct pl_server *srv)
{
    struct pl_jdoc *doc = NULL;
    if (pl_server_page(srv, "/props", &doc, NULL) == 0) {
        pl_jval props = pl_jdoc_root(doc);
        (void)pl_ju64(pl_jget(props, "total_slots"), &srv->told.n_slots);
        (void)pl_ju64(pl_jget(pl_jget(props, "default_generation_settings"), "n_ctx"),
                      &srv->told.n_ctx_slot);
        doc = pl_jdoc_free(doc);
    }
    if (pl_server_page(srv, "/slots", &doc, NULL) == 0) {
        pl_jval slots = pl_jdoc_root(doc);
        uint64_t n = pl_jlen(slots);
        if (n > 0) {
            srv->told.n_slots = n;
            (void)pl_ju64(pl_jget(pl_jat(slots, 0), "n_ctx"), &srv->told.n_ctx_slot);
        }
        doc = pl_jdoc_free(doc);
    }
}

void pl_server_report(struct pl_server *srv, struct pl_engine_report *ret)
{
    (void)pthread_mutex_lock(&srv->words.lock);
    *ret = srv->words.log.report;
    (void)pthread_mutex_unlock(&srv->words.lock);
    if (srv->told.n_slots != 0)
        ret->n_slots = srv->told.n_slots;
    if (srv->told.n_ctx_slot != 0)
        ret->n_ctx_slot = srv->told.n_ctx_slot;
    if (ret->n_ctx_seq == 0)
        ret->n_ctx_seq = ret->n_ctx_slot;
    ret->load_ms = srv->load_ms;
}

int pl_server_wait_ready(struct pl_server *srv, uint64_t timeout_ns,
                         const volatile sig_atomic_t *stop, struct pl_engine_report *ret,
                         struct pl_err *err)
{
    int code = pl_server_wait_healthy(srv, timeout_ns, stop, err);
    if (code < 0)
        return code;
    pl_server_read_back(srv);
    pl_server_report(srv, ret);
    return 0;
}

static int pl_check_u64(const char *name, uint64_t said, uint64_t asked, struct pl_err *err)
{
    if (said == 0 || said == asked)
        return 0;
    (void)pl_fail(err, -EPROTO, "the engine uses another %s than was asked: %llu, not %llu", name,
                  (unsigned long long)said, (unsigned long long)asked);
    return pl_exit_as(err, -EPROTO, PL_EXIT_ENVIRONMENT);
}

int pl_server_check(const struct pl_engine_report *r, const struct pl_resolved *asked,
                    struct pl_err *err)
{
    int code = pl_check_u64("context (n_ctx)", r->n_ctx, asked->n_ctx, err);
    if (code == 0)
        code = pl_check_u64("context per slot (n_ctx_seq)", r->n_ctx_seq, asked->n_ctx_seq, err);
    if (code == 0)
        code = pl_check_u64("number of slots", r->n_slots, asked->n_seq, err);
    if (code == 0 && r->kv_unified_known && r->kv_unified != asked->kv_unified) {
        (void)pl_fail(err, -EPROTO, "the engine's cache is %s, asked was %s",
                      r->kv_unified ? "one for all slots" : "one per slot",
                      asked->kv_unified ? "one for all slots" : "one per slot");
        code = pl_exit_as(err, -EPROTO, PL_EXIT_ENVIRONMENT);
    }
    return code;
}
