/* What is missing on a machine, what that costs, and how to get it: one table of checks, one file a
 * topic. A check reads the assessed machine, and through the root whatever else it needs; calls go
 * by sys/live.h, so that a capture is examined like this system.
 *
 * Adding a check: a function in the file of its topic, a row in that file's table. */
#ifndef PL_CLI_DOCTOR_H
#define PL_CLI_DOCTOR_H

#include "base/err.h"
#include "base/str.h"
#include "domain/machine.h"
#include "sys/root.h"

enum pl_level {
    PL_LEVEL_UNKNOWN = 0, /* what it needs is not known of this machine */
    PL_LEVEL_OK,
    PL_LEVEL_NOTE,    /* good to know */
    PL_LEVEL_WARNING, /* models run, but slower, smaller or less surely */
    PL_LEVEL_ERROR,   /* no model can run */
};

struct pl_finding {
    enum pl_level level;
    char found[240]; /* what is so */
    char costs[200]; /* one sentence; "" when it costs nothing */
    char get[240];   /* what to do about it; "" when nothing */
};

struct pl_patient {
    const struct pl_machine *m;
    const struct pl_root *root; /* NULL: only what a machine file says */
};

struct pl_check {
    const char *id;    /* "engine" */
    const char *topic; /* "engines" */
    const char *about; /* what is looked at */
    void (*run)(const struct pl_patient *p, struct pl_finding *ret);
};

/* Each ends with a NULL id. */
extern const struct pl_check pl_checks_engines[];
extern const struct pl_check pl_checks_devices[];
extern const struct pl_check pl_checks_memory[];
extern const struct pl_check pl_checks_cpu[];
extern const struct pl_check pl_checks_storage[];
extern const struct pl_check pl_checks_place[];

const char *pl_level_name(enum pl_level level); /* "ok", "note" ... "cannot tell" */

/* For checks: fills ret. costs and get may be NULL. */
void pl_find(struct pl_finding *ret, enum pl_level level, const char *costs, const char *get,
             const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A number in a file below the root; false when it cannot be read. */
bool pl_patient_u64(const struct pl_patient *p, const char *path, uint64_t *ret);

#endif
