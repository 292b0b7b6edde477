#ifndef PL_MACHINE_STORAGE_DEVICE_H
#define PL_MACHINE_STORAGE_DEVICE_H

#include "domain/machine.h"
#include "sys/root.h"

/* The whole device below the file system with this number ("259:2" in mountinfo) or, where it has
 * none of its own (btrfs), below this source ("/dev/nvme0n1p2"): fills device, model and whether it
 * rotates. What is not known stays empty. */
void pl_storage_device(const struct pl_root *root, const char *number, const char *source,
                       struct pl_storage *s);

#endif
