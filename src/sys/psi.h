/* Pressure stall information: how long tasks waited for memory, CPU or I/O. */
#ifndef PL_SYS_PSI_H
#define PL_SYS_PSI_H

#include "domain/machine.h"
#include "sys/root.h"

/* Reads proc/pressure/WHAT ("memory", "cpu", "io"). On any failure ret->known is false and the
 * errno says why: -ENOENT (kernel without it), -EOPNOTSUPP (switched off at boot), -EBADMSG. Older
 * kernels give no "full" line for cpu; it is then 0, which is its meaning there. */
int pl_psi_read(const struct pl_root *root, const char *what, struct pl_pressure *ret,
                struct pl_err *err);

#endif
