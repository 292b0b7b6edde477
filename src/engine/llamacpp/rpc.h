/* Devices behind RPC servers (--rpc): the engine takes them as its own, RPC0, RPC1 ... in the order
 * of the servers. Each is asked how much memory it has, as the engine does. */
#ifndef PL_ENGINE_LLAMACPP_RPC_H
#define PL_ENGINE_LLAMACPP_RPC_H

#include "base/err.h"
#include "domain/machine.h"

/* Adds a pool and a device for each that the servers ("host:port,host:port") have. One that does
 * not answer within 2 s gets one device of unknown memory, unless the machine has its pool ("RPC0")
 * already: what a machine file declares is not asked for. -EINVAL (exit 2) for a text that names no
 * server, -E2BIG for too many. */
int pl_llamacpp_rpc(const char *servers, struct pl_machine *m, struct pl_err *err);

#endif
