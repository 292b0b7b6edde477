/* Results of several machines, summed up by machine, and the same models side by side. */
#ifndef PL_REPORT_FLEET_H
#define PL_REPORT_FLEET_H

#include "report/results.h"

#define PL_FLEET_MACHINES_MAX 12

struct pl_fleet_machine {
    const struct pl_result *first; /* borrowed: which machine it is */
    char name[96];                 /* its text; with a piece of its id where two have the same */
    uint32_t runs, ended_well, models;
    struct pl_results_error memory, decode;
};

struct pl_fleet {
    struct pl_fleet_machine one[PL_FLEET_MACHINES_MAX]; /* in order of appearance */
    uint32_t n;
    uint32_t left_out; /* runs of machines beyond these */
};

/* r must stay as it is while ret is used. -ENOMEM only. */
int pl_fleet_of(const struct pl_results *r, struct pl_fleet *ret, struct pl_err *err);

/* The machines, one a line, and (of two and more) the rate of decoding of each model with the same
 * flags on each: the newest that is valid. */
void pl_fleet_text(const struct pl_fleet *f, const struct pl_results *r, bool colour,
                   struct pl_str *out);
void pl_fleet_markdown(const struct pl_fleet *f, const struct pl_results *r, struct pl_str *out);
void pl_fleet_html(const struct pl_fleet *f, const struct pl_results *r, struct pl_str *out);
/* "machines": [...] */
void pl_fleet_json(const struct pl_fleet *f, struct pl_json *j);

#endif
