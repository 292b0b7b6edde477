/* Every verb, in the order of the help. Adding one: a file, a row here, a test of the same name. */
#include "cli/verbs.h"

/* one a line, so that additions do not collide */
/* clang-format off */
const struct pl_verb *const pl_verbs[] = {
    &pl_verb_assess,
    &pl_verb_inspect,
    &pl_verb_estimate,
    &pl_verb_fit,
    &pl_verb_try,
    &pl_verb_pull,
    &pl_verb_plan,
    &pl_verb_tiers,
    &pl_verb_config,
    &pl_verb_ghost,
    &pl_verb_models,
    &pl_verb_runs,
    &pl_verb_compare,
    &pl_verb_accuracy,
    &pl_verb_calibration,
    &pl_verb_report,
    &pl_verb_why,
    &pl_verb_run,
    &pl_verb_attach,
    &pl_verb_machines,
    &pl_verb_doctor,
    &pl_verb_completion,
    &pl_verb_version,
    0,
};
/* clang-format on */
