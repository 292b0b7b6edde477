/* A failure explained, in text and JSON. */
#ifndef PL_REPORT_WHY_H
#define PL_REPORT_WHY_H

#include "base/json.h"
#include "domain/forecast.h"
#include "domain/oom.h"
#include "domain/relief.h"
#include "why/object.h"

/* What is known of it; NULL and 0 for what is not. All borrowed. */
struct pl_why_report {
    const char *log; /* its name, "-" = standard input */
    uint64_t lines, bytes, failures;
    bool cut;
    const struct pl_oom *oom; /* NULL: nothing was recognised */
    const struct pl_oom_object *object;
    uint32_t n_object;
    const char *resembles;              /* without a model: whose matrices have this size */
    const struct pl_forecast *forecast; /* of the model, with its settings, on the machine */
    const struct pl_reliefs *reliefs;
    uint64_t missing; /* bytes that were short; 0 = not known */
};

void pl_why_text(const struct pl_why_report *w, bool colour, struct pl_str *out);
/* The members of an object that the caller began ("schema" is its). */
void pl_why_json(const struct pl_why_report *w, struct pl_json *j);

#endif
