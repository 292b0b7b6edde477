/* Whether something listens at the other end of a URL, and how long one TCP connection to it takes.
 * Nothing is sent. */
#ifndef PL_SYS_REACH_H
#define PL_SYS_REACH_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_REACH_MAX 8 /* PL_ENDPOINTS_MAX of domain/machine.h */
#define PL_REACH_HOST_MAX 254
#define PL_REACH_TIMEOUT_MS 1000 /* for the name, and again for the connection */

struct pl_reach {
    char host[PL_REACH_HOST_MAX];
    char port[8];
    bool reachable;
    double milliseconds; /* of the connection, without looking up the name */
    char why[96];        /* when it is not reachable */
};

/* Host and port of "https://host[:port]/...", "http://...", "ws://", "wss://" or "host:port"; IPv6
 * in brackets. What stands before an "@" is left out. -EINVAL, exit status 2. */
int pl_reach_parse(const char *url, struct pl_reach *ret, struct pl_err *err);

/* Tries all of them at once: at most about two seconds. n <= PL_REACH_MAX. For one thread of a
 * process. */
void pl_reach_try(struct pl_reach *r, uint32_t n);

#endif
