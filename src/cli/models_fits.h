/* plimsoll models --fits: what of the catalogue runs on a machine, and how. */
#ifndef PL_CLI_MODELS_FITS_H
#define PL_CLI_MODELS_FITS_H

#include "cli/verb.h"

#define PL_MODELS_FITS_OPTS                                                                        \
    {"fits", '\0', PL_OPT_FLAG, NULL, "those that run on the machine, best first"},                \
        {"context", '\0', PL_OPT_NUMBER, "N",                                                      \
         "with --fits: the context to have room for (8192, or all the model has)"},                \
    {                                                                                              \
        "sort", '\0', PL_OPT_CHOICE, "quality|size|speed|released", "order of --fits (quality)"    \
    }

/* Lists them. Exit status (1 when there is none), or negative errno with err. */
int pl_models_fits(struct pl_cli *cli, struct pl_err *err);

#endif
