/* Requests beside completions: embeddings, a rank, a picture, a sound. */
#include "base/json.h"
#include "engine/llamacpp/server_impl.h"

#include <errno.h>
#include <string.h>

#define PL_ASK_TOKENS_MAX (1024u * 1024u)
#define PL_ASK_ANSWER_MAX (1024u * 1024u * 1024u) /* an embedding of every token, as text */
#define PL_ASK_HEAD_MAX 2048u                     /* of the answer, for an error's words */
#define PL_ASK_SILENCE_NS (600 * PL_S_NS)         /* a picture on a slow CPU */
#define PL_PICTURE_SIDE 64u
#define PL_SOUND_RATE 16000u /* samples of one second */

/* An answer that is counted, not kept: its beginning tells what went wrong. */
struct pl_asked {
    char head[PL_ASK_HEAD_MAX];
    size_t n;
    long status;
    uint64_t took_ns;
};

static int pl_asked_data(void *ctx, const char *data, size_t len)
{
    struct pl_asked *a = ctx;
    size_t room = sizeof(a->head) - 1 - a->n, take = len < room ? len : room;
    memcpy(a->head + a->n, data, take);
    a->n += take;
    a->head[a->n] = '\0';
    return 0;
}

static int pl_asked_refused(const struct pl_asked *a, const char *what, struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    int code = a->status == 400 || a->status == 501 ? -EINVAL : -EPROTO;
    const char *why = "(no message)";
    if (pl_jdoc_parse(a->head, a->n, "the engine's answer", &doc, NULL) == 0)
        why = pl_jstr(pl_jget(pl_jget(pl_jdoc_root(doc), "error"), "message"), why);
    (void)pl_fail(err, code, "the engine refuses %s (status %ld): %s", what, a->status, why);
    (void)pl_jdoc_free(doc);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

static int pl_ask(struct pl_server *srv, const char *path, const char *json, const char *what,
                  const volatile sig_atomic_t *stop, struct pl_asked *a, struct pl_err *err)
{
    char url[96];
    struct pl_http_response r;
    (void)PL_FMT(url, "%s%s", srv->url, path);
    struct pl_http_request q = {.url = url,
                                .json = json,
                                .idle_timeout_ns = PL_ASK_SILENCE_NS,
                                .cap_bytes = PL_ASK_ANSWER_MAX,
                                .stop = stop,
                                .on_data = pl_asked_data,
                                .ctx = a};
    uint64_t sent = pl_now_ns(pl_clock_real());
    int code = pl_http_do(srv->http, &q, &r, err);
    a->took_ns = pl_now_ns(pl_clock_real()) - sent;
    a->status = r.status;
    pl_str_done(&r.body);
    if ((code == -ECONNRESET || code == -ECONNREFUSED) &&
        pl_child_wait(&srv->child, PL_S_NS, NULL) == 0 && pl_server_ended(srv))
        return pl_server_died(srv, err);
    return code == 0 && a->status != 200 ? pl_asked_refused(a, what, err) : code;
}

int pl_server_embed(struct pl_server *srv, uint64_t tokens, const volatile sig_atomic_t *stop,
                    struct pl_timing *ret, struct pl_err *err)
{
    struct pl_asked a = {0};
    struct pl_str text;
    struct pl_json j;
    uint64_t n_vocab = 0, request = srv->requests++;
    if (tokens == 0 || tokens > PL_ASK_TOKENS_MAX)
        return pl_fail(err, -EINVAL, "a request has 1 to %u tokens", PL_ASK_TOKENS_MAX);
    int code = pl_server_vocab(srv, &n_vocab, err);
    if (code < 0)
        return code;
    pl_str_init(&text, PL_JSON_TEXT_MAX);
    pl_json_start(&j, &text, false);
    pl_json_object(&j, NULL);
    pl_json_array(&j, "content");
    for (uint64_t i = 0; i < tokens; i++)
        pl_json_u64(&j, NULL, n_vocab / 4 + (i * 7919 + request * 104729) % (n_vocab / 2 + 1));
    pl_json_end(&j);
    pl_json_end(&j);
    code = text.failed
               ? pl_fail(err, -ENOMEM, "out of memory")
               : pl_ask(srv, "/embedding", pl_str_get(&text), "the embedding", stop, &a, err);
    pl_str_done(&text);
    if (code == 0 && a.took_ns > 0)
        *ret =
            (struct pl_timing){.prompt_tokens = tokens,
                               .prompt_tokens_per_second = (double)tokens * 1e9 / (double)a.took_ns,
                               .first_token_ms = (double)a.took_ns / 1e6};
    return code;
}

int pl_server_rank(struct pl_server *srv, const volatile sig_atomic_t *stop, struct pl_err *err)
{
    struct pl_asked a = {0};
    return pl_ask(srv, "/v1/rerank",
                  "{\"query\": \"what is a load line\", \"documents\": [\"a mark on a hull\", "
                  "\"a line of text\"]}",
                  "the ranking", stop, &a, err);
}

static void pl_base64(struct pl_str *out, const uint8_t *p, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 |
                     (i + 2 < n ? p[i + 2] : 0);
        const char four[4] = {digit[v >> 18], digit[v >> 12 & 63],
                              i + 1 < n ? digit[v >> 6 & 63] : '=',
                              i + 2 < n ? digit[v & 63] : '='};
        pl_str_addn(out, four, sizeof(four));
    }
}

static void pl_put_le(uint8_t *at, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

/* A bitmap of 24 bits without compression, shades in both directions. */
static size_t pl_picture(uint8_t *p)
{
    const uint32_t side = PL_PICTURE_SIDE, data = 54, bytes = side * side * 3;
    memset(p, 0, data);
    memcpy(p, "BM", 2);
    pl_put_le(p + 2, data + bytes, 4);
    pl_put_le(p + 10, data, 4);
    pl_put_le(p + 14, 40, 4);
    pl_put_le(p + 18, side, 4);
    pl_put_le(p + 22, side, 4);
    pl_put_le(p + 26, 1, 2);
    pl_put_le(p + 28, 24, 2);
    pl_put_le(p + 34, bytes, 4);
    for (uint32_t i = 0; i < bytes; i++)
        p[data + i] = (uint8_t)(i * 5 + i / (side * 3) * 3);
    return data + bytes;
}

/* One second of a rising and falling tone, 16 bits, one channel. */
static size_t pl_sound(uint8_t *p)
{
    const uint32_t bytes = PL_SOUND_RATE * 2;
    memcpy(p, "RIFF....WAVEfmt ", 16);
    pl_put_le(p + 4, 36 + bytes, 4);
    pl_put_le(p + 16, 16, 4);
    pl_put_le(p + 20, 1, 2);
    pl_put_le(p + 22, 1, 2);
    pl_put_le(p + 24, PL_SOUND_RATE, 4);
    pl_put_le(p + 28, PL_SOUND_RATE * 2, 4);
    pl_put_le(p + 32, 2, 2);
    pl_put_le(p + 34, 16, 2);
    memcpy(p + 36, "data", 4);
    pl_put_le(p + 40, bytes, 4);
    for (uint32_t i = 0; i < PL_SOUND_RATE; i++)
        pl_put_le(p + 44 + 2 * (size_t)i, i % 64 * 256, 2);
    return 44 + bytes;
}

/* The message with the medium in it, as OpenAI's interface has it. */
static void pl_medium_text(struct pl_str *out, bool sound, const uint8_t *p, size_t n)
{
    pl_str_add(out, "{\"max_tokens\": 1, \"messages\": [{\"role\": \"user\", \"content\": ["
                    "{\"type\": \"text\", \"text\": \"describe\"}, ");
    pl_str_add(out, sound ? "{\"type\": \"input_audio\", \"input_audio\": {\"format\": \"wav\", "
                            "\"data\": \""
                          : "{\"type\": \"image_url\", \"image_url\": {\"url\": "
                            "\"data:image/bmp;base64,");
    pl_base64(out, p, n);
    pl_str_add(out, "\"}}]}]}");
}

int pl_server_show(struct pl_server *srv, bool sound, const volatile sig_atomic_t *stop,
                   struct pl_err *err)
{
    static uint8_t medium[44 + PL_SOUND_RATE * 2]; /* larger than the picture's 12342 bytes */
    struct pl_asked a = {0};
    struct pl_str text;
    size_t n = sound ? pl_sound(medium) : pl_picture(medium);
    pl_str_init(&text, PL_JSON_TEXT_MAX);
    pl_medium_text(&text, sound, medium, n);
    int code = text.failed ? pl_fail(err, -ENOMEM, "out of memory")
                           : pl_ask(srv, "/v1/chat/completions", pl_str_get(&text),
                                    sound ? "the sound" : "the picture", stop, &a, err);
    pl_str_done(&text);
    return code;
}
