/* What estimate --why says of ways to answer faster. */
#ifndef PL_CLI_ACCELERATIONS_H
#define PL_CLI_ACCELERATIONS_H

#include "base/json.h"
#include "measure/accelerate.h"

void pl_accelerations_text(const struct pl_acceleration one[PL_ACCELERATIONS], bool colour,
                           struct pl_str *out);
void pl_accelerations_json(const struct pl_acceleration one[PL_ACCELERATIONS], struct pl_json *j,
                           const char *key);

#endif
