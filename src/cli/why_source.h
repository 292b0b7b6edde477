/* Logs that another program keeps, by name: the journal, a container's, a pod's. */
#ifndef PL_CLI_WHY_SOURCE_H
#define PL_CLI_WHY_SOURCE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PL_SOURCE_NAME_MAX 256
#define PL_SOURCE_STEPS_MAX 3
#define PL_SOURCE_WORDS_MAX 10

/* The commands that print it, one after the other. */
struct pl_why_source {
    const char *word[PL_SOURCE_STEPS_MAX][PL_SOURCE_WORDS_MAX]; /* NULL-ended; no words: no step */
    bool may_fail[PL_SOURCE_STEPS_MAX]; /* there may be nothing of that kind */
    char name[PL_SOURCE_NAME_MAX];
};

/* "journal:UNIT", "journal:kernel", "journal:/FILE.journal", "journal:", "docker:NAME",
 * "podman:NAME", "kubectl:POD". 1 when it is one, 0 when not; -EINVAL (exit 2) for a name that none
 * of these programs would take. */
int pl_why_source_read(const char *text, struct pl_why_source *ret, struct pl_err *err);

/* For the help. */
#define PL_WHY_SOURCES "journal:UNIT, docker:NAME, podman:NAME, kubectl:POD"

#endif
