/* The towers of a projector's file, for plimsoll inspect. */
#ifndef PL_REPORT_PROJECTOR_H
#define PL_REPORT_PROJECTOR_H

#include "base/json.h"
#include "base/str.h"
#include "domain/model.h"

/* Lines; nothing of a file that is no projector. */
void pl_report_projector_text(struct pl_str *out, const struct pl_model *m);
/* An array; empty for a file that is no projector, or one of a kind that is not known. */
void pl_report_projector_json(struct pl_json *j, const char *name, const struct pl_model *m);

#endif
