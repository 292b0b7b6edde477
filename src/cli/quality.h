/* Quality and the rule of thumb, as `estimate` adds them. */
#ifndef PL_CLI_QUALITY_H
#define PL_CLI_QUALITY_H

#include "base/json.h"
#include "cli/verb.h"
#include "domain/forecast.h"

#define PL_CLI_THUMB_OPT                                                                           \
    {                                                                                              \
        "rule-of-thumb", '\0', PL_OPT_FLAG, NULL,                                                  \
            "also size = parameters x multiplier x 1.1, beside what is true"                       \
    }

/* After the forecast: members of the open object of j, or text into cli->out when j is NULL. */
void pl_cli_forecast_quality(struct pl_cli *cli, const struct pl_forecast *f, struct pl_json *j);

/* The catalogue's id of a model by its name, or NULL when none or several have it. */
const char *pl_cli_catalogue_id(const char *name);
/* The same of an opened model: of the catalogue, or by its path or its own name. */
const char *pl_cli_model_id(const struct pl_model *m);

#endif
