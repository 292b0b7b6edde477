/* A machine in text and JSON. */
#ifndef PL_REPORT_MACHINE_H
#define PL_REPORT_MACHINE_H

#include "base/json.h"
#include "domain/machine.h"

/* How much of it is shown. Zeroed: the usual. */
struct pl_machine_view {
    uint32_t consumers; /* most rows of consumers; 0 = PL_CONSUMERS_SHOWN */
};

/* Five lines: what it is, CPU, memory, storage, tier. */
void pl_machine_summary(const struct pl_machine *m, struct pl_str *out);

/* All of it: the summary, a table of pools, caches, extensions, pressure, notes. */
void pl_machine_text(const struct pl_machine *m, bool colour, struct pl_str *out);
void pl_machine_view_text(const struct pl_machine *m, const struct pl_machine_view *view,
                          bool colour, struct pl_str *out);

/* One object, "plimsoll.assess/1" (README, "JSON"). */
void pl_machine_json(const struct pl_machine *m, struct pl_str *out);
/* Its members, into the object that is open. */
void pl_machine_json_members(struct pl_json *json, const struct pl_machine *m);

#endif
