#include "engine/whispercpp/server.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "sys/http.h"
#include "sys/listener.h"
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PL_HEARING_MEMORY_MAX (1u << 20) /* of its command line */
#define PL_HEARING_TAIL 8192u            /* bytes of its last words that are looked at */
#define PL_HEARING_HEAD 65536u           /* bytes of its first: what it says while it loads */
#define PL_HEARING_POLL_NS (100 * PL_MS_NS)
#define PL_HEARING_GRACE_NS (5 * PL_S_NS)
#define PL_HEARING_ANSWER_NS (600 * PL_S_NS) /* a large model on one slow core takes minutes */

/* whisper.h: WHISPER_SAMPLE_RATE; a RIFF header with one fmt and one data chunk. */
#define PL_SOUND_RATE 16000u
#define PL_SOUND_HEAD 44u
#define PL_SOUND_BYTES (2u * PL_SOUND_RATE)
#define PL_FORM_BOUNDARY "plimsoll-sound"
#define PL_FORM_MAX (PL_SOUND_HEAD + PL_SOUND_BYTES + 1024u)

struct pl_hearing {
    struct pl_child child;
    struct pl_http *http;
    struct pl_arena arena;
    int words; /* all it says: a file without a name, or the log */
    char url[64];
    struct pl_str form; /* of a request */
};

static int pl_hearing_words(struct pl_hearing *h, const char *path, struct pl_err *err)
{
    h->words = path != NULL ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                            : memfd_create("whisper-server", MFD_CLOEXEC);
    if (h->words >= 0)
        return 0;
    int code = -errno;
    (void)pl_fail(err, code, "cannot write the engine's log: %s", strerror(-code));
    pl_err_at(err, path != NULL ? path : "", 0, 0);
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

/* The flags given, as words. "--program" is ours, and so is where it answers. */
static size_t pl_hearing_flags(struct pl_hearing *h, const struct pl_setting_values *v,
                               const char **argv, size_t n, size_t max)
{
    char number[32];
    for (size_t i = 0; v->row[i].names[0] != NULL; i++) {
        const struct pl_setting_row *r = &v->row[i];
        const struct pl_setting_value *x = &v->value[i];
        if (!x->given || (r->key != NULL && pl_streq(r->key, "program")) ||
            pl_streq(r->names[0], "--request-path") || pl_streq(r->names[0], "--inference-path"))
            continue;
        bool value = r->takes != PL_TAKES_NOTHING && r->takes != PL_TAKES_PASS;
        if (n + 2 > max)
            return max + 1;
        argv[n++] = r->names[0];
        if (!value)
            continue;
        (void)PL_FMT(number, "%llu", (unsigned long long)x->u);
        argv[n] = pl_arena_strdup(&h->arena, r->takes == PL_TAKES_COUNT ? number : x->text);
        if (argv[n++] == NULL)
            return max + 1;
    }
    return n;
}

static int pl_hearing_spawn(struct pl_hearing *h, const struct pl_hearing_options *o,
                            struct pl_err *err)
{
    const char *argv[64] = {0};
    const size_t max = sizeof(argv) / sizeof(argv[0]) - 7;
    char port[8];
    uint16_t free_port = 0;
    size_t n = 0;
    for (; o->words[n] != NULL && n < max; n++)
        argv[n] = o->words[n];
    n = pl_hearing_flags(h, o->values, argv, n, max);
    if (n > max)
        return pl_fail(err, -E2BIG, "too many words for the engine");
    int rc = pl_port_free(0, &free_port);
    if (rc < 0) {
        (void)pl_fail(err, rc, "no free port: %s", strerror(-rc));
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    (void)PL_FMT(port, "%u", (unsigned)free_port);
    (void)PL_FMT(h->url, "http://127.0.0.1:%s", port);
    const char *const own[] = {"-m", o->model, "--host", "127.0.0.1", "--port", port};
    memcpy(argv + n, own, sizeof(own));
    const struct pl_spawn how = {
        .argv = argv, .env = o->env, .env_drop = o->env_drop, .out = PL_OUT_FD, .out_fd = h->words};
    return pl_spawn(&how, &h->child, err);
}

int pl_hearing_start(const struct pl_hearing_options *o, struct pl_hearing **ret,
                     struct pl_err *err)
{
    struct pl_hearing *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    h->child = PL_CHILD_NONE;
    h->words = -1;
    pl_arena_init(&h->arena, PL_HEARING_MEMORY_MAX);
    pl_str_init(&h->form, PL_FORM_MAX);
    int rc = pl_hearing_words(h, o->log_path, err);
    if (rc == 0)
        rc = pl_http_new(&h->http, err);
    if (rc == 0)
        rc = pl_hearing_spawn(h, o, err);
    if (rc < 0)
        (void)pl_hearing_free(h);
    else
        *ret = h;
    return rc;
}

pid_t pl_hearing_pid(const struct pl_hearing *h)
{
    return h->child.ended ? 0 : h->child.pid;
}

struct pl_hearing *pl_hearing_free(struct pl_hearing *h)
{
    if (h == NULL)
        return NULL;
    (void)pl_child_stop(&h->child, PL_HEARING_GRACE_NS, NULL);
    pl_child_done(&h->child);
    (void)pl_http_free(h->http);
    if (h->words >= 0)
        (void)close(h->words);
    pl_str_done(&h->form);
    pl_arena_done(&h->arena);
    free(h);
    return NULL;
}

/* Bytes of its words from `at` on, as text; "" when there are none. */
static void pl_hearing_text(const struct pl_hearing *h, off_t at, char *out, size_t size)
{
    ssize_t n = pread(h->words, out, size - 1, at > 0 ? at : 0);
    for (ssize_t i = 0; i < n; i++)
        out[i] = out[i] != '\0' ? out[i] : '?';
    out[n > 0 ? n : 0] = '\0';
}

/* It has ended: why, by its last line that has words. */
static int pl_hearing_died(struct pl_hearing *h, struct pl_err *err)
{
    char tail[PL_HEARING_TAIL], how[PL_STATUS_TEXT_MAX], line[200] = "";
    off_t end = lseek(h->words, 0, SEEK_END);
    pl_hearing_text(h, end - (off_t)sizeof(tail) + 1, tail, sizeof(tail));
    bool memory = strstr(tail, "alloc") != NULL && strstr(tail, "failed") != NULL;
    bool model = strstr(tail, "failed to load model") != NULL ||
                 strstr(tail, "failed to initialize whisper context") != NULL;
    for (char *save = NULL, *s = strtok_r(tail, "\r\n", &save); s != NULL;
         s = strtok_r(NULL, "\r\n", &save))
        (void)pl_text_cut(line, sizeof(line), s);
    int code = memory ? -ENOMEM : model ? -EBADMSG : -ECHILD;
    (void)pl_fail(err, code, "whisper-server ended (%s): %.160s",
                  pl_status_text(h->child.status, how), line[0] != '\0' ? line : "without a word");
    return pl_exit_as(err, code, memory ? PL_EXIT_NO : model ? PL_EXIT_USAGE : PL_EXIT_ENVIRONMENT);
}

int pl_hearing_wait_ready(struct pl_hearing *h, uint64_t timeout_ns,
                          const volatile sig_atomic_t *stop, struct pl_err *err)
{
    uint64_t start = pl_now_ns(pl_clock_real());
    const struct pl_http_request q = {.url = h->url, .timeout_ns = 2 * PL_S_NS, .stop = stop};
    for (;;) {
        struct pl_http_response r = {0};
        int rc = pl_http_do(h->http, &q, &r, NULL);
        pl_str_done(&r.body);
        if (rc == 0 && r.status == 200)
            return 0;
        if (stop != NULL && *stop != 0)
            return pl_fail(err, -EINTR, "interrupted");
        if (pl_child_wait(&h->child, PL_HEARING_POLL_NS, NULL) == 0)
            return pl_hearing_died(h, err);
        if (pl_now_ns(pl_clock_real()) - start > timeout_ns) {
            (void)pl_fail(err, -ETIMEDOUT, "whisper-server is not ready after %llu s",
                          (unsigned long long)(timeout_ns / PL_S_NS));
            return pl_exit_as(err, -ETIMEDOUT, PL_EXIT_ENVIRONMENT);
        }
    }
}

static void pl_sound_le(struct pl_str *out, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        char c = (char)(v >> (8 * i) & 0xff);
        pl_str_addn(out, &c, 1);
    }
}

/* 16 bits, one channel; noise (xorshift32), so that nothing of it is heard as silence. */
static void pl_sound(struct pl_str *out, uint64_t request)
{
    uint32_t x = 2463534242u + (uint32_t)request % 1000000u;
    pl_str_addn(out, "RIFF", 4);
    pl_sound_le(out, PL_SOUND_HEAD - 8 + PL_SOUND_BYTES, 4);
    pl_str_addn(out, "WAVEfmt ", 8);
    pl_sound_le(out, 16, 4);
    pl_sound_le(out, 1, 2);
    pl_sound_le(out, 1, 2);
    pl_sound_le(out, PL_SOUND_RATE, 4);
    pl_sound_le(out, PL_SOUND_BYTES, 4);
    pl_sound_le(out, 2, 2);
    pl_sound_le(out, 16, 2);
    pl_str_addn(out, "data", 4);
    pl_sound_le(out, PL_SOUND_BYTES, 4);
    for (uint32_t i = 0; i < PL_SOUND_RATE; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pl_sound_le(out, x >> 18, 2); /* 14 bits: half of full scale at most */
    }
}

static void pl_hearing_form(struct pl_hearing *h, uint64_t request)
{
    pl_str_clear(&h->form);
    pl_str_add(&h->form, "--" PL_FORM_BOUNDARY "\r\nContent-Disposition: form-data; "
                         "name=\"response_format\"\r\n\r\njson\r\n"
                         "--" PL_FORM_BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; "
                         "filename=\"noise.wav\"\r\nContent-Type: audio/wav\r\n\r\n");
    pl_sound(&h->form, request);
    pl_str_add(&h->form, "\r\n--" PL_FORM_BOUNDARY "--\r\n");
}

/* {"text": "..."}: any text will do, as a ghost has no words to say. */
static int pl_hearing_answer(const struct pl_http_response *r, struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    int rc = r->status == 200
                 ? pl_jdoc_parse(pl_str_get(&r->body), r->body.len, "the answer", &doc, NULL)
                 : -EPROTO;
    bool text = rc == 0 && pl_jstr(pl_jget(pl_jdoc_root(doc), "text"), NULL) != NULL;
    (void)pl_jdoc_free(doc);
    if (text)
        return 0;
    char said[100];
    (void)pl_fail(err, -EPROTO, "whisper-server answers without a text (HTTP %ld): %s", r->status,
                  pl_text_cut(said, sizeof(said), pl_str_get(&r->body)));
    return pl_exit_as(err, -EPROTO, PL_EXIT_ENVIRONMENT);
}

int pl_hearing_ask(struct pl_hearing *h, uint64_t request, const volatile sig_atomic_t *stop,
                   double *ret_seconds, struct pl_err *err)
{
    char url[96];
    struct pl_http_response r = {0};
    pl_hearing_form(h, request);
    if (h->form.failed)
        return pl_fail(err, -ENOMEM, "out of memory");
    (void)PL_FMT(url, "%s/inference", h->url);
    const struct pl_http_request q = {.url = url,
                                      .type = "multipart/form-data; boundary=" PL_FORM_BOUNDARY,
                                      .body = pl_str_get(&h->form),
                                      .body_len = h->form.len,
                                      .timeout_ns = PL_HEARING_ANSWER_NS,
                                      .stop = stop};
    uint64_t start = pl_now_ns(pl_clock_real());
    int rc = pl_http_do(h->http, &q, &r, err);
    *ret_seconds = (double)(pl_now_ns(pl_clock_real()) - start) / 1e9;
    if (rc == 0)
        rc = pl_hearing_answer(&r, err);
    else if (rc != -EINTR && pl_child_wait(&h->child, PL_HEARING_POLL_NS, NULL) == 0)
        rc = pl_hearing_died(h, err);
    pl_str_done(&r.body);
    return rc;
}

bool pl_hearing_weights(struct pl_hearing *h, uint64_t *ret_low, uint64_t *ret_high)
{
    char *head = malloc(PL_HEARING_HEAD);
    double mb = -1;
    if (head == NULL)
        return false;
    pl_hearing_text(h, 0, head, PL_HEARING_HEAD);
    /* "whisper_model_load: model size    =   77.11 MB": millions, two decimals */
    const char *at = strstr(head, "model size");
    at = at != NULL ? strchr(at, '=') : NULL;
    char number[24];
    if (at != NULL) {
        at += 1 + strspn(at + 1, " ");
        size_t n = strspn(at, "0123456789.");
        if (n > 0 && n < sizeof(number) && PL_FMT(number, "%.*s", (int)n, at) &&
            !pl_parse_double(number, &mb))
            mb = -1;
    }
    free(head);
    if (!(mb >= 0) || mb > 1e9)
        return false;
    *ret_low = mb > 0.005 ? (uint64_t)((mb - 0.005) * 1e6) : 0;
    *ret_high = (uint64_t)((mb + 0.005) * 1e6);
    return true;
}
