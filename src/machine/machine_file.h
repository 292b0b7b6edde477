/* A machine from a file: what `plimsoll assess --json` wrote, or only what a plan needs:
 *
 *   {"schema": "plimsoll.assess/1",
 *    "pools": [{"pool": "ram", "kind": "host", "capacity": 34359738368, "available": 30000000000},
 *              {"pool": "gpu0", "kind": "dedicated", "capacity": "24GiB", "parent": null}]}
 *
 * A quantity is a number of bytes or a size in text (both declared), null (unknown), or the object
 * {"bytes", "low", "high", "source"}. What is missing is unknown, not 0. kind may be left out for
 * "ram" (host), "unified" and "cgroup..." (cap); anything else is then dedicated. */
#ifndef PL_MACHINE_MACHINE_FILE_H
#define PL_MACHINE_MACHINE_FILE_H

#include "base/err.h"
#include "domain/machine.h"

#include <stddef.h>

/* path "-" is standard input. this_system is false: nothing may act on it. -EINVAL, with the name
 * of the file and of the field: no JSON, another schema, no pools, an unknown kind, a pool twice, a
 * parent that is not there or a cycle of them, a negative or fractional size. */
int pl_machine_load(const char *path, struct pl_machine *ret, struct pl_err *err);

/* The same from text in memory; name is used in errors. */
int pl_machine_parse(const char *text, size_t len, const char *name, struct pl_machine *ret,
                     struct pl_err *err);

#endif
