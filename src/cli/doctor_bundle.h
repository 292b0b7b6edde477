/* A bug report in one archive. */
#ifndef PL_CLI_DOCTOR_BUNDLE_H
#define PL_CLI_DOCTOR_BUNDLE_H

#include "cli/verb.h"
#include "domain/machine.h"
#include "sys/tape.h"

/* Writes the capture in tape, what the doctor printed (cli->out), our version, that of the engines
 * (in live.tsv), and the last runs, to the file --bundle names. What went in is told on stderr. */
int pl_doctor_bundle(struct pl_cli *cli, struct pl_tape *tape, const struct pl_machine *m,
                     struct pl_err *err);

#endif
