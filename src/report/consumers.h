/* Who holds memory, and where all of it is, in text and JSON. */
#ifndef PL_REPORT_CONSUMERS_H
#define PL_REPORT_CONSUMERS_H

#include "base/json.h"
#include "domain/machine.h"

#define PL_CONSUMERS_SHOWN 10 /* rows, unless asked for more */

/* The desktop, the largest `most` consumers (0 = PL_CONSUMERS_SHOWN), what desktop and browsers
 * hold together of each pool, and what to do. Nothing when there are none. */
void pl_consumers_text(const struct pl_machine *m, uint32_t most, bool colour, struct pl_str *out);

/* "desktop", "consumers", "consumer_totals". */
void pl_consumers_json(const struct pl_machine *m, struct pl_json *j);

/* The tree, and what each kind of allocation can use. Nothing when it was not asked for. */
void pl_memory_tree_text(const struct pl_machine *m, bool colour, struct pl_str *out);
/* "memory": null when it was not asked for. */
void pl_memory_tree_json(const struct pl_machine *m, struct pl_json *j);

#endif
