/* ggml/src/ggml-rpc/ggml-rpc.cpp: a request is a byte (rpc_cmd), its size and its data, an answer
 * its size and its data, in the byte order of x86. HELLO comes first and keeps its number in every
 * version; llama.cpp 0.7.0 answers with version 8. */
#include "engine/llamacpp/rpc.h"

#include "base/checked.h"
#include "base/str.h"

#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PL_RPC_TIMEOUT_MS 2000
#define PL_RPC_SERVERS_MAX 16 /* ggml-rpc.h, GGML_RPC_MAX_SERVERS */
#define PL_RPC_DEVICES_MAX 16 /* of one server: src/llama.cpp, llama_max_devices */
#define PL_RPC_ANSWER_MAX 64
#define PL_RPC_CAPS 24u /* transport.h, RPC_CONN_CAPS_SIZE: none of ours */

enum { PL_RPC_GET_DEVICE_MEMORY = 11, PL_RPC_HELLO = 14, PL_RPC_DEVICE_COUNT = 15 };

/* Connected, or negative. */
static int pl_rpc_connect(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
        if (fd < 0)
            continue;
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        int failed = 0;
        socklen_t n = sizeof(failed);
        bool at_once = connect(fd, a->ai_addr, a->ai_addrlen) == 0;
        if (!at_once && (errno != EINPROGRESS || poll(&p, 1, PL_RPC_TIMEOUT_MS) != 1 ||
                         getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) < 0 || failed != 0)) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

/* Sends or receives all of it; false when the other end is slower than a human would wait. */
static bool pl_rpc_all(int fd, bool send_it, void *data, size_t n)
{
    unsigned char *at = data;
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = send_it ? POLLOUT : POLLIN};
        if (poll(&p, 1, PL_RPC_TIMEOUT_MS) != 1)
            return false;
        ssize_t done = send_it ? send(fd, at, n, MSG_NOSIGNAL) : recv(fd, at, n, 0);
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* The answer's length, 0 when there is none or it is none we know. */
static size_t pl_rpc_ask(int fd, unsigned char cmd, const void *data, size_t n,
                         unsigned char ret[PL_RPC_ANSWER_MAX])
{
    unsigned char request[1 + sizeof(uint64_t) + PL_RPC_CAPS];
    uint64_t size = htole64(n), got = 0;
    request[0] = cmd;
    memcpy(request + 1, &size, sizeof(size));
    memcpy(request + 1 + sizeof(size), data, n);
    if (!pl_rpc_all(fd, true, request, 1 + sizeof(size) + n) ||
        !pl_rpc_all(fd, false, &got, sizeof(got)))
        return 0;
    got = le64toh(got);
    if (got == 0 || got > PL_RPC_ANSWER_MAX || !pl_rpc_all(fd, false, ret, got))
        return 0;
    return got;
}

struct pl_rpc_device {
    uint64_t free, total;
};

/* The devices of one server; 0 when it does not answer. */
static uint32_t pl_rpc_devices(const char *host, const char *port,
                               struct pl_rpc_device ret[PL_RPC_DEVICES_MAX])
{
    static const unsigned char caps[PL_RPC_CAPS];
    unsigned char answer[PL_RPC_ANSWER_MAX];
    uint32_t n = 0;
    int fd = pl_rpc_connect(host, port);
    if (fd < 0)
        return 0;
    if (pl_rpc_ask(fd, PL_RPC_HELLO, caps, sizeof(caps), answer) >= 3 &&
        pl_rpc_ask(fd, PL_RPC_DEVICE_COUNT, caps, 0, answer) == sizeof(n)) {
        memcpy(&n, answer, sizeof(n));
        n = le32toh(n);
    }
    n = n < PL_RPC_DEVICES_MAX ? n : PL_RPC_DEVICES_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t which = htole32(i);
        uint64_t room[2];
        if (pl_rpc_ask(fd, PL_RPC_GET_DEVICE_MEMORY, &which, sizeof(which), answer) !=
            sizeof(room)) {
            n = 0;
            break;
        }
        memcpy(room, answer, sizeof(room));
        ret[i] = (struct pl_rpc_device){le64toh(room[0]), le64toh(room[1])};
    }
    (void)close(fd);
    return n;
}

static int pl_rpc_add(struct pl_machine *m, const char *pool, const char *server,
                      const struct pl_rpc_device *d, struct pl_err *err)
{
    if (m->n_pool >= PL_POOLS_MAX || m->n_device >= PL_DEVICES_MAX) {
        (void)pl_fail(err, -E2BIG, "--rpc: more devices than a machine holds here");
        return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
    }
    struct pl_quantity none = PL_QUANTITY_UNKNOWN("the RPC server does not answer");
    struct pl_pool *p = &m->pool[m->n_pool++];
    *p = (struct pl_pool){.kind = PL_POOL_DEDICATED,
                          .capacity = none,
                          .reserved = none,
                          .used = none,
                          .reclaimable = none,
                          .available = none,
                          .largest_allocation = none};
    if (d != NULL) {
        p->capacity = pl_exact(d->total, PL_SOURCE_MEASURED, "the RPC server's answer");
        p->available = pl_exact(d->free, PL_SOURCE_MEASURED, "the RPC server's answer");
        p->used = pl_exact(pl_sub_floor(d->total, d->free), PL_SOURCE_MEASURED,
                           "the RPC server's answer");
    }
    (void)PL_FMT(p->name, "%s", pool);
    struct pl_device *v = &m->device[m->n_device++];
    *v = (struct pl_device){.kind = PL_DEVICE_DISCRETE, .total = p->capacity, .used = p->used};
    v->nominal = v->reserved = v->visible = none;
    v->available = p->available;
    (void)PL_FMT(v->id, "%s", pool);
    (void)PL_FMT(v->pool, "%s", pool);
    (void)PL_FMT(v->name, "behind the RPC server %.60s", server);
    return 0;
}

static int pl_rpc_server(struct pl_machine *m, const char *server, uint32_t *n, struct pl_err *err)
{
    struct pl_rpc_device d[PL_RPC_DEVICES_MAX];
    char host[256], pool[PL_POOL_NAME_MAX];
    const char *colon = strrchr(server, ':');
    int64_t port = 0;
    if (colon == NULL || colon == server || !pl_parse_i64(colon + 1, &port) || port < 1 ||
        port > UINT16_MAX || !PL_FMT(host, "%.*s", (int)(colon - server), server)) {
        (void)pl_fail(err, -EINVAL, "--rpc: '%.80s' is not HOST:PORT", server);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    (void)PL_FMT(pool, "RPC%u", *n);
    if (pl_machine_pool_const(m, pool) != NULL) { /* declared */
        ++*n;
        return 0;
    }
    uint32_t count = pl_rpc_devices(host, colon + 1, d);
    int rc = count == 0 ? pl_rpc_add(m, pool, server, NULL, err) : 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        (void)PL_FMT(pool, "RPC%u", *n + i);
        rc = pl_rpc_add(m, pool, server, &d[i], err);
    }
    *n += count > 0 ? count : 1;
    return rc;
}

int pl_llamacpp_rpc(const char *servers, struct pl_machine *m, struct pl_err *err)
{
    uint32_t n = 0, asked = 0;
    int rc = 0;
    for (const char *p = servers; p != NULL && rc == 0;) {
        char server[300];
        size_t len = strcspn(p, ",");
        if (!PL_FMT(server, "%.*s", (int)(len < sizeof(server) ? len : sizeof(server)), p) ||
            asked++ >= PL_RPC_SERVERS_MAX) {
            (void)pl_fail(err, -E2BIG, "--rpc: more than %d servers, or a name too long",
                          PL_RPC_SERVERS_MAX);
            return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
        }
        rc = pl_rpc_server(m, server, &n, err);
        p = p[len] == ',' ? p + len + 1 : NULL;
    }
    return rc;
}
