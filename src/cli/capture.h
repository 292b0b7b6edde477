/* Writing what a reading of this machine read into one archive. */
#ifndef PL_CLI_CAPTURE_H
#define PL_CLI_CAPTURE_H

#include "cli/verb.h"
#include "domain/machine.h"
#include "machine/assess.h"
#include "machine/capture.h"

/* Assesses this machine into ret and writes the archive that --capture names, with --no-redact and
 * --force as given. What went in and what was taken out is told on stderr. */
int pl_cli_capture(struct pl_cli *cli, const struct pl_assess_options *options,
                   struct pl_machine *ret, struct pl_err *err);

/* The same for any file and with more in it; extra ends with a NULL name, at most
 * PL_CAPTURE_EXTRA_MAX - 1 of them, and may be NULL. The tape is what was read. *ret_members and
 * redacted tell what it holds. */
#define PL_CAPTURE_EXTRA_MAX 8
struct pl_capture_order {
    const char *file;
    bool redact, force;
    struct pl_tape *tape;
    const struct pl_machine *machine;
    const struct pl_capture_extra *extra;
};
int pl_capture_save(const struct pl_capture_order *order, struct pl_str *ret_told,
                    struct pl_err *err);

#endif
