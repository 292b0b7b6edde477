/* Memory slots from whoever says. */
#ifndef PL_MACHINE_DIMM_H
#define PL_MACHINE_DIMM_H

#include "machine/smbios.h"
#include "sys/root.h"

enum pl_dimm_source { PL_DIMM_NOBODY = 0, PL_DIMM_FIRMWARE, PL_DIMM_UDEV, PL_DIMM_CONTROLLERS };

/* Reads the slots; *ret_from says from whom. 0, or the negative errno that kept a source from
 * saying: -EACCES, -EBADMSG (damaged). With nobody to ask, -ENOENT. */
int pl_dimm_read(const struct pl_root *root, struct pl_slots *ret, enum pl_dimm_source *ret_from);

#endif
