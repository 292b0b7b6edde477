/* plimsoll models --fits: what of the catalogue runs on a machine, and how. */
#ifndef PL_CLI_MODELS_FITS_H
#define PL_CLI_MODELS_FITS_H

#include "cli/verb.h"

/* The order and what counts, for the verbs that list so. */
#define PL_MODELS_RANK_OPTS                                                                        \
    {"context", '\0', PL_OPT_NUMBER, "N", "the context to have room for (8192, or all it has)"},   \
        {"min-decode", '\0', PL_OPT_NUMBER, "N", "not what decodes fewer tokens a second"},        \
    {                                                                                              \
        "sort", '\0', PL_OPT_CHOICE, "quality|size|speed|released", "order of what fits (quality)" \
    }

#define PL_MODELS_FITS_OPTS                                                                        \
    {"fits", '\0', PL_OPT_FLAG, NULL, "those that run on the machine, best first"},                \
        PL_MODELS_RANK_OPTS

/* Lists them, each with a line to paste. Exit status (1 when there is none), or negative errno with
 * err. */
int pl_models_fits(struct pl_cli *cli, struct pl_err *err);

#endif
