/* The cause of a failure in words, and what helps: data/oom_causes.tsv, the row that fits best. */
#ifndef PL_WHY_CAUSE_H
#define PL_WHY_CAUSE_H

#include "domain/oom.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_cause_row {
    const char *class, *engine, *backend, *platform, *phase, *cause, *remedies, *source;
};

/* Never NULL but for PL_OOM_UNKNOWN: of the rows of its class that say nothing else, the one that
 * says most. Static. */
const struct pl_cause_row *pl_oom_cause(const struct pl_oom *o);

/* The next remedy of the row: *at begins as row->remedies and moves on. False at the end. */
bool pl_cause_remedy(const char **at, char *out, size_t size);

#endif
