#include "sys/listener.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PL_LISTEN_STATE "0A" /* TCP_LISTEN, include/net/tcp_states.h */
#define PL_LISTEN_LINES_MAX 100000

/* Inode of the listening socket in one of the tables; 0 when there is none. A line is
 * "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ..." */
static uint64_t pl_listener_inode(const char *table, uint16_t port)
{
    char line[512], local[64], state[8];
    unsigned long inode = 0;
    FILE *f = fopen(table, "re");
    if (f == NULL)
        return 0;
    for (int n = 0; n < PL_LISTEN_LINES_MAX && inode == 0 && fgets(line, sizeof(line), f) != NULL;
         n++) {
        unsigned long found = 0;
        if (sscanf(line, " %*s %63s %*s %7s %*s %*s %*s %*s %*s %lu", local, state, &found) != 3)
            continue;
        const char *colon = strrchr(local, ':');
        if (colon != NULL && pl_streq(state, PL_LISTEN_STATE) &&
            strtoul(colon + 1, NULL, 16) == port)
            inode = found;
    }
    (void)fclose(f);
    return inode;
}

/* Has the process a descriptor of that socket? -EACCES when it does not say. */
static int pl_listener_has(const char *pid, const char *socket)
{
    char path[300], link[64];
    if (!PL_FMT(path, "/proc/%s/fd", pid))
        return 0;
    DIR *d = opendir(path);
    if (d == NULL)
        return errno == EACCES ? -EACCES : 0;
    int has = 0;
    for (struct dirent *e = readdir(d); e != NULL && has == 0; e = readdir(d)) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
        if (n > 0) {
            link[n] = '\0';
            has = pl_streq(link, socket);
        }
    }
    (void)closedir(d);
    return has;
}

int pl_listener_pid(uint16_t port, pid_t *ret, struct pl_err *err)
{
    char socket[48];
    bool unread = false;
    uint64_t inode = pl_listener_inode("/proc/net/tcp", port), pid;
    if (inode == 0)
        inode = pl_listener_inode("/proc/net/tcp6", port);
    if (inode == 0)
        return pl_fail(err, -ENOENT, "nobody listens on port %u", port);
    (void)PL_FMT(socket, "socket:[%llu]", (unsigned long long)inode);
    DIR *d = opendir("/proc");
    if (d == NULL)
        return pl_fail(err, -errno, "/proc: %s", strerror(errno));
    int has = 0;
    for (struct dirent *e = readdir(d); e != NULL && has != 1; e = readdir(d)) {
        if (!isdigit((unsigned char)e->d_name[0]) || !pl_parse_u64(e->d_name, &pid))
            continue;
        has = pl_listener_has(e->d_name, socket);
        unread = unread || has == -EACCES;
        if (has == 1)
            *ret = (pid_t)pid;
    }
    (void)closedir(d);
    if (has == 1)
        return 0;
    return unread ? pl_fail(err, -EACCES,
                            "port %u belongs to a process that does not let us look; try as root",
                            port)
                  : pl_fail(err, -ENOENT, "who listens on port %u is in another namespace", port);
}

int pl_port_free(uint16_t wanted, uint16_t *ret)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1; /* as the engine does: a port in TIME_WAIT is free */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(wanted),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    int code = 0;
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
        code = -errno;
    else
        *ret = ntohs(sa.sin_port);
    (void)close(fd);
    return code;
}
