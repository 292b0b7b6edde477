/* What each field of a machine is, how and when it was read, whether it could be, and why it
 * matters: the answer of `plimsoll assess --json` walked from end to end beside data/fields.tsv.
 *
 * A field is a value, a quantity, a rate or a sensor; or an empty list. Fields of one row of the
 * table ("pools[].available") stand together in the text; in JSON each stands for itself. */
#ifndef PL_REPORT_EXPLAIN_H
#define PL_REPORT_EXPLAIN_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#include <stdint.h>

struct pl_field_row {
    const char *path; /* "pools[].available" */
    const char *what, *how, *matters;
    const char *probe;  /* the one that reads it; NULL = several or none */
    const char *absent; /* what null says of it: "none"; NULL = it is unknown */
};

/* The row of a path, or NULL. */
const struct pl_field_row *pl_field_row(const char *path);

/* machine_json is what pl_machine_json wrote. times are those of the probes (machine/assess.h);
 * NULL when unknown. -EINVAL when the text is no JSON. */
int pl_explain_text(const struct pl_str *machine_json, const uint64_t *times, struct pl_str *out,
                    struct pl_err *err);

/* The same as members of an array "explain" of the object that is open in j. */
int pl_explain_json(const struct pl_str *machine_json, const uint64_t *times, struct pl_json *j,
                    struct pl_err *err);

#endif
