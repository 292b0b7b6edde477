#include "sys/reach.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PL_ADDRESSES_MAX 4 /* of one name that are tried at once */
#define PL_SOCKETS_MAX (PL_REACH_MAX * PL_ADDRESSES_MAX)

static int pl_reach_bad(const char *url, const char *why, struct pl_err *err)
{
    (void)pl_fail(err, -EINVAL, "endpoint '%.120s': %s", url, why);
    (void)pl_hint(err, "https://host[:port], http://host[:port] or host:port");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* Behind the scheme; its usual port in *ret_port, "" for none. */
static const char *pl_reach_scheme(const char *url, const char **ret_port)
{
    static const struct {
        const char *scheme, *port;
    } known[] = {
        {"https://", "443"},
        {"http://",  "80" },
        {"wss://",   "443"},
        {"ws://",    "80" },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (pl_starts(url, known[i].scheme)) {
            *ret_port = known[i].port;
            return url + strlen(known[i].scheme);
        }
    }
    *ret_port = "";
    return strstr(url, "://") == NULL ? url : NULL;
}

int pl_reach_parse(const char *url, struct pl_reach *ret, struct pl_err *err)
{
    const char *usual = "";
    const char *s = pl_reach_scheme(url, &usual);
    uint64_t port = 0;
    *ret = (struct pl_reach){0};
    if (s == NULL)
        return pl_reach_bad(url, "only http, https, ws and wss can be tried", err);
    size_t len = strcspn(s, "/?#");
    const char *at = memrchr(s, '@', len);
    if (at != NULL) {
        len -= (size_t)(at + 1 - s);
        s = at + 1;
    }
    bool six = *s == '[';
    const char *end = six ? memchr(s, ']', len) : memchr(s, ':', len);
    if (six && end == NULL)
        return pl_reach_bad(url, "an address in brackets has no end", err);
    const char *name = s + (six ? 1 : 0);
    size_t n = end != NULL ? (size_t)(end - name) : len;
    const char *rest = six ? end + 1 : end != NULL ? end : s + len;
    if (n == 0 || n >= sizeof(ret->host))
        return pl_reach_bad(url, "no name of a host", err);
    (void)PL_FMT(ret->host, "%.*s", (int)n, name);
    if (strpbrk(ret->host, " \t\n") != NULL)
        return pl_reach_bad(url, "a blank in the name of a host", err);
    if (rest < s + len && *rest == ':')
        (void)PL_FMT(ret->port, "%.*s", (int)(s + len - rest - 1), rest + 1);
    else if (rest < s + len)
        return pl_reach_bad(url, "not a port", err);
    else
        (void)PL_FMT(ret->port, "%s", usual);
    if (!pl_parse_u64(ret->port, &port) || port == 0 || port > 65535)
        return pl_reach_bad(url, ret->port[0] == '\0' ? "no port" : "not a port", err);
    return 0;
}

/* Requests that could not be cancelled go on writing here: static, so that nothing dangles. */
static struct gaicb pl_reach_ask[PL_REACH_MAX];
static struct addrinfo pl_reach_hints;

/* Looks up all names at once; those that are not there in time are given up. */
static void pl_reach_names(struct pl_reach *r, uint32_t n)
{
    struct gaicb *list[PL_REACH_MAX];
    uint64_t start = pl_now_ns(pl_clock_real());
    pl_reach_hints = (struct addrinfo){.ai_socktype = SOCK_STREAM};
    for (uint32_t i = 0; i < n; i++) {
        pl_reach_ask[i] = (struct gaicb){
            .ar_name = r[i].host, .ar_service = r[i].port, .ar_request = &pl_reach_hints};
        list[i] = &pl_reach_ask[i];
    }
    int rc = getaddrinfo_a(GAI_NOWAIT, list, (int)n, NULL);
    while (rc == 0) {
        uint64_t spent = (pl_now_ns(pl_clock_real()) - start) / PL_MS_NS;
        bool open = false;
        for (uint32_t i = 0; i < n; i++)
            open = open || gai_error(&pl_reach_ask[i]) == EAI_INPROGRESS;
        if (!open || spent >= PL_REACH_TIMEOUT_MS)
            break;
        const struct timespec left = {.tv_nsec =
                                          (long)((PL_REACH_TIMEOUT_MS - spent) * PL_MS_NS) - 1};
        (void)gai_suspend((const struct gaicb *const *)list, (int)n, &left);
    }
    for (uint32_t i = 0; i < n; i++) {
        int code = rc == 0 ? gai_error(&pl_reach_ask[i]) : rc;
        if (code == EAI_INPROGRESS) {
            (void)gai_cancel(&pl_reach_ask[i]);
            (void)PL_FMT(r[i].why, "its name was not found within a second");
        } else if (code != 0) {
            (void)PL_FMT(r[i].why, "%.90s", gai_strerror(code));
        }
    }
}

struct pl_reach_sockets {
    struct pollfd fd[PL_SOCKETS_MAX];
    uint32_t whose[PL_SOCKETS_MAX];
    uint64_t start[PL_SOCKETS_MAX];
    uint32_t n;
};

static void pl_reach_done(struct pl_reach_sockets *s, struct pl_reach *r, uint32_t i, int code)
{
    struct pl_reach *to = &r[s->whose[i]];
    uint64_t ns = pl_now_ns(pl_clock_real()) - s->start[i];
    (void)close(s->fd[i].fd);
    s->fd[i].fd = -1;
    if (to->reachable)
        return;
    if (code == 0) {
        to->reachable = true;
        to->milliseconds = (double)ns / 1e6;
        to->why[0] = '\0';
    } else {
        (void)PL_FMT(to->why, "%.90s", strerror(code));
    }
}

static void pl_reach_start(struct pl_reach_sockets *s, struct pl_reach *r, uint32_t i)
{
    uint32_t tried = 0;
    for (const struct addrinfo *a = pl_reach_ask[i].ar_result;
         a != NULL && tried < PL_ADDRESSES_MAX; a = a->ai_next, tried++) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0) {
            (void)PL_FMT(r[i].why, "%.90s", strerror(errno));
            continue;
        }
        uint32_t k = s->n++;
        s->fd[k] = (struct pollfd){.fd = fd, .events = POLLOUT};
        s->whose[k] = i;
        s->start[k] = pl_now_ns(pl_clock_real());
        if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
            pl_reach_done(s, r, k, 0);
        else if (errno != EINPROGRESS)
            pl_reach_done(s, r, k, errno);
    }
}

/* True while a socket of an endpoint that is not reached yet is open. */
static bool pl_reach_open(struct pl_reach_sockets *s, const struct pl_reach *r)
{
    bool open = false;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->fd[i].fd >= 0 && r[s->whose[i]].reachable) {
            (void)close(s->fd[i].fd);
            s->fd[i].fd = -1;
        }
        open = open || s->fd[i].fd >= 0;
    }
    return open;
}

static void pl_reach_wait(struct pl_reach_sockets *s, struct pl_reach *r)
{
    uint64_t from = pl_now_ns(pl_clock_real());
    while (pl_reach_open(s, r)) {
        uint64_t spent = (pl_now_ns(pl_clock_real()) - from) / PL_MS_NS;
        if (spent >= PL_REACH_TIMEOUT_MS)
            break;
        (void)poll(s->fd, s->n, (int)(PL_REACH_TIMEOUT_MS - spent));
        for (uint32_t i = 0; i < s->n; i++) {
            int code = 0;
            socklen_t len = sizeof(code);
            if (s->fd[i].fd < 0 || s->fd[i].revents == 0)
                continue;
            if (getsockopt(s->fd[i].fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
                code = errno;
            pl_reach_done(s, r, i, code);
        }
    }
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->fd[i].fd >= 0) {
            pl_reach_done(s, r, i, ETIMEDOUT);
            if (!r[s->whose[i]].reachable)
                (void)PL_FMT(r[s->whose[i]].why, "no answer within a second");
        }
    }
}

void pl_reach_try(struct pl_reach *r, uint32_t n)
{
    struct pl_reach_sockets s = {.n = 0};
    n = n < PL_REACH_MAX ? n : PL_REACH_MAX;
    if (n == 0)
        return;
    pl_reach_names(r, n);
    for (uint32_t i = 0; i < n; i++) {
        if (r[i].why[0] == '\0')
            pl_reach_start(&s, r, i);
    }
    pl_reach_wait(&s, r);
    for (uint32_t i = 0; i < n; i++) {
        if (pl_reach_ask[i].ar_result != NULL && gai_error(&pl_reach_ask[i]) == 0)
            freeaddrinfo(pl_reach_ask[i].ar_result);
        if (!r[i].reachable && r[i].why[0] == '\0')
            (void)PL_FMT(r[i].why, "no address to connect to");
    }
}
