#include "test.h"

#include "base/clock.h"
#include "sys/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server of one answer: accepts, reads the head of the request, writes the text, and closes (or
 * holds the connection when the text is NULL). */
struct one_answer {
    int listener;
    uint16_t port;
    const char *text;
    char request[4096];
    pthread_t thread;
};

static void *serve(void *ctx)
{
    struct one_answer *a = ctx;
    int fd = accept(a->listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    size_t len = 0;
    while (len < sizeof(a->request) - 1 && strstr(a->request, "\r\n\r\n") == NULL) {
        ssize_t n = read(fd, a->request + len, sizeof(a->request) - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (a->text != NULL) {
        size_t left = strlen(a->text);
        ssize_t n = write(fd, a->text, left);
        assert_int_equal(n, (ssize_t)left);
    } else {
        char c;
        (void)!read(fd, &c, 1); /* until the client gives up */
    }
    (void)close(fd);
    return NULL;
}

static void start(struct one_answer *a, const char *text)
{
    *a = (struct one_answer){.text = text};
    a->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(a->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(a->listener, 1), 0);
    socklen_t n = sizeof(sa);
    assert_int_equal(getsockname(a->listener, (struct sockaddr *)&sa, &n), 0);
    a->port = ntohs(sa.sin_port);
    assert_int_equal(pthread_create(&a->thread, NULL, serve, a), 0);
}

static void stop(struct one_answer *a)
{
    assert_int_equal(pthread_join(a->thread, NULL), 0);
    (void)close(a->listener);
}

static struct pl_http *client(void)
{
    struct pl_http *h = NULL;
    struct pl_err err = {0};
    if (pl_http_new(&h, &err) < 0) {
        assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
        skip();
    }
    return h;
}

static const char *url(const struct one_answer *a, char out[64])
{
    (void)snprintf(out, 64, "http://127.0.0.1:%u/x", (unsigned)a->port);
    return out;
}

static void a_get_and_a_post(void **state)
{
    (void)state;
    struct pl_http *h = client();
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1); /* must be ignored */
    struct one_answer a;
    char u[64];
    start(&a, "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nok");
    struct pl_http_response r;
    assert_int_equal(pl_http_do(h, &(struct pl_http_request){.url = url(&a, u)}, &r, NULL), 0);
    assert_int_equal(r.status, 503);
    assert_string_equal(pl_str_get(&r.body), "ok");
    pl_str_done(&r.body);
    stop(&a);
    assert_true(strncmp(a.request, "GET /x ", 7) == 0);
    start(&a, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    struct pl_http_request q = {.url = url(&a, u), .json = "{\"a\":1}"};
    assert_int_equal(pl_http_do(h, &q, &r, NULL), 0);
    assert_int_equal(r.status, 200);
    pl_str_done(&r.body);
    stop(&a);
    assert_true(strncmp(a.request, "POST /x ", 8) == 0);
    assert_non_null(strstr(a.request, "Content-Type: application/json"));
    (void)unsetenv("http_proxy");
    (void)pl_http_free(h);
}

static int take(void *ctx, const char *data, size_t len)
{
    struct pl_str *s = ctx;
    pl_str_addn(s, data, len);
    return strstr(pl_str_get(s), "stop") != NULL ? -ECANCELED : 0;
}

static void an_answer_comes_piece_by_piece(void **state)
{
    (void)state;
    struct pl_http *h = client();
    struct one_answer a;
    char u[64];
    struct pl_str got;
    struct pl_http_response r;
    struct pl_err err = {0};
    pl_str_init(&got, 4096);
    start(&a, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ndata: abc");
    struct pl_http_request q = {.url = url(&a, u), .on_data = take, .ctx = &got};
    assert_int_equal(pl_http_do(h, &q, &r, &err), 0);
    assert_string_equal(pl_str_get(&got), "data: abc");
    assert_int_equal(r.body.len, 0);
    stop(&a);
    start(&a, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nstop");
    q.url = url(&a, u);
    assert_int_equal(pl_http_do(h, &q, &r, &err), -ECANCELED);
    stop(&a);
    pl_str_done(&got);
    (void)pl_http_free(h);
}

static void failures_are_told_apart(void **state)
{
    (void)state;
    struct pl_http *h = client();
    struct one_answer a;
    char u[64];
    struct pl_http_response r;
    struct pl_err err = {0};
    start(&a, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nbroken off");
    assert_int_equal(pl_http_do(h, &(struct pl_http_request){.url = url(&a, u)}, &r, &err),
                     -ECONNRESET);
    pl_str_done(&r.body);
    stop(&a);
    assert_int_equal(pl_http_do(h, &(struct pl_http_request){.url = u}, &r, &err), -ECONNREFUSED);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    pl_str_done(&r.body);
    start(&a, "HTTP/1.1 200 OK\r\n\r\n0123456789");
    struct pl_http_request capped = {.url = url(&a, u), .cap_bytes = 5};
    assert_int_equal(pl_http_do(h, &capped, &r, &err), -EFBIG);
    pl_str_done(&r.body);
    stop(&a);
    start(&a, NULL);
    struct pl_http_request slow = {.url = url(&a, u), .timeout_ns = 50 * PL_MS_NS};
    assert_int_equal(pl_http_do(h, &slow, &r, &err), -ETIMEDOUT);
    pl_str_done(&r.body);
    stop(&a);
    start(&a, NULL);
    volatile sig_atomic_t now = 1;
    struct pl_http_request stopped = {.url = url(&a, u), .stop = &now};
    assert_int_equal(pl_http_do(h, &stopped, &r, &err), -EINTR);
    pl_str_done(&r.body);
    (void)shutdown(a.listener, SHUT_RDWR);
    stop(&a);
    assert_int_equal(
        pl_http_do(h, &(struct pl_http_request){.url = "file:///etc/passwd"}, &r, &err), -EINVAL);
    pl_str_done(&r.body);
    (void)pl_http_free(h);
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    struct pl_http *h = client();
    struct one_answer a;
    char u[64];
    struct pl_http_response r;
    start(&a, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(pl_http_do(h, &(struct pl_http_request){.url = url(&a, u)}, &r, NULL), 0);
    assert_int_equal(r.status, 302);
    pl_str_done(&r.body);
    stop(&a);
    (void)pl_http_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_and_a_post),
        cmocka_unit_test(an_answer_comes_piece_by_piece),
        cmocka_unit_test(failures_are_told_apart),
        cmocka_unit_test(a_redirect_is_not_followed),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
