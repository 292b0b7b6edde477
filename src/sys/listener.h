/* Who listens on a TCP port of this machine. */
#ifndef PL_SYS_LISTENER_H
#define PL_SYS_LISTENER_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* The process that listens on the port (of any address, IPv4 or IPv6), by /proc/net/tcp* and the
 * descriptors of processes. -ENOENT when nobody does, -EACCES when somebody does whose descriptors
 * may not be read. */
int pl_listener_pid(uint16_t port, pid_t *ret, struct pl_err *err);

/* A port of 127.0.0.1 that nobody listens on now: wanted, or for 0 the kernel's choice.
 * -EADDRINUSE ... It may be taken by another before it is used. */
int pl_port_free(uint16_t wanted, uint16_t *ret);

#endif
