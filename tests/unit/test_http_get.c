#include "test.h"

#include "sys/http_facts.h"
#include "sys/http_get.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void line(struct pl_http_facts *f, const char *text)
{
    pl_http_facts_line(f, text, strlen(text));
}

static void header_lines(void **state)
{
    struct pl_http_facts f = {0};
    (void)state;
    line(&f, "HTTP/1.1 206 Partial Content\r\n");
    line(&f, "content-RANGE: bytes 10-19/1000\r\n");
    line(&f, "Content-Length: 10\r\n");
    line(&f, "ETag:   \"abc\"  \r\n");
    line(&f, "Last-Modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n");
    line(&f, "Retry-After: 7\r\n");
    line(&f, "X-Linked-Size: 18446744073709551615\r\n");
    line(&f, "no colon\r\n");
    line(&f, "\r\n");
    assert_true(f.has_range && f.has_total && f.has_length && f.has_retry_after);
    assert_int_equal(f.first, 10);
    assert_int_equal(f.last, 19);
    assert_int_equal(f.total, 1000);
    assert_int_equal(f.retry_after_s, 7);
    assert_string_equal(f.etag, "\"abc\"");
    assert_true(f.linked_size == UINT64_MAX);
    assert_false(f.encoded);
    line(&f, "Content-Encoding: br");
    assert_true(f.encoded);
    line(&f, "HTTP/2 200");
    assert_false(f.has_range || f.has_length || f.encoded);
    assert_string_equal(f.etag, "");
    line(&f, "Retry-After: Sat, 21 Nov 2026 10:00:00 GMT"); /* a date */
    line(&f, "Content-Length: 99999999999999999999999");
    line(&f, "Content-Length: -1");
    assert_false(f.has_retry_after || f.has_length);
    char tag[PL_HTTP_TAG_MAX + 40] = "ETag: \"";
    memset(tag + 7, 'x', sizeof(tag) - 8);
    tag[sizeof(tag) - 1] = '\0';
    line(&f, tag); /* too long to be kept whole: absent */
    assert_string_equal(f.etag, "");
}

static void content_ranges(void **state)
{
    static const struct {
        const char *value;
        bool range, total;
    } table[] = {
        {"bytes 0-0/1",                     true,  true },
        {"bytes 0-99/*",                    true,  false},
        {"bytes */10",                      false, true },
        {"Bytes 5-9/10",                    true,  true },
        {"bytes 5-10/10",                   false, false}, /* past the end */
        {"bytes 9-5/10",                    false, false},
        {"bytes */*",                       false, false},
        {"bytes 0-9",                       false, false},
        {"bytes -9/10",                     false, false},
        {"bytes 0-9/10x",                   false, false},
        {"bytes 0-99999999999999999999/10", false, false},
        {"items 0-9/10",                    false, false},
        {"",                                false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct pl_http_facts f = {0};
        pl_http_facts_range(&f, table[i].value);
        assert_int_equal(f.has_range, table[i].range);
        assert_int_equal(f.has_total, table[i].total);
        assert_int_equal(f.bad_range, !table[i].range && !table[i].total);
    }
}

static void urls(void **state)
{
    char out[PL_URL_MAX];
    (void)state;
    assert_true(pl_url_ok("https://h.example/x.gguf"));
    assert_true(pl_url_ok("HTTP://h:8080"));
    assert_false(pl_url_ok("ftp://h/x"));
    assert_false(pl_url_ok("https://"));
    assert_false(pl_url_ok("https:///x"));
    assert_false(pl_url_ok("https://h/a b"));
    assert_false(pl_url_ok("https://h/a\nX: y"));
    assert_string_equal(pl_url_shown("https://joe:pw@h.example:1/a/b?t=secret#f", out),
                        "https://h.example:1/a/b");
    assert_string_equal(pl_url_shown("https://h?x=/y@z", out), "https://h");
    assert_true(pl_url_same_origin("https://h/a", "https://H:443/b?c"));
    assert_true(pl_url_same_origin("https://u:p@h/a", "https://h/b"));
    assert_false(pl_url_same_origin("https://h/a", "http://h/a"));
    assert_false(pl_url_same_origin("https://h/a", "https://h:8443/a"));
    assert_false(pl_url_same_origin("https://h.example/a", "https://h.example.evil/a"));
    assert_false(pl_url_same_origin("https://h/a", "https://evil@x/h"));
    assert_true(pl_url_loopback("http://127.0.0.1:80/x"));
    assert_true(pl_url_loopback("http://localhost/x"));
    assert_true(pl_url_loopback("http://[::1]:9/x"));
    assert_false(pl_url_loopback("http://127.0.0.1.evil.example/x"));
    assert_false(pl_url_loopback("http://localhost@evil.example/x"));
    assert_true(pl_url_with("https://u:p@h/dir/a-1.gguf?sig=1", "https://h/dir/a-2.gguf", out));
    assert_string_equal(out, "https://u:p@h/dir/a-2.gguf?sig=1");
}

/* A server that accepts, reads the request and then says nothing more. */
static void *silent(void *ctx)
{
    char buf[4096];
    int fd = accept(*(int *)ctx, NULL, NULL);
    while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
        ;
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static void a_server_that_stalls(void **state)
{
    struct pl_get *g = NULL;
    struct pl_err err = {0};
    struct pl_get_answer a;
    char url[64];
    pthread_t thread;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    (void)state;
    if (pl_get_new(&g, &err) < 0)
        skip();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    assert_int_equal(pthread_create(&thread, NULL, silent, &fd), 0);
    (void)PL_FMT(url, "http://127.0.0.1:%u/x?sig=secret", ntohs(sa.sin_port));
    struct pl_get_request q = {.url = url, .stall_s = 1};
    assert_int_equal(pl_get_do(g, &q, &a, &err), -ETIMEDOUT);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    assert_null(strstr(err.file, "secret"));
    pl_str_done(&a.body);
    (void)pl_get_free(g);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(fd);
}

static void interrupted(void **state)
{
    struct pl_get *g = NULL;
    struct pl_err err = {0};
    struct pl_get_answer a;
    const volatile sig_atomic_t stop = 1;
    (void)state;
    if (pl_get_new(&g, &err) < 0)
        skip();
    /* an address of the documentation's block: nobody answers there */
    struct pl_get_request q = {.url = "http://192.0.2.1/x", .stop = &stop};
    int rc = pl_get_do(g, &q, &a, &err);
    assert_true(rc == -EINTR || rc == -ECONNREFUSED); /* where there is no route at all */
    pl_str_done(&a.body);
    q = (struct pl_get_request){.url = "file:///etc/passwd"};
    assert_int_equal(pl_get_do(g, &q, &a, &err), -EINVAL);
    pl_str_done(&a.body);
    (void)pl_get_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_lines), cmocka_unit_test(content_ranges),
        cmocka_unit_test(urls),         cmocka_unit_test(a_server_that_stalls),
        cmocka_unit_test(interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
