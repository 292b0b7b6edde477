/* The machine a verb speaks of: this one, or the one in a file. */
#ifndef PL_CLI_MACHINE_H
#define PL_CLI_MACHINE_H

#include "base/err.h"
#include "domain/machine.h"

/* The folder models are kept in: $PLIMSOLL_MODELS, else ~/models when it exists, else the current
 * one. Returns out. */
const char *pl_cli_model_dir(char out[PL_PATH_TEXT_MAX]);

/* file (from --machine) names a machine file, or a capture (an archive or its folder); NULL
 * assesses this system, with the memory bandwidth the ledger remembers of it. struct pl_machine is
 * large: keep it off the stack. */
int pl_cli_machine(const char *file, struct pl_machine *ret, struct pl_err *err);

/* For struct pl_assess_options: the bandwidth the ledger remembers of the machine whose id ctx is.
 * A missing ledger remembers nothing; a broken one is a note, never an error. */
int pl_cli_bandwidth_remembered(const void *ctx, char *out, size_t size);
/* Stores what was measured now. */
void pl_cli_bandwidth_keep(struct pl_machine *m);

#endif
