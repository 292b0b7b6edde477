/* The machine a verb speaks of: this one, or the one in a file. */
#ifndef PL_CLI_MACHINE_H
#define PL_CLI_MACHINE_H

#include "base/err.h"
#include "domain/machine.h"

/* The folder models are kept in: $PLIMSOLL_MODELS, else ~/models when it exists, else the current
 * one. Returns out. */
const char *pl_cli_model_dir(char out[PL_PATH_TEXT_MAX]);
/* The same without the current one; false when there is neither. */
bool pl_cli_model_dir_own(char out[PL_PATH_TEXT_MAX]);

/* file (from --machine) names a machine file, or a capture (an archive or its folder); NULL
 * assesses this system, with the memory bandwidth the ledger remembers of it. struct pl_machine is
 * large: keep it off the stack. */
int pl_cli_machine(const char *file, struct pl_machine *ret, struct pl_err *err);
/* This system, what a forecast needs of it: in a third of the time. */
int pl_cli_machine_brief(struct pl_machine *ret, struct pl_err *err);

/* The rows of a verb's option table that say which machine it plans for; see pl_cli_machine_asked.
 */
#define PL_CLI_MACHINE_OPTS                                                                        \
    {"machine", 'M', PL_OPT_PATH, "FILE|NAME",                                                     \
     "plan for the machine of this file (assess --json, --capture), or a registered one"},         \
        {"device", '\0', PL_OPT_TEXT, "ID[,ID]",                                                   \
         "plan for these devices of the device data (assess --devices)"},                          \
    {                                                                                              \
        "ram", '\0', PL_OPT_SIZE, "SIZE", "with --device: main memory of that machine"             \
    }

/* The machine of --machine, of --device with --ram, or this one. A verb that has
 * PL_CLI_MACHINE_OPTS in its table. -EINVAL with exit status 2. */
struct pl_cli;
int pl_cli_machine_asked(const struct pl_cli *cli, struct pl_machine *ret, struct pl_err *err);

/* For struct pl_assess_options: the bandwidth the ledger remembers of the machine whose id ctx is.
 * A missing ledger remembers nothing; a broken one is a note, never an error. */
int pl_cli_bandwidth_remembered(const void *ctx, char *out, size_t size);
/* Stores what was measured now. */
void pl_cli_bandwidth_keep(struct pl_machine *m);

#endif
