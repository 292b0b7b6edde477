/* A capture: one archive with everything a reading of a machine read, which reads back as that
 * machine (sys/tape.h, sys/root.h). Redacted unless asked not to (base/redact.h).
 *
 *     proc/... sys/... etc/...     what was read; of a folder also what was listed and not read,
 * empty plimsoll/about.tsv           version, time, redacted or not plimsoll/assess.json what the
 * reading said plimsoll/errors.tsv links.tsv live.tsv */
#ifndef PL_MACHINE_CAPTURE_H
#define PL_MACHINE_CAPTURE_H

#include "base/err.h"
#include "base/redact.h"
#include "base/str.h"
#include "sys/tape.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_CAPTURE_BYTES_MAX (240u * 1024 * 1024)

/* One more file to go in: "plimsoll/doctor.txt". */
struct pl_capture_extra {
    const char *name;
    const char *text;
};

struct pl_capture {
    struct pl_tape *tape;                 /* borrowed */
    struct pl_redact *redact;             /* borrowed; NULL = nothing is taken out */
    const struct pl_capture_extra *extra; /* ends with a NULL name */
    int64_t time;                         /* seconds since 1970 */
};

/* Builds the archive in out (its cap: PL_CAPTURE_BYTES_MAX). *ret_files counts what is in it.
 * -E2BIG when the tape is not whole or the archive would be too large. */
int pl_capture_build(const struct pl_capture *c, struct pl_str *out, uint32_t *ret_files,
                     struct pl_err *err);

/* Whether path is a folder, or an archive by its first bytes: then it is replayed, and not read as
 * a machine file. */
bool pl_is_capture(const char *path);

#endif
