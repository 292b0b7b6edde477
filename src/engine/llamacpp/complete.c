/* One request of known size, timed. */
#include "base/json.h"
#include "engine/llamacpp/server_impl.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PL_TOKENS_MAX (8u * 1024u * 1024u) /* of one prompt: 64 MiB of JSON */
#define PL_EVENT_MAX (1024u * 1024u)       /* of one event; the last one repeats the settings */
#define PL_ANSWER_MAX (1024u * 1024u * 1024u)
#define PL_EVENT_PREFIX "data: "

struct pl_answer {
    uint64_t sent_ns;
    struct pl_str event; /* the unfinished line */
    struct pl_timing timing;
    bool started, ended; /* the first token came; the last event came */
    uint64_t prompt_n;
    char error[PL_ERR_WHAT_MAX];
};

/* Ids from the middle of the vocabulary: control tokens stand at its ends. A different, fixed
 * sequence for every request (xorshift64*), so that no earlier prompt is a prefix of this one. */
static void pl_prompt_tokens(struct pl_json *j, uint64_t n, uint64_t n_vocab, uint64_t request)
{
    uint64_t low = n_vocab / 4, span = n_vocab / 2 > 0 ? n_vocab / 2 : 1;
    uint64_t x = 0x9e3779b97f4a7c15ull * (request + 1);
    pl_json_array(j, "prompt");
    for (uint64_t i = 0; i < n; i++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        pl_json_u64(j, NULL, low + (x * 0x2545f4914f6cdd1dull >> 32) % span);
    }
    pl_json_end(j);
}

static void pl_request_text(struct pl_str *out, uint64_t prompt, uint64_t predict, uint64_t n_vocab,
                            uint64_t request)
{
    struct pl_json j;
    pl_json_start(&j, out, false);
    pl_json_object(&j, NULL);
    pl_prompt_tokens(&j, prompt, n_vocab, request);
    pl_json_u64(&j, "n_predict", predict);
    pl_json_bool(&j, "ignore_eos", true);
    pl_json_bool(&j, "cache_prompt", false);
    pl_json_bool(&j, "stream", true);
    pl_json_bool(&j, "timings_per_token", true);
    /* Greedy, and nothing else of the sampler chain: what is timed is the model. */
    pl_json_array(&j, "samplers");
    pl_json_str(&j, NULL, "top_k");
    pl_json_end(&j);
    pl_json_u64(&j, "top_k", 1);
    pl_json_num(&j, "temperature", 0);
    pl_json_end(&j);
}

static void pl_answer_error(struct pl_answer *a, pl_jval error)
{
    const char *message = pl_jstr(pl_jget(error, "message"), pl_jstr(error, "(no message)"));
    (void)PL_FMT(a->error, "%s", message);
}

/* The first event may hold more than one token (tokens that are no whole character are held back),
 * so the time those took after the first is taken off again: predicted_ms counts from the first
 * token. */
static void pl_answer_first(struct pl_answer *a, pl_jval timings)
{
    double after = 0;
    a->started = true;
    (void)pl_jnum(pl_jget(timings, "predicted_ms"), &after);
    double wall = (double)(pl_now_ns(pl_clock_real()) - a->sent_ns) / (double)PL_MS_NS;
    a->timing.first_token_ms = after > 0 && after < wall ? wall - after : wall;
}

static int pl_answer_event(struct pl_answer *a, const char *text, size_t len)
{
    struct pl_jdoc *doc = NULL;
    if (pl_jdoc_parse(text, len, "the engine's answer", &doc, NULL) < 0)
        return -EPROTO;
    pl_jval root = pl_jdoc_root(doc);
    pl_jval timings = pl_jget(root, "timings");
    if (pl_jget(root, "error") != NULL)
        pl_answer_error(a, pl_jget(root, "error"));
    else if (!a->started)
        pl_answer_first(a, timings);
    if (pl_jbool(pl_jget(root, "stop"), false)) {
        a->ended = true;
        (void)pl_ju64(pl_jget(timings, "prompt_n"), &a->timing.prompt_tokens);
        (void)pl_ju64(pl_jget(timings, "predicted_n"), &a->timing.predicted_tokens);
        (void)pl_jnum(pl_jget(timings, "prompt_per_second"), &a->timing.prompt_tokens_per_second);
        (void)pl_jnum(pl_jget(timings, "predicted_per_second"),
                      &a->timing.predicted_tokens_per_second);
    }
    (void)pl_jdoc_free(doc);
    return 0;
}

/* One line of the stream: "data: {...}", "error: {...}", an empty one, or, when the request was
 * refused, plain JSON. */
static int pl_answer_line(struct pl_answer *a)
{
    const char *text = pl_str_get(&a->event);
    size_t len = a->event.len;
    const char *brace = memchr(text, '{', len);
    if (brace == NULL ||
        (brace != text && !pl_starts(text, PL_EVENT_PREFIX) && !pl_starts(text, "error: ")))
        return 0;
    return pl_answer_event(a, brace, len - (size_t)(brace - text));
}

static int pl_answer_data(void *ctx, const char *data, size_t len)
{
    struct pl_answer *a = ctx;
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) : len;
        pl_str_addn(&a->event, data, n);
        if (a->event.failed)
            return -EFBIG;
        if (end == NULL)
            return 0;
        int code = pl_answer_line(a);
        pl_str_clear(&a->event);
        if (code < 0)
            return code;
        data += n + 1;
        len -= n + 1;
    }
    return 0;
}

/* What is wrong with an answer that arrived. */
static int pl_answer_check(const struct pl_answer *a, long status, uint64_t prompt,
                           uint64_t predict, struct pl_err *err)
{
    const struct pl_timing *t = &a->timing;
    int code = 0;
    if (a->error[0] != '\0' || status != 200) {
        code = status == 400 ? -EINVAL : -EPROTO;
        (void)pl_fail(err, code, "the engine refuses the request (status %ld): %s", status,
                      a->error);
    } else if (!a->ended) {
        code = pl_fail(err, -EPROTO, "the engine's answer ends without its last event");
    } else if (t->prompt_tokens != prompt || t->predicted_tokens != predict) {
        code =
            pl_fail(err, -EPROTO,
                    "the engine processed %llu and wrote %llu tokens, asked were %llu and %llu",
                    (unsigned long long)t->prompt_tokens, (unsigned long long)t->predicted_tokens,
                    (unsigned long long)prompt, (unsigned long long)predict);
    } else if (!isfinite(t->prompt_tokens_per_second) || !(t->prompt_tokens_per_second > 0)) {
        code = pl_fail(err, -EPROTO, "the engine gives no timing");
    }
    return code < 0 ? pl_exit_as(err, code, PL_EXIT_ENVIRONMENT) : 0;
}

int pl_server_vocab(struct pl_server *srv, uint64_t *ret, struct pl_err *err)
{
    (void)pthread_mutex_lock(&srv->words.lock);
    *ret = srv->words.log.n_vocab;
    (void)pthread_mutex_unlock(&srv->words.lock);
    if (*ret > 0 && *ret <= INT32_MAX)
        return 0;
    (void)pl_fail(err, -EPROTO, "the engine does not say how large the vocabulary is");
    return pl_exit_as(err, -EPROTO, PL_EXIT_ENVIRONMENT);
}

static int pl_server_send(struct pl_server *srv, const char *json, uint64_t prompt,
                          const volatile sig_atomic_t *stop, struct pl_answer *a, long *ret_status,
                          struct pl_err *err)
{
    char url[80];
    (void)PL_FMT(url, "%s/completion", srv->url);
    /* Silence is a hang when it lasts longer than one prompt token per second would take. */
    uint64_t idle = (60 + prompt) * PL_S_NS;
    struct pl_http_request q = {.url = url,
                                .json = json,
                                .idle_timeout_ns = idle,
                                .cap_bytes = PL_ANSWER_MAX,
                                .stop = stop,
                                .on_data = pl_answer_data,
                                .ctx = a};
    struct pl_http_response r;
    pl_str_init(&a->event, PL_EVENT_MAX);
    a->sent_ns = pl_now_ns(pl_clock_real());
    int code = pl_http_do(srv->http, &q, &r, err);
    if (code == 0)
        code = pl_answer_line(a); /* a refusal has no newline */
    *ret_status = r.status;
    pl_str_done(&r.body);
    pl_str_done(&a->event);
    return code;
}

int pl_server_complete(struct pl_server *srv, uint64_t prompt_tokens, uint64_t predict_tokens,
                       const volatile sig_atomic_t *stop, struct pl_timing *ret, struct pl_err *err)
{
    uint64_t n_vocab;
    if (prompt_tokens == 0 || prompt_tokens > PL_TOKENS_MAX || predict_tokens == 0 ||
        predict_tokens > PL_TOKENS_MAX)
        return pl_fail(err, -EINVAL, "a request has 1 to %u tokens each way", PL_TOKENS_MAX);
    int code = pl_server_vocab(srv, &n_vocab, err);
    if (code < 0)
        return code;
    struct pl_str json;
    pl_str_init(&json, PL_JSON_TEXT_MAX);
    pl_request_text(&json, prompt_tokens, predict_tokens, n_vocab, srv->requests++);
    struct pl_answer a = {0};
    long status = 0;
    code = json.failed
               ? pl_fail(err, -ENOMEM, "out of memory")
               : pl_server_send(srv, pl_str_get(&json), prompt_tokens, stop, &a, &status, err);
    pl_str_done(&json);
    /* Its end breaks the connection, and may reach us a moment later. */
    if ((code == -ECONNRESET || code == -ECONNREFUSED) &&
        pl_child_wait(&srv->child, PL_S_NS, NULL) == 0 && pl_server_ended(srv))
        return pl_server_died(srv, err);
    if (code == 0)
        code = pl_answer_check(&a, status, prompt_tokens, predict_tokens, err);
    if (code == 0)
        *ret = a.timing;
    return code;
}
