#ifndef PL_CLI_VERBS_H
#define PL_CLI_VERBS_H

#include "cli/verb.h"

extern const struct pl_verb pl_verb_assess;
extern const struct pl_verb pl_verb_completion;
extern const struct pl_verb pl_verb_ghost;
extern const struct pl_verb pl_verb_inspect;
extern const struct pl_verb pl_verb_runs;
extern const struct pl_verb pl_verb_version;

#endif
