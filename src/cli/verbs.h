#ifndef PL_CLI_VERBS_H
#define PL_CLI_VERBS_H

#include "cli/verb.h"

extern const struct pl_verb pl_verb_accuracy;
extern const struct pl_verb pl_verb_assess;
extern const struct pl_verb pl_verb_calibration;
extern const struct pl_verb pl_verb_compare;
extern const struct pl_verb pl_verb_doctor;
extern const struct pl_verb pl_verb_completion;
extern const struct pl_verb pl_verb_estimate;
extern const struct pl_verb pl_verb_fit;
extern const struct pl_verb pl_verb_ghost;
extern const struct pl_verb pl_verb_pull;
extern const struct pl_verb pl_verb_home; /* no command: not in the table */
extern const struct pl_verb pl_verb_inspect;
extern const struct pl_verb pl_verb_machines;
extern const struct pl_verb pl_verb_config;
extern const struct pl_verb pl_verb_models;
extern const struct pl_verb pl_verb_plan;
extern const struct pl_verb pl_verb_report;
extern const struct pl_verb pl_verb_runs;
extern const struct pl_verb pl_verb_why;
extern const struct pl_verb pl_verb_run;
extern const struct pl_verb pl_verb_attach;
extern const struct pl_verb pl_verb_tiers;
extern const struct pl_verb pl_verb_try;
extern const struct pl_verb pl_verb_version;

#endif
