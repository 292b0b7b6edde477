/* A machine that is not there, made from the device data: for "would it run on ...?". */
#ifndef PL_MACHINE_DEVICE_MACHINE_H
#define PL_MACHINE_DEVICE_MACHINE_H

#include "base/err.h"
#include "domain/machine.h"
#include "machine/device_data.h"

/* ids: "rtx3090,rtx3090" makes gpu0 and gpu1. ram: size of the main memory as sold, 0 = not said
 * (its pool is then unknown). One id may be of a processor or a kind of memory
 * ("cpu-ddr5-5600-dual"): the bandwidth of that memory. -EINVAL with exit status 2: an unknown id
 * (the hint names the nearest), two processors, too many. */
int pl_device_machine(const char *ids, uint64_t ram, struct pl_machine *ret, struct pl_err *err);

/* Memory the driver and firmware keep of a device of this size, assumed. */
struct pl_quantity pl_device_reserve(const struct pl_device_row *r, uint64_t bytes);

#endif
