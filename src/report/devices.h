/* The devices of a machine in text and JSON. */
#ifndef PL_REPORT_DEVICES_H
#define PL_REPORT_DEVICES_H

#include "base/json.h"
#include "domain/machine.h"

/* Two tables, memory and state, one row a device; nothing for a machine without devices. */
void pl_devices_text(const struct pl_machine *m, bool colour, struct pl_str *out);

/* The array "devices" (data/schema/assess.json). */
void pl_devices_json(struct pl_json *j, const struct pl_machine *m);

#endif
